//! Peer discovery: requests addresses from a peer that this node chose, dials a few of the known addresses,
//! and advertises the addresses that it has reached. An address from a peer is unverified: it occupies a slot
//! in a small part of the address book and costs an occasional dial, and is advertised to no peer before a
//! dial has verified it.

mod book;
mod rows;

use core::error::Error;
use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use fastrand::Rng;
use serde::Serialize;

use super::address::PeerAddr;
use super::close::CloseReason;
use super::event::Event;
use super::host::PeerHost;
use super::message::Message;
use super::now::Now;
use super::peer::{Direction, PeerId};
use super::scope::{Scope, group, is_unspecified, written_host};
use super::state::Peer;
use super::{Protocol, limits};
use crate::primitives::{Hash, Timestamp, Transaction};
use book::{AddressBook, leading_number};
pub(super) use rows::{Rows, update};

#[derive(Clone, Debug)]
pub(super) struct Discovery {
    book: AddressBook,
    rng: Rng,
    /// Addresses at which this node found itself.
    own: VecDeque<PeerAddr>,
    /// When to check whether to dial another address.
    dial_due: Option<Duration>,
    /// No other address from discovery is dialled before this time.
    quiet_until: Duration,
    /// When to request addresses again from one of the peers that this node chose.
    ask_due: Option<Duration>,
}

/// The exchange of addresses on one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchange {
    /// Where other nodes can reach the peer: the address in its `Hello`, if that has the host from which the
    /// peer is connected.
    listens: Option<PeerAddr>,
    /// When addresses were last requested from the peer.
    asked: Option<Duration>,
    /// Whether the answer to that request is outstanding.
    is_awaited: bool,
    /// When the last request of the peer was answered.
    answered: Option<Duration>,
}

/// An address in the book of discovery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KnownAddress {
    /// The address.
    pub address: PeerAddr,
    /// When a peer of this chain was last reached at the address; `None` if never.
    pub reached: Option<Timestamp>,
    /// Consecutive failures since then.
    pub failures: u32,
}

impl Discovery {
    /// Derives the secret of the address book from the seed. The secret never leaves the node, and messages,
    /// which reveal other values derived from the seed, do not reveal it.
    pub(super) fn new(seed: u64) -> Self {
        let derived =
            |purpose: &[u8]| Hash::digest_parts(&[b"hashloom discovery v1", purpose, &seed.to_be_bytes()]);
        Self {
            book: AddressBook::new(derived(b"book")),
            rng: Rng::with_seed(leading_number(&derived(b"choices"))),
            own: VecDeque::new(),
            dial_due: None,
            quiet_until: Duration::ZERO,
            ask_due: None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.dial_due.into_iter().chain(self.ask_due).min()
    }

    fn look_at(&mut self, at: Duration) {
        let at = at.max(self.quiet_until);
        self.dial_due = Some(self.dial_due.map_or(at, |due| due.min(at)));
    }
}

impl<T: Transaction> Protocol<T> {
    /// Returns the addresses that discovery knows, in the order of their texts: at most
    /// [`limits::MAX_ADDRESSES`].
    pub fn addresses(&self) -> Vec<KnownAddress> {
        let known = self.discovery.book.records().map(|(address, record)| KnownAddress {
            address: address.clone(),
            reached: record.reached,
            failures: record.failures,
        });
        known.collect()
    }

    /// Forgets an address, whether it is kept, is being dialled, or came from a peer, and closes the
    /// connection to it if there is one. Returns whether the address was known. A peer may advertise the
    /// address again; a ban of its host prevents that.
    pub fn forget_address(&mut self, address: &PeerAddr, now: Now) -> bool {
        let reached_over = self.dialer.reached_over(address);
        let was_dialled = self.dialer.forget(address);
        let was_known = self.discovery.book.remove(address) || was_dialled;
        if was_known {
            self.plan_to_save(now);
        }
        if let Some(peer) = reached_over {
            self.disconnect(peer, CloseReason::Requested, now);
        }
        was_known
    }

