//! Synchronisation with the chains of peers. Headers come first. A body is requested only if its header, or a
//! descendant of its header, has more total work than the tip.

mod blocks;
mod clock;
mod download;
mod headers;
pub(in crate::protocol) mod refusal;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use super::call::Call;
use super::close::CloseReason;
use super::connections::NewPeer;
use super::limits;
use super::local::Local;
use super::peer::PeerId;
use super::report::Report;
use crate::chain::{Blockchain, ChainEntry};
use crate::primitives::{Hash, Timestamp, Transaction, Work};
use crate::store::StoreError;
use refusal::Refused;

/// What is known of the chains of peers, and what is requested from them.
#[derive(Debug, Default)]
pub(super) struct ChainSync {
    peers: BTreeMap<PeerId, Peer>,
    /// When headers were last requested from a peer that has not delivered a block.
    throttled_asked: Option<Duration>,
    /// Whether something has happened since the last block requests that may allow more of them.
    blocks_due: bool,
    refusals: Report,
    clock: clock::ClockWatch,
}

/// A peer that has completed the handshake.
#[derive(Clone, Debug)]
struct Peer {
    connected_at: Duration,
    /// The work of the peer's tip, according to its `Hello`.
    claimed_work: Work,
    /// The number of most recent bodies that the peer keeps; `None` if it keeps all.
    keeps_bodies: Option<u64>,
    /// The header with the most work that the peer has sent or announced and that is in this node's header
    /// tree.
    best: Option<PeerTip>,
    /// A header that the peer claims to have and that is not in this node's header tree yet.
    claimed: Option<Hash>,
    /// Whether the peer has headers that this node does not know.
    wants_headers: bool,
    /// The header after which the next header request continues; from this node's best header if `None`.
    headers_from: Option<PeerTip>,
    /// The deadline of the outstanding request for headers.
    headers_request: Option<Duration>,
    /// Whether to ignore the next answer, because it extends headers that were evicted since the request.
    headers_void: bool,
    /// When headers were last requested from the peer. The peer with the oldest request is asked first.
    headers_asked: Option<Duration>,
    /// A header whose timestamp is too far ahead, to be requested again.
    early_header: Option<EarlyHeader>,
    /// The peer's branch that was refused last, if other nodes may accept it.
    refused: Option<Refused>,
    /// Until when nothing is requested from the peer, because its blocks exceeded a limit, or because the
    /// store failed.
    paused: Option<Duration>,
    /// The outstanding blocks.
    blocks: BTreeSet<Hash>,
    /// The deadline for the outstanding blocks; each delivered block extends it.
    blocks_deadline: Duration,
    /// When the peer last delivered a block that was new.
    useful_at: Option<Duration>,
}

/// A header from a peer with a timestamp too far ahead of the clock.
#[derive(Clone, Copy, Debug)]
struct EarlyHeader {
    timestamp: Timestamp,
    /// When the clock is checked again.
    retry: Duration,
}

/// A header that a peer has and that is in this node's header tree.
#[derive(Clone, Copy, Debug)]
struct PeerTip {
    hash: Hash,
    height: u64,
    /// The total work of the chain up to this header.
    work: Work,
}

impl ChainSync {
    /// Returns the best height of a peer and the number of its outstanding blocks.
    pub(super) fn progress(&self, id: PeerId) -> (Option<u64>, usize) {
        let Some(peer) = self.peers.get(&id) else { return (None, 0) };
        (peer.best.map(|best| best.height), peer.blocks.len())
    }

    /// Returns when a peer last delivered a block that was new.
    pub(super) fn useful_at(&self, id: PeerId) -> Option<Duration> {
        self.peers.get(&id)?.useful_at
    }

