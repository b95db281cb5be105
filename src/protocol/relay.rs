//! Announces new tips by header, sends blocks that this node mined in full, and offers transactions by id.
//! Sends nothing to a peer that is known to have it.

use core::mem::take;
use core::time::Duration;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::close::CloseReason;
use super::event::Event;
use super::io::Output;
use super::message::Message;
use super::now::Now;
use super::peer::PeerId;
use super::state::Peer;
use super::{Protocol, limits};
use crate::mempool::{MempoolError, Source};
use crate::primitives::{Block, ByHash, Hash, HashSet, Transaction, Work, transaction_id};

/// Which transactions to offer to the peers and to request from them.
#[derive(Debug, Default)]
pub(super) struct Relay {
    /// Peers from which more transactions may be requested: they have offered ids that are not processed yet,
    /// or have answered a request.
    due: BTreeSet<PeerId>,
    /// The transactions that are requested from a peer.
    in_flight: ByHash<InFlight>,
    /// Transactions to offer when the present call ends.
    pub(super) to_offer: Vec<Hash>,
    /// Transactions that a reorganisation returned to the mempool, to be offered at a bounded rate.
    pub(super) returned: VecDeque<Hash>,
    /// When the next of the returned transactions may be offered.
    returned_due: Duration,
}

impl Relay {
    pub(super) fn deadline(&self) -> Option<Duration> {
        (!self.returned.is_empty()).then_some(self.returned_due)
    }
}

/// An outstanding request for a transaction.
#[derive(Debug)]
struct InFlight {
    /// The peer that the transaction was requested from.
    asked: PeerId,
    /// Other peers that offer the transaction, each of which may be asked if the request fails. Some may have
    /// disconnected.
    waiting: Vec<PeerId>,
}

impl<T: Transaction> Protocol<T> {
    /// Sends a block that this node mined to the peers that want it in full. No other node has the block yet,
    /// so it crosses each connection once.
    pub(super) fn push(&mut self, block: &Arc<Block<T>>) {
        let wants = |peer: &Peer| peer.hello.as_ref().is_some_and(|hello| hello.wants_new_blocks);
        let peers = self.peers_without(block.hash(), wants);
        self.send_all(peers, Message::NewBlock(Arc::clone(block)));
    }

    /// Announces the tip to the peers that neither have it nor have as much work.
    pub(super) fn announce_tip(&mut self) {
        // While the store fails, the tip may not be durable, and is not announced.
        if !self.is_halted() && *self.chain.tip().hash() != self.announced {
            self.announced = *self.chain.tip().hash();
            self.announce_tip_to(|_| true);
        }
    }

    /// Announces the tip to those of the selected peers that neither have it nor have as much work.
    pub(super) fn announce_tip_to(&mut self, such: impl Fn(PeerId) -> bool) {
        let tip = Arc::clone(self.chain.tip());
        let work = self.chain.work();
        let has_less = |peer: &Peer| {
            let claimed = peer.hello.as_ref().map(|hello| hello.tip.work);
            claimed.max(work_of(&self.chain, peer)) < Some(work)
        };
        let mut peers = self.peers_without(tip.hash(), has_less);
        peers.retain(|id| such(*id));
        self.send_all(peers, Message::Announce(*tip.header()));
    }

    /// Notes a transaction that entered the mempool, to be offered when the call ends: many may enter in one
    /// call, and one message for each would fill the queue of a peer.
    pub(super) fn accepted(&mut self, id: Hash) {
        self.event(Event::TransactionAccepted { id });
        self.relay.to_offer.push(id);
    }

