//! The answer to a request for blocks, which is read from the chain one message at a time.

use core::mem::take;
use std::collections::VecDeque;
use std::sync::Arc;

use super::limits;
use super::message::Message;
use crate::chain::Blockchain;
use crate::primitives::{Block, Hash, HashSet, Transaction};
use crate::store::StoreError;

/// The unsent part of the answer to a `GetBlocks`.
///
/// An answer has up to 64 blocks, so [`Protocol::next_blocks`](super::Protocol::next_blocks) reads it one
/// message at a time.
#[derive(Clone, Debug)]
pub struct BlocksAnswer<T = String> {
    /// Hashes of the blocks to look up, in the order of the request.
    hashes: VecDeque<Hash>,
    /// A block that did not fit into the last message, and its canonical size in bytes.
    next: Option<(Arc<Block<T>>, usize)>,
    /// The height to look at first: a peer that synchronises requests consecutive blocks.
    next_height: Option<u64>,
    /// Hashes of the blocks that this node does not have, for the `NotFound` at the end.
    missing: Vec<Hash>,
}

impl<T> BlocksAnswer<T> {
    /// Creates an answer that contains each block once, even if its hash was sent several times.
    pub(crate) fn new(hashes: &[Hash]) -> Self {
        let mut seen = HashSet::default();
        let hashes = hashes.iter().copied().filter(|hash| seen.insert(*hash)).collect();
        Self { hashes, next: None, next_height: None, missing: Vec::new() }
    }

    /// Returns the number of blocks that are not answered yet.
    pub fn len(&self) -> usize {
        self.hashes.len() + self.missing.len() + usize::from(self.next.is_some())
    }

    /// Whether every block is answered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the hashes of the blocks that are still to be looked up.
    pub(super) fn hashes(&self) -> impl Iterator<Item = &Hash> {
        self.hashes.iter()
    }
}

impl<T: Transaction> BlocksAnswer<T> {
    /// Returns the next message; `None` if the answer is complete. A block that cannot be read counts as
    /// missing, and `failed` is called with the error.
    pub(super) fn next_message(
        &mut self,
        chain: &Blockchain<T>,
        mut failed: impl FnMut(StoreError),
    ) -> Option<Message<T>> {
        let mut batch = Vec::new();
        let (mut bytes, mut transactions) = (0, 0);
        while let Some((block, size)) = self.next_block(chain, &mut failed) {
            let is_full =
                bytes + size > limits::MAX_BLOCKS_BYTES || transactions >= Block::<T>::MAX_TRANSACTIONS;
            if is_full && !batch.is_empty() {
                self.next = Some((block, size));
                break;
            }
            bytes += size;
            transactions += block.data().len();
            batch.push(block);
        }
        if !batch.is_empty() {
            return Some(Message::Blocks(batch));
        }
        let hashes = take(&mut self.missing);
        (!hashes.is_empty()).then_some(Message::NotFound { hashes })
    }

    /// Returns the next block of an answer and its canonical size in bytes.
    fn next_block(
        &mut self,
        chain: &Blockchain<T>,
        failed: &mut impl FnMut(StoreError),
    ) -> Option<(Arc<Block<T>>, usize)> {
        if let Some(next) = self.next.take() {
            return Some(next);
        }
        while let Some(hash) = self.hashes.pop_front() {
            let read = chain.block_and_size(&hash, self.next_height);
            let block = read.unwrap_or_else(|error| {
                failed(error);
                None
            });
            if let Some((block, size)) = block {
                self.next_height = Some(block.height() + 1);
                return Some((block, size));
            }
            self.missing.push(hash);
        }
        None
    }
}
