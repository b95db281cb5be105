//! Answers to requests for headers and blocks, which depend on the chain alone.

use super::answer::BlocksAnswer;
use super::call::Call;
use super::limits;
use super::message::Message;
use super::peer::PeerId;
use crate::primitives::{Hash, Transaction};

/// Answers a `GetHeaders` with headers of the best chain.
pub(super) fn serve_headers<T: Transaction>(
    call: &mut Call<'_, T>,
    id: PeerId,
    locator: &[Hash],
    limit: u32,
) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(limits::MAX_HEADERS);
    match call.local.chain.headers_after(locator, limit) {
        Ok(headers) => call.outbox.send(id, Message::Headers(headers)),
        // An empty answer would claim that there are no headers. After its timeout, the peer asks another
        // node.
        Err(error) => call.local.read_failed(error, call.outbox),
    }
}

/// Starts the answer to a `GetBlocks`. The driver reads the blocks later, through the output. Returns the
/// blocks that need not be announced to the peer any more: only tips are announced, so only the tip and
/// blocks on side branches, which may become the tip, are among them.
pub(super) fn serve_blocks<T: Transaction>(call: &mut Call<'_, T>, id: PeerId, hashes: &[Hash]) -> Vec<Hash> {
    let answer = BlocksAnswer::new(hashes);
    if answer.is_empty() {
        return Vec::new();
    }
    let local = &call.local;
    let may_be_announced = |hash: &Hash| local.tip() == hash || local.chain.side_height(hash).is_some();
    let known = answer.hashes().copied().filter(may_be_announced).collect();
    call.outbox.send_blocks(id, answer);
    known
}
