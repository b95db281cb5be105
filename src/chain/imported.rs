//! The results of an import.

use std::sync::Arc;

use super::BlockError;
use crate::primitives::{Block, Hash};

/// The result of importing a valid block.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
#[non_exhaustive]
pub enum Imported<T = String> {
    /// The block, and orphans or pending blocks that descend from it, extended the best chain.
    Extended {
        /// The new blocks of the best chain, lowest first.
        connected: Vec<Arc<Block<T>>>,
    },
    /// The block gave another branch the most work, and the chain reorganised to it.
    Reorged {
        /// The blocks that left the best chain, highest first.
        disconnected: Vec<Arc<Block<T>>>,
        /// The blocks that joined it, lowest first.
        connected: Vec<Arc<Block<T>>>,
    },
    /// The block is stored on a side branch.
    SideBranch,
    /// It is kept until an ancestor arrives.
    Orphan {
        /// The hash of the nearest ancestor that is missing.
        missing: Hash,
    },
    /// It was here already.
    Duplicate,
}

/// The result of importing several blocks together.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
#[non_exhaustive]
pub struct ImportedAll<T = String> {
    /// The verdict on each block, in the order of the input.
    pub verdicts: Vec<Result<Verdict, BlockError>>,
    /// The blocks that left the best chain, highest first.
    pub disconnected: Vec<Arc<Block<T>>>,
    /// The blocks that joined it, lowest first.
    pub connected: Vec<Arc<Block<T>>>,
}

/// The verdict on one of several blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The block is stored, on the best chain or on a side branch.
    Kept,
    /// It is kept until an ancestor arrives.
    Orphan {
        /// The hash of the nearest ancestor that is missing.
        missing: Hash,
    },
    /// It was here already.
    Duplicate,
}

/// The net change of the best chain over several steps.
#[derive(Debug)]
pub(super) struct ChainUpdate<T> {
    pub(super) disconnected: Vec<Arc<Block<T>>>,
    pub(super) connected: Vec<Arc<Block<T>>>,
}

impl<T> Default for ChainUpdate<T> {
    fn default() -> Self {
        Self { disconnected: Vec::new(), connected: Vec::new() }
    }
}

impl<T> ChainUpdate<T> {
    pub(super) fn disconnect(&mut self, block: Arc<Block<T>>) {
        if self.connected.pop_if(|last| last.hash() == block.hash()).is_none() {
            self.disconnected.push(block);
        }
    }

    pub(super) fn connect(&mut self, block: Arc<Block<T>>) {
        let came_back = self.connected.is_empty()
            && self.disconnected.pop_if(|last| last.hash() == block.hash()).is_some();
        if !came_back {
            self.connected.push(block);
        }
    }
}
