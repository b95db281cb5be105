//! Answers to requests for headers and blocks.

use core::mem::take;
use std::collections::VecDeque;
use std::sync::Arc;

use super::io::{Output, PeerId};
use super::message::Message;
use super::{Protocol, limits};
use crate::primitives::{Block, Hash, HashSet, Transaction};
use crate::store::StoreError;

/// The unsent part of the answer to a `GetBlocks`.
///
/// An answer has up to 64 blocks, so [`Protocol::next_blocks`] reads it one message at a time.
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
}

impl<T: Transaction> Protocol<T> {
    /// Answers a `GetHeaders` with headers of the best chain.
    pub(super) fn serve_headers(&mut self, id: PeerId, locator: &[Hash], limit: u32) {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(limits::MAX_HEADERS);
        match self.chain.headers_after(locator, limit) {
            Ok(headers) => self.send(id, Message::Headers(headers)),
            // An empty answer would claim that there are no headers. After its timeout, the peer asks another
            // node.
            Err(error) => self.read_failed(error),
        }
    }

    /// Starts the answer to a `GetBlocks`. The driver reads the blocks later, through the output.
    pub(super) fn serve_blocks(&mut self, id: PeerId, hashes: &[Hash]) {
        let answer = BlocksAnswer::new(hashes);
        if answer.is_empty() {
            return;
        }
        // The peer knows these blocks, so they need not be announced to it. Only tips are announced, so only
        // the tip and blocks on side branches, which may become the tip, are remembered.
        let may_be_announced =
            |hash: &Hash| self.chain.tip().hash() == hash || self.chain.side_height(hash).is_some();
        let known: Vec<Hash> = answer.hashes.iter().copied().filter(may_be_announced).collect();
        self.knows(id, known);
        self.outputs.push_back(Output::SendBlocks { peer: id, answer });
    }

    /// Returns all outputs, with every [`Output::SendBlocks`] replaced by its messages.
    #[cfg(any(test, feature = "test-utils"))]
    pub(crate) fn drain_outputs(&mut self) -> Vec<Output<T>> {
        let mut outputs = Vec::new();
        while let Some(output) = self.poll_output() {
            let Output::SendBlocks { peer, mut answer } = output else {
                outputs.push(output);
                continue;
            };
            let mut failures = Vec::new();
            while let Some(message) = self.next_blocks(&mut answer, |error| failures.push(error)) {
                outputs.push(Output::Send { peers: vec![peer], message });
            }
            for error in failures {
                self.read_failed(error);
            }
        }
        outputs
    }

    /// Returns the next message of an answer to `GetBlocks`; `None` if the answer is complete. Reads about
    /// [`MAX_BLOCKS_BYTES`](limits::MAX_BLOCKS_BYTES) bytes from the store, so the driver should call it only
    /// after the previous message was written to the peer.
    ///
    /// A block that cannot be read counts as missing. `failed` is called with the error, which the driver
    /// must pass to [`read_failed`](Self::read_failed).
    pub fn next_blocks(
        &self,
        answer: &mut BlocksAnswer<T>,
        mut failed: impl FnMut(StoreError),
    ) -> Option<Message<T>> {
        let mut batch = Vec::new();
        let (mut bytes, mut transactions) = (0, 0);
        while let Some((block, size)) = self.next_block(answer, &mut failed) {
            let is_full =
                bytes + size > limits::MAX_BLOCKS_BYTES || transactions >= Block::<T>::MAX_TRANSACTIONS;
            if is_full && !batch.is_empty() {
                answer.next = Some((block, size));
                break;
            }
            bytes += size;
            transactions += block.data().len();
            batch.push(block);
        }
        if !batch.is_empty() {
            return Some(Message::Blocks(batch));
        }
        let hashes = take(&mut answer.missing);
        (!hashes.is_empty()).then_some(Message::NotFound { hashes })
    }

    /// Returns the next block of an answer and its canonical size in bytes.
    fn next_block(
        &self,
        answer: &mut BlocksAnswer<T>,
        failed: &mut impl FnMut(StoreError),
    ) -> Option<(Arc<Block<T>>, usize)> {
        if let Some(next) = answer.next.take() {
            return Some(next);
        }
        while let Some(hash) = answer.hashes.pop_front() {
            let read = match answer.next_height {
                Some(height) => self.chain.block_and_size_near(height, &hash),
                None => self.chain.block_and_size(&hash),
            };
            let block = read.unwrap_or_else(|error| {
                failed(error);
                None
            });
            if let Some((block, size)) = block {
                answer.next_height = Some(block.height() + 1);
                return Some((block, size));
            }
            answer.missing.push(hash);
        }
        None
    }
}
