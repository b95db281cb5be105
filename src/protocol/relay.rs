//! Announces new tips by header, sends blocks that this node mined in full, and offers transactions by id.
//! Sends nothing to a peer that is known to have it.

mod transactions;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::address::PeerHost;
use super::call::Call;
use super::close::CloseReason;
use super::connections::NewPeer;
use super::limits;
use super::local::Local;
use super::message::Message;
use super::peer::PeerId;
use crate::mempool::RecentSet;
use crate::primitives::{Block, ByHash, Hash, Transaction};
use transactions::InFlight;

/// What each peer has, and the exchange of transactions.
#[derive(Debug)]
pub(super) struct Relay {
    peers: BTreeMap<PeerId, Peer>,
    /// The tip that was last announced to the peers.
    announced: Hash,
    /// Peers from which more transactions may be requested: they have offered ids that are not processed yet,
    /// or have answered a request.
    due: BTreeSet<PeerId>,
    /// The transactions that are requested from a peer.
    in_flight: ByHash<InFlight>,
    /// Transactions to offer when the present call ends.
    to_offer: Vec<Hash>,
    /// Transactions that a reorganisation returned to the mempool, to be offered at a bounded rate.
    returned: VecDeque<Hash>,
    /// When the next of the returned transactions may be offered.
    returned_due: Duration,
}

/// A peer that has completed the handshake.
#[derive(Debug)]
struct Peer {
    host: PeerHost,
    wants_new_blocks: bool,
    /// Blocks and transactions that the peer has and that are therefore not sent to it.
    known: RecentSet,
    /// Ids that the peer offered and that are still to be processed, in the order in which they are
    /// requested.
    offered: VecDeque<Hash>,
    /// The number of further ids that the peer offered and that were requested from another peer. They return
    /// to `offered` when the other peer has answered.
    waiting_ids: usize,
    /// The requested ids in order, and the deadline of the answer.
    request: Option<(Vec<Hash>, Duration)>,
}

impl Relay {
    /// Creates the relay of a node whose tip is `tip`, which is not announced.
    pub(super) fn new(tip: Hash) -> Self {
        Self {
            peers: BTreeMap::new(),
            announced: tip,
            due: BTreeSet::new(),
            in_flight: ByHash::default(),
            to_offer: Vec::new(),
            returned: VecDeque::new(),
            returned_due: Duration::ZERO,
        }
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        let returned = (!self.returned.is_empty()).then_some(self.returned_due);
        let requests = self.peers.values().filter_map(|peer| Some(peer.request.as_ref()?.1));
        requests.chain(returned).min()
    }

    /// Checks the deadline of the request to a peer.
    ///
    /// # Errors
    ///
    /// The reason to close the connection, if the deadline has passed.
    pub(super) fn on_peer_timeout(&self, id: PeerId, now: Duration) -> Result<(), CloseReason> {
        match self.peers.get(&id).and_then(|peer| peer.request.as_ref()) {
            Some((_, deadline)) if *deadline <= now => {
                Err(CloseReason::RequestTimeout { kind: "get_transactions", after: limits::REQUEST_TIMEOUT })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn on_peer_connected(&mut self, new: &NewPeer) {
        let mut known = RecentSet::new(limits::MAX_KNOWN_PER_PEER);
        known.insert(new.hello.tip.hash);
        let peer = Peer {
            host: PeerHost::from(&new.address),
            wants_new_blocks: new.hello.wants_new_blocks,
            known,
            offered: VecDeque::new(),
            waiting_ids: 0,
            request: None,
        };
        self.peers.insert(new.id, peer);
    }

    pub(super) fn on_peer_disconnected(&mut self, id: PeerId) {
        if let Some((ids, _)) = self.peers.remove(&id).and_then(|peer| peer.request) {
            self.release_transactions(&ids);
        }
    }

    /// Whether the tip has changed since it was last announced. While the store fails, the tip may not be
    /// durable, and is not announced.
    pub(super) fn is_tip_new<T: Transaction>(&self, local: &Local<T>) -> bool {
        !local.is_halted() && *local.tip() != self.announced
    }

    /// Announces the tip to the peers in `behind`, all of which have less work, except those that already
    /// have it. Notes that the tip is announced.
    pub(super) fn announce_new_tip<T: Transaction>(&mut self, call: &mut Call<'_, T>, behind: Vec<PeerId>) {
        self.announced = *call.local.tip();
        self.announce_tip(call, behind);
    }

    /// Announces the tip to the peers in `behind`, all of which have less work, except those that already
    /// have it.
    pub(super) fn announce_tip<T: Transaction>(&mut self, call: &mut Call<'_, T>, mut behind: Vec<PeerId>) {
        let header = *call.local.chain.tip().header();
        behind.retain(|id| self.peers.get(id).is_some_and(|peer| peer.lacks(call.local.tip())));
        self.note_known_by(&behind, &[*call.local.tip()]);
        call.outbox.broadcast(behind, Message::Announce(header));
    }

    /// Sends a block that this node mined to the peers that want it in full. No other node has the block yet,
    /// so it crosses each connection once.
    pub(super) fn push_block<T: Transaction>(&mut self, call: &mut Call<'_, T>, block: &Arc<Block<T>>) {
        let wants = |peer: &Peer| peer.wants_new_blocks && peer.lacks(block.hash());
        let peers: Vec<PeerId> =
            self.peers.iter().filter(|(_, peer)| wants(peer)).map(|(id, _)| *id).collect();
        self.note_known_by(&peers, &[*block.hash()]);
        call.outbox.broadcast(peers, Message::NewBlock(Arc::clone(block)));
    }

    /// Notes that a peer has these blocks or transactions.
    pub(super) fn note_known(&mut self, id: PeerId, hashes: impl IntoIterator<Item = Hash>) {
        if let Some(peer) = self.peers.get_mut(&id) {
            for hash in hashes {
                peer.known.insert(hash);
            }
        }
    }

    fn note_known_by(&mut self, peers: &[PeerId], hashes: &[Hash]) {
        for id in peers {
            self.note_known(*id, hashes.iter().copied());
        }
    }
}

impl Peer {
    /// Whether the peer is not known to have a block or a transaction.
    fn lacks(&self, hash: &Hash) -> bool {
        !self.known.contains(hash)
    }
}

#[cfg(test)]
mod tests;
