//! The handshake: identifies the peer, checks that it has the same chain, and resolves duplicate connections.

use super::address::PeerAddr;
use super::close::CloseReason;
use super::config::printable;
use super::event::Event;
use super::eviction::{self, Candidate};
use super::host::PeerHost;
use super::io::Output;
use super::message::{Hello, Message, Tip};
use super::now::Now;
use super::peer::{Direction, PeerId};
use super::scope::is_nearby;
use super::state::Peer;
use super::{Protocol, limits};
use crate::primitives::{Hash, Transaction};

impl<T: Transaction> Protocol<T> {
    /// Admits a new connection, or closes it, and sends this node's `Hello`.
    pub(super) fn connected(&mut self, id: PeerId, direction: Direction, address: PeerAddr, now: Now) {
        if direction == Direction::Outbound {
            if !self.dialer.contains(&address) {
                // The address was removed while it was being dialled.
                self.outputs.push_back(Output::Close { peer: id, reason: CloseReason::Requested });
                return;
            }
            self.dialer.connected(&address, id);
        }
        let host = PeerHost::from(&address);
        let admitted = match self.reputation.remaining(&host, now) {
            Some(remaining) => Err(CloseReason::Banned { remaining }),
            None if direction == Direction::Inbound => self.make_place(&host, now),
            None => Ok(()),
        };
        let told = *self.chain.tip().hash();
        self.peers.insert(id, Peer::new(address, direction, told, now.elapsed));
        if let Err(reason) = admitted {
            self.close(id, reason, now);
            return;
        }
        let hello = self.hello();
        self.send(id, Message::Hello(hello));
    }

    /// Ensures that there is a slot for an inbound connection from this host, by eviction if necessary.
    fn make_place(&mut self, host: &PeerHost, now: Now) -> Result<(), CloseReason> {
        let inbound = self.peers.iter().filter(|(_, peer)| peer.direction == Direction::Inbound);
        let candidates: Vec<Candidate> = inbound
            .map(|(id, peer)| Candidate {
                id: *id,
                host: peer.host(),
                connected_at: peer.connected_at,
                useful_at: peer.useful_at,
                latency: peer.latency,
            })
            .collect();
        let limit = self.config.max_inbound_per_host;
        if candidates.iter().filter(|candidate| candidate.host == *host).count() >= limit {
            return Err(CloseReason::TooManyFromHost { limit });
        }
        let limit = self.config.max_inbound;
        if candidates.len() >= limit {
            let evicted = eviction::choose(candidates).ok_or(CloseReason::TooManyPeers { limit })?;
            self.close(evicted, CloseReason::Evicted, now);
        }
        Ok(())
    }

    fn hello(&self) -> Hello {
        Hello {
            protocol: limits::PROTOCOL_VERSION,
            genesis: *self.chain.genesis().hash(),
            nonce: self.nonce,
            tip: Tip { hash: *self.chain.tip().hash(), height: self.chain.height(), work: self.chain.work() },
            agent: printable(&self.config.agent, limits::MAX_AGENT_BYTES),
            listen: self.config.listen.clone().filter(|_| self.config.discovery),
            wants_new_blocks: self.config.wants_new_blocks,
            keeps_bodies: self.chain.keeps_bodies(),
        }
    }

