//! Measures how fast blocks propagate and how many become stale. Has no effect on the run.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use super::record::Record;
use crate::primitives::{Block, Hash};

/// The propagation of the blocks that honest nodes mined.
#[derive(Clone, Debug, Default)]
pub struct Measurements {
    blocks: BTreeMap<Hash, BlockTimes>,
    /// The hashes in the order in which the blocks were mined.
    order: Vec<Hash>,
}

/// When one block was mined, and when it reached the other nodes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BlockTimes {
    /// When the block was mined.
    pub mined_at: Duration,
    /// The node that mined the block.
    pub miner: usize,
    /// The height of the block.
    pub height: u64,
    /// The delay to each other honest node that has received the full block.
    pub delays: BTreeMap<usize, Duration>,
}

impl Measurements {
    /// Returns the blocks in the order in which they were mined.
    pub fn blocks(&self) -> impl ExactSizeIterator<Item = (&Hash, &BlockTimes)> {
        self.order.iter().map(|hash| (hash, &self.blocks[hash]))
    }

    /// Returns the number of blocks that are not in `best`, the hashes of a best chain.
    pub fn stale(&self, best: &BTreeSet<Hash>) -> usize {
        self.order.iter().filter(|hash| !best.contains(hash)).count()
    }

    /// Returns the delays from the miner to each other node, in ascending order. Excludes blocks with a rival
    /// at their height: a node that has one of them requests the other only if that one's branch gets more
    /// work, which may be long after the announcement.
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
