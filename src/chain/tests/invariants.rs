//! What has to hold of a chain after every call, computed anew from what it stores.

use super::forge::{Chain, history_root};
use crate::primitives::merkle::CompactRange;
use crate::{Hash, Timestamp};

use super::super::history_leaf;

impl Chain {
    pub(super) fn check_invariants(&self) {
        self.tree.check_invariants();
        let best: Vec<_> = self.blocks(..).cloned().collect();
        assert_eq!(self.history.len(), best.len() as u64);
        assert_eq!(self.history.root(), history_root(&best));
        assert_eq!(
            self.tip().header().state_root,
            if self.height() == 0 { Hash::ZERO } else { self.state().0 }
        );
        for (hash, range) in &self.branch_ranges {
            let mut ancestors = Vec::new();
            let mut next = *hash;
            while let Some(header) = self.header(&next) {
                ancestors.push(history_leaf(&next));
                next = header.previous_hash;
            }
            // An end that was forgotten since then cannot be looked up, nor does anybody ask for it.
            if !ancestors.is_empty() {
                assert_eq!(*range, ancestors.into_iter().rev().collect::<CompactRange>());
            }
        }
        assert!(self.orphan_count() <= self.config.max_orphans);
        let (path, path_bytes) = self.tree.ahead_size();
        assert!(self.tree.side_len() <= self.config.max_side_headers.max(path), "side headers");
        assert!(self.tree.side_bytes() <= self.config.max_side_bytes.max(path_bytes), "side bytes");
        // Every question that takes no argument has an answer.
        assert!(!self.locator().is_empty());
        let toward = *self.best_header().0;
        assert!(self.missing_bodies(&toward, usize::MAX).len() <= path);
        assert!(self.template(Vec::new(), Timestamp::default()).is_ok());
    }
}