    /// Checks a peer's `Hello` and completes the handshake.
    pub(super) fn introduced(&mut self, id: PeerId, hello: Hello, now: Now) -> Result<(), CloseReason> {
        let Some(peer) = self.peers.get(&id) else { return Ok(()) };
        let (address, direction) = (peer.address.clone(), peer.direction);
        if hello.protocol != limits::PROTOCOL_VERSION {
            return Err(CloseReason::WrongProtocol {
                got: hello.protocol,
                expected: limits::PROTOCOL_VERSION,
            });
        }
        let genesis = *self.chain.genesis().hash();
        if hello.genesis != genesis {
            return Err(CloseReason::WrongGenesis { got: hello.genesis, expected: genesis });
        }
        // A `Hello` with this node's own nonce comes from this node.
        if hello.nonce == self.nonce && !flaw!(MeetsItself) {
            if direction == Direction::Outbound {
                self.dialer.forget(&address);
                self.note_own(&address, now);
            }
            return Err(CloseReason::SelfConnection);
        }
        if hello.agent.len() > limits::MAX_AGENT_BYTES {
            return Err(CloseReason::TextTooLong {
                field: "agent",
                got: hello.agent.len(),
                limit: limits::MAX_AGENT_BYTES,
            });
        }
        let hello = Hello { agent: printable(&hello.agent, limits::MAX_AGENT_BYTES), ..hello };
        if direction == Direction::Outbound && hello.listen.is_some() {
            self.note_reached(&address, now);
        }
        self.resolve_duplicate(id, direction, &address, &hello, now)?;
        self.event(Event::PeerConnected { peer: id, address, direction, agent: hello.agent.clone() });
        let (tip, theirs) = (hello.tip.hash, hello.tip.work);
        // Compares with the tip's work, not with the best header's, because the bodies of its headers may
        // never arrive.
        let ours = self.chain.work();
        let shown = self.known(&tip);
        let is_known = shown.is_some();
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.known.insert(tip);
            peer.best = shown;
            peer.claimed = (!is_known).then_some(tip);
            self.blocks_due |= is_known;
            peer.wants_headers = !is_known && theirs > ours;
            peer.hello = Some(hello);
        }
        // The tip has changed since this node sent its `Hello`.
        if self.peers.get(&id).is_some_and(|peer| peer.told != *self.chain.tip().hash()) {
            self.announce_tip_to(|other| other == id);
        }
        self.offer_all(id);
        self.on_peer_connected(id, now);
        self.plan_to_save(now);
        Ok(())
    }

    /// Resolves duplicate connections. Two nodes that dial each other have two connections and keep the one
    /// that the node with the smaller nonce opened; that node closes the other one. Nonces are no secret, so
    /// this node never closes a connection that it opened in favour of an inbound one, and closes an inbound
    /// one only if it may come from the host of the other connection.
    fn resolve_duplicate(
        &mut self,
        id: PeerId,
        direction: Direction,
        address: &PeerAddr,
        hello: &Hello,
        now: Now,
    ) -> Result<(), CloseReason> {
        for (other, other_direction, other_address) in self.peers_with_nonce(hello.nonce) {
            match (direction, other_direction) {
                (Direction::Outbound, Direction::Outbound) => {
                    let is_one = is_same_place(address, &other_address)
                        || !self.dialer.keeps(address) && self.may_be_one(&other_address, address);
                    if is_one {
                        if !self.is_alias(address, now) {
                            self.dialer.transfer(address, id, other);
                        }
                        return Err(CloseReason::AlreadyConnected);
                    }
                }
                (Direction::Inbound, Direction::Outbound)
                    if self.nonce < hello.nonce && self.may_be_one(&other_address, address) =>
                {
                    return Err(CloseReason::AlreadyConnected);
                }
                (Direction::Outbound, Direction::Inbound)
                    if self.nonce < hello.nonce && self.may_be_one(address, &other_address) =>
                {
                    self.close(other, CloseReason::AlreadyConnected, now);
                }
                // The other side opened one that it may end, or both.
                _ => {}
            }
        }
        Ok(())
    }

    /// Finds an inbound connection that replaces an outbound connection that has ended, because the peer
    /// closed that one as a duplicate.
    pub(super) fn double_of(&self, peer: &Peer) -> Option<PeerId> {
        let hello = peer.hello.as_ref().filter(|_| peer.direction == Direction::Outbound)?;
        let said_the_same = self.peers_with_nonce(hello.nonce).into_iter();
        let mut callers = said_the_same.filter(|(_, direction, _)| *direction == Direction::Inbound);
        callers.find(|(.., address)| self.may_be_one(&peer.address, address)).map(|(id, ..)| id)
    }

    fn peers_with_nonce(&self, nonce: u64) -> Vec<(PeerId, Direction, PeerAddr)> {
        let said = |peer: &Peer| peer.hello.as_ref().is_some_and(|hello| hello.nonce == nonce);
        let such = self.peers.iter().filter(|(_, peer)| said(peer));
        such.map(|(id, peer)| (*id, peer.direction, peer.address.clone())).collect()
    }

    /// Whether the peer at a dialled address and the peer at another address that claims the same nonce may
    /// be one node. True if both addresses have the same host, or if one host is a name, which this node does
    /// not resolve, and the dialled address is trusted to identify itself.
    fn may_be_one(&self, dialled: &PeerAddr, other: &PeerAddr) -> bool {
        let is_name = |address: &PeerAddr| PeerHost::from(address).is_name();
        let is_trusted = self.dialer.keeps(dialled) || is_nearby(dialled);
        is_same_place(dialled, other) || (is_name(dialled) || is_name(other)) && is_trusted
    }

    /// Offers the pending transactions to a new peer.
    fn offer_all(&mut self, id: PeerId) {
        let ids: Vec<Hash> = self.mempool.iter().map(|(id, _)| *id).take(limits::MAX_OFFERED).collect();
        for ids in ids.chunks(limits::MAX_TRANSACTIONS) {
            self.send_all(vec![id], Message::Offer { ids: ids.to_vec() });
        }
    }
}

/// Whether two addresses have the same host, judged by their texts alone.
fn is_same_place(one: &PeerAddr, other: &PeerAddr) -> bool {
    let [one, other] = [one, other].map(PeerHost::from);
    one == other || one.is_loopback() && other.is_loopback()
}
