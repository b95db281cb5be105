//! Peer discovery: requests addresses from a peer that this node chose, dials a few of the known addresses,
//! and advertises the addresses that it has reached. An address from a peer is unverified: it occupies a slot
//! in a small part of the address book and costs an occasional dial, and is advertised to no peer before a
//! dial has verified it.

mod book;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fastrand::Rng;

use super::address::{PeerAddr, PeerHost};
use super::call::Call;
use super::close::CloseReason;
use super::config::ProtocolConfig;
use super::connections::{Connections, Ended, NewPeer, Notice};
use super::limits;
use super::message::Message;
use super::peer::{Direction, KnownAddress, PeerId};
use super::scope::{Scope, group, is_unspecified, written_host};
use crate::primitives::{Hash, Timestamp, Transaction};
use book::{AddressBook, Record, leading_number};

/// The address book, and the exchange of addresses with each peer.
#[derive(Debug)]
pub(super) struct Discovery {
    peers: BTreeMap<PeerId, Exchange>,
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

/// The exchange of addresses with a peer that has completed the handshake.
#[derive(Clone, Debug)]
struct Exchange {
    /// The address that was dialled, or the remote address of an inbound connection.
    address: PeerAddr,
    /// The address in the peer's `Hello`.
    claimed: Option<PeerAddr>,
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

impl Discovery {
    /// Derives the secret of the address book from the seed. The secret never leaves the node, and messages,
    /// which reveal other values derived from the seed, do not reveal it.
    pub(super) fn new(seed: u64) -> Self {
        let derived =
            |purpose: &[u8]| Hash::digest_parts(&[b"hashloom discovery v1", purpose, &seed.to_be_bytes()]);
        Self {
            peers: BTreeMap::new(),
            book: AddressBook::new(derived(b"book")),
            rng: Rng::with_seed(leading_number(&derived(b"choices"))),
            own: VecDeque::new(),
            dial_due: None,
            quiet_until: Duration::ZERO,
            ask_due: None,
        }
    }

    /// Returns the known addresses, in the order of their texts: at most [`limits::MAX_ADDRESSES`].
    pub(super) fn addresses(&self) -> Vec<KnownAddress> {
        let known = self.book.records().map(|(address, record)| KnownAddress {
            address: address.clone(),
            reached: record.reached,
            failures: record.failures,
        });
        known.collect()
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.dial_due.into_iter().chain(self.ask_due).min()
    }

    /// Notes what the connections found out about an address.
    pub(super) fn on_notice<T: Transaction>(&mut self, call: &mut Call<'_, T>, notice: Notice) {
        let now = call.now;
        match notice {
            Notice::OwnAddress(address) => self.note_own(call, address),
            Notice::Reached(address) => {
                if call.config.discovery && Scope::of(&address) != Scope::Nowhere {
                    self.book.reached(&address, now.wall);
                    call.local.plan_to_save(now);
                }
            }
            Notice::Alias(address) => {
                self.book.postpone(&address, now.elapsed + limits::ALIAS_PAUSE);
                self.look_for_peers(call.config, now.elapsed + limits::DISCOVERED_DIAL_INTERVAL);
            }
            Notice::Duplicate(_) => {}
        }
    }

    /// Requests addresses from a new outbound peer, and learns the listen address of a new inbound peer.
    pub(super) fn on_peer_connected<T: Transaction>(
        &mut self,
        call: &mut Call<'_, T>,
        new: &NewPeer,
        connections: &Connections,
    ) {
        let exchange = Exchange {
            address: new.address.clone(),
            claimed: new.hello.listen.clone(),
            listens: None,
            asked: None,
            is_awaited: false,
            answered: None,
        };
        self.peers.insert(new.id, exchange);
        if !call.config.discovery {
            return;
        }
        if new.direction == Direction::Outbound {
            self.ask_for_peers(call, new.id);
            return;
        }
        // The connection may have replaced one that this node opened.
        self.ask_due.get_or_insert(call.now.elapsed + limits::ASK_PEERS_INTERVAL);
        let Some(listen) = &new.hello.listen else { return };
        let replaced = || listen.with_host(&written_host(&new.address)?);
        let listen = if is_unspecified(listen) { replaced() } else { Some(listen.clone()) };
        let Some(listen) = listen else { return };
        if PeerHost::from(&listen) == PeerHost::from(&new.address)
            && Scope::of(&listen) != Scope::Nowhere
            && let Some(exchange) = self.peers.get_mut(&new.id)
        {
            exchange.listens = Some(listen.clone());
        }
        self.learn_address(call, &listen, &new.address, connections);
    }

