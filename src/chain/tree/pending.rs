//! Pending bodies, held in memory until the body of an ancestor arrives. Peers can send them again, so they
//! are evicted to store a better body, or when no peer leads to them.

use std::collections::BTreeSet;

use super::{Body, Tree};
use crate::primitives::{Block, Hash, Transaction};

impl<T: Transaction> Tree<T> {
    /// Evicts [branches](Self::evict_until_fits), then pending bodies above a block, which are useless
    /// without it, until the block's body fits. The block's header is in the tree. Returns whether the body
    /// fits.
    pub(in super::super) fn evict_for_body(&mut self, block: &Block<T>, max_bytes: usize) -> bool {
        let completes = self.completes(block);
        let bytes = if completes { block.size() } else { block.memory_size() };
        let above = if completes { 0 } else { block.height() };
        if self.evict_until_fits(usize::MAX, max_bytes, bytes, &[*block.hash()]) {
            return true;
        }
        bytes <= max_bytes && self.evict_pending(max_bytes - bytes, above)
    }

    /// Evicts pending bodies above a height, the highest first because it is needed last, until all bodies
    /// off the best chain take at most `max_bytes`. Returns whether they do.
    pub(in super::super) fn evict_pending(&mut self, max_bytes: usize, above: u64) -> bool {
        while self.side_bytes > max_bytes
            && let Some((height, _, hash)) = self.pending.last().copied()
            && height > above
        {
            self.drop_pending(&hash);
        }
        self.side_bytes <= max_bytes
    }

    /// Drops all pending bodies except those on the path to one of these headers and those that descend from
    /// such a path without a gap. Headers stay.
    pub(in super::super) fn retain_pending(&mut self, leads: impl IntoIterator<Item = Hash>) {
        if self.pending.is_empty() {
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
        for (_, parent, hash) in &self.pending {
            if kept.contains(hash) || kept.contains(parent) {
                kept.insert(*hash);
            } else {
                gone.push(*hash);
            }
        }
        for hash in gone {
            self.drop_pending(&hash);
        }
    }

    /// Drops a pending body; its header stays.
    fn drop_pending(&mut self, hash: &Hash) {
        let Some(mut node) = self.nodes.take(hash) else { return };
        self.pending.remove(&node.pending_key());
        self.side_bytes -= node.body_bytes();
        node.body = Body::Missing;
        self.nodes.insert(node);
    }
}
