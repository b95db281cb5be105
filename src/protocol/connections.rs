//! The connections: the handshake, the kept addresses and when they are dialled, evictions, bans, and pings.

mod dialer;
mod eviction;
mod handshake;
mod reputation;

use core::error::Error;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

pub use dialer::ConnectError;
pub(super) use handshake::NewPeer;
pub use reputation::Ban;

use super::address::{PeerAddr, PeerHost};
use super::call::Call;
use super::close::CloseReason;
use super::config::ProtocolConfig;
use super::event::{BlockSource, Event};
use super::limits;
use super::message::Message;
use super::now::Now;
use super::peer::{Direction, PeerId};
use super::scope::Reach;
use crate::primitives::{Hash, Timestamp, Transaction};
use dialer::Dialer;
use eviction::Candidate;
use reputation::Reputation;

/// All connections and the addresses to dial.
#[derive(Debug)]
pub(super) struct Connections {
    peers: BTreeMap<PeerId, Connection>,
    dialer: Dialer,
    reputation: Reputation,
    rng: fastrand::Rng,
    /// The nonce of this node's `Hello`, by which it recognises a connection to itself.
    nonce: u64,
}

/// One connection.
#[derive(Clone, Debug)]
struct Connection {
    address: PeerAddr,
    direction: Direction,
    format: &'static str,
    connected_at: Duration,
    /// The peer's claims about itself; `None` until the peer has completed the handshake.
    identity: Option<Identity>,
    /// The tip in the `Hello` that this node sent.
    sent_tip: Hash,
    last_received: Duration,
    /// The number of the outstanding ping and the deadline of its answer.
    ping: Option<(u64, Duration)>,
    /// The shortest time in which the peer has answered a ping.
    latency: Option<Duration>,
}

/// What a peer claims about itself in its `Hello`.
#[derive(Clone, Debug)]
struct Identity {
    nonce: u64,
    agent: String,
}

/// What the other machines have to know of the addresses of peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// This node reached itself at the address.
    OwnAddress(PeerAddr),
    /// A peer of this chain, which wants to be advertised, answered at the address.
    Reached(PeerAddr),
    /// The address, which is from discovery, is another address of a connected peer. It is not dialled any
    /// more.
    Alias(PeerAddr),
    /// The connection is a duplicate and has to be closed.
    Duplicate(PeerId),
}

/// A connection that has ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) address: PeerAddr,
    pub(super) direction: Direction,
    /// Whether it lasted for [`limits::LASTING_CONNECTION`] and its handshake was completed.
    pub(super) has_lasted: bool,
    /// Whether another connection to the node of this peer remains.
    pub(super) is_duplicate: bool,
    /// Whether an address from discovery was reached over the connection.
    pub(super) was_discovered: bool,
}

