//! The life of a connection across the machines: opened, accepted as a peer, and closed.

use core::time::Duration;

use super::call::call;
use super::connections::Notice;
use super::{CloseReason, Direction, Event, Hello, Now, PeerAddr, PeerHost, PeerId, Protocol};
use crate::primitives::Transaction;

impl<T: Transaction> Protocol<T> {
    /// Admits a new connection, or closes it, and sends this node's `Hello`.
    pub(super) fn connected(
        &mut self,
        id: PeerId,
        direction: Direction,
        address: PeerAddr,
        format: &'static str,
        now: Now,
    ) {
        if direction == Direction::Outbound && !self.connections.on_dialled(&address, id) {
            self.outbox.close_silently(id, CloseReason::Requested);
            return;
        }
        let useful_at = |peer| self.sync.useful_at(peer);
        let admitted = self.connections.admit(&self.config, direction, &address, useful_at, now);
        if let Ok(Some(evicted)) = admitted {
            self.close(evicted, CloseReason::Evicted, now);
        }
        self.connections.on_connected(id, direction, address, format, *self.local.tip(), now.elapsed);
        match admitted {
            Ok(_) => self.connections.send_hello(call!(self, now), id),
            Err(reason) => self.close(id, reason, now),
        }
    }

    /// Completes the handshake, and makes the connection known to the machines that deal with peers.
    pub(super) fn complete_handshake(
        &mut self,
        id: PeerId,
        hello: Hello,
        now: Now,
    ) -> Result<(), CloseReason> {
        let mut notices = Vec::new();
        let call = call!(self, now);
        let completed = self.connections.on_hello(call, id, hello, &mut notices);
        self.carry(notices, now);
        let Some(new) = completed? else { return Ok(()) };
        let call = call!(self, now);
        call.outbox.event(new.event());
        self.sync.on_peer_connected(call, &new);
        self.relay.on_peer_connected(&new);
        // The tip has changed since this node sent its `Hello`.
        if new.sent_tip != *call.local.tip() {
            let mut behind = self.sync.peers_behind(&call.local.chain);
            behind.retain(|other| *other == id);
            self.relay.announce_tip(call, behind);
        }
        self.relay.offer_all(call, id);
        self.discovery.on_peer_connected(call, &new, &self.connections);
        call.local.plan_to_save(now);
        Ok(())
    }

    /// Sends the peer the reason, closes the connection and removes the peer.
    pub(super) fn close(&mut self, id: PeerId, reason: CloseReason, now: Now) {
        let Some(host) = self.connections.host_of(id) else { return };
        let penalty = reason.penalty();
        self.outbox.close(id, reason.clone());
        self.forget(id, reason, now);
        if self.connections.punish(&host, penalty, now.elapsed) {
            self.ban_host(&host, self.config.ban_duration, now);
        }
    }

    /// Tells every machine that a connection has ended.
    pub(super) fn forget(&mut self, id: PeerId, reason: CloseReason, now: Now) {
        let mut notices = Vec::new();
        let Some(ended) = self.connections.on_disconnected(id, &reason, now, &mut notices) else { return };
        self.sync.on_peer_disconnected(&mut self.local, id);
        self.relay.on_peer_disconnected(id);
        self.carry(notices, now);
        self.discovery.on_peer_disconnected(call!(self, now), id, &ended, &reason);
        self.outbox.event(Event::PeerDisconnected { peer: id, address: ended.address, reason });
    }

    /// Bans a host and closes its connections.
    pub(super) fn ban_host(&mut self, host: &PeerHost, duration: Duration, now: Now) {
        self.discovery.forget_host(host);
        for id in self.connections.ban(call!(self, now), host, duration) {
            self.close(id, CloseReason::Banned { remaining: duration }, now);
        }
    }

    /// Carries what the connections found out to the machines that it concerns.
    fn carry(&mut self, notices: Vec<Notice>, now: Now) {
        for notice in notices {
            match notice {
                Notice::Duplicate(peer) => self.close(peer, CloseReason::AlreadyConnected, now),
                notice => self.discovery.on_notice(call!(self, now), notice),
            }
        }
    }
}
