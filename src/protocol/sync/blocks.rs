//! Receives the blocks that were requested from peers and those that peers mined, and notes what they prove.

use core::time::Duration;
use std::sync::Arc;

use super::{ChainSync, known};
use crate::chain::{BlockError, Verdict};
use crate::primitives::{Block, Hash, Transaction, Work};
use crate::protocol::call::Call;
use crate::protocol::close::CloseReason;
use crate::protocol::limits;
use crate::protocol::peer::PeerId;

/// The verdict on a block from a peer, with the block's height and hash.
pub(in crate::protocol) type Judged = (u64, Hash, Result<Verdict, BlockError>);

impl ChainSync {
    /// Notes the arrival of blocks. The caller imports them.
    ///
    /// # Errors
    ///
    /// The reason to close the connection, if a block was not requested from the peer.
    pub(in crate::protocol) fn on_blocks<T: Transaction>(
        &mut self,
        id: PeerId,
        blocks: &[Arc<Block<T>>],
        now: Duration,
    ) -> Result<(), CloseReason> {
        self.blocks_due = true;
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        // An empty answer would extend the deadline without progress.
        if blocks.is_empty() || blocks.iter().any(|block| !peer.blocks.remove(block.hash())) {
            return Err(CloseReason::Unsolicited { kind: "blocks" });
        }
        if !peer.blocks.is_empty() {
            for block in blocks {
                peer.extend_deadline(block.size(), now);
            }
        }
        Ok(())
    }

    /// Notes that blocks were imported, from any source. `verdicts` has one for each.
    pub(in crate::protocol) fn on_import(&mut self, verdicts: &[Result<Verdict, BlockError>]) {
        let is_old =
            |verdict: &Result<_, _>| matches!(verdict, Ok(Verdict::Duplicate | Verdict::Orphan { .. }));
        self.blocks_due |= !verdicts.iter().all(is_old);
    }

    /// Notes that the blocks of a peer, the last of which is `last`, could not be imported, because the store
    /// fails.
    pub(in crate::protocol) fn on_import_failed(&mut self, id: PeerId, last: Option<Hash>, now: Duration) {
        if let Some(hash) = last {
            self.note_unknown(id, hash);
        }
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.paused = Some(now + limits::FULL_PAUSE);
        }
    }

    /// Notes what the imported blocks of a peer prove about it.
    ///
    /// # Errors
    ///
    /// The reason to close the connection, if a block breaks a consensus rule.
    pub(in crate::protocol) fn on_verdicts<T: Transaction>(
        &mut self,
        call: &mut Call<'_, T>,
        id: PeerId,
        judged: Vec<Judged>,
    ) -> Result<(), CloseReason> {
        let is_any_new = judged.iter().any(|(.., verdict)| *verdict == Ok(Verdict::Kept));
        let outcome = judged.into_iter().try_for_each(|(height, hash, verdict)| {
            let verdict = match verdict {
                Ok(verdict) => verdict,
                Err(error) => {
                    let proven = known(call, &hash).map_or(Work::ZERO, |proven| proven.work);
                    return self.on_refused(call, id, hash, error, proven);
                }
            };
            self.note_accepted(id, true);
            if verdict == Verdict::Kept
                && let Some(peer) = self.peers.get_mut(&id)
            {
                peer.useful_at = Some(call.now.elapsed);
            }
            self.note_header(call, id, height, &hash);
            if matches!(verdict, Verdict::Orphan { missing } if known(call, &missing).is_none()) {
                self.note_unknown(id, hash);
            }
            Ok(())
        });
        if is_any_new {
            self.confirm_claims(call);
        }
        outcome
    }

    /// Frees the blocks that a peer does not have, so that other peers are asked for them.
    ///
    /// # Errors
    ///
    /// The reason to close the connection, if a block was not requested from the peer.
    pub(in crate::protocol) fn on_not_found(
        &mut self,
        id: PeerId,
        hashes: &[Hash],
    ) -> Result<(), CloseReason> {
        // An empty answer says nothing, and planning the downloads costs time for all peers.
        if hashes.is_empty() {
            return Ok(());
        }
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        for hash in hashes {
            if !peer.blocks.remove(hash) {
                return Err(CloseReason::Unsolicited { kind: "not_found" });
            }
        }
        self.blocks_due = true;
        // The peer is asked again when it announces a new header.
        peer.best = None;
        Ok(())
    }
}

impl super::Peer {
    /// Extends the deadline of the outstanding blocks by the time that one delivered block is worth.
    fn extend_deadline(&mut self, block_bytes: usize, now: Duration) {
        #[expect(clippy::cast_possible_truncation, reason = "a small constant")]
        const BLOCKS: u32 = limits::BLOCKS_PER_REQUEST as u32;
        let by_bytes = Duration::from_secs(block_bytes as u64) / limits::MIN_DOWNLOAD_RATE;
        let extension = by_bytes.max(limits::REQUEST_TIMEOUT / BLOCKS);
        self.blocks_deadline = (self.blocks_deadline + extension).min(now + limits::REQUEST_TIMEOUT);
    }
}
