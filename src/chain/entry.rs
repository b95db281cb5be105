//! A header in the chain, with the values that the chain has computed for it.

use core::ops::Deref;

use crate::primitives::{Hash, Header, Work};

/// A header in the chain, on any branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChainEntry {
    pub(crate) hash: Hash,
    pub(crate) header: Header,
    /// The accumulated work of the chain up to and including this header.
    pub(crate) work: Work,
    /// How many headers were seen before this one; 0 until the header is added to the chain.
    pub(super) seen: u64,
    /// The canonical size of the block in bytes; 0 until the body is in the store.
    pub(super) size: usize,
}

impl ChainEntry {
    /// An entry of a checked header that has not been added to the chain.
    pub(super) const fn new(hash: Hash, header: Header, work: Work) -> Self {
        Self { hash, header, work, seen: 0, size: 0 }
    }
}

/// An entry of the best chain, as a row of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BestEntry {
    pub(super) entry: ChainEntry,
    /// The roots over the perfect subtrees of the history that this block completes, the smallest first. Not
    /// in [`ChainEntry`], because headers off the best chain complete none and are many.
    pub(super) subtrees: Vec<Hash>,
}

impl Deref for BestEntry {
    type Target = ChainEntry;

    fn deref(&self) -> &ChainEntry {
        &self.entry
    }
}
