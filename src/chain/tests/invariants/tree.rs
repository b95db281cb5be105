//! The invariants of the header tree after every call, recomputed from its nodes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Body, Changes, Node, Tree};
use crate::consensus::headers::work_of;
use crate::primitives::{Hash, Transaction, Work};

use super::super::entry::ChainEntry;

impl<T: Transaction> Tree<T> {
    /// Checks the tree against the best chain, which ends at `tip`. `best` returns the height and the
    /// accumulated work of a block on the best chain.
    pub(in super::super) fn check_invariants(
        &self,
        tip: &ChainEntry,
        best: impl Fn(&Hash) -> Option<(u64, Work)>,
    ) {
        assert_eq!(tip.hash, tip.header.hash());
        assert_eq!(best(&tip.hash), Some((tip.header.height, tip.work)), "the tip ends the best chain");
        self.check_nodes(tip, best);
        self.check_ahead(tip);
    }

    /// The length of the path to the best header, and the total size of its bodies in bytes.
    pub(in super::super) fn ahead_size(&self) -> (usize, usize) {
        (self.ahead.len(), self.ahead.iter().map(|hash| self.known(hash).body_bytes()).sum())
    }

    /// The rows that the store must have for the complete blocks.
    pub(in super::super) fn complete_rows(&self) -> BTreeMap<Hash, ChainEntry> {
        let complete = self.nodes.iter().filter(|node| node.is_complete());
        complete.map(|node| (node.entry.hash, node.entry.clone())).collect()
    }

    /// The changes that are not written to the store yet.
    pub(in super::super) const fn changes(&self) -> &Changes<T> {
        &self.changes
    }

    fn check_nodes(&self, tip: &ChainEntry, best: impl Fn(&Hash) -> Option<(u64, Work)>) {
        let (mut bytes, mut pending) = (0, BTreeSet::new());
        for node in &self.nodes {
            let ChainEntry { hash, header, work: own_work, seen, .. } = &node.entry;
            assert_eq!(header.hash(), *hash);
            assert_eq!(best(hash), None, "on a side branch and on the best chain");
            assert!(*seen < self.seen, "a turn that is still to be given");
            bytes += node.body_bytes();
            assert_eq!(
                node.entry.size > 0,
                node.is_complete(),
                "the size of a body that is not in the store"
            );
            let parent = self.node(&header.previous_hash);
            let (height, work) = match parent {
                Some(parent) => (parent.entry.header.height, parent.entry.work),
                None => best(&header.previous_hash).expect("every parent is known"),
            };
            assert_eq!(header.height, height + 1);
            assert_eq!(*own_work, work + work_of(header.target));
            // A parent on the best chain is always complete.
            let parent_complete = parent.is_none_or(Node::is_complete);
            let parent_invalid = parent.is_some_and(Node::is_invalid);
            match &node.body {
                Body::Complete => {
                    assert!(parent_complete, "complete on an incomplete parent");
                    assert!(*own_work <= tip.work, "a better branch is not followed");
                }
                Body::Pending(block) => {
                    pending.insert((header.height, header.previous_hash, *hash));
                    assert!(!parent_complete && !parent_invalid, "waits for nothing");
                    assert_eq!(block.header(), header, "another block's body");
                    assert_eq!(block.hash(), hash, "another block's body");
                }
                Body::Missing => assert!(!parent_invalid, "a child of an invalid block"),
                Body::Invalid => {}
            }
        }
        assert_eq!(self.side_bytes, bytes);
        assert_eq!(self.pending, pending);
    }

    fn check_ahead(&self, tip: &ChainEntry) {
        let good = self.nodes.iter().filter(|node| !node.is_invalid());
        let best = good.max_by_key(|node| node.rank()).map(|node| &node.entry);
        let best = best.filter(|best| best.work > tip.work);
        assert_eq!(self.best_header(), best);
        assert_eq!(self.ahead, best.map(|best| self.path_from_best(&best.hash)).unwrap_or_default());
    }
}
