//! Offers transactions by id, answers requests for them, and requests those that peers offer, each from one
//! peer at a time.

use core::mem::take;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::Relay;
use crate::mempool::{Mempool, MempoolError, Source};
use crate::primitives::{Hash, HashSet, Transaction, transaction_id};
use crate::protocol::call::Call;
use crate::protocol::close::CloseReason;
use crate::protocol::event::Event;
use crate::protocol::limits;
use crate::protocol::message::Message;
use crate::protocol::peer::PeerId;

/// An outstanding request for a transaction.
#[derive(Debug)]
pub(super) struct InFlight {
    /// The peer that the transaction was requested from.
    asked: PeerId,
    /// Other peers that offer the transaction, each of which may be asked if the request fails. Some may have
    /// disconnected.
    waiting: Vec<PeerId>,
}

impl Relay {
    /// Notes a transaction that entered the mempool, to be offered when the call ends: many may enter in one
    /// call, and one message for each would fill the queue of a peer.
    pub(in crate::protocol) fn on_accepted<T: Transaction>(&mut self, call: &mut Call<'_, T>, id: Hash) {
        call.outbox.event(Event::TransactionAccepted { id });
        self.to_offer.push(id);
    }

    /// Forgets the returned transactions that are not pending any more. Done before those of disconnected
    /// blocks become pending again, so that no id is listed twice.
    pub(in crate::protocol) fn retain_pending<T: Transaction>(&mut self, mempool: &Mempool<T>) {
        self.returned.retain(|id| mempool.contains(id));
    }

    /// Notes the transactions of disconnected blocks that are pending again, to be offered at a bounded rate.
    pub(in crate::protocol) fn on_returned(&mut self, ids: Vec<Hash>) {
        self.returned.extend(ids);
    }

    /// Offers the pending transactions to a new peer.
    pub(in crate::protocol) fn offer_all<T: Transaction>(&mut self, call: &mut Call<'_, T>, id: PeerId) {
        let ids: Vec<Hash> = call.local.mempool.iter().map(|(id, _)| *id).take(limits::MAX_OFFERED).collect();
        self.offer(call, id, &ids);
    }

    /// Offers new transactions to the peers that do not have them, and a bounded number of those that a
    /// reorganisation returned.
    pub(in crate::protocol) fn offer_new<T: Transaction>(&mut self, call: &mut Call<'_, T>) {
        let now = call.now.elapsed;
        let mut ids = take(&mut self.to_offer);
        if !self.returned.is_empty() && now >= self.returned_due {
            let end = ids.len() + limits::MAX_TRANSACTIONS;
            while ids.len() < end
                && let Some(id) = self.returned.pop_front()
            {
                if call.local.mempool.contains(&id) {
                    ids.push(id);
                }
            }
            self.returned_due = now + limits::RETURNED_INTERVAL;
        }
        if ids.is_empty() {
            return;
        }
        for id in self.peers.keys().copied().collect::<Vec<_>>() {
            let Some(peer) = self.peers.get(&id) else { continue };
            let unknown: Vec<Hash> = ids.iter().filter(|id| !peer.known.contains(id)).copied().collect();
            self.offer(call, id, &unknown);
        }
    }

    fn offer<T: Transaction>(&mut self, call: &mut Call<'_, T>, to: PeerId, ids: &[Hash]) {
        self.note_known(to, ids.iter().copied());
        for ids in ids.chunks(limits::MAX_TRANSACTIONS) {
            call.outbox.send(to, Message::Offer { ids: ids.to_vec() });
        }
    }

    /// Queues the ids that a peer offers, up to a limit.
    pub(in crate::protocol) fn on_offer<T: Transaction>(
        &mut self,
        call: &Call<'_, T>,
        id: PeerId,
        ids: Vec<Hash>,
    ) {
        self.note_known(id, ids.iter().copied());
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let room = limits::MAX_OFFERED.saturating_sub(peer.offered.len() + peer.waiting_ids);
        peer.offered.extend(ids.into_iter().filter(|id| call.local.mempool.wants(id)).take(room));
        self.due.insert(id);
    }

