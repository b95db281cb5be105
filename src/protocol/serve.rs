//! Answers to requests for headers and blocks.

use super::answer::BlocksAnswer;
use super::io::Output;
use super::message::Message;
use super::peer::PeerId;
use super::{Protocol, limits};
use crate::primitives::{Hash, Transaction};
use crate::store::StoreError;

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
        let known: Vec<Hash> = answer.hashes().copied().filter(may_be_announced).collect();
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
        failed: impl FnMut(StoreError),
    ) -> Option<Message<T>> {
        answer.next_message(&self.chain, failed)
    }
}