    /// Handles the end of a connection. An address from discovery is not dialled again before its next turn.
    pub(super) fn on_peer_disconnected<T: Transaction>(
        &mut self,
        call: &mut Call<'_, T>,
        id: PeerId,
        ended: &Ended,
        reason: &CloseReason,
    ) {
        let now = call.now.elapsed;
        let listened = self.peers.remove(&id).is_some_and(|exchange| exchange.listens.is_some());
        if ended.was_discovered || listened {
            // Delayed, so that the timeout which closes a connection does not make the next dial due at once.
            self.look_for_peers(call.config, now + limits::DISCOVERED_DIAL_INTERVAL);
        }
        if ended.direction == Direction::Inbound || ended.is_duplicate {
            return;
        }
        match reason {
            CloseReason::WrongGenesis { .. } | CloseReason::WrongProtocol { .. } => {
                if self.book.remove(&ended.address) {
                    call.local.plan_to_save(call.now);
                }
            }
            CloseReason::AlreadyConnected | CloseReason::SelfConnection => {}
            _ if ended.has_lasted => {
                self.book.postpone(&ended.address, now + limits::MIN_DISCOVERED_BACKOFF);
            }
            _ => self.note_failed(call, &ended.address),
        }
    }

    /// Handles a failed dial.
    pub(super) fn on_dial_failed<T: Transaction>(
        &mut self,
        call: &mut Call<'_, T>,
        address: &PeerAddr,
        was_discovered: bool,
    ) {
        self.note_failed(call, address);
        if was_discovered {
            self.look_for_peers(call.config, call.now.elapsed);
        }
    }

    /// Answers a `GetPeers`, at most once in [`limits::ANSWER_PEERS_INTERVAL`] per peer.
    pub(super) fn on_get_peers<T: Transaction>(
        &mut self,
        call: &mut Call<'_, T>,
        id: PeerId,
        limit: u32,
        connections: &Connections,
    ) {
        let now = call.now.elapsed;
        let Some(exchange) = self.peers.get_mut(&id) else { return };
        if exchange.answered.is_some_and(|at| now < at + limits::ANSWER_PEERS_INTERVAL) {
            return;
        }
        exchange.answered = Some(now);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(limits::MAX_PEERS_PER_MESSAGE);
        let addresses = self.addresses_for(call, id, limit, connections);
        call.outbox.send(id, Message::Peers { addresses });
    }

    /// Adds the addresses of a requested `Peers` to the book.
    ///
    /// # Errors
    ///
    /// The reason to close the connection, if no addresses were requested.
    pub(super) fn on_peers<T: Transaction>(
        &mut self,
        call: &mut Call<'_, T>,
        id: PeerId,
        addresses: Vec<PeerAddr>,
        connections: &Connections,
    ) -> Result<(), CloseReason> {
        let Some(exchange) = self.peers.get_mut(&id) else { return Ok(()) };
        if !core::mem::take(&mut exchange.is_awaited) {
            return Err(CloseReason::Unsolicited { kind: "peers" });
        }
        let from = exchange.address.clone();
        for address in addresses {
            self.learn_address(call, &address, &from, connections);
        }
        Ok(())
    }