    /// Notes that a peer of this chain answered at an address that this node dialled, and wants to be
    /// advertised.
    pub(super) fn note_reached(&mut self, address: &PeerAddr, now: Now) {
        if self.config.discovery && Scope::of(address) != Scope::Nowhere {
            self.discovery.book.reached(address, now.wall);
            self.plan_to_save(now);
        }
    }

    /// Notes that this node found itself at an address, so that it does not dial the address again.
    pub(super) fn note_own(&mut self, address: &PeerAddr, now: Now) {
        if self.is_own(address) {
            return;
        }
        if self.discovery.own.len() == limits::MAX_OWN_ADDRESSES {
            self.discovery.own.pop_front();
        }
        self.discovery.own.push_back(address.clone());
        if self.discovery.book.remove(address) {
            self.plan_to_save(now);
        }
    }

    /// Whether an address came from discovery, and thus is another address of a peer that is already
    /// connected. Removes the address from the dialler in that case.
    pub(super) fn is_alias(&mut self, address: &PeerAddr, now: Now) -> bool {
        let is_alias = self.dialer.give_up(address);
        if is_alias {
            self.discovery.book.postpone(address, now.elapsed + limits::ALIAS_PAUSE);
            self.look_for_peers(now.elapsed + limits::DISCOVERED_DIAL_INTERVAL);
        }
        is_alias
    }

    /// Requests addresses from a new outbound peer, and learns the listen address of a new inbound peer.
    pub(super) fn on_peer_connected(&mut self, id: PeerId, now: Now) {
        let Some(peer) = self.peers.get_mut(&id).filter(|_| self.config.discovery) else { return };
        if peer.direction == Direction::Outbound {
            self.ask_for_peers(id, now);
            return;
        }
        // The connection may have replaced one that this node opened.
        self.discovery.ask_due.get_or_insert(now.elapsed + limits::ASK_PEERS_INTERVAL);
        let Some(listen) = peer.hello.as_ref().and_then(|hello| hello.listen.as_ref()) else { return };
        let replaced = || listen.with_host(&written_host(&peer.address)?);
        let listen = if is_unspecified(listen) { replaced() } else { Some(listen.clone()) };
        let Some(listen) = listen else { return };
        let from = peer.address.clone();
        if PeerHost::from(&listen) == peer.host() && Scope::of(&listen) != Scope::Nowhere {
            peer.exchange.listens = Some(listen.clone());
        }
        self.learn_address(&listen, &from, now);
    }

    /// Answers a `GetPeers`, at most once in [`limits::ANSWER_PEERS_INTERVAL`] per peer.
    pub(super) fn serve_peers(&mut self, id: PeerId, limit: u32, now: Now) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let exchange = &mut peer.exchange;
        if exchange.answered.is_some_and(|at| now.elapsed < at + limits::ANSWER_PEERS_INTERVAL) {
            return;
        }
        exchange.answered = Some(now.elapsed);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(limits::MAX_PEERS_PER_MESSAGE);
        let addresses = self.addresses_for(id, limit, now);
        self.send(id, Message::Peers { addresses });
    }

