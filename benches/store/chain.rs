//! Chains to measure: with hardly any proof of work, which would be all that is seen.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use hashloom::merkle::{self, CompactRange};
use hashloom::store::Redb;
use hashloom::{
    Address, Block, Blockchain, BodyDigest, ChainConfig, ChainSpec, Hash, Header, Retarget, Target, Timestamp,
};

const INTERVAL: Duration = Duration::from_secs(1);

fn spec() -> Result<ChainSpec> {
    let easiest = Target::MAX.to_compact();
    let builder = ChainSpec::builder("bench").easiest_target(easiest).retarget(Retarget::Fixed);
    Ok(builder.block_interval(INTERVAL).build()?)
}

pub(crate) fn open(directory: &Path, config: ChainConfig) -> Result<Blockchain> {
    Ok(Blockchain::open(spec()?, config, Box::new(Redb::open(directory)?))?)
}

pub(crate) fn in_memory() -> Result<Blockchain> {
    Ok(Blockchain::new(spec()?))
}

/// A clock that no block is ahead of.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(u64::MAX >> 1);

/// Blocks with one text of `bytes` bytes each, from height 1 on.
pub(crate) fn blocks(count: usize, bytes: usize) -> Result<Vec<Arc<Block>>> {
    Forge::new()?.take(count, bytes)
}

/// Lets an empty chain grow by small blocks, which are made durable in batches.
pub(crate) fn grow(chain: &mut Blockchain, count: u64, batch: usize) -> Result<()> {
    let mut forge = Forge::new()?;
    while chain.height() < count {
        let blocks = forge.take(batch.min(usize::try_from(count - chain.height())?), 24)?;
        let made = blocks.len();
        ensure!(chain.import_all(blocks, NOW)?.connected.len() == made, "a block was refused");
    }
    Ok(())
}

/// Makes blocks without keeping them.
struct Forge {
    tip: Header,
    hash: Hash,
    history: CompactRange,
}

impl Forge {
    fn new() -> Result<Self> {
        let genesis = spec()?.genesis::<String>();
        let history = [merkle::leaf_hash(genesis.hash().as_bytes())].into_iter().collect();
        Ok(Self { tip: *genesis.header(), hash: *genesis.hash(), history })
    }

    fn take(&mut self, count: usize, bytes: usize) -> Result<Vec<Arc<Block>>> {
        (0..count).map(|_| self.next(bytes)).collect()
    }

    fn next(&mut self, bytes: usize) -> Result<Arc<Block>> {
        let height = self.tip.height + 1;
        let data = vec![format!("{height:0>bytes$}")];
        let mut header = Header {
            version: Header::VERSION,
            height,
            previous_hash: self.hash,
            merkle_root: BodyDigest::of(&data)?.merkle_root(),
            history_root: self.history.root(),
            state_root: Hash::ZERO,
            timestamp: self.tip.timestamp.saturating_add(INTERVAL),
            target: self.tip.target,
            miner: Address::ZERO,
            nonce: 0,
        };
        let target = Target::try_from(header.target)?;
        while !target.is_met_by(&header.hash()) {
            header.nonce += 1;
        }
        let block = Block::new(header, data);
        self.tip = header;
        self.hash = *block.hash();
        self.history.push(merkle::leaf_hash(self.hash.as_bytes()));
        Ok(Arc::new(block))
    }
}