    /// Performs what is due: asks another peer, and chooses another address. Returns the address to dial, if
    /// any.
    pub(super) fn on_timeout<T: Transaction>(
        &mut self,
        call: &mut Call<'_, T>,
        connections: &Connections,
    ) -> Option<PeerAddr> {
        let now = call.now.elapsed;
        let mut chosen = None;
        if self.dial_due.take_if(|at| *at <= now).is_some() {
            chosen = self.choose_another(call, connections);
        }
        if self.ask_due.take_if(|at| *at <= now).is_some() {
            self.ask_another(call, connections);
        }
        chosen
    }

    /// Removes an address from the book. Returns whether it was known.
    pub(super) fn forget(&mut self, address: &PeerAddr) -> bool {
        self.book.remove(address)
    }

    /// Removes the addresses of a host.
    pub(super) fn forget_host(&mut self, host: &PeerHost) {
        self.book.remove_host(host);
    }

    /// Stops all requests and dials.
    pub(super) const fn stop(&mut self) {
        (self.dial_due, self.ask_due) = (None, None);
    }

    /// Returns the addresses of the book with what is stored of each.
    pub(super) fn records(&self) -> impl Iterator<Item = (&PeerAddr, &Record)> {
        self.book.records()
    }

    /// Restores the address book of an earlier run.
    pub(super) fn restore(
        &mut self,
        config: &ProtocolConfig,
        mut known: Vec<(PeerAddr, Record)>,
        now: Timestamp,
    ) {
        known.sort_by_key(|(_, record)| record.reached.is_none());
        for (address, record) in known {
            if !self.is_own(config, &address) {
                self.book.restore(&address, record, now);
                self.look_for_peers(config, Duration::ZERO);
            }
        }
    }

    /// Notes that this node found itself at an address, so that it does not dial the address again.
    fn note_own<T: Transaction>(&mut self, call: &mut Call<'_, T>, address: PeerAddr) {
        if self.is_own(call.config, &address) {
            return;
        }
        if self.own.len() == limits::MAX_OWN_ADDRESSES {
            self.own.pop_front();
        }
        if self.book.remove(&address) {
            call.local.plan_to_save(call.now);
        }
        self.own.push_back(address);
    }

    /// Chooses an address to dial, and plans when to choose the next one.
    fn choose_another<T: Transaction>(
        &mut self,
        call: &Call<'_, T>,
        connections: &Connections,
    ) -> Option<PeerAddr> {
        let now = call.now;
        if connections.discovered() >= call.config.max_discovered {
            return None;
        }
        let groups: BTreeSet<_> =
            connections.dialled().map(|address| group(&PeerHost::from(address))).collect();
        // A host that was banned while discovery was off may still be in the book.
        let may_be = |address: &PeerAddr| {
            !connections.is_dialled(address)
                && !connections.is_banned(&PeerHost::from(address), now)
                && !self.peers.values().any(|exchange| exchange.listens.as_ref() == Some(address))
        };
        let chosen = self.book.choose(&mut self.rng, now.elapsed, may_be, |group| !groups.contains(group));
        let next = if chosen.is_none() { self.book.next_turn(may_be) } else { None };
        if chosen.is_some() {
            self.quiet_until = now.elapsed + limits::DISCOVERED_DIAL_INTERVAL;
            self.look_for_peers(call.config, now.elapsed);
        } else if let Some(next) = next {
            self.look_for_peers(call.config, next);
        }
        chosen
    }

    /// Requests addresses again from one of the peers that this node wanted a connection to, no matter which
    /// side opened it.
    fn ask_another<T: Transaction>(&mut self, call: &mut Call<'_, T>, connections: &Connections) {
        let now = call.now.elapsed;
        let chosen: Vec<(PeerId, &Exchange)> = self
            .peers
            .iter()
            .filter(|(id, _)| connections.is_wanted(**id))
            .map(|(id, exchange)| (*id, exchange))
            .collect();
        let goes_on = !chosen.is_empty();
        let may_be_asked = |exchange: &Exchange| {
            !exchange.is_awaited && exchange.asked.is_none_or(|at| at + limits::ASK_PEERS_INTERVAL <= now)
        };
        let due: Vec<PeerId> =
            chosen.into_iter().filter(|(_, exchange)| may_be_asked(exchange)).map(|(id, _)| id).collect();
        self.ask_due = goes_on.then_some(now + limits::ASK_PEERS_INTERVAL);
        if let Some(id) = self.rng.choice(due) {
            self.ask_for_peers(call, id);
        }
    }