impl Connections {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        Self {
            peers: BTreeMap::new(),
            // Below 2^53, so that JavaScript's numbers hold the nonce exactly.
            nonce: rng.u64(..1 << 53),
            dialer: Dialer::new(rng.fork()),
            reputation: Reputation::default(),
            rng,
        }
    }

    /// Returns the nonce of this node's `Hello`.
    pub(super) const fn nonce(&self) -> u64 {
        self.nonce
    }

    /// Returns the connections, also those whose handshake is not completed.
    pub(super) fn ids(&self) -> Vec<PeerId> {
        self.peers.keys().copied().collect()
    }

    pub(super) fn contains(&self, id: PeerId) -> bool {
        self.peers.contains_key(&id)
    }

    /// Whether the peer has completed the handshake.
    pub(super) fn is_ready(&self, id: PeerId) -> bool {
        self.peers.get(&id).is_some_and(|peer| peer.identity.is_some())
    }

    /// Returns the peers that have completed the handshake, with their addresses and the software that they
    /// claim.
    pub(super) fn ready(&self) -> impl Iterator<Item = (PeerId, &PeerAddr, Direction, &str)> {
        self.peers.iter().filter_map(|(id, peer)| {
            let agent = peer.identity.as_ref()?.agent.as_str();
            Some((*id, &peer.address, peer.direction, agent))
        })
    }

    /// Returns the name of a connection's wire format; empty if the connection does not exist.
    pub(super) fn format_of(&self, id: PeerId) -> &'static str {
        self.peers.get(&id).map_or("", |peer| peer.format)
    }

    /// Returns the peer as the source of a block.
    pub(super) fn source(&self, id: PeerId) -> Option<BlockSource> {
        let peer = self.peers.get(&id)?;
        Some(BlockSource::Peer { peer: id, address: peer.address.clone(), format: peer.format })
    }

    /// Ensures that there is a slot for a new connection. Returns the connection to evict, if there has to be
    /// one. `useful_at` returns when a peer last delivered a block that was new.
    pub(super) fn admit(
        &self,
        config: &ProtocolConfig,
        direction: Direction,
        address: &PeerAddr,
        useful_at: impl Fn(PeerId) -> Option<Duration>,
        now: Now,
    ) -> Result<Option<PeerId>, CloseReason> {
        let host = PeerHost::from(address);
        if let Some(remaining) = self.reputation.remaining(&host, now) {
            return Err(CloseReason::Banned { remaining });
        }
        if direction == Direction::Outbound {
            return Ok(None);
        }
        let inbound = self.peers.iter().filter(|(_, peer)| peer.direction == Direction::Inbound);
        let candidates: Vec<Candidate> = inbound
            .map(|(id, peer)| Candidate {
                id: *id,
                host: peer.host(),
                connected_at: peer.connected_at,
                useful_at: useful_at(*id),
                latency: peer.latency,
            })
            .collect();
        let limit = config.max_inbound_per_host;
        if candidates.iter().filter(|candidate| candidate.host == host).count() >= limit {
            return Err(CloseReason::TooManyFromHost { limit });
        }
        let limit = config.max_inbound;
        if candidates.len() < limit {
            return Ok(None);
        }
        eviction::choose(candidates).map(Some).ok_or(CloseReason::TooManyPeers { limit })
    }

    /// Adds a connection.
    pub(super) fn on_connected(
        &mut self,
        id: PeerId,
        direction: Direction,
        address: PeerAddr,
        format: &'static str,
        sent_tip: Hash,
        now: Duration,
    ) {
        let connection = Connection {
            address,
            direction,
            format,
            connected_at: now,
            identity: None,
            sent_tip,
            last_received: now,
            ping: None,
            latency: None,
        };
        self.peers.insert(id, connection);
    }

    /// Notes that a dial has led to this connection. Returns `false` if the address was removed while it was
    /// being dialled.
    pub(super) fn on_dialled(&mut self, address: &PeerAddr, id: PeerId) -> bool {
        self.dialer.connected(address, id);
        self.dialer.contains(address)
    }

    /// Notes the arrival of a message, before the message is processed. Returns `false` if the connection has
    /// been closed while the message was in transit.
    pub(super) fn on_message<T>(&mut self, id: PeerId, message: &Message<T>, now: Now) -> bool {
        let Some(peer) = self.peers.get_mut(&id) else { return false };
        peer.last_received = now.elapsed;
        if let (Message::Pong(nonce), Some((expected, deadline))) = (message, peer.ping)
            && *nonce == expected
        {
            peer.ping = None;
            let taken = (now.elapsed + limits::REQUEST_TIMEOUT).saturating_sub(deadline);
            peer.latency = Some(peer.latency.map_or(taken, |shortest| shortest.min(taken)));
        }
        true
    }

    /// Removes a connection that has ended, and schedules the next dial of the addresses that it served.
    pub(super) fn on_disconnected(
        &mut self,
        id: PeerId,
        reason: &CloseReason,
        now: Now,
        notices: &mut Vec<Notice>,
    ) -> Option<Ended> {
        let peer = self.peers.remove(&id)?;
        let is_old = now.elapsed >= peer.connected_at + limits::LASTING_CONNECTION;
        let has_lasted = peer.identity.is_some() && is_old;
        // An inbound connection from the node of this peer replaces the ended one, so no redial follows.
        let replacement = self.replacement_of(&peer);
        if let Some(replacement) = replacement {
            self.transfer(&peer.address, id, replacement, notices);
        }
        let was_discovered = self.dialer.forget_discovered_over(id);
        if matches!(reason, CloseReason::WrongGenesis { .. }) {
            self.dialer.disconnected_from_other_chain(id, now.elapsed);
        } else {
            self.dialer.disconnected(id, has_lasted, now.elapsed);
        }
        Some(Ended {
            address: peer.address,
            direction: peer.direction,
            has_lasted,
            is_duplicate: replacement.is_some(),
            was_discovered,
        })
    }

    /// Handles a failed dial. Returns whether the address was from discovery; it is not dialled again in that
    /// case.
    pub(super) fn on_dial_failed<T: Transaction>(
        &mut self,
        call: &mut Call<'_, T>,
        address: &PeerAddr,
        error: Arc<dyn Error + Send + Sync>,
    ) -> bool {
        if self.dialer.forget_discovered(address) {
            return true;
        }
        if let Some(retry_in) = self.dialer.failed(address, call.now.elapsed) {
            let address = address.clone();
            call.outbox.event(Event::DialFailed { address, error, retry_in });
        }
        false
    }

    /// Sends a ping to a silent peer.
    ///
    /// # Errors
    ///
    /// The reason to close the connection, if the peer has not completed the handshake or answered a ping in
    /// time.
    pub(super) fn on_peer_timeout<T: Transaction>(
        &mut self,
        call: &mut Call<'_, T>,
        id: PeerId,
    ) -> Result<(), CloseReason> {
        let now = call.now.elapsed;
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.deadline() <= now) else { return Ok(()) };
        if peer.identity.is_none() {
            return Err(CloseReason::HandshakeTimeout(limits::HANDSHAKE_TIMEOUT));
        }
        if peer.ping.is_some() {
            return Err(CloseReason::RequestTimeout { kind: "ping", after: limits::REQUEST_TIMEOUT });
        }
        let nonce = self.rng.u64(..1 << 53);
        peer.ping = Some((nonce, now + limits::REQUEST_TIMEOUT));
        call.outbox.send(id, Message::Ping(nonce));
        Ok(())
    }

    /// Forgets the bans that have ended.
    pub(super) fn forget_ended_bans<T: Transaction>(&mut self, call: &mut Call<'_, T>) {
        if self.reputation.forget_ended(call.now) {
            call.local.plan_to_save(call.now);
        }
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.peers.values().map(Connection::deadline).chain(self.dialer.deadline()).min()
    }

    /// Keeps a connection to this address: dials it at once, and again whenever the connection ends.
    pub(super) fn connect<T: Transaction>(
        &mut self,
        call: &mut Call<'_, T>,
        address: PeerAddr,
    ) -> Result<(), ConnectError> {
        if self.dialer.keeps(&address) {
            return Err(ConnectError::AlreadyAdded { address });
        }
        if let Some(remaining) = self.reputation.remaining(&PeerHost::from(&address), call.now) {
            return Err(ConnectError::Banned { address, remaining });
        }
        if self.dialer.kept() >= call.config.max_outbound {
            return Err(ConnectError::TooMany { limit: call.config.max_outbound });
        }
        self.dialer.add(address, call.now.elapsed);
        self.dial_due(call);
        Ok(())
    }

    /// Dials an address from discovery once.
    pub(super) fn dial_once(&mut self, address: PeerAddr, now: Duration) {
        self.dialer.dial_once(address, now);
    }

    /// Dials the addresses that are due.
    pub(super) fn dial_due<T: Transaction>(&mut self, call: &mut Call<'_, T>) {
        let now = call.now;
        for address in self.dialer.take_due(now.elapsed) {
            if let Some(remaining) = self.reputation.remaining(&PeerHost::from(&address), now) {
                self.dialer.postpone(&address, now.elapsed + remaining);
                continue;
            }
            let is_kept = self.dialer.keeps(&address);
            let reach = if is_kept { Reach::ANY } else { Reach::of_unverified(&address) };
            call.outbox.dial(address, reach);
        }
    }

    /// Dials no address any more.
    pub(super) fn stop_dialling(&mut self) {
        self.dialer = Dialer::new(self.rng.fork());
    }

    /// Returns the kept addresses without a connection.
    pub(super) fn unconnected(&self) -> impl Iterator<Item = &PeerAddr> {
        self.dialer.unconnected()
    }

    /// Whether a connection to the address is kept.
    pub(super) fn keeps(&self, address: &PeerAddr) -> bool {
        self.dialer.keeps(address)
    }

    /// Returns the kept addresses of the outbound peers that have completed the handshake.
    pub(super) fn reached_addresses(&self) -> impl Iterator<Item = PeerAddr> {
        self.ready().filter(|(_, address, ..)| self.keeps(address)).map(|(_, address, ..)| address.clone())
    }

    /// Returns all addresses that are dialled or connected, kept and from discovery.
    pub(super) fn dialled(&self) -> impl Iterator<Item = &PeerAddr> {
        self.dialer.addresses()
    }

    /// Whether the address is dialled or connected.
    pub(super) fn is_dialled(&self, address: &PeerAddr) -> bool {
        self.dialer.contains(address)
    }

    /// Returns the number of addresses from discovery that are being dialled or are connected.
    pub(super) fn discovered(&self) -> usize {
        self.dialer.discovered()
    }

    /// Whether this node wants the connection: an address that it dials is reached over it, in either
    /// direction.
    pub(super) fn is_wanted(&self, id: PeerId) -> bool {
        self.dialer.reaches(id)
    }

    /// Removes an address, kept or from discovery. Returns whether it was known, and the connection over
    /// which it is reached.
    pub(super) fn forget_address(&mut self, address: &PeerAddr) -> (bool, Option<PeerId>) {
        let reached_over = self.dialer.reached_over(address);
        (self.dialer.forget(address), reached_over)
    }

    /// Removes and returns the addresses that are reached over a connection.
    pub(super) fn forget_addresses_of(&mut self, id: PeerId) -> Vec<PeerAddr> {
        self.dialer.forget_reached(id)
    }

    /// Whether a host is banned.
    pub(super) fn is_banned(&self, host: &PeerHost, now: Now) -> bool {
        self.reputation.remaining(host, now).is_some()
    }

    /// Returns the banned hosts.
    pub(super) fn bans(&self, now: Now) -> Vec<Ban> {
        self.reputation.bans(now)
    }

    /// Returns the bans with the wall clock time at which each ends or has ended.
    pub(super) fn ban_expiries(&self) -> impl Iterator<Item = (&PeerHost, Timestamp)> {
        self.reputation.expiries()
    }

    /// Restores a ban from an earlier run, unless it has ended.
    pub(super) fn restore_ban(&mut self, host: PeerHost, until: Timestamp, now: Timestamp) {
        self.reputation.restore(host, until, now);
    }

    /// Adds the points of a close reason to the score of a host. Returns whether the host has to be banned.
    /// The local machine is never banned for misbehaviour, because its nodes would be punished for any other
    /// program on it.
    pub(super) fn punish(&mut self, host: &PeerHost, penalty: u32, now: Duration) -> bool {
        penalty > 0 && !host.is_loopback() && self.reputation.punish(host, penalty, now)
    }

    /// Bans a host. Returns the connections to it, which have to be closed.
    pub(super) fn ban<T: Transaction>(
        &mut self,
        call: &mut Call<'_, T>,
        host: &PeerHost,
        duration: Duration,
    ) -> Vec<PeerId> {
        self.reputation.ban(host.clone(), duration, call.now);
        call.local.plan_to_save(call.now);
        call.outbox.event(Event::HostBanned { host: host.clone(), duration });
        self.peers.iter().filter(|(_, peer)| peer.host() == *host).map(|(id, _)| *id).collect()
    }

    /// Lifts a ban, resets the score of the host and dials its addresses. Returns whether the host was
    /// banned.
    pub(super) fn unban<T: Transaction>(&mut self, call: &mut Call<'_, T>, host: &PeerHost) -> bool {
        let was_banned = self.is_banned(host, call.now);
        if self.reputation.lift(host) {
            call.local.plan_to_save(call.now);
        }
        self.dialer.make_due(|address| PeerHost::from(address) == *host, call.now.elapsed);
        self.dial_due(call);
        was_banned
    }

    /// Returns the host of a connection.
    pub(super) fn host_of(&self, id: PeerId) -> Option<PeerHost> {
        self.peers.get(&id).map(Connection::host)
    }

    /// Transfers an address to another connection to its node. An address from discovery is removed instead,
    /// and reported as an alias.
    fn transfer(&mut self, address: &PeerAddr, from: PeerId, to: PeerId, notices: &mut Vec<Notice>) {
        if self.dialer.forget_discovered(address) {
            notices.push(Notice::Alias(address.clone()));
        } else {
            self.dialer.transfer(address, from, to);
        }
    }
}

impl Connection {
    fn host(&self) -> PeerHost {
        PeerHost::from(&self.address)
    }

    /// Returns when the handshake has to be completed, when a ping is due, or when its answer is.
    fn deadline(&self) -> Duration {
        if self.identity.is_none() {
            return self.connected_at + limits::HANDSHAKE_TIMEOUT;
        }
        self.ping.map_or(self.last_received + limits::PING_INTERVAL, |(_, deadline)| deadline)
    }
}

#[cfg(test)]
mod tests;
