//! The outcome of an import.

use std::sync::Arc;

use super::{BlockError, VerifiedBlock};
use crate::primitives::{Block, Hash};

/// The outcome of an import of one block or several: the verdict on each block, and the net change of the
/// best chain.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
#[non_exhaustive]
pub struct Imported<T = String> {
    /// The verdict on each block, in the order of the input.
    pub verdicts: Vec<Result<Verdict, BlockError>>,
    /// The blocks that left the best chain, highest first.
    pub disconnected: Vec<Arc<Block<T>>>,
    /// The blocks that joined the best chain, lowest first: imported ones, orphans and pending blocks that
    /// descend from them, and blocks of another branch.
    pub connected: Vec<VerifiedBlock<T>>,
}

/// The verdict on an imported block that breaks no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The block is stored, on the best chain or on a side branch.
    Kept,
    /// The block is kept in memory until an ancestor arrives.
    Orphan {
        /// The hash of the nearest ancestor that is missing.
        missing: Hash,
    },
    /// The block was imported before.
    Duplicate,
}

impl<T> Default for Imported<T> {
    fn default() -> Self {
        Self { verdicts: Vec::new(), disconnected: Vec::new(), connected: Vec::new() }
    }
}

impl<T> Imported<T> {
    /// Whether blocks were added on top of the best chain, and none left it.
    pub const fn is_extension(&self) -> bool {
        self.disconnected.is_empty() && !self.connected.is_empty()
    }

    /// Whether the chain reorganised: another branch has become the best chain.
    pub const fn is_reorganisation(&self) -> bool {
        !self.disconnected.is_empty()
    }

    /// Records that a block left the best chain.
    pub(super) fn disconnect(&mut self, block: Arc<Block<T>>) {
        if self.connected.pop_if(|last| last.hash() == block.hash()).is_none() {
            self.disconnected.push(block);
        }
    }

    /// Records that a block joined the best chain.
    pub(super) fn connect(&mut self, block: VerifiedBlock<T>) {
        let came_back = self.connected.is_empty()
            && self.disconnected.pop_if(|last| last.hash() == block.hash()).is_some();
        if !came_back {
            self.connected.push(block);
        }
    }
}