    /// Offers new transactions to the peers that do not have them, and a bounded number of those that a
    /// reorganisation returned.
    pub(super) fn offer_new(&mut self, now: Now) {
        let mut ids = take(&mut self.relay.to_offer);
        if !self.relay.returned.is_empty() && now.elapsed >= self.relay.returned_due {
            let end = ids.len() + limits::MAX_TRANSACTIONS;
            while ids.len() < end
                && let Some(id) = self.relay.returned.pop_front()
            {
                if self.mempool.contains(&id) {
                    ids.push(id);
                }
            }
            self.relay.returned_due = now.elapsed + limits::RETURNED_INTERVAL;
        }
        if ids.is_empty() {
            return;
        }
        for id in self.peers.keys().copied().collect::<Vec<_>>() {
            let Some(peer) = self.peers.get(&id).filter(|peer| peer.is_ready()) else { continue };
            let unknown: Vec<Hash> = ids.iter().filter(|id| !peer.known.contains(id)).copied().collect();
            for ids in unknown.chunks(limits::MAX_TRANSACTIONS) {
                self.send_all(vec![id], Message::Offer { ids: ids.to_vec() });
            }
        }
    }

    /// Queues the ids that a peer offers, up to a limit.
    pub(super) fn offered(&mut self, id: PeerId, ids: Vec<Hash>) {
        self.knows(id, ids.iter().copied());
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let room = limits::MAX_OFFERED.saturating_sub(peer.offered.len() + peer.waiting_ids);
        peer.offered.extend(ids.into_iter().filter(|id| self.mempool.wants(id)).take(room));
        self.relay.due.insert(id);
    }

    /// Answers a `GetTransactions` with pending transactions, up to the size limit.
    pub(super) fn serve_transactions(&mut self, id: PeerId, ids: &[Hash]) {
        let mut bytes = 0;
        let mut transactions = Vec::new();
        let mut seen = HashSet::default();
        let mut sent = Vec::new();
        let mut gone = Vec::new();
        // Each transaction is sent once, even if its id is repeated.
        for id in ids.iter().filter(|id| seen.insert(**id)) {
            let (Some(transaction), Some(size)) = (self.mempool.transaction(id), self.mempool.size_of(id))
            else {
                gone.push(*id);
                continue;
            };
            bytes += size;
            if bytes > limits::MAX_TRANSACTIONS_BYTES && !transactions.is_empty() {
                break;
            }
            transactions.push(transaction.clone());
            sent.push(*id);
        }
        self.knows(id, sent);
        if let Some(peer) = self.peers.get_mut(&id) {
            // If its block is disconnected, the transaction is offered again.
            for id in &gone {
                peer.known.remove(id);
            }
        }
        self.send(id, Message::Transactions(transactions));
    }

