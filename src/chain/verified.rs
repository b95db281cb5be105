//! Blocks whose bodies have been checked.

use core::ops::Deref;
use std::borrow::Cow;
use std::sync::Arc;

use super::chain_store::ChainStore;
use crate::consensus::check;
use crate::consensus::{ChainSpec, RuleError};
use crate::primitives::{Block, BodyDigest, Hash, Transaction};

/// A block whose body has passed the checks that need no ancestors, with the values that they computed.
#[derive(Clone, Debug)]
pub struct VerifiedBlock<T = String> {
    block: Arc<Block<T>>,
    /// The ids of the transactions, unless they take more memory than the block's canonical size: an outcome
    /// holds many blocks, and ids of transactions of one byte each would take many times as much as the
    /// blocks.
    ids: Option<Vec<Hash>>,
    /// The canonical size of the block in bytes.
    size: usize,
    /// The encoding for the store, until the block is written.
    stored: Vec<u8>,
}

impl<T> VerifiedBlock<T> {
    /// The block.
    pub const fn block(&self) -> &Arc<Block<T>> {
        &self.block
    }

    /// The block's canonical size in bytes.
    pub const fn size(&self) -> usize {
        self.size
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
    ///
    /// `digest` is that of the block, if it was computed ahead; the number of transactions has been checked then.
    pub(super) fn new(
        block: Arc<Block<T>>,
        digest: Option<BodyDigest>,
        genesis: &Hash,
        spec: &ChainSpec,
    ) -> Result<Self, RuleError> {
        let digest = match digest {
            Some(digest) => check::digested_body(&block, digest, genesis, spec)?,
            None => check::body(&block, genesis, spec)?,
        };
        let stored = ChainStore::encode_block(&block, digest.size)?;
        let (is_small, BodyDigest { ids, size, .. }) = (digest.is_small(), digest);
        Ok(Self { block, ids: is_small.then_some(ids), size, stored })
    }

    /// A block of this canonical size that was checked by an earlier import and is in the store.
    pub(super) const fn from_store(block: Arc<Block<T>>, size: usize) -> Self {
        Self { block, ids: None, size, stored: Vec::new() }
    }

    /// The ids of the block's transactions, in order: those that the checks computed, if they were kept.
    /// Empty if the application's type does not encode a transaction again that it has encoded before.
    pub fn ids(&self) -> Cow<'_, [Hash]> {
        match &self.ids {
            Some(ids) => Cow::Borrowed(ids),
            None => Cow::Owned(self.block.digest().map(|digest| digest.ids).unwrap_or_default()),
        }
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
