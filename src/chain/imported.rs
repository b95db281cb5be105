//! What an import comes to.

use std::sync::Arc;

use crate::consensus::BlockError;
use crate::primitives::{Block, Hash};

/// What became of a block that breaks no rule.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
#[non_exhaustive]
pub enum Imported<T = String> {
    /// It, and blocks that had waited for it, became the end of the best chain.
    Extended {
        /// The new blocks of the best chain, lowest first.
        connected: Vec<Arc<Block<T>>>,
    },
    /// It gave another branch the most work.
    Reorged {
        /// The blocks that left the best chain, highest first.
        disconnected: Vec<Arc<Block<T>>>,
        /// The blocks that joined it, lowest first.
        connected: Vec<Arc<Block<T>>>,
    },
    /// It is kept on a branch that does not have the most work.
    SideBranch,
    /// It is kept until an ancestor arrives.
    Orphan {
        /// The hash of the nearest ancestor that is missing.
        missing: Hash,
    },
    /// It was here already.
    Duplicate,
}

/// What became of several blocks that were imported together.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
#[non_exhaustive]
pub struct ImportedAll<T = String> {
    /// What became of each, in the order in which they were given.
    pub verdicts: Vec<Result<Verdict, BlockError>>,
    /// The blocks that left the best chain, highest first.
    pub disconnected: Vec<Arc<Block<T>>>,
    /// The blocks that joined it, lowest first.
    pub connected: Vec<Arc<Block<T>>>,
}

/// What became of one of several blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is kept, on the best chain or beside it.
    Kept,
    /// It is kept until an ancestor arrives.
    Orphan {
        /// The hash of the nearest ancestor that is missing.
        missing: Hash,
    },
    /// It was here already.
    Duplicate,
}

/// How the best chain changed in several steps, taken as one.
#[derive(Debug)]
pub(super) struct Moves<T> {
    pub(super) disconnected: Vec<Arc<Block<T>>>,
    pub(super) connected: Vec<Arc<Block<T>>>,
}

impl<T> Default for Moves<T> {
    fn default() -> Self {
        Self { disconnected: Vec::new(), connected: Vec::new() }
    }
}

impl<T> Moves<T> {
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
