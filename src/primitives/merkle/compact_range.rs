//! The frontier of a tree that only grows: enough to append leaves and to compute the root, in O(log n)
//! memory.

use super::super::hash::Hash;
use super::{join_peaks, node_hash};

/// The perfect subtrees that a growing tree consists of: one hash for each bit that is set in its length.
///
/// Appending costs O(1) amortised and the root O(log n). The nodes below the frontier are not kept, so a
/// compact range makes no proofs; [`HistoryTree`](super::HistoryTree) does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactRange {
    len: u64,
    /// From left to right, hence from the largest subtree to the smallest.
    peaks: Vec<Hash>,
}

impl CompactRange {
    /// The empty tree.
    pub const fn new() -> Self {
        Self { len: 0, peaks: Vec::new() }
    }

    /// A tree of `len` leaves over these subtrees.
    pub(super) fn from_peaks(len: u64, peaks: Vec<Hash>) -> Self {
        debug_assert_eq!(u64::from(len.count_ones()), peaks.len() as u64);
        Self { len, peaks }
    }

    /// The number of leaves.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no leaves.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a leaf by its [`leaf_hash`](super::leaf_hash).
    pub fn push(&mut self, leaf_hash: Hash) {
        self.push_with(leaf_hash, |_| ());
    }

    /// Appends a leaf, and calls `completed` with the root of each perfect subtree that the leaf completes,
    /// the smallest, of two leaves, first.
    pub(crate) fn push_with(&mut self, leaf_hash: Hash, mut completed: impl FnMut(Hash)) {
        // As in a binary counter: each trailing one bit is a subtree that the new leaf merges into a larger
        // one.
        let complete = self.peaks.len() - self.len.trailing_ones() as usize;
        let hash = self.peaks.drain(complete..).rev().fold(leaf_hash, |right, left| {
            let hash = node_hash(&left, &right);
            completed(hash);
            hash
        });
        self.peaks.push(hash);
        self.len += 1;
    }

    /// Appends a leaf whose last completed subtree is known: the leaf itself if it completes none.
    pub(crate) fn push_completed(&mut self, subtree: Hash) {
        self.peaks.truncate(self.peaks.len() - self.len.trailing_ones() as usize);
        self.peaks.push(subtree);
        self.len += 1;
    }

    /// The subtree of `2^level` leaves that this tree consists of besides others, if it has one.
    pub(super) fn peak(&self, level: usize) -> Option<Hash> {
        let is_there = self.len.checked_shr(u32::try_from(level).ok()?)? & 1 == 1;
        let above = self.len.checked_shr(u32::try_from(level).ok()?)?.count_ones() as usize;
        is_there.then(|| self.peaks[above - 1])
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        join_peaks(self.peaks.iter().rev())
    }
}

impl Extend<Hash> for CompactRange {
    fn extend<I: IntoIterator<Item = Hash>>(&mut self, leaf_hashes: I) {
        leaf_hashes.into_iter().for_each(|leaf_hash| self.push(leaf_hash));
    }
}

impl FromIterator<Hash> for CompactRange {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaf_hashes: I) -> Self {
        let mut range = Self::new();
        range.extend(leaf_hashes);
        range
    }
}
