//! The handshake: identifies the peer, checks that it has the same chain, and resolves duplicate connections.

use core::time::Duration;

use super::{Connections, Identity, Notice};
use crate::primitives::{Hash, Transaction};
use crate::protocol::address::{PeerAddr, PeerHost};
use crate::protocol::call::Call;
use crate::protocol::close::CloseReason;
use crate::protocol::config::printable;
use crate::protocol::event::Event;
use crate::protocol::limits;
use crate::protocol::message::{Hello, Message, Tip};
use crate::protocol::peer::{Direction, PeerId};
use crate::protocol::scope::is_nearby;

/// A peer that has completed the handshake.
#[derive(Clone, Debug)]
pub(in crate::protocol) struct NewPeer {
    pub(in crate::protocol) id: PeerId,
    pub(in crate::protocol) address: PeerAddr,
    pub(in crate::protocol) direction: Direction,
    pub(in crate::protocol) format: &'static str,
    /// When the connection was opened.
    pub(in crate::protocol) connected_at: Duration,
    pub(in crate::protocol) hello: Hello,
    /// The tip in the `Hello` that this node sent.
    pub(in crate::protocol) sent_tip: Hash,
}

impl NewPeer {
    /// Returns the event that reports the peer.
    pub(in crate::protocol) fn event<T>(&self) -> Event<T> {
        Event::PeerConnected {
            peer: self.id,
            address: self.address.clone(),
            direction: self.direction,
            agent: self.hello.agent.clone(),
            format: self.format,
        }
    }
}

impl Connections {
    /// Sends this node's `Hello`.
    pub(in crate::protocol) fn send_hello<T: Transaction>(&self, call: &mut Call<'_, T>, id: PeerId) {
        let chain = &call.local.chain;
        let hello = Hello {
            protocol: limits::PROTOCOL_VERSION,
            genesis: *chain.genesis().hash(),
            nonce: self.nonce(),
            tip: Tip { hash: *chain.tip().hash(), height: chain.height(), work: chain.work() },
            agent: printable(&call.config.agent, limits::MAX_AGENT_BYTES),
            listen: call.config.listen.clone().filter(|_| call.config.discovery),
            wants_new_blocks: call.config.wants_new_blocks,
            keeps_bodies: chain.keeps_bodies(),
        };
        call.outbox.send(id, Message::Hello(hello));
    }

    /// Checks a peer's `Hello` and completes the handshake. `None` if the connection does not exist.
    ///
    /// # Errors
    ///
    /// The reason to close the connection.
    pub(in crate::protocol) fn on_hello<T: Transaction>(
        &mut self,
        call: &Call<'_, T>,
        id: PeerId,
        hello: Hello,
        notices: &mut Vec<Notice>,
    ) -> Result<Option<NewPeer>, CloseReason> {
        let Some(peer) = self.peers.get(&id) else { return Ok(None) };
        let (address, direction) = (peer.address.clone(), peer.direction);
        let (format, connected_at, sent_tip) = (peer.format, peer.connected_at, peer.sent_tip);
        if hello.protocol != limits::PROTOCOL_VERSION {
            return Err(CloseReason::WrongProtocol {
                got: hello.protocol,
                expected: limits::PROTOCOL_VERSION,
            });
        }
        let genesis = *call.local.chain.genesis().hash();
        if hello.genesis != genesis {
            return Err(CloseReason::WrongGenesis { got: hello.genesis, expected: genesis });
        }
        // A `Hello` with this node's own nonce comes from this node.
        if hello.nonce == self.nonce {
            if direction == Direction::Outbound {
                self.dialer.forget(&address);
                notices.push(Notice::OwnAddress(address));
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
            notices.push(Notice::Reached(address.clone()));
        }
        self.resolve_duplicates(id, direction, &address, hello.nonce, notices)?;
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.identity = Some(Identity { nonce: hello.nonce, agent: hello.agent.clone() });
        }
        Ok(Some(NewPeer { id, address, direction, format, connected_at, hello, sent_tip }))
    }

    /// Resolves duplicate connections. Two nodes that dial each other have two connections and keep the one
    /// that the node with the smaller nonce opened; that node closes the other one. Nonces are no secret, so
    /// this node never closes a connection that it opened in favour of an inbound one, and closes an inbound
    /// one only if it may come from the host of the other connection.
    fn resolve_duplicates(
        &mut self,
        id: PeerId,
        direction: Direction,
        address: &PeerAddr,
        nonce: u64,
        notices: &mut Vec<Notice>,
    ) -> Result<(), CloseReason> {
        for (other, other_direction, other_address) in self.peers_with_nonce(nonce) {
            match (direction, other_direction) {
                (Direction::Outbound, Direction::Outbound) => {
                    let is_one = is_same_place(address, &other_address)
                        || !self.dialer.keeps(address) && self.may_be_one(&other_address, address);
                    if is_one {
                        self.transfer(address, id, other, notices);
                        return Err(CloseReason::AlreadyConnected);
                    }
                }
                (Direction::Inbound, Direction::Outbound)
                    if self.nonce < nonce && self.may_be_one(&other_address, address) =>
                {
                    return Err(CloseReason::AlreadyConnected);
                }
                (Direction::Outbound, Direction::Inbound)
                    if self.nonce < nonce && self.may_be_one(address, &other_address) =>
                {
                    notices.push(Notice::Duplicate(other));
                }
                // The other side opened one that it may end, or both.
                _ => {}
            }
        }
        Ok(())
    }

    /// Finds an inbound connection that replaces an outbound connection that has ended, because the peer
    /// closed that one as a duplicate.
    pub(super) fn replacement_of(&self, ended: &super::Connection) -> Option<PeerId> {
        let identity = ended.identity.as_ref().filter(|_| ended.direction == Direction::Outbound)?;
        let same_nonce = self.peers_with_nonce(identity.nonce).into_iter();
        let mut inbound = same_nonce.filter(|(_, direction, _)| *direction == Direction::Inbound);
        inbound.find(|(.., address)| self.may_be_one(&ended.address, address)).map(|(id, ..)| id)
    }

    fn peers_with_nonce(&self, nonce: u64) -> Vec<(PeerId, Direction, PeerAddr)> {
        let has_nonce =
            |peer: &super::Connection| peer.identity.as_ref().is_some_and(|identity| identity.nonce == nonce);
        let peers = self.peers.iter().filter(|(_, peer)| has_nonce(peer));
        peers.map(|(id, peer)| (*id, peer.direction, peer.address.clone())).collect()
    }

    /// Whether the peer at a dialled address and the peer at another address that claims the same nonce may
    /// be one node. True if both addresses have the same host, or if one host is a name, which this node does
    /// not resolve, and the dialled address is trusted to identify itself.
    fn may_be_one(&self, dialled: &PeerAddr, other: &PeerAddr) -> bool {
        let is_name = |address: &PeerAddr| PeerHost::from(address).is_name();
        let is_trusted = self.dialer.keeps(dialled) || is_nearby(dialled);
        is_same_place(dialled, other) || (is_name(dialled) || is_name(other)) && is_trusted
    }
}

/// Whether two addresses have the same host, judged by their texts alone.
fn is_same_place(one: &PeerAddr, other: &PeerAddr) -> bool {
    let [one, other] = [one, other].map(PeerHost::from);
    one == other || one.is_loopback() && other.is_loopback()
}
