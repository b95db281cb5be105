//! Requests headers and imports them, and the headers that peers announce.

use core::time::Duration;

use super::refusal::proven_work;
use super::{ChainSync, Peer, PeerTip};
use crate::chain::{BlockError, ChainEntry, HeadersError};
use crate::primitives::{Hash, Header, Transaction};
use crate::protocol::call::Call;
use crate::protocol::close::CloseReason;
use crate::protocol::config::ProtocolConfig;
use crate::protocol::event::Event;
use crate::protocol::limits;
use crate::protocol::message::Message;
use crate::protocol::peer::PeerId;

/// The limits on headers ahead of the tip, as heights.
#[derive(Clone, Copy, Debug)]
struct HeaderHorizon {
    /// More headers are requested while the last header is not above this height.
    asked: u64,
    /// Headers above this height are not kept.
    kept: u64,
}

impl ChainSync {
    /// Imports the answer to a `GetHeaders`, and decides whether to request the headers after it.
    ///
    /// # Errors
    ///
    /// The reason to close the connection.
    pub(in crate::protocol) fn on_headers<T: Transaction>(
        &mut self,
        call: &mut Call<'_, T>,
        id: PeerId,
        headers: &[Header],
    ) -> Result<(), CloseReason> {
        let limit = header_batch(call.config);
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
        if call.local.is_halted() {
            return Ok(());
        }
        // A batch that is not consecutive is refused as a whole, before any header is imported.
        let hashes = Header::hashes(headers);
        for (header, before) in headers.iter().skip(1).zip(&hashes) {
            if header.previous_hash != *before {
                return Err(CloseReason::BrokenHeaders { height: header.height });
            }
        }
        let old_best = *call.local.chain.best_header().0;
        let horizon = header_horizon(call, self.is_throttled(call, id));
        // A height that does not follow its parent's is invalid, not far ahead, and is left to the header
        // checks.
        let is_far = |pair: &[Header]| pair[1].height > horizon.kept && pair[1].height == pair[0].height + 1;
        let far = headers.windows(2).position(is_far).map(|before| before + 1);
        let within = far.unwrap_or(headers.len());
        let imported =
            call.local.chain.import_hashed_headers(&hashes[..within], &headers[..within], call.now.wall);
        let refused = imported.err();
        let accepted = refused.as_ref().map_or(within, |refused| refused.index);
        let last = accepted.checked_sub(1).map(|index| (headers[index].height, hashes[index]));
        if refused.is_none() && last.is_some() {
            self.note_accepted(id, false);
        }
        // Headers before a refused one are imported, and count.
        let last = last.and_then(|(height, hash)| self.note_header(call, id, height, &hash));
        if last.is_some() {
            self.confirm_claims(call);
        }
        let (best, best_header) = call.local.chain.best_header();
        if *best != old_best {
            call.outbox.event(Event::HeadersAdvanced { height: best_header.height });
        }
        match (refused, last) {
            (Some(HeadersError { error: BlockError::UnknownParent { parent }, .. }), _) => {
                Err(CloseReason::UnconnectedHeaders { parent })
            }
            (Some(HeadersError { index, error }), _) => {
                let proven = proven_work(call, headers.iter().zip(&hashes).skip(index));
                self.on_refused(call, id, hashes[index], error, proven)
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
    ///
    /// # Errors
    ///
    /// The reason to close the connection.
    pub(in crate::protocol) fn on_announce<T: Transaction>(
        &mut self,
        call: &mut Call<'_, T>,
        id: PeerId,
        hash: Hash,
        header: &Header,
    ) -> Result<(), CloseReason> {
        if call.local.is_halted() {
            self.note_unknown(id, hash);
            return Ok(());
        }
        // A header too far ahead of the tip is not kept; the peer is asked for it later.
        let follows = |parent: ChainEntry| header.height.checked_sub(1) == Some(parent.header.height);
        if header.height > header_horizon(call, self.is_throttled(call, id)).kept
            && call
                .local
                .chain
                .entry(&header.previous_hash, None)
                .is_ok_and(|parent| parent.is_some_and(follows))
        {
            self.note_unknown(id, hash);
            return Ok(());
        }
        match call.local.chain.import_hashed_header(hash, header, call.now.wall) {
            Ok(is_new) => {
                self.note_accepted(id, false);
                self.note_header(call, id, header.height, &hash);
                if is_new {
                    self.confirm_claims(call);
                }
                Ok(())
            }
            Err(BlockError::UnknownParent { .. }) => {
                self.note_unknown(id, hash);
                Ok(())
            }
            Err(error) => {
                let proven = proven_work(call, [(header, &hash)]);
                self.on_refused(call, id, hash, error, proven)
            }
        }
    }

    /// Requests headers from peers that have unknown ones, within the limits on concurrent requests.
    pub(super) fn request_headers<T: Transaction>(&mut self, call: &mut Call<'_, T>) {
        if call.local.is_halted() {
            return;
        }
        let now = call.now;
        let asked = self.peers.values().filter(|peer| peer.headers_request.is_some());
        let mut room = limits::MAX_HEADER_REQUESTS.saturating_sub(asked.clone().count());
        if room == 0 {
            return;
        }
        let is_served = self.is_served(call);
        let asked_throttled = asked.filter(|peer| !peer.is_proven()).count();
        let mut throttled_room = limits::MAX_THROTTLED_HEADER_REQUESTS.saturating_sub(asked_throttled);
        if self.throttled_asked.is_some_and(|at| now.elapsed < at + limits::THROTTLED_HEADER_INTERVAL) {
            throttled_room = 0;
        }
        for id in self.peers_in_turn(call, is_served) {
            if room == 0 {
                break;
            }
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            let is_throttled = is_served && !peer.is_proven();
            if is_throttled && throttled_room == 0 {
                continue;
            }
            let horizon = header_horizon(call, is_throttled);
            let (best_hash, best_header) = call.local.chain.best_header();
            // Headers far ahead reveal nothing about a peer that did not send them.
            let start =
                if best_header.height > horizon.asked { *call.local.chain.tip().hash() } else { *best_hash };
            // The header may have been evicted.
            let is_kept =
                |from: &PeerTip| matches!(call.local.chain.entry(&from.hash, Some(from.height)), Ok(Some(_)));
            peer.headers_from = peer.headers_from.filter(is_kept);
            let from = peer.headers_from.map_or(start, |from| from.hash);
            let locator = match call.local.chain.locator_from(&from) {
                Ok(locator) => locator,
                Err(error) => {
                    // Asked again after a pause, because a read failure may be temporary.
                    peer.paused = Some(now.elapsed + limits::FULL_PAUSE);
                    call.local.read_failed(error, call.outbox);
                    continue;
                }
            };
            room -= 1;
            if is_throttled {
                throttled_room -= 1;
                self.throttled_asked = Some(now.elapsed);
            }
            peer.wants_headers = false;
            peer.headers_asked = Some(now.elapsed);
            peer.headers_request = Some(now.elapsed + limits::REQUEST_TIMEOUT);
            #[expect(clippy::cast_possible_truncation, reason = "at most a small constant")]
            let limit = header_batch(call.config) as u32;
            call.outbox.send(id, Message::GetHeaders { locator, limit });
        }
    }

    /// Returns the peers that may be asked for headers. The peer that has waited longest comes first;
    /// otherwise new connections could starve it.
    fn peers_in_turn<T: Transaction>(&self, call: &Call<'_, T>, is_served: bool) -> Vec<PeerId> {
        let may_be_asked = |peer: &Peer| {
            let horizon = || header_horizon(call, is_served && !peer.is_proven());
            peer.may_be_asked_for_headers()
                && peer.headers_from.is_none_or(|from| from.height <= horizon().asked)
        };
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
        in_turn.into_iter().map(|(.., id)| id).collect()
    }

    /// Whether a peer is throttled: it has not delivered a block, while another peer delivers blocks. Headers
    /// of a throttled peer are requested rarely, and few of them are kept, because headers at the beginning
    /// of a chain are cheap to make, and peers that have only headers may be numerous.
    fn is_throttled<T: Transaction>(&self, call: &Call<'_, T>, id: PeerId) -> bool {
        self.peers.get(&id).is_some_and(|peer| !peer.is_proven()) && self.is_served(call)
    }

    /// Whether any peer is delivering blocks.
    fn is_served<T: Transaction>(&self, call: &Call<'_, T>) -> bool {
        self.peers.values().any(|peer| {
            let is_at_it = peer.useful_at.is_some_and(|at| call.now.elapsed < at + limits::REQUEST_TIMEOUT);
            is_at_it && (peer.is_asked_for_more() || peer.leads_further(&call.local.chain))
        })
    }
}

impl Peer {
    const fn may_be_asked_for_headers(&self) -> bool {
        self.wants_headers && self.headers_request.is_none() && self.paused.is_none()
    }

    /// Whether headers or blocks of the peer are in flight, or headers are about to be requested.
    fn is_asked_for_more(&self) -> bool {
        !self.blocks.is_empty() || self.headers_request.is_some() || self.wants_headers
    }
}

/// Returns how far ahead of the tip a peer's headers may be; less if the peer is throttled.
fn header_horizon<T: Transaction>(call: &Call<'_, T>, is_throttled: bool) -> HeaderHorizon {
    let height = call.local.chain.height();
    let max = call.config.chain.max_side_headers;
    if is_throttled {
        let window = limits::THROTTLED_HEADER_WINDOW.min(max / limits::THROTTLED_HEADER_WINDOW).max(1) as u64;
        return HeaderHorizon { asked: height + window / 2, kept: height + window };
    }
    let asked = height + limits::HEADER_WINDOW.min(max / 4) as u64;
    HeaderHorizon { asked, kept: asked + header_batch(call.config) as u64 }
}

/// Returns the number of headers in one request. This number plus the header window leaves room for other
/// branches.
fn header_batch(config: &ProtocolConfig) -> usize {
    limits::MAX_HEADERS.min(config.chain.max_side_headers / 4).max(1)
}
