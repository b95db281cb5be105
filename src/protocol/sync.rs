//! Requests and imports headers and blocks. Headers come first. A body is requested only if its header, or a
//! descendant of its header, has more total work than the tip.

use core::time::Duration;
use std::sync::Arc;

use super::close::CloseReason;
use super::event::Event;
use super::message::Message;
use super::now::Now;
use super::peer::PeerId;
use super::relay::work_of;
use super::state::{Peer, PeerTip};
use super::{Protocol, limits};
use crate::chain::{ImportedAll, Known, Verdict};
use crate::consensus::BlockError;
use crate::primitives::{Block, Hash, Header, Transaction, Work};
use crate::store::StoreError;

impl<T: Transaction> Protocol<T> {
    /// Imports the answer to a `GetHeaders`, and decides whether to request the headers after it.
    pub(super) fn received_headers(
        &mut self,
        id: PeerId,
        headers: &[Header],
        now: Now,
    ) -> Result<(), CloseReason> {
        let limit = self.header_batch();
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        if peer.headers_request.take().is_none() {
            return Err(CloseReason::Unsolicited { kind: "headers" });
        }
        if headers.len() > limit {
            return Err(CloseReason::TooManyItems { kind: "headers", got: headers.len(), limit });
        }
        let before = peer.headers_from.take();
        if core::mem::take(&mut peer.headers_void) {
            peer.wants_headers = true;
            return Ok(());
        }
        if self.is_halted() {
            return Ok(());
        }
        // A batch that is not consecutive is refused as a whole, before any header is imported.
        let hashes: Vec<Hash> = headers.iter().map(Header::hash).collect();
        for (header, before) in headers.iter().skip(1).zip(&hashes) {
            if header.previous_hash != *before {
                return Err(CloseReason::BrokenHeaders { height: header.height });
            }
        }
        let old_best = *self.chain.best_header().0;
        let mut last = None;
        let mut refused = None;
        let horizon = self.header_horizon(self.is_on_trial(id, now));
        // A height that does not follow its parent's is invalid, not far ahead, and is left to the header
        // checks.
        let is_far = |pair: &[Header]| pair[1].height > horizon.kept && pair[1].height == pair[0].height + 1;
        let far = headers.windows(2).position(is_far).map(|before| before + 1);
        let within = &headers[..far.unwrap_or(headers.len())];
        for (index, (header, hash)) in within.iter().zip(&hashes).enumerate() {
            if let Err(error) = self.chain.import_hashed_header(*hash, header, now.wall) {
                refused = Some((index, error));
                break;
            }
            last = Some((header.height, *hash));
        }
        if refused.is_none() && last.is_some() {
            self.accepted_from(id, false);
        }
        // Headers before a refused one are imported, and count.
        let last = last.and_then(|(height, hash)| self.showed(id, height, &hash));
        if last.is_some() {
            self.settle_claims();
        }
        let (best, best_header) = self.chain.best_header();
        if *best != old_best {
            self.event(Event::HeadersAdvanced { height: best_header.height });
        }
        match (refused, last) {
            (Some((_, BlockError::UnknownParent { parent })), _) => {
                Err(CloseReason::UnconnectedHeaders { parent })
            }
            (Some((index, error)), _) => {
                let shown = self.proven_work(headers.iter().zip(&hashes).skip(index));
                self.blame(id, hashes[index], error, shown, now)
            }
            (None, Some(last)) if headers.len() >= limit || far.is_some() => {
                // Stops requesting from a peer that repeats its headers without progress.
                let is_further = before.is_none_or(|before| last.height > before.height);
                if let Some(peer) = self.peers.get_mut(&id).filter(|_| is_further) {
                    peer.wants_headers = true;
                    peer.headers_from = Some(last);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Imports an announced header, or notes to request its ancestors.
    pub(super) fn announced(&mut self, id: PeerId, header: &Header, now: Now) -> Result<(), CloseReason> {
        let hash = header.hash();
        self.knows(id, [hash]);
        if self.is_halted() {
            self.wants_headers(id, hash);
            return Ok(());
        }
        // A header too far ahead of the tip is not kept; the peer is asked for it later.
        let follows = |parent: Known| header.height.checked_sub(1) == Some(parent.header.height);
        if header.height > self.header_horizon(self.is_on_trial(id, now)).kept
            && self.chain.known(&header.previous_hash).is_ok_and(|parent| parent.is_some_and(follows))
        {
            self.wants_headers(id, hash);
            return Ok(());
        }
        match self.chain.import_hashed_header(hash, header, now.wall) {
            Ok(is_new) => {
                self.accepted_from(id, false);
                self.showed(id, header.height, &hash);
                if is_new {
                    self.settle_claims();
                }
                Ok(())
            }
            Err(BlockError::UnknownParent { parent }) if flaw!(BlamesForOrphans) => {
                Err(CloseReason::UnconnectedHeaders { parent })
            }
            Err(BlockError::UnknownParent { .. }) => {
                self.wants_headers(id, hash);
                Ok(())
            }
            Err(error) => {
                let shown = self.proven_work([(header, &hash)]);
                self.blame(id, hash, error, shown, now)
            }
        }
    }

    /// Imports the blocks of an answer to a `GetBlocks`.
    pub(super) fn received_blocks(
        &mut self,
        id: PeerId,
        blocks: Vec<Arc<Block<T>>>,
        now: Now,
    ) -> Result<(), CloseReason> {
        self.blocks_due = true;
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        // An empty answer would extend the deadline without progress.
        if blocks.is_empty() || blocks.iter().any(|block| !peer.blocks.remove(block.hash())) {
            return Err(CloseReason::Unsolicited { kind: "blocks" });
        }
        if flaw!(CountsWhatCame) {
            peer.blocks.extend(blocks.iter().map(|block| *block.hash()));
        }
        if !peer.blocks.is_empty() {
            for block in &blocks {
                peer.earned(block.size(), now.elapsed);
            }
        }
        self.import_from(id, blocks, now)
    }

    /// A block that the peer mined and sent without being asked.
    pub(super) fn pushed(&mut self, id: PeerId, block: Arc<Block<T>>, now: Now) -> Result<(), CloseReason> {
        if !self.config.wants_new_blocks {
            return Err(CloseReason::Unsolicited { kind: "new_block" });
        }
        self.import_from(id, vec![block], now)
    }

    /// Imports blocks from a peer, and closes its connection if one breaks a consensus rule.
    fn import_from(&mut self, id: PeerId, blocks: Vec<Arc<Block<T>>>, now: Now) -> Result<(), CloseReason> {
        let blocks_at: Vec<(u64, Hash)> =
            blocks.iter().map(|block| (block.height(), *block.hash())).collect();
        self.knows(id, blocks_at.iter().map(|(_, hash)| *hash));
        let Some(verdicts) = self.import_all(blocks, now) else {
            if let Some((_, hash)) = blocks_at.last() {
                self.wants_headers(id, *hash);
            }
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.paused = Some(now.elapsed + limits::FULL_PAUSE);
            }
            return Ok(());
        };
        let is_any_new = verdicts.contains(&Ok(Verdict::Kept));
        let outcome = blocks_at.into_iter().zip(verdicts).try_for_each(|((height, hash), verdict)| {
            let verdict = match verdict {
                Ok(verdict) => verdict,
                Err(error) => {
                    let shown = self.known(&hash).map_or(Work::ZERO, |shown| shown.work);
                    return self.blame(id, hash, error, shown, now);
                }
            };
            self.accepted_from(id, true);
            if verdict == Verdict::Kept
                && let Some(peer) = self.peers.get_mut(&id)
            {
                peer.useful_at = Some(now.elapsed);
            }
            self.showed(id, height, &hash);
            if matches!(verdict, Verdict::Orphan { missing } if self.known(&missing).is_none()) {
                self.wants_headers(id, hash);
            }
            Ok(())
        });
        if is_any_new {
            self.settle_claims();
        }
        outcome
    }

    /// Frees the blocks that a peer does not have, so that other peers are asked for them.
    pub(super) fn not_found(&mut self, id: PeerId, hashes: &[Hash]) -> Result<(), CloseReason> {
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
        self.blocks_due |= !flaw!(TakesNoForAnAnswer);
        // The peer is asked again when it announces a new header.
        peer.best = None;
        Ok(())
    }

    /// Imports blocks, updates the mempool and notifies the application. Returns `None` if the store fails or
    /// has failed; nothing was imported in that case.
    pub(super) fn import_all(
        &mut self,
        blocks: Vec<Arc<Block<T>>>,
        now: Now,
    ) -> Option<Vec<Result<Verdict, BlockError>>> {
        if self.is_halted() {
            return None;
        }
        let imported = match self.chain.import_all(blocks, now.wall) {
            Ok(imported) => imported,
            Err(error) => {
                self.import_failed(error, now);
                return None;
            }
        };
        let ImportedAll { verdicts, disconnected, connected } = imported;
        let is_old =
            |verdict: &Result<_, _>| matches!(verdict, Ok(Verdict::Duplicate | Verdict::Orphan { .. }));
        self.blocks_due |= !verdicts.iter().all(is_old);
        if flaw!(HidesReorganisations) && !disconnected.is_empty() {
            self.announced = *self.chain.tip().hash();
        }
        if !self.mempool.is_empty() || !disconnected.is_empty() {
            self.plan_to_save(now);
        }
        if disconnected.is_empty() && connected.is_empty() {
            return Some(verdicts);
        }
        if !disconnected.is_empty() {
            // Done before the disconnected transactions become pending again, so that no id is listed twice.
            let mempool = &self.mempool;
            self.relay.returned.retain(|id| mempool.contains(id));
        }
        self.mempool.follow(&disconnected, &connected, &self.chain, now.wall);
        let undone = disconnected.iter().rev().filter_map(|block| block.digest().ok());
        let pending = undone.flat_map(|digest| digest.ids).filter(|id| self.mempool.contains(id));
        if !flaw!(HoardsTransactions) {
            self.relay.returned.extend(pending);
        }
        for block in disconnected {
            self.event(Event::BlockDisconnected(block));
        }
        for block in connected {
            self.event(Event::BlockConnected(block));
        }
        // Reported after the blocks that caused the removals.
        self.report_lost();
        Some(verdicts)
    }

    /// Ends every call: announces a new tip, and requests what is missing.
    pub(super) fn after_import(&mut self, now: Now) {
        self.announce_tip();
        self.offer_new(now);
        self.request_headers(now);
        self.request_blocks(now);
        self.request_transactions(now);
        self.watch_clock(now);
        self.watch_refusals(now);
    }

    /// Requests headers from peers that have unknown ones, within the limits on concurrent requests.
    fn request_headers(&mut self, now: Now) {
        if self.is_halted() {
            return;
        }
        let is_served = self.is_served(now);
        let may_be_asked = |peer: &Peer| {
            let horizon = self.header_horizon(is_served && !peer.is_proven());
            let goes_on = peer.headers_from.is_none_or(|from| from.height <= horizon.asked);
            peer.may_be_asked_for_headers() && goes_on
        };
        // The peer that has waited longest comes first; otherwise new connections could starve it.
        let mut in_turn: Vec<(Duration, bool, PeerId)> = self
            .peers
            .iter()
            .filter(|(_, peer)| may_be_asked(peer))
            .map(|(id, peer)| {
                let since = peer.headers_asked.unwrap_or(peer.connected_at);
                (since, peer.headers_asked.is_some(), *id)
            })
            .collect();
        in_turn.sort_unstable();
        let asked = self.peers.values().filter(|peer| peer.headers_request.is_some());
        let mut room = limits::MAX_HEADER_REQUESTS.saturating_sub(asked.clone().count());
        let mut trials =
            limits::MAX_HEADER_TRIALS.saturating_sub(asked.filter(|peer| !peer.is_proven()).count());
        if self.headers_tried.is_some_and(|at| now.elapsed < at + limits::TRIAL_INTERVAL) {
            trials = 0;
        }
        for (.., id) in in_turn {
            let is_trial = is_served && self.peers.get(&id).is_some_and(|peer| !peer.is_proven());
            if room == 0 || is_trial && trials == 0 {
                continue;
            }
            room -= 1;
            if is_trial {
                trials -= 1;
                self.headers_tried = Some(now.elapsed);
            }
            let horizon = self.header_horizon(is_trial);
            let (best_hash, best_header) = self.chain.best_header();
            // Headers far ahead reveal nothing about a peer that did not send them.
            let start =
                if best_header.height > horizon.asked { *self.chain.tip().hash() } else { *best_hash };
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            peer.wants_headers = false;
            peer.headers_asked = Some(now.elapsed);
            // The header may have been evicted.
            let is_kept =
                |from: &PeerTip| matches!(self.chain.known_near(from.height, &from.hash), Ok(Some(_)));
            peer.headers_from = peer.headers_from.filter(is_kept);
            let locator = match self.chain.locator_from(&peer.headers_from.map_or(start, |from| from.hash)) {
                Ok(locator) => locator,
                Err(error) => {
                    self.read_failed(error);
                    continue;
                }
            };
            peer.headers_request = Some(now.elapsed + limits::REQUEST_TIMEOUT);
            #[expect(clippy::cast_possible_truncation, reason = "at most a small constant")]
            let limit = self.header_batch() as u32;
            self.send(id, Message::GetHeaders { locator, limit });
        }
    }

    /// Notes that the peer has a header that is in the header tree, and returns the header. `height` is the
    /// height that the header claims.
    fn showed(&mut self, id: PeerId, height: u64, hash: &Hash) -> Option<PeerTip> {
        let known = self.chain.known_near(height, hash);
        let shown = self.as_shown(hash, known)?;
        self.note_shown(id, shown);
        Some(shown)
    }

    fn note_shown(&mut self, id: PeerId, shown: PeerTip) {
        if let Some(peer) = self.peers.get_mut(&id)
            && Some(shown.work) > work_of(&self.chain, peer)
        {
            peer.best = Some(shown);
            self.blocks_due = true;
        }
    }

    /// Looks up a header in the header tree.
    pub(super) fn known(&mut self, hash: &Hash) -> Option<PeerTip> {
        let known = self.chain.known(hash);
        self.as_shown(hash, known)
    }

    fn as_shown(&mut self, hash: &Hash, known: Result<Option<Known>, StoreError>) -> Option<PeerTip> {
        match known {
            Ok(known) => {
                known.map(|known| PeerTip { hash: *hash, height: known.header.height, work: known.work })
            }
            Err(error) => {
                self.read_failed(error);
                None
            }
        }
    }

    /// Confirms the claims of peers whose claimed header is in the header tree by now, no matter which peer
    /// delivered it. A peer with a confirmed claim has no new headers to answer a request with, and thus no
    /// other way to prove what it has.
    pub(super) fn settle_claims(&mut self) {
        let claims: Vec<(PeerId, Hash)> =
            self.peers.iter().filter_map(|(id, peer)| Some((*id, peer.claimed?))).collect();
        for (id, hash) in claims {
            if flaw!(ForgetsClaims) {
                continue;
            }
            let Some(shown) = self.known(&hash) else { continue };
            self.note_shown(id, shown);
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            peer.claimed = None;
            peer.wants_headers &= peer.headers_from.is_some();
        }
    }

    /// Notes that the peer has a header with unknown ancestors.
    fn wants_headers(&mut self, id: PeerId, hash: Hash) {
        if let Some(peer) = self.peers.get_mut(&id).filter(|_| !flaw!(IgnoresOrphans)) {
            peer.wants_headers = true;
            peer.claimed = Some(hash);
        }
    }

    /// Returns how far ahead of the tip a peer's headers may be; less if the peer is
    /// [throttled](Self::is_on_trial).
    fn header_horizon(&self, is_trial: bool) -> HeaderHorizon {
        let height = self.chain.height();
        let max = self.config.chain.max_side_headers;
        if is_trial {
            let window = limits::TRIAL_HEADER_WINDOW.min(max / limits::TRIAL_HEADER_WINDOW).max(1) as u64;
            return HeaderHorizon { asked: height + window / 2, kept: height + window };
        }
        let asked = height + limits::HEADER_WINDOW.min(max / 4) as u64;
        HeaderHorizon { asked, kept: asked + self.header_batch() as u64 }
    }

    /// Whether a peer is throttled: it has not delivered a block, while another peer delivers blocks. Headers
    /// of a throttled peer are requested rarely, and few of them are kept, because headers at the beginning
    /// of a chain are cheap to make, and peers that have only headers may be numerous.
    fn is_on_trial(&self, id: PeerId, now: Now) -> bool {
        self.peers.get(&id).is_some_and(|peer| !peer.is_proven()) && self.is_served(now)
    }

    /// Whether any peer is delivering blocks.
    fn is_served(&self, now: Now) -> bool {
        self.peers.values().any(|peer| {
            let is_at_it = peer.useful_at.is_some_and(|at| now.elapsed < at + limits::REQUEST_TIMEOUT);
            is_at_it && (peer.is_asked_for_more() || self.leads_further(peer))
        })
    }

    /// Returns the number of headers in one request. This number plus the header window leaves room for other
    /// branches.
    fn header_batch(&self) -> usize {
        limits::MAX_HEADERS.min(self.config.chain.max_side_headers / 4).max(1)
    }
}

/// The limits on headers ahead of the tip, as heights.
#[derive(Clone, Copy, Debug)]
struct HeaderHorizon {
    /// More headers are requested while the last header is not above this height.
    asked: u64,
    /// Headers above this height are not kept.
    kept: u64,
}