    /// Submits the transactions of an answer to the mempool.
    pub(super) fn received_transactions(
        &mut self,
        id: PeerId,
        transactions: Vec<T>,
        now: Now,
    ) -> Result<(), CloseReason> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        let Some((asked, _)) = peer.transactions_request.take() else {
            return Err(CloseReason::Unsolicited { kind: "transactions" });
        };
        let host = peer.host();
        let source = Source::Peer { host: host.as_str() };
        self.release_transactions(&asked);
        self.relay.due.insert(id);
        let is_cut = !transactions.is_empty();
        let mut asked = asked.into_iter();
        for transaction in transactions {
            let transaction_id = transaction_id(&transaction).map_err(CloseReason::InvalidTransaction)?;
            // Skipped ids are of transactions that are no longer pending at the peer.
            if !asked.any(|id| id == transaction_id) {
                return Err(CloseReason::Unsolicited { kind: "transactions" });
            }
            let submitted = self.mempool.submit(transaction, source, &self.chain, now.wall);
            self.report_lost();
            match submitted {
                Ok(transaction_id) => {
                    self.accepted(transaction_id);
                    self.plan_to_save(now);
                }
                // The fault is in the application's type and not in the peer, whose build may differ. The
                // transaction is not requested again.
                Err(error @ (MempoolError::Encode(_) | MempoolError::Panicked(_))) => {
                    self.refuse_transaction(transaction_id, Arc::new(error));
                }
                // The peer's tip, mempool or limits differ from this node's, which is not misbehaviour.
                Err(_) => {}
            }
        }
        if let Some(peer) = self.peers.get_mut(&id)
            && is_cut
        {
            // An answer may be cut short by its size limit. The ids after its end are requested again. An
            // empty answer means that none of the transactions is pending at the peer.
            for id in asked.rev() {
                peer.offered.push_front(id);
            }
            peer.offered.truncate(limits::MAX_OFFERED);
        }
        Ok(())
    }

    /// Ends the request for these transactions. Other peers that offer one of them may be asked, unless it
    /// has arrived by then.
    pub(super) fn release_transactions(&mut self, ids: &[Hash]) {
        // In reverse, because each id is put at the front of a peer's queue, which then keeps its order.
        for id in ids.iter().rev() {
            let Some(in_flight) = self.relay.in_flight.remove(id) else { continue };
            for waiting in in_flight.waiting {
                let Some(peer) = self.peers.get_mut(&waiting) else { continue };
                peer.waiting_ids -= 1;
                peer.offered.push_front(*id);
                self.relay.due.insert(waiting);
            }
        }
    }

    /// Requests the transactions that peers have offered. Each id is processed once: it is already known, is
    /// requested from the peer, or waits for the answer of another peer. The cost of a message is therefore
    /// proportional to the ids in it, however many are offered.
    pub(super) fn request_transactions(&mut self, now: Now) {
        for id in take(&mut self.relay.due) {
            let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.transactions_request.is_none())
            else {
                continue;
            };
            let mut ids = Vec::new();
            // In the order of the offer, because a transaction may depend on an earlier one.
            while ids.len() < limits::MAX_TRANSACTIONS
                && let Some(offered) = peer.offered.pop_front()
            {
                if !self.mempool.wants(&offered) {
                    continue;
                }
                match self.relay.in_flight.entry(offered) {
                    Entry::Vacant(entry) => {
                        entry.insert(InFlight { asked: id, waiting: Vec::new() });
                        ids.push(offered);
                    }
                    Entry::Occupied(mut entry) => {
                        let InFlight { asked, waiting } = entry.get_mut();
                        // A peer may offer an id several times.
                        if *asked != id && !waiting.contains(&id) {
                            waiting.push(id);
                            peer.waiting_ids += 1;
                        }
                    }
                }
            }
            if !ids.is_empty() {
                peer.transactions_request = Some((ids.clone(), now.elapsed + limits::REQUEST_TIMEOUT));
                self.send(id, Message::GetTransactions { ids });
            }
        }
    }

    /// Notes that a peer has these blocks or transactions.
    pub(super) fn knows(&mut self, id: PeerId, hashes: impl IntoIterator<Item = Hash>) {
        if let Some(peer) = self.peers.get_mut(&id) {
            for hash in hashes {
                peer.known.insert(hash);
            }
        }
    }

    /// Returns the peers that have completed the handshake, are not known to have `hash`, and satisfy
    /// `wanted`.
    fn peers_without(&self, hash: &Hash, wanted: impl Fn(&Peer) -> bool) -> Vec<PeerId> {
        self.peers
            .iter()
            .filter(|(_, peer)| peer.is_ready())
            .filter(|(_, peer)| flaw!(Echoes) || !peer.known.contains(hash) && wanted(peer))
            .map(|(id, _)| *id)
            .collect()
    }

    /// Sends one message to several peers, and notes that they know the hashes in it.
    pub(super) fn send_all(&mut self, peers: Vec<PeerId>, message: Message<T>) {
        if peers.is_empty() {
            return;
        }
        let told = match &message {
            Message::NewBlock(block) => vec![*block.hash()],
            Message::Announce(header) => vec![header.hash()],
            Message::Offer { ids } => ids.clone(),
            _ => Vec::new(),
        };
        for id in &peers {
            self.knows(*id, told.iter().copied());
        }
        self.outputs.push_back(Output::Send { peers, message });
    }
}

/// Returns the work of the peer's best header, unless that header has been found invalid since.
pub(super) fn work_of<T: Transaction>(chain: &crate::Blockchain<T>, peer: &Peer) -> Option<Work> {
    peer.best.filter(|best| !chain.is_invalid(&best.hash)).map(|best| best.work)
}
