//! The chain under attack, and invalid blocks that break one rule each.

use std::sync::Arc;
use std::time::Duration;

use hashloom::miner::Template;
use hashloom::primitives::{BodyDigest, Target};
use hashloom::{
    Address, Block, Blockchain, ChainSpec, CompactTarget, Context, Hash, Header, Rejected, Retarget,
    Timestamp, Transaction,
};
use serde::{Deserialize, Serialize};

/// A text that the application accepts unless it is [`REFUSED`]. The state is the number of texts, so that
/// headers have a state to commit to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Entry(pub(crate) String);

/// The text that the application refuses.
pub(crate) const REFUSED: &str = "refused";

impl Transaction for Entry {
    type State = u64;

    fn apply(&self, count: &mut u64, _context: &Context<'_>) -> Result<(), Rejected> {
        if self.0 == REFUSED {
            return Err(Rejected::new("refused", "as it says"));
        }
        *count += 1;
        Ok(())
    }

    fn state_root(count: &u64) -> Hash {
        Hash::digest(&count.to_be_bytes())
    }
}

pub(crate) fn entries(texts: &[&str]) -> Vec<Entry> {
    texts.iter().map(|text| Entry((*text).to_owned())).collect()
}

/// A target that every second hash meets.
const EASIEST: CompactTarget = CompactTarget::from_bits(0x207f_ffff);

/// Small enough to fill quickly.
pub(crate) const MAX_BLOCK_BYTES: usize = 64 << 10;

/// Small enough to fit into a small frame in every format.
pub(crate) const MAX_BLOCK_TRANSACTIONS: usize = 1_000;

/// Blocks that arrive faster than this raise the difficulty with each block, and slower ones lower it. So a
/// long chain may have less work than a short one.
pub(crate) const INTERVAL: Duration = Duration::from_secs(10);

pub(crate) fn spec() -> ChainSpec {
    ChainSpec::builder("attacked")
        .easiest_target(EASIEST)
        .block_interval(INTERVAL)
        .retarget(Retarget::Step)
        .max_block_bytes(MAX_BLOCK_BYTES)
        .max_block_transactions(MAX_BLOCK_TRANSACTIONS)
        .build()
        .unwrap()
}

/// The wall clock, which stands still: long enough after genesis for long chains in between.
pub(crate) fn noon() -> Timestamp {
    spec().genesis_time().saturating_add(Duration::from_secs(1_000_000))
}

/// A valid next block with these transactions.
pub(crate) fn next(chain: &Blockchain<Entry>, data: &[&str]) -> Block<Entry> {
    chain.template_for(Address::ZERO, entries(data), noon()).unwrap().mine().unwrap()
}

/// A next block whose header was changed and then mined.
pub(crate) fn forged(chain: &Blockchain<Entry>, change: impl FnOnce(&mut Header)) -> Arc<Block<Entry>> {
    let (mut header, data) = next(chain, &["forged"]).into_parts();
    change(&mut header);
    Arc::new(Template::new(header, data).mine().unwrap())
}

/// A next block with these transactions, even if they break rules.
pub(crate) fn with_data(chain: &Blockchain<Entry>, data: Vec<Entry>) -> Arc<Block<Entry>> {
    let merkle_root = BodyDigest::of(&data).unwrap().merkle_root();
    let (header, _) = next(chain, &[]).into_parts();
    Arc::new(Template::new(Header { merkle_root, ..header }, data).mine().unwrap())
}

/// A next block that is valid except for its proof of work.
pub(crate) fn without_work(chain: &Blockchain<Entry>) -> Arc<Block<Entry>> {
    let (mut header, data) = next(chain, &["cheap"]).into_parts();
    while Target::try_from(header.target).unwrap().is_met_by(&header.hash()) {
        header.nonce += 1;
    }
    Arc::new(Block::new(header, data))
}

/// An orphan with proof of work, whose parent does not exist.
pub(crate) fn orphan(chain: &Blockchain<Entry>, number: u64, text: &str) -> Arc<Block<Entry>> {
    let data = entries(&[text]);
    let merkle_root = BodyDigest::of(&data).unwrap().merkle_root();
    let parent = Hash::digest(&number.to_be_bytes());
    let header = Header { merkle_root, previous_hash: parent, target: EASIEST, ..*chain.tip().header() };
    Arc::new(Template::new(Header { height: header.height + 2, ..header }, data).mine().unwrap())
}

/// An attacker's chain: the node's chain up to a height, and the attacker's own blocks.
#[derive(Debug)]
pub(crate) struct Fork {
    chain: Blockchain<Entry>,
    from: u64,
}

impl Fork {
    /// The node's chain up to and including `height`.
    pub(crate) fn of(chain: &Blockchain<Entry>, height: u64) -> Self {
        let mut fork = Blockchain::new(spec());
        for block in chain.blocks(1..=height) {
            let _ = fork.import(block.unwrap(), noon()).unwrap();
        }
        Self { chain: fork, from: height }
    }

    /// Mines blocks in such quick succession that the difficulty rises.
    pub(crate) fn mine_fast(mut self, blocks: u64) -> Self {
        for number in 0..blocks {
            let block = next(&self.chain, &[&format!("fork {number}")]);
            let _ = self.chain.import(Arc::new(block), noon()).unwrap();
        }
        self
    }

    /// Mines blocks at the lowest difficulty, one per interval.
    pub(crate) fn mine_slowly(mut self, blocks: u64) -> Self {
        for _ in 0..blocks {
            let time = self.chain.tip().header().timestamp.saturating_add(INTERVAL);
            let block = self.chain.template_for(Address::ZERO, Vec::new(), time).unwrap().mine().unwrap();
            let _ = self.chain.import(Arc::new(block), noon()).unwrap();
        }
        self
    }

    pub(crate) const fn chain(&self) -> &Blockchain<Entry> {
        &self.chain
    }

    /// The attacker's own blocks.
    pub(crate) fn blocks(&self) -> Vec<Arc<Block<Entry>>> {
        self.chain.blocks(self.from + 1..).map(Result::unwrap).collect()
    }

    /// The headers of the attacker's own blocks.
    pub(crate) fn headers(&self) -> Vec<Header> {
        self.blocks().iter().map(|block| *block.header()).collect()
    }
}
