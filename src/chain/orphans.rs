//! Orphans: blocks whose parent is unknown. Limited by count and by memory; the oldest is evicted first.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::primitives::{Block, Hash, Transaction};

#[derive(Clone, Debug)]
pub(super) struct Orphans<T> {
    /// Oldest first.
    blocks: VecDeque<Arc<Block<T>>>,
    /// The bytes of memory of all orphans.
    bytes: usize,
    max_blocks: usize,
    max_bytes: usize,
}

impl<T: Transaction> Orphans<T> {
    pub(super) const fn new(max_blocks: usize, max_bytes: usize) -> Self {
        Self { blocks: VecDeque::new(), bytes: 0, max_blocks, max_bytes }
    }

    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    pub(super) fn contains(&self, hash: &Hash) -> bool {
        self.blocks.iter().any(|block| block.hash() == hash)
    }

    /// The parent hash of an orphan.
    pub(super) fn parent_of(&self, hash: &Hash) -> Option<Hash> {
        let block = self.blocks.iter().find(|block| block.hash() == hash)?;
        Some(block.header().previous_hash)
    }

    /// Adds an orphan, unless it is larger than the limit for all of them: it would evict the others and
    /// still not fit.
    pub(super) fn insert(&mut self, block: Arc<Block<T>>) {
        if block.memory_size() > self.max_bytes {
            return;
        }
        self.bytes += block.memory_size();
        self.blocks.push_back(block);
        while self.blocks.len() > self.max_blocks || self.bytes > self.max_bytes {
            let Some(block) = self.blocks.pop_front() else { break };
            self.bytes -= block.memory_size();
        }
    }

    /// Removes and returns the orphans whose parent is `parent`, oldest first.
    pub(super) fn take_children(&mut self, parent: &Hash) -> VecDeque<Arc<Block<T>>> {
        let (children, rest): (VecDeque<_>, _) = core::mem::take(&mut self.blocks)
            .into_iter()
            .partition(|block| block.header().previous_hash == *parent);
        self.blocks = rest;
        self.bytes -= children.iter().map(|block| block.memory_size()).sum::<usize>();
        children
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Header;

    /// A block that takes so many bytes of memory.
    fn block(nonce: u64, parent: u8, bytes: usize) -> Arc<Block> {
        let mut header = Header::from_bytes(&[0; Header::LEN]);
        header.previous_hash = Hash::from_bytes([parent; 32]);
        header.nonce = nonce;
        // A text of 128 bytes or more has two bytes of length.
        let text = "x".repeat(bytes - LEAST);
        let block = Arc::new(Block::new(header, vec![text]));
        assert_eq!(block.memory_size(), bytes);
        block
    }

    /// Of a block with one text of 128 to 16,383 bytes, without the text's.
    const LEAST: usize = Block::<String>::FIXED_SIZE + size_of::<String>() + 2;

    #[test]
    fn the_oldest_goes_first_by_count_and_by_bytes() {
        let mut orphans = Orphans::new(2, 10_000);
        for nonce in 0..3 {
            orphans.insert(block(nonce, 1, 1_000));
        }
        assert_eq!(orphans.len(), 2);
        assert!(!orphans.contains(block(0, 1, 1_000).hash()));
        orphans.insert(block(3, 1, 9_500));
        assert_eq!(orphans.take_children(&Hash::from_bytes([1; 32])), [block(3, 1, 9_500)]);
        assert_eq!((orphans.len(), orphans.bytes), (0, 0));
    }

    #[test]
    fn only_the_children_of_a_parent_are_taken() {
        let mut orphans = Orphans::new(10, 10_000);
        orphans.insert(block(1, 1, 1_000));
        orphans.insert(block(2, 2, 1_000));
        orphans.insert(block(3, 1, 1_000));
        let children = orphans.take_children(&Hash::from_bytes([1; 32]));
        assert_eq!(children, [block(1, 1, 1_000), block(3, 1, 1_000)]);
        assert_eq!((orphans.len(), orphans.bytes), (1, 1_000));
    }

    #[test]
    fn a_block_larger_than_the_pool_is_not_kept() {
        let mut orphans = Orphans::new(10, 10_000);
        orphans.insert(block(1, 1, 1_000));
        orphans.insert(block(2, 1, 10_001));
        assert_eq!((orphans.len(), orphans.bytes), (1, 1_000));
    }

    #[test]
    fn empty_texts_count_what_they_take_in_memory() {
        let header = Header::from_bytes(&[0; Header::LEN]);
        let mut orphans = Orphans::new(10, 10_000);
        orphans.insert(Arc::new(Block::new(header, vec![String::new(); 300])));
        assert_eq!(orphans.len(), 1, "{} bytes", orphans.bytes);
        orphans.insert(Arc::new(Block::new(header, vec![String::new(); 500])));
        assert_eq!(orphans.len(), 1, "500 canonical bytes take 12 kB");
    }
}
