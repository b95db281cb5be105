//! How fast blocks spread and how many are lost to forks. Watches; decides nothing.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use super::record::Record;
use crate::primitives::{Block, Hash};

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
    /// At which height.
    pub height: u64,
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

    /// How long blocks took from their miner to another node, shortest first. Blocks that had a rival at their
    /// height are left out: whoever has the one asks for the other only when its branch wins, however long ago
    /// it heard of it.
    pub fn delays(&self) -> Vec<Duration> {
        let mut at_height = BTreeMap::<u64, u32>::new();
        for block in self.blocks.values() {
            *at_height.entry(block.height).or_default() += 1;
        }
        let alone = self.blocks.values().filter(|block| at_height[&block.height] == 1);
        let mut delays: Vec<_> = alone.flat_map(|block| block.delays.values().copied()).collect();
        delays.sort_unstable();
        delays
    }

    pub(super) fn mined(&mut self, block: &Block<Record>, miner: usize, at: Duration) {
        self.order.push(*block.hash());
        let times = BlockTimes { mined_at: at, miner, height: block.height(), delays: BTreeMap::new() };
        self.blocks.insert(*block.hash(), times);
    }

    pub(super) fn received(&mut self, hash: &Hash, node: usize, at: Duration) {
        if let Some(block) = self.blocks.get_mut(hash)
            && block.miner != node
        {
            block.delays.entry(node).or_insert(at.saturating_sub(block.mined_at));
        }
    }
}
