//! The invariants of a chain after every call, recomputed from its store.

use core::convert::Infallible;
use core::fmt::Debug;

use super::forge::Chain;
use crate::consensus::headers::history_leaf;
use crate::consensus::retarget::{Past, Retarget, Sample};
use crate::primitives::merkle::CompactRange;
use crate::{Blockchain, Hash, Timestamp, Transaction};

use super::super::chain_store::Aside;

impl Chain {
    pub(super) fn check_invariants(&self) {
        self.check_store();
        self.check_ends();
        assert_eq!(
            self.tip().header().state_root,
            if self.height() == 0 { Hash::ZERO } else { self.state().0 }
        );
        assert!(self.orphan_count() <= self.config.max_orphans);
        let (path, path_bytes) = self.tree.ahead_size();
        assert!(self.tree.side_len() <= self.config.max_side_headers.max(path), "side headers");
        assert!(self.tree.side_bytes() <= self.config.max_side_bytes.max(path_bytes), "side bytes");
        // These queries must succeed on every chain.
        assert!(!self.locator().unwrap().is_empty());
        let toward = *self.best_header().0;
        assert!(self.missing_bodies(&toward, usize::MAX).len() <= path);
        assert!(self.template(Vec::new(), Timestamp::from_millis(u64::MAX)).is_ok());
    }
}

impl<T: Transaction> Blockchain<T>
where
    T::State: Debug + PartialEq,
{
    /// Checks that the store and the chain in memory agree.
    pub(super) fn check_store(&self) {
        assert!(!self.checkpoints.is_stale);
        let changes = self.tree.changes();
        assert!(changes.completed.is_empty());
        let aside = Aside {
            complete: self.tree.complete_rows(),
            touched: changes.touched.clone(),
            dropped: changes.dropped.iter().copied().collect(),
        };
        let (rows, state) = self.store.check_invariants(&aside, &self.checkpoints, &self.genesis.state);
        let stored = self.store.branches().unwrap();
        assert!(stored.iter().map(|(hash, _)| hash).eq(&self.stored_branches));
        let tip = rows.last().unwrap();
        assert_eq!((self.tip().hash(), self.height()), (&tip.hash, tip.header.height));
        assert_eq!((self.store.tip().hash, self.work()), (tip.hash, tip.work));
        assert_eq!(rows[0].hash, *self.genesis().hash());
        assert_eq!(*self.state(), state);
        let history = rows.iter().map(|row| history_leaf(&row.hash)).collect::<CompactRange>();
        assert_eq!((self.end.history.range(), self.end.history.root()), (&history, history.root()));
        let samples: Vec<Sample> = rows.iter().map(|row| Sample::from(&row.header)).collect();
        assert_eq!((self.end.hash, &self.end.past), (tip.hash, &past(self.spec.retarget(), &samples)));
        self.tree.check_invariants(tip, |hash| {
            let row = rows.iter().find(|row| row.hash == *hash)?;
            Some((row.header.height, row.work))
        });
    }

    fn check_ends(&self) {
        for end in &self.branch_ends {
            let mut ancestors = Vec::new();
            let mut samples = Vec::new();
            let mut next = end.hash;
            while let Some(header) = self.header(&next).unwrap() {
                ancestors.push(history_leaf(&next));
                samples.push(Sample::from(&header));
                next = header.previous_hash;
            }
            // The header of an evicted branch cannot be looked up, so its end is not checked.
            if !ancestors.is_empty() {
                let history = ancestors.into_iter().rev().collect::<CompactRange>();
                assert_eq!((end.history.range(), end.history.root()), (&history, history.root()));
                samples.reverse();
                assert_eq!(end.past, past(self.spec.retarget(), &samples));
            }
        }
    }
}

/// The past after all blocks of a branch, which begins with genesis.
fn past(rule: Retarget, branch: &[Sample]) -> Past {
    let read = |height| Ok::<_, Infallible>(branch[usize::try_from(height).unwrap()]);
    Past::read(rule, branch.len() as u64 - 1, read).unwrap()
}