    fn ask_for_peers<T: Transaction>(&mut self, call: &mut Call<'_, T>, id: PeerId) {
        let now = call.now.elapsed;
        let Some(exchange) = self.peers.get_mut(&id) else { return };
        exchange.asked = Some(now);
        exchange.is_awaited = true;
        self.ask_due.get_or_insert(now + limits::ASK_PEERS_INTERVAL);
        #[expect(clippy::cast_possible_truncation, reason = "far below 2^32")]
        call.outbox.send(id, Message::GetPeers { limit: limits::MAX_PEERS_PER_MESSAGE as u32 });
    }

    /// Returns the addresses to advertise to a peer: those at which this node has reached peers, and those of
    /// its inbound peers.
    fn addresses_for<T: Transaction>(
        &mut self,
        call: &Call<'_, T>,
        id: PeerId,
        limit: usize,
        connections: &Connections,
    ) -> Vec<PeerAddr> {
        let now = call.now;
        let Some(asker) = self.peers.get(&id).filter(|_| call.config.discovery) else { return Vec::new() };
        let reach = Scope::of(&asker.address);
        let inbound = self.peers.values().filter_map(|exchange| exchange.listens.as_ref());
        let known: BTreeSet<&PeerAddr> = self.book.to_advertise(now.wall).chain(inbound).collect();
        let theirs = [Some(&asker.address), asker.listens.as_ref(), asker.claimed.as_ref()];
        let may_be_advertised = |address: &&PeerAddr| {
            Scope::of(address).may_pass(reach)
                && !theirs.contains(&Some(address))
                && !connections.is_banned(&PeerHost::from(*address), now)
        };
        let mut advertised: Vec<&PeerAddr> = known.into_iter().filter(may_be_advertised).collect();
        self.rng.shuffle(&mut advertised);
        advertised.into_iter().take(limit).cloned().collect()
    }

    /// Adds an address from a peer to the book, if it is useful.
    fn learn_address<T: Transaction>(
        &mut self,
        call: &mut Call<'_, T>,
        address: &PeerAddr,
        from: &PeerAddr,
        connections: &Connections,
    ) {
        let now = call.now;
        let is_of_use = Scope::of(address).may_pass(Scope::of(from))
            && !self.is_own(call.config, address)
            && !connections.is_banned(&PeerHost::from(address), now);
        if is_of_use && self.book.learn(address, &PeerHost::from(from), now.wall) {
            call.local.plan_to_save(now);
            self.look_for_peers(call.config, now.elapsed);
        }
    }

    /// Notes a failed connection to an address. While no peer is connected, this node's own network may be at
    /// fault, and the failure does not count.
    fn note_failed<T: Transaction>(&mut self, call: &mut Call<'_, T>, address: &PeerAddr) {
        let counts = !self.peers.is_empty();
        if self.book.failed(address, counts, call.now.elapsed) {
            call.local.plan_to_save(call.now);
        }
    }

    /// Plans to choose another address to dial at this time or later.
    fn look_for_peers(&mut self, config: &ProtocolConfig, at: Duration) {
        if config.discovery && config.max_discovered > 0 {
            let at = at.max(self.quiet_until);
            self.dial_due = Some(self.dial_due.map_or(at, |due| due.min(at)));
        }
    }

    fn is_own(&self, config: &ProtocolConfig, address: &PeerAddr) -> bool {
        config.listen.as_ref() == Some(address) || self.own.contains(address)
    }
}