    /// Answers a `GetTransactions` with pending transactions, up to the size limit.
    pub(in crate::protocol) fn on_get_transactions<T: Transaction>(
        &mut self,
        call: &mut Call<'_, T>,
        id: PeerId,
        ids: &[Hash],
    ) {
        let mempool = &call.local.mempool;
        let mut bytes = 0;
        let mut transactions = Vec::new();
        let mut seen = HashSet::default();
        let mut sent = Vec::new();
        let mut gone = Vec::new();
        // Each transaction is sent once, even if its id is repeated.
        for id in ids.iter().filter(|id| seen.insert(**id)) {
            let (Some(transaction), Some(size)) = (mempool.transaction(id), mempool.size_of(id)) else {
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
        self.note_known(id, sent);
        if let Some(peer) = self.peers.get_mut(&id) {
            // If its block is disconnected, the transaction is offered again.
            for id in &gone {
                peer.known.remove(id);
            }
        }
        call.outbox.send(id, Message::Transactions(transactions));
    }

    /// Submits the transactions of an answer to the mempool.
    ///
    /// # Errors
    ///
    /// The reason to close the connection, if the peer sent what was not requested or has no encoding.
    pub(in crate::protocol) fn on_transactions<T: Transaction>(
        &mut self,
        call: &mut Call<'_, T>,
        id: PeerId,
        transactions: Vec<T>,
    ) -> Result<(), CloseReason> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        let Some((asked, _)) = peer.request.take() else {
            return Err(CloseReason::Unsolicited { kind: "transactions" });
        };
        let host = peer.host.clone();
        let source = Source::Peer { host: host.as_str() };
        self.release_transactions(&asked);
        self.due.insert(id);
        let is_cut = !transactions.is_empty();
        let mut asked = asked.into_iter();
        for transaction in transactions {
            let transaction_id = transaction_id(&transaction).map_err(CloseReason::InvalidTransaction)?;
            // Skipped ids are of transactions that are no longer pending at the peer.
            if !asked.any(|id| id == transaction_id) {
                return Err(CloseReason::Unsolicited { kind: "transactions" });
            }
            let local = &mut *call.local;
            let submitted = local.mempool.submit(transaction, source, &local.chain, call.now.wall);
            local.report_lost(call.outbox);
            match submitted {
                Ok(transaction_id) => {
                    self.on_accepted(call, transaction_id);
                    call.local.plan_to_save(call.now);
                }
                // The fault is in the application's type and not in the peer, whose build may differ. The
                // transaction is not requested again.
                Err(error @ (MempoolError::Encode(_) | MempoolError::Panicked(_))) => {
                    local.refuse_transaction(transaction_id, Arc::new(error), call.outbox);
                }
                // No honest peer relays the transaction, whatever its chain is.
                Err(MempoolError::Invalid(reason)) => {
                    local.mempool.refuse(transaction_id);
                    return Err(CloseReason::RefusedTransaction { id: transaction_id, reason });
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
            let Some(in_flight) = self.in_flight.remove(id) else { continue };
            for waiting in in_flight.waiting {
                let Some(peer) = self.peers.get_mut(&waiting) else { continue };
                peer.waiting_ids -= 1;
                peer.offered.push_front(*id);
                self.due.insert(waiting);
            }
        }
    }

    /// Requests the transactions that peers have offered. Each id is processed once: it is already known, is
    /// requested from the peer, or waits for the answer of another peer. The cost of a message is therefore
    /// proportional to the ids in it, however many are offered.
    pub(in crate::protocol) fn request_transactions<T: Transaction>(&mut self, call: &mut Call<'_, T>) {
        for id in take(&mut self.due) {
            let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.request.is_none()) else { continue };
            let mut ids = Vec::new();
            // In the order of the offer, because a transaction may depend on an earlier one.
            while ids.len() < limits::MAX_TRANSACTIONS
                && let Some(offered) = peer.offered.pop_front()
            {
                if !call.local.mempool.wants(&offered) {
                    continue;
                }
                match self.in_flight.entry(offered) {
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
                peer.request = Some((ids.clone(), call.now.elapsed + limits::REQUEST_TIMEOUT));
                call.outbox.send(id, Message::GetTransactions { ids });
            }
        }
    }
}
