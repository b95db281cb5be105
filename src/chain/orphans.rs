//! Blocks whose parent is not known yet. Bounded by count and by bytes; the oldest goes first.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::primitives::{Block, Hash};

#[derive(Clone, Debug)]
pub(super) struct Orphans<T> {
    /// Oldest first, with their canonical sizes.
    blocks: VecDeque<(Arc<Block<T>>, usize)>,
    bytes: usize,
    max_blocks: usize,
    max_bytes: usize,
}

impl<T> Orphans<T> {
    pub(super) const fn new(max_blocks: usize, max_bytes: usize) -> Self {
        Self { blocks: VecDeque::new(), bytes: 0, max_blocks, max_bytes }
    }

    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    pub(super) fn contains(&self, hash: &Hash) -> bool {
        self.blocks.iter().any(|(block, _)| block.hash() == hash)
    }

    /// The parent of a block that waits here.
    pub(super) fn parent_of(&self, hash: &Hash) -> Option<Hash> {
        let (block, _) = self.blocks.iter().find(|(block, _)| block.hash() == hash)?;
        Some(block.header().previous_hash)
    }

    /// Keeps a block, unless it is larger than all that may be kept: it would drive out the others for nothing.
    pub(super) fn insert(&mut self, block: Arc<Block<T>>, size: usize) {
        if size > self.max_bytes {
            return;
        }
        self.bytes += size;
        self.blocks.push_back((block, size));
        while (self.blocks.len() > self.max_blocks || self.bytes > self.max_bytes) && !flaw!(KeepsOrphans) {
            let Some((_, size)) = self.blocks.pop_front() else { break };
            self.bytes -= size;
        }
    }

    /// Takes out the blocks that stand on `parent`, oldest first, with their canonical sizes.
    pub(super) fn take_children(&mut self, parent: &Hash) -> VecDeque<(Arc<Block<T>>, usize)> {
        let (children, rest): (VecDeque<_>, _) = core::mem::take(&mut self.blocks)
            .into_iter()
            .partition(|(block, _)| block.header().previous_hash == *parent);
        self.blocks = rest;
        self.bytes -= children.iter().map(|(_, size)| size).sum::<usize>();
        children
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Header;

    fn block(nonce: u64, parent: u8) -> Arc<Block> {
        let mut header = Header::from_bytes(&[0; Header::LEN]);
        header.previous_hash = Hash::from_bytes([parent; 32]);
        header.nonce = nonce;
        Arc::new(Block::new(header, Vec::new()))
    }

    #[test]
    fn the_oldest_goes_first_by_count_and_by_bytes() {
        let mut orphans = Orphans::new(2, 100);
        for nonce in 0..3 {
            orphans.insert(block(nonce, 1), 10);
        }
        assert_eq!(orphans.len(), 2);
        assert!(!orphans.contains(block(0, 1).hash()));
        orphans.insert(block(3, 1), 95);
        assert_eq!(orphans.take_children(&Hash::from_bytes([1; 32])), [(block(3, 1), 95)]);
        assert_eq!((orphans.len(), orphans.bytes), (0, 0));
    }

    #[test]
    fn only_the_children_of_a_parent_are_taken() {
        let mut orphans = Orphans::new(10, 100);
        orphans.insert(block(1, 1), 10);
        orphans.insert(block(2, 2), 10);
        orphans.insert(block(3, 1), 10);
        assert_eq!(orphans.take_children(&Hash::from_bytes([1; 32])), [(block(1, 1), 10), (block(3, 1), 10)]);
        assert_eq!((orphans.len(), orphans.bytes), (1, 10));
    }

    #[test]
    fn a_block_larger_than_the_pool_is_not_kept() {
        let mut orphans = Orphans::new(10, 100);
        orphans.insert(block(1, 1), 10);
        orphans.insert(block(2, 1), 101);
        assert_eq!((orphans.len(), orphans.bytes), (1, 10));
    }
}
