//! Pending bodies, held in memory until the body of an ancestor arrives. Peers can send them again, so they
//! are dropped if a better body needs the room, or if no peer leads to them.

use std::collections::BTreeSet;

use super::{Body, Tree};
use crate::primitives::{Block, Hash, Transaction};

impl<T: Transaction> Tree<T> {
    /// Makes room for the body of a block whose header is in the tree: [evicts branches](Self::make_room),
    /// then pending bodies above the block, which are useless without it. Returns whether there is room.
    pub(in super::super) fn make_body_room(&mut self, block: &Block<T>, max_bytes: usize) -> bool {
        let completes = self.completes(block);
        let bytes = if completes { block.size() } else { block.memory_size() };
        let above = if completes { 0 } else { block.height() };
        if self.make_room(usize::MAX, max_bytes, bytes, &[*block.hash()]) {
            return true;
        }
        bytes <= max_bytes && self.trim_waiting(max_bytes - bytes, above)
    }

    /// Drops pending bodies above a height, the highest first because it is needed last, until all bodies off
    /// the best chain take at most `max_bytes`. Returns whether they do.
    pub(in super::super) fn trim_waiting(&mut self, max_bytes: usize, above: u64) -> bool {
        while self.side_bytes > max_bytes
            && let Some((height, hash)) = self.waiting.last().copied()
            && height > above
        {
            self.forget_waiting(&hash);
        }
        self.side_bytes <= max_bytes
    }

    /// Drops all pending bodies except those on the path to one of these headers and those that descend from
    /// such a path without a gap. Headers stay.
    pub(in super::super) fn keep_waiting(&mut self, leads: impl IntoIterator<Item = Hash>) {
        if self.waiting.is_empty() {
            return;
        }
        let mut kept = BTreeSet::new();
        for mut next in leads {
            while let Some(node) = self.nodes.get(&next).filter(|_| kept.insert(next)) {
                next = node.entry.header.previous_hash;
            }
        }
        let mut gone = Vec::new();
        // Lowest first, so that the decision on a parent precedes the one on its children.
        for (_, hash) in &self.waiting {
            let parent = self.nodes.get(hash).map(|node| node.entry.header.previous_hash);
            if kept.contains(hash) || parent.is_some_and(|parent| kept.contains(&parent)) {
                kept.insert(*hash);
            } else {
                gone.push(*hash);
            }
        }
        for hash in gone {
            self.forget_waiting(&hash);
        }
    }

    /// Drops a pending body; its header stays.
    fn forget_waiting(&mut self, hash: &Hash) {
        let Some(mut node) = self.nodes.take(hash) else { return };
        self.waiting.remove(&(node.entry.header.height, *hash));
        self.side_bytes -= node.body_bytes();
        node.body = Body::Missing;
        self.nodes.insert(node);
    }
}
