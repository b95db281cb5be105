//! The invariants of the header tree after every call, recomputed from its nodes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Body, Changes, Node, Tree};
use crate::primitives::{Hash, Transaction, Work};

use super::super::records::SideEntry;
use super::super::work_of;

impl<T: Transaction> Tree<T> {
    /// Checks the tree. `best` returns the height and the accumulated work of a block on the best chain.
    pub(in super::super) fn check_invariants(&self, best: impl Fn(&Hash) -> Option<(u64, Work)>) {
        let tip = &self.tip;
        assert_eq!(tip.hash, tip.header.hash());
        assert_eq!(best(&tip.hash), Some((tip.header.height, tip.work)), "the tip ends the best chain");
        self.check_nodes(best);
        self.check_children();
        self.check_ahead();
    }

    /// The length of the path to the best header, and the total size of its bodies in bytes.
    pub(in super::super) fn ahead_size(&self) -> (usize, usize) {
        (self.ahead.len(), self.ahead.iter().map(|hash| self.nodes[hash].body_bytes()).sum())
    }

    /// The rows that the store must have for the complete blocks.
    pub(in super::super) fn complete_rows(&self) -> BTreeMap<Hash, SideEntry> {
        self.nodes.iter().filter_map(|(hash, node)| Some((*hash, node.to_row()?))).collect()
    }

    /// The changes that are not written to the store yet.
    pub(in super::super) const fn pending(&self) -> &Changes<T> {
        &self.changes
    }

    fn check_nodes(&self, best: impl Fn(&Hash) -> Option<(u64, Work)>) {
        let (mut bytes, mut waiting) = (0, BTreeSet::new());
        for (hash, node) in &self.nodes {
            assert_eq!(node.header.hash(), *hash);
            assert_eq!(best(hash), None, "beside the best chain and on it");
            assert!(node.seen < self.seen, "a turn that is still to be given");
            bytes += node.body_bytes();
            let parent = self.node(&node.header.previous_hash);
            let (height, work) = match parent {
                Some(parent) => (parent.header.height, parent.work),
                None => best(&node.header.previous_hash).expect("every parent is known"),
            };
            assert_eq!(node.header.height, height + 1);
            assert_eq!(node.work, work + work_of(node.header.target));
            // A parent on the best chain is always complete.
            let parent_complete = parent.is_none_or(Node::is_complete);
            let parent_invalid = parent.is_some_and(Node::is_invalid);
            match &node.body {
                Body::Complete(_) => {
                    assert!(parent_complete, "complete on an incomplete parent");
                    assert!(node.work <= self.tip.work, "a better branch is not followed");
                }
                Body::Waiting(block) => {
                    waiting.insert((node.header.height, *hash));
                    assert!(!parent_complete && !parent_invalid, "waits for nothing");
                    assert_eq!(block.header(), &node.header, "another block's body");
                    assert_eq!(block.hash(), hash, "another block's body");
                }
                Body::Missing => assert!(!parent_invalid, "stands on an invalid block"),
                Body::Invalid => {}
            }
        }
        assert_eq!(self.side_bytes, bytes);
        assert_eq!(self.waiting, waiting);
    }

    fn check_children(&self) {
        let mut expected: BTreeMap<Hash, BTreeSet<Hash>> = BTreeMap::new();
        for (hash, node) in &self.nodes {
            expected.entry(node.header.previous_hash).or_default().insert(*hash);
        }
        let listed = self.children.iter().map(|(parent, children)| {
            let set: BTreeSet<Hash> = children.iter().copied().collect();
            assert_eq!(set.len(), children.len(), "a child is listed twice");
            (*parent, set)
        });
        assert_eq!(listed.collect::<BTreeMap<_, _>>(), expected);
    }

    fn check_ahead(&self) {
        let good = self.nodes.iter().filter(|(_, node)| !node.is_invalid());
        let best = good.max_by_key(|(_, node)| node.rank()).filter(|(_, node)| node.work > self.tip.work);
        let (hash, header) =
            best.map_or((&self.tip.hash, &self.tip.header), |(hash, node)| (hash, &node.header));
        assert_eq!(self.best_header(), (hash, header));
        assert_eq!(self.ahead, best.map(|(hash, _)| self.path_from_best(hash)).unwrap_or_default());
    }
}
