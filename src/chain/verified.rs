//! Blocks whose bodies have been checked.

use core::ops::Deref;
use std::sync::Arc;

use super::records::ChainStore;
use crate::consensus::check;
use crate::consensus::{ChainSpec, RuleError};
use crate::primitives::{Block, BodyDigest, EncodeError, Hash, Transaction};

/// A block whose body has passed the checks that need no ancestors, with the values that they computed.
///
/// The ids take 32 bytes of memory for each transaction; the import that checked the block drops them, unless
/// the caller keeps its outcome.
#[derive(Clone, Debug)]
pub struct VerifiedBlock<T = String> {
    block: Arc<Block<T>>,
    digest: BodyDigest,
    /// The encoding for the store, until the block is written.
    stored: Vec<u8>,
}

impl<T> VerifiedBlock<T> {
    /// The block.
    pub const fn block(&self) -> &Arc<Block<T>> {
        &self.block
    }

    /// The ids of the block's transactions, in order.
    pub fn ids(&self) -> &[Hash] {
        &self.digest.ids
    }

    /// The block's canonical size in bytes.
    pub const fn size(&self) -> usize {
        self.digest.size
    }

    /// The block without the values that the checks computed.
    pub fn into_block(self) -> Arc<Block<T>> {
        self.block
    }

    /// Removes and returns the encoding for the store.
    pub(super) fn take_stored(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.stored)
    }
}

impl<T: Transaction> VerifiedBlock<T> {
    /// Checks the body of a block against its header and the spec, and encodes the block for the store: a
    /// block that cannot be encoded cannot be stored.
    pub(super) fn new(block: Arc<Block<T>>, spec: &ChainSpec) -> Result<Self, RuleError> {
        let digest = check::body(&block, spec)?;
        let stored = ChainStore::encode_block(&block, digest.size)?;
        Ok(Self { block, digest, stored })
    }

    /// A block that was checked by an earlier import and is in the store.
    pub(super) fn from_store(block: Arc<Block<T>>) -> Result<Self, EncodeError> {
        Ok(Self { digest: block.digest()?, block, stored: Vec::new() })
    }
}

impl<T> Deref for VerifiedBlock<T> {
    type Target = Arc<Block<T>>;

    fn deref(&self) -> &Arc<Block<T>> {
        &self.block
    }
}

/// Compares the blocks: the other values are functions of the block.
impl<T: PartialEq> PartialEq for VerifiedBlock<T> {
    fn eq(&self, other: &Self) -> bool {
        self.block == other.block
    }
}

impl<T: PartialEq> PartialEq<Arc<Block<T>>> for VerifiedBlock<T> {
    fn eq(&self, other: &Arc<Block<T>>) -> bool {
        self.block == *other
    }
}