    /// Returns the peers whose claimed work and proven work are both less than the work of the tip.
    pub(super) fn peers_behind<T: Transaction>(&self, chain: &Blockchain<T>) -> Vec<PeerId> {
        let work = chain.work();
        let is_behind = |peer: &Peer| Some(peer.claimed_work).max(peer.work(chain)) < Some(work);
        self.peers.iter().filter(|(_, peer)| is_behind(peer)).map(|(id, _)| *id).collect()
    }

    /// Starts with the tip that the peer claims.
    pub(super) fn on_peer_connected<T: Transaction>(&mut self, call: &mut Call<'_, T>, new: &NewPeer) {
        let tip = &new.hello.tip;
        // Compares with the tip's work, not with the best header's, because the bodies of its headers may
        // never arrive.
        let ours = call.local.chain.work();
        let best = known(call, &tip.hash);
        self.blocks_due |= best.is_some();
        let peer = Peer {
            connected_at: new.connected_at,
            claimed_work: tip.work,
            keeps_bodies: new.hello.keeps_bodies,
            best,
            claimed: best.is_none().then_some(tip.hash),
            wants_headers: best.is_none() && tip.work > ours,
            headers_from: None,
            headers_request: None,
            headers_void: false,
            headers_asked: None,
            early_header: None,
            refused: None,
            paused: None,
            blocks: BTreeSet::new(),
            blocks_deadline: new.connected_at,
            useful_at: None,
        };
        self.peers.insert(new.id, peer);
    }

    pub(super) fn on_peer_disconnected<T: Transaction>(&mut self, local: &mut Local<T>, id: PeerId) {
        let peer = self.peers.remove(&id);
        // Drops pending bodies whose missing ancestors only this peer has, because those may never arrive.
        local.chain.retain_pending(self.peers.values().filter_map(|peer| Some(peer.best?.hash)));
        // Bodies that were requested from this peer are requested from others.
        self.blocks_due |= peer.is_some_and(|peer| !peer.blocks.is_empty());
    }

    /// Requests everything anew: messages were ignored while the store failed, and recovery discarded the
    /// headers ahead of the stored blocks.
    pub(super) fn on_store_recovered<T: Transaction>(&mut self, call: &mut Call<'_, T>) {
        for peer in self.peers.values_mut() {
            peer.wants_headers = true;
            peer.headers_from = None;
            peer.headers_void = peer.headers_request.is_some();
            peer.paused = None;
            peer.claimed = peer.claimed.or(peer.best.take().map(|best| best.hash));
        }
        self.confirm_claims(call);
        self.blocks_due = true;
    }

    /// Resumes requests that were postponed until now.
    ///
    /// # Errors
    ///
    /// The reason to close the connection, if the deadline of a request has passed.
    pub(super) fn on_peer_timeout<T: Transaction>(
        &mut self,
        call: &Call<'_, T>,
        id: PeerId,
    ) -> Result<(), CloseReason> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        self.blocks_due |= peer.resume(call);
        match peer.requests().find(|(_, deadline)| *deadline <= call.now.elapsed) {
            Some((kind, _)) => Err(CloseReason::RequestTimeout { kind, after: limits::REQUEST_TIMEOUT }),
            None => Ok(()),
        }
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.peers.values().filter_map(Peer::deadline).chain(self.clock.deadline()).min()
    }

    /// Requests what is missing.
    pub(super) fn request<T: Transaction>(&mut self, call: &mut Call<'_, T>) {
        self.request_headers(call);
        self.request_blocks(call);
    }

    /// Notifies the application when the clock begins or ceases to be behind, and when a refused branch
    /// appears or there is none any more.
    pub(super) fn watch<T: Transaction>(&mut self, call: &mut Call<'_, T>) {
        self.watch_clock(call);
        self.watch_refusals(call);
    }

    /// Notes that the peer has a header that is in the header tree, and returns the header. `height` is the
    /// height that the header claims.
    fn note_header<T: Transaction>(
        &mut self,
        call: &mut Call<'_, T>,
        id: PeerId,
        height: u64,
        hash: &Hash,
    ) -> Option<PeerTip> {
        let known = call.local.chain.entry(hash, Some(height));
        let tip = peer_tip(call, hash, known)?;
        self.note_tip(&call.local.chain, id, tip);
        Some(tip)
    }

    /// Notes that the peer has this header, if it is its best one.
    fn note_tip<T: Transaction>(&mut self, chain: &Blockchain<T>, id: PeerId, tip: PeerTip) {
        if let Some(peer) = self.peers.get_mut(&id)
            && Some(tip.work) > peer.work(chain)
        {
            peer.best = Some(tip);
            self.blocks_due = true;
        }
    }

    /// Confirms the claims of peers whose claimed header is in the header tree by now, no matter which peer
    /// delivered it. A peer with a confirmed claim has no new headers to answer a request with, and thus no
    /// other way to prove what it has.
    fn confirm_claims<T: Transaction>(&mut self, call: &mut Call<'_, T>) {
        let claims: Vec<(PeerId, Hash)> =
            self.peers.iter().filter_map(|(id, peer)| Some((*id, peer.claimed?))).collect();
        for (id, hash) in claims {
            let Some(tip) = known(call, &hash) else { continue };
            self.note_tip(&call.local.chain, id, tip);
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            peer.claimed = None;
            peer.wants_headers &= peer.headers_from.is_some();
        }
    }

    /// Notes that the peer has a header with unknown ancestors.
    fn note_unknown(&mut self, id: PeerId, hash: Hash) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.wants_headers = true;
            peer.claimed = Some(hash);
        }
    }
}

