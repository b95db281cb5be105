//! How fast blocks spread and how many are lost to forks. Watches; decides nothing.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crate::primitives::Hash;

/// What was seen of the blocks that honest nodes mined.
#[derive(Clone, Debug, Default)]
pub struct Measurements {
    blocks: BTreeMap<Hash, BlockTimes>,
    /// In the order in which they were mined.
    order: Vec<Hash>,
}

/// One block: when it was mined, and when it reached whom.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BlockTimes {
    /// When it was mined.
    pub mined_at: Duration,
    /// By which node.
    pub miner: usize,
    /// How long it took to each other honest node that the whole block has reached.
    pub delays: BTreeMap<usize, Duration>,
}

impl Measurements {
    /// The blocks in the order in which they were mined.
    pub fn blocks(&self) -> impl ExactSizeIterator<Item = (&Hash, &BlockTimes)> {
        self.order.iter().map(|hash| (hash, &self.blocks[hash]))
    }

    /// How many blocks are not among `best`, the hashes of a best chain.
    pub fn stale(&self, best: &BTreeSet<Hash>) -> usize {
        self.order.iter().filter(|hash| !best.contains(hash)).count()
    }

    /// All delays from a miner to another node, shortest first.
    pub fn delays(&self) -> Vec<Duration> {
        let mut delays: Vec<_> =
            self.blocks.values().flat_map(|block| block.delays.values().copied()).collect();
        delays.sort_unstable();
        delays
    }

    pub(super) fn mined(&mut self, hash: Hash, miner: usize, at: Duration) {
        self.order.push(hash);
        self.blocks.insert(hash, BlockTimes { mined_at: at, miner, delays: BTreeMap::new() });
    }

    pub(super) fn received(&mut self, hash: &Hash, node: usize, at: Duration) {
        if let Some(block) = self.blocks.get_mut(hash)
            && block.miner != node
        {
            block.delays.entry(node).or_insert(at - block.mined_at);
        }
    }
}
