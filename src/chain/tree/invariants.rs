//! What has to hold of a tree after every call, computed anew from its nodes; and a way to break it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Body, Tree};
use crate::primitives::{Block, Hash};

use super::super::work_of;

impl<T> Tree<T> {
    pub(in super::super) fn check_invariants(&self) {
        self.check_links();
        self.check_best();
        self.check_ahead();
    }

    /// Keeps `block` as the body of another header, as a damaged store might.
    pub(in super::super) fn exchange_body(&mut self, hash: Hash, block: &Arc<Block<T>>) {
        let Some(Body::Complete(body, _)) = self.nodes.get_mut(&hash).map(|node| &mut node.body) else {
            panic!("block {hash} is not complete");
        };
        *body = Arc::clone(block);
    }

    /// The length of the path to the best header, and the bytes of its bodies.
    pub(in super::super) fn ahead_size(&self) -> (usize, usize) {
        (self.ahead.len(), self.ahead.iter().map(|hash| self.nodes[hash].body_bytes()).sum())
    }

    fn check_links(&self) {
        let mut children: BTreeMap<Hash, BTreeSet<Hash>> = BTreeMap::new();
        for (hash, node) in &self.nodes {
            assert_eq!(node.header.hash(), *hash);
            let body = node.block();
            assert!(body.is_none_or(|block| block.hash() == hash), "another block's body");
            if *hash == self.best[0] {
                continue;
            }
            children.entry(node.header.previous_hash).or_default().insert(*hash);
            let parent = self.nodes.get(&node.header.previous_hash).expect("every parent is known");
            assert_eq!(node.header.height, parent.header.height + 1);
            assert_eq!(node.work, parent.work + work_of(node.header.target));
            match node.body {
                Body::Complete(..) => assert!(parent.is_complete(), "complete on an incomplete parent"),
                Body::Waiting(..) => {
                    assert!(!parent.is_complete() && !parent.is_invalid(), "waits for nothing");
                }
                Body::Missing => assert!(!parent.is_invalid(), "stands on an invalid block"),
                Body::Invalid => {}
            }
        }
        for (hash, node) in &self.nodes {
            let listed: BTreeSet<Hash> = node.children.iter().copied().collect();
            assert_eq!(listed.len(), node.children.len(), "a child is listed twice");
            assert_eq!(listed, children.remove(hash).unwrap_or_default());
        }
    }

    fn check_best(&self) {
        for (height, hash) in self.best.iter().enumerate() {
            let node = &self.nodes[hash];
            assert!(node.is_complete());
            assert_eq!(node.header.height, height as u64);
            assert!(height == 0 || node.header.previous_hash == self.best[height - 1]);
        }
        let best: BTreeSet<Hash> = self.best.iter().copied().collect();
        let side: BTreeSet<Hash> = self.nodes.keys().filter(|hash| !best.contains(hash)).copied().collect();
        assert_eq!(self.side, side);
        assert_eq!(self.side_bytes, side.iter().map(|hash| self.nodes[hash].body_bytes()).sum::<usize>());
        for hash in &side {
            let node = &self.nodes[hash];
            assert!(!node.is_complete() || node.work <= self.tip().work, "a better branch is not followed");
        }
    }

    fn check_ahead(&self) {
        let others = self.side().filter(|(_, node)| !node.is_invalid());
        let best = others.max_by_key(|(_, node)| node.rank()).filter(|(_, node)| node.work > self.tip().work);
        assert_eq!(self.best_header(), best.map_or(self.tip_hash(), |(hash, _)| hash));
        let end = self.known(self.best_header());
        assert!(self.ahead.is_empty() || end.work > self.tip().work);
        assert_eq!(self.ahead, self.path_from_best(self.best_header()));
    }
}