    /// Adds the addresses of a requested `Peers` to the book.
    pub(super) fn received_peers(
        &mut self,
        id: PeerId,
        addresses: Vec<PeerAddr>,
        now: Now,
    ) -> Result<(), CloseReason> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        if !core::mem::take(&mut peer.exchange.is_awaited) {
            return Err(CloseReason::Unsolicited { kind: "peers" });
        }
        let from = peer.address.clone();
        for address in addresses {
            self.learn_address(&address, &from, now);
        }
        Ok(())
    }

    /// Handles a failed dial.
    pub(super) fn dial_failed(&mut self, address: PeerAddr, error: Arc<dyn Error + Send + Sync>, now: Now) {
        self.note_failed(&address, now);
        if self.dialer.give_up(&address) {
            self.look_for_peers(now.elapsed);
        } else if let Some(retry_in) = self.dialer.failed(&address, now.elapsed) {
            self.event(Event::DialFailed { address, error, retry_in });
        }
    }

    /// Handles the end of a connection. An address from discovery is not dialled again before its next turn.
    pub(super) fn released(&mut self, id: PeerId, peer: &Peer, reason: &CloseReason, lasted: bool, now: Now) {
        let was_tried_out = self.dialer.give_up_reached(id);
        if was_tried_out || peer.exchange.listens.is_some() {
            // Delayed, so that the timeout which closes a connection does not make the next dial due at once.
            self.look_for_peers(now.elapsed + limits::DISCOVERED_DIAL_INTERVAL);
        }
        if peer.direction == Direction::Inbound {
            return;
        }
        match reason {
            CloseReason::WrongGenesis { .. } | CloseReason::WrongProtocol { .. } => {
                if self.discovery.book.remove(&peer.address) {
                    self.plan_to_save(now);
                }
            }
            CloseReason::AlreadyConnected | CloseReason::SelfConnection => {}
            _ if lasted => {
                let until = now.elapsed + limits::MIN_DISCOVERED_BACKOFF;
                self.discovery.book.postpone(&peer.address, until);
            }
            _ => self.note_failed(&peer.address, now),
        }
    }

    /// Removes the addresses that are reached over a connection.
    pub(super) fn forget_addresses(&mut self, id: PeerId) {
        for address in self.dialer.forget_reached(id) {
            self.discovery.book.remove(&address);
        }
    }

    /// Removes the addresses of a host.
    pub(super) fn forget_host(&mut self, host: &PeerHost) {
        self.discovery.book.remove_host(host);
    }

    /// Stops all requests and dials of discovery.
    pub(super) fn stop_discovery(&mut self) {
        self.config.discovery = false;
        (self.discovery.dial_due, self.discovery.ask_due) = (None, None);
    }

    /// Performs what is due: dials another address, asks another peer.
    pub(super) fn discover(&mut self, now: Now) {
        if self.discovery.dial_due.take_if(|at| *at <= now.elapsed).is_some() {
            self.dial_another(now);
        }
        if self.discovery.ask_due.take_if(|at| *at <= now.elapsed).is_some() {
            self.ask_another(now);
        }
    }

    fn dial_another(&mut self, now: Now) {
        if self.dialer.tried_out() >= self.config.max_discovered {
            return;
        }
        let mut rng = self.discovery.rng.clone();
        let groups: BTreeSet<_> =
            self.dialer.addresses().map(|address| group(&PeerHost::from(address))).collect();
        let book = &self.discovery.book;
        let may_be = |address: &PeerAddr| self.may_be_tried_out(address, now);
        let chosen = book.choose(&mut rng, now.elapsed, may_be, |group| !groups.contains(group));
        let next = if chosen.is_none() { book.next_turn(may_be) } else { None };
        self.discovery.rng = rng;
        if let Some(address) = chosen {
            self.dialer.try_out(address, now.elapsed);
            self.discovery.quiet_until = now.elapsed + limits::DISCOVERED_DIAL_INTERVAL;
            self.look_for_peers(now.elapsed);
        } else if let Some(next) = next {
            self.look_for_peers(next);
        }
    }

    fn may_be_tried_out(&self, address: &PeerAddr, now: Now) -> bool {
        let is_reached = |peer: &Peer| peer.exchange.listens.as_ref() == Some(address);
        // A host that was banned while discovery was off may still be in the book.
        !self.dialer.contains(address)
            && self.reputation.remaining(&PeerHost::from(address), now).is_none()
            && !self.peers.values().any(is_reached)
    }

    /// Requests addresses again from one of the peers that this node wanted a connection to, no matter which
    /// side opened it.
    fn ask_another(&mut self, now: Now) {
        let is_chosen = |id: PeerId, peer: &Peer| peer.is_ready() && self.dialer.reaches(id);
        let chosen = self.peers.iter().filter(|(id, peer)| is_chosen(**id, peer));
        let chosen: Vec<(PeerId, &Exchange)> = chosen.map(|(id, peer)| (*id, &peer.exchange)).collect();
        let goes_on = !chosen.is_empty();
        let may_be_asked = |exchange: &Exchange| {
            !exchange.is_awaited
                && exchange.asked.is_none_or(|at| at + limits::ASK_PEERS_INTERVAL <= now.elapsed)
        };
        let due: Vec<PeerId> =
            chosen.into_iter().filter(|(_, exchange)| may_be_asked(exchange)).map(|(id, _)| id).collect();
        self.discovery.ask_due = goes_on.then_some(now.elapsed + limits::ASK_PEERS_INTERVAL);
        if let Some(id) = self.discovery.rng.choice(due) {
            self.ask_for_peers(id, now);
        }
    }

    fn ask_for_peers(&mut self, id: PeerId, now: Now) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.exchange.asked = Some(now.elapsed);
        peer.exchange.is_awaited = true;
        self.discovery.ask_due.get_or_insert(now.elapsed + limits::ASK_PEERS_INTERVAL);
        #[expect(clippy::cast_possible_truncation, reason = "far below 2^32")]
        self.send(id, Message::GetPeers { limit: limits::MAX_PEERS_PER_MESSAGE as u32 });
    }

    /// Returns the addresses to advertise to a peer: those at which this node has reached peers, and those of
    /// its inbound peers.
    fn addresses_for(&mut self, id: PeerId, limit: usize, now: Now) -> Vec<PeerAddr> {
        let Some(asker) = self.peers.get(&id).filter(|_| self.config.discovery) else { return Vec::new() };
        let reach = Scope::of(&asker.address);
        let callers = self.peers.values().filter(|peer| peer.is_ready());
        let callers = callers.filter_map(|peer| peer.exchange.listens.as_ref());
        let known: BTreeSet<&PeerAddr> = self.discovery.book.worth_telling(now.wall).chain(callers).collect();
        let listen = asker.hello.as_ref().and_then(|hello| hello.listen.as_ref());
        let theirs = [Some(&asker.address), asker.exchange.listens.as_ref(), listen];
        let may_be_told = |address: &&PeerAddr| {
            Scope::of(address).may_pass(reach)
                && !theirs.contains(&Some(address))
                && self.reputation.remaining(&PeerHost::from(*address), now).is_none()
        };
        let mut told: Vec<&PeerAddr> = known.into_iter().filter(may_be_told).collect();
        let mut rng = self.discovery.rng.clone();
        rng.shuffle(&mut told);
        let told = told.into_iter().take(limit).cloned().collect();
        self.discovery.rng = rng;
        told
    }

    /// Adds an address from a peer to the book, if it is useful.
    fn learn_address(&mut self, address: &PeerAddr, from: &PeerAddr, now: Now) {
        let is_of_use = Scope::of(address).may_pass(Scope::of(from))
            && !self.is_own(address)
            && self.reputation.remaining(&PeerHost::from(address), now).is_none();
        if is_of_use && self.discovery.book.learn(address, &PeerHost::from(from), now.wall) {
            self.plan_to_save(now);
            self.look_for_peers(now.elapsed);
        }
    }

    /// Notes a failed connection to an address. While no peer is connected, this node's own network may be at
    /// fault, and the failure does not count.
    fn note_failed(&mut self, address: &PeerAddr, now: Now) {
        let counts = self.peers.values().any(Peer::is_ready);
        if self.discovery.book.failed(address, counts, now.elapsed) {
            self.plan_to_save(now);
        }
    }

    fn look_for_peers(&mut self, at: Duration) {
        if self.config.discovery && self.config.max_discovered > 0 {
            self.discovery.look_at(at);
        }
    }

    fn is_own(&self, address: &PeerAddr) -> bool {
        self.config.listen.as_ref() == Some(address) || self.discovery.own.contains(address)
    }
}
