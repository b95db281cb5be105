//! Chains for measurements. They have hardly any proof of work, which would dominate every measurement.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use hashloom::primitives::merkle::{self, CompactRange};
use hashloom::primitives::{BodyDigest, Target};
use hashloom::{Address, Block, ChainSpec, Hash, Header, Retarget, Timestamp, Transaction};

const INTERVAL: Duration = Duration::from_secs(1);

/// A spec for which every second nonce or so is a solution.
pub(crate) fn spec() -> Result<ChainSpec> {
    spec_with(Retarget::Fixed)
}

/// [`spec`] with another rule. The blocks are on time, and so they keep the easiest target by every rule.
pub(crate) fn spec_with(rule: Retarget) -> Result<ChainSpec> {
    let easiest = Target::MAX.to_compact();
    let builder = ChainSpec::builder("bench").easiest_target(easiest).retarget(rule);
    Ok(builder.block_interval(INTERVAL).build()?)
}

/// A clock that is later than every block.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(u64::MAX >> 1);

/// Produces consecutive blocks from height 1 on, without storing them.
pub(crate) struct Forge {
    tip: Header,
    hash: Hash,
    history: CompactRange,
}

impl Forge {
    pub(crate) fn new() -> Result<Self> {
        Self::of(&spec()?)
    }

    /// Blocks of the chain with this spec.
    pub(crate) fn of(spec: &ChainSpec) -> Result<Self> {
        let genesis = spec.genesis::<String>()?;
        let history = [merkle::leaf_hash(genesis.hash().as_bytes())].into_iter().collect();
        Ok(Self { tip: *genesis.header(), hash: *genesis.hash(), history })
    }

    /// The next block, with the transactions that `data` returns for its height.
    pub(crate) fn next<T: Transaction>(&mut self, data: impl FnOnce(u64) -> Vec<T>) -> Result<Arc<Block<T>>> {
        let height = self.tip.height + 1;
        let data = data(height);
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