impl Peer {
    /// Returns the work of the peer's best header, unless that header has been found invalid since.
    fn work<T: Transaction>(&self, chain: &Blockchain<T>) -> Option<Work> {
        self.best.filter(|best| !chain.is_invalid(&best.hash)).map(|best| best.work)
    }

    /// Returns the next time at which [`ChainSync::on_peer_timeout`] has to be called.
    fn deadline(&self) -> Option<Duration> {
        let requests = self.requests().map(|(_, deadline)| deadline);
        requests.chain(self.early_header.map(|early| early.retry)).chain(self.paused).min()
    }

    fn requests(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        let headers = self.headers_request.map(|deadline| ("get_headers", deadline));
        let has_asked = !self.blocks.is_empty();
        headers.into_iter().chain(has_asked.then_some(("get_blocks", self.blocks_deadline)))
    }

    /// Resumes requests that were postponed until now. Returns whether blocks may be requested again.
    fn resume<T: Transaction>(&mut self, call: &Call<'_, T>) -> bool {
        let now = call.now;
        if let Some(early) = self.early_header.as_mut().filter(|early| early.retry <= now.elapsed) {
            let limit = now.wall.saturating_add(call.local.chain.spec().max_future_drift());
            let wait = early.timestamp.saturating_since(limit);
            early.retry = now.elapsed + wait.min(limits::CLOCK_CHECK);
            if wait.is_zero() {
                self.early_header = None;
                self.wants_headers = true;
            }
        }
        self.paused.take_if(|at| *at <= now.elapsed).is_some()
    }

    /// Whether the peer has delivered a block that was kept.
    const fn is_proven(&self) -> bool {
        self.useful_at.is_some()
    }
}

/// Looks up a header in the header tree.
fn known<T: Transaction>(call: &mut Call<'_, T>, hash: &Hash) -> Option<PeerTip> {
    let known = call.local.chain.entry(hash, None);
    peer_tip(call, hash, known)
}

fn peer_tip<T: Transaction>(
    call: &mut Call<'_, T>,
    hash: &Hash,
    known: Result<Option<ChainEntry>, StoreError>,
) -> Option<PeerTip> {
    match known {
        Ok(known) => {
            known.map(|known| PeerTip { hash: *hash, height: known.header.height, work: known.work })
        }
        Err(error) => {
            call.local.read_failed(error, call.outbox);
            None
        }
    }
}

#[cfg(test)]
mod tests;
