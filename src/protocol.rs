//! L3: the peer protocol as a pure state machine. It reads no clock, opens no socket, starts no thread and
//! draws no randomness of its own. Time is an argument of every call, randomness comes from a seed in the
//! configuration, and every effect is an output of [`Protocol::poll_output`].
//!
//! This file is the router. It passes each input to the machines that it concerns: the connections, the
//! synchronisation, the relay, and the discovery of peers. Each machine has its own state for each peer and
//! its own deadline, sees of the rest only a `Call`, and learns from the others only what the router passes
//! to it. One exception: `Discovery` reads from `Connections` which hosts are banned, which addresses are
//! dialled, and which peers this node chose.

mod address;
mod answer;
mod api;
mod call;
mod close;
mod config;
mod connections;
mod discovery;
mod dropped;
mod event;
pub(crate) mod host;
mod io;
mod lifecycle;
pub mod limits;
mod local;
mod message;
mod minable;
mod now;
mod outbox;
mod peer;
mod relay;
mod report;
mod saved;
mod scope;
mod serve;
#[cfg(feature = "evidence")]
mod signing;
mod sync;

use core::time::Duration;
use std::sync::Arc;

pub use address::{PeerAddr, PeerAddrError, PeerHost};
pub use answer::BlocksAnswer;
pub use close::CloseReason;
pub use config::ProtocolConfig;
pub(crate) use config::printable;
pub use connections::{Ban, ConnectError};
pub use event::{BlockSource, ClockBehind, Event, MiningStatus, RefusedBranch};
pub use host::HostError;
pub use io::{Input, Output};
pub use message::{Hello, Message, MessageKind, Tip};
pub use minable::TemplateError;
#[cfg(feature = "node")]
pub(crate) use minable::check_sendable;
pub use now::Now;
pub use peer::{Direction, KnownAddress, PeerId, PeerInfo};
pub use scope::Reach;
#[cfg(feature = "evidence")]
pub use signing::SigningStatus;

use crate::chain::{BlockError, Verdict};
use crate::primitives::{Block, Hash, Transaction};
use call::call;
use connections::Connections;
use discovery::Discovery;
use local::Local;
use outbox::Outbox;
use relay::Relay;
use saved::Saved;
use sync::ChainSync;

/// A node without its I/O: the chain, the mempool, and the state of every peer connection.
///
/// The driver does three things, in any order and as often as it likes:
///
/// - It passes network events to [`handle`](Self::handle), and the application's requests to
///   [`connect`](Self::connect), [`submit`](Self::submit) and [`mined`](Self::mined).
/// - After each call, it performs the outputs of [`poll_output`](Self::poll_output) until there are none
///   left.
/// - It calls [`handle`](Self::handle) with [`Input::Timeout`] when the deadline of
///   [`poll_timeout`](Self::poll_timeout) has passed. Any call may change the deadline.
///
/// The protocol is deterministic: equal sequences of calls with equal arguments give equal outputs.
#[derive(Debug)]
pub struct Protocol<T: Transaction = String> {
    config: ProtocolConfig,
    local: Local<T>,
    connections: Connections,
    sync: ChainSync,
    relay: Relay,
    discovery: Discovery,
    saved: Saved,
    outbox: Outbox<T>,
}

impl<T: Transaction> Protocol<T> {
    /// Processes one input. Never fails and never blocks: a peer's misbehaviour closes its connection.
    pub fn handle(&mut self, input: Input<T>, now: Now) {
        match input {
            Input::Connected { peer, direction, address, format } => {
                self.connected(peer, direction, address, format, now);
            }
            Input::DialFailed { address, error } => {
                let was_discovered = self.connections.on_dial_failed(call!(self, now), &address, error);
                self.discovery.on_dial_failed(call!(self, now), &address, was_discovered);
            }
            Input::Disconnected { peer, reason } => self.forget(peer, reason, now),
            Input::Malformed { peer, error } => self.close(peer, CloseReason::Malformed(error), now),
            Input::Received { peer, message } => {
                let received = self.receive(peer, message, now);
                self.close_on_error(peer, received, now);
            }
            Input::ReceivedBlocks { peer, messages } => {
                let received = self.receive_blocks(peer, messages, now);
                self.close_on_error(peer, received, now);
            }
            Input::Timeout => self.expire(now),
        }
        self.finish(now);
    }

    /// Returns the next output, in order; `None` if there is none.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output<T>> {
        self.outbox.pop()
    }

    /// Returns the deadline at which to call [`handle`](Self::handle) with [`Input::Timeout`], on the clock
    /// of [`Now::elapsed`].
    pub fn poll_timeout(&self) -> Option<Duration> {
        let machines = [self.connections.deadline(), self.sync.deadline(), self.relay.deadline()];
        machines.into_iter().chain([self.discovery.deadline(), self.local.deadline()]).flatten().min()
    }

    fn close_on_error(&mut self, id: PeerId, received: Result<(), CloseReason>, now: Now) {
        if let Err(reason) = received {
            self.close(id, reason, now);
        }
    }

    /// Returns a message that a peer may send at this point, or `None` if it is dealt with.
    fn admit(
        &mut self,
        id: PeerId,
        message: Message<T>,
        now: Now,
    ) -> Result<Option<Message<T>>, CloseReason> {
        // The connection may have been closed while the message was in transit.
        if !self.connections.on_message(id, &message, now) {
            return Ok(None);
        }
        if let Message::Bye { reason } = message {
            return Err(CloseReason::Bye { reason: printable(&reason, limits::MAX_REASON_BYTES) });
        }
        if !self.connections.is_ready(id) {
            return match message {
                Message::Hello(hello) => self.complete_handshake(id, hello, now).map(|()| None),
                other => Err(CloseReason::ExpectedHello { got: other.kind() }),
            };
        }
        // Transports that move values without parsing them do not check the limits on items.
        let (got, limit) = message.items();
        if got > limit {
            return Err(CloseReason::TooManyItems { kind: message.kind(), got, limit });
        }
        Ok(Some(message))
    }

    fn receive(&mut self, id: PeerId, message: Message<T>, now: Now) -> Result<(), CloseReason> {
        let Some(message) = self.admit(id, message, now)? else { return Ok(()) };
        let call = call!(self, now);
        match message {
            Message::Hello(_) => return Err(CloseReason::SecondHello),
            Message::Ping(nonce) => call.outbox.send(id, Message::Pong(nonce)),
            Message::Pong(_) | Message::Bye { .. } => {}
            Message::GetHeaders { locator, limit } => serve::serve_headers(call, id, &locator, limit),
            Message::Headers(headers) => self.sync.on_headers(call, id, &headers)?,
            Message::GetBlocks { hashes } => {
                let known = serve::serve_blocks(call, id, &hashes);
                self.relay.note_known(id, known);
            }
            Message::Blocks(blocks) => {
                self.sync.on_blocks(id, &blocks, now.elapsed)?;
                self.import_from(id, blocks, now)?;
            }
            Message::NotFound { hashes } => self.sync.on_not_found(id, &hashes)?,
            Message::Announce(header) => {
                let hash = header.hash();
                self.relay.note_known(id, [hash]);
                self.sync.on_announce(call, id, hash, &header)?;
            }
            Message::NewBlock(_) if !self.config.wants_new_blocks => {
                return Err(CloseReason::Unsolicited { kind: "new_block" });
            }
            Message::NewBlock(block) => self.import_from(id, vec![block], now)?,
            Message::Offer { ids } => self.relay.on_offer(call, id, ids),
            Message::GetTransactions { ids } => self.relay.on_get_transactions(call, id, &ids),
            Message::Transactions(transactions) => self.relay.on_transactions(call, id, transactions)?,
            Message::GetPeers { limit } => self.discovery.on_get_peers(call, id, limit, &self.connections),
            Message::Peers { addresses } => {
                self.discovery.on_peers(call, id, addresses, &self.connections)?;
            }
        }
        Ok(())
    }

    /// Receives messages with blocks, up to the first at which the peer is at fault, and imports their blocks together.
    fn receive_blocks(
        &mut self,
        id: PeerId,
        messages: Vec<Vec<Arc<Block<T>>>>,
        now: Now,
    ) -> Result<(), CloseReason> {
        let mut requested = Vec::new();
        let outcome = messages.into_iter().try_for_each(|blocks| {
            if let Some(Message::Blocks(blocks)) = self.admit(id, Message::Blocks(blocks), now)? {
                self.sync.on_blocks(id, &blocks, now.elapsed)?;
                requested.extend(blocks);
            }
            Ok(())
        });
        if requested.is_empty() { outcome } else { self.import_from(id, requested, now).and(outcome) }
    }

    /// Imports blocks from a peer, and tells the machines what they prove about it.
    fn import_from(&mut self, id: PeerId, blocks: Vec<Arc<Block<T>>>, now: Now) -> Result<(), CloseReason> {
        let blocks_at: Vec<(u64, Hash)> =
            blocks.iter().map(|block| (block.height(), *block.hash())).collect();
        self.relay.note_known(id, blocks_at.iter().map(|(_, hash)| *hash));
        let Some(source) = self.connections.source(id) else { return Ok(()) };
        let Some(verdicts) = self.import(blocks, &source, now) else {
            self.sync.on_import_failed(id, blocks_at.last().map(|(_, hash)| *hash), now.elapsed);
            return Ok(());
        };
        let judged = blocks_at.into_iter().zip(verdicts);
        let judged = judged.map(|((height, hash), verdict)| (height, hash, verdict)).collect();
        self.sync.on_verdicts(call!(self, now), id, judged)
    }

    /// Imports blocks and tells the machines that the chain has changed. Returns `None` if nothing was
    /// imported, because the store fails.
    fn import(
        &mut self,
        blocks: Vec<Arc<Block<T>>>,
        source: &BlockSource,
        now: Now,
    ) -> Option<Vec<Result<Verdict, BlockError>>> {
        let before_return = |mempool: &_| self.relay.retain_pending(mempool);
        let imported = self.local.import(blocks, source, &mut self.outbox, now, before_return)?;
        self.sync.on_import(&imported.verdicts);
        if let Some(ids) = imported.returned {
            self.relay.on_returned(ids);
        }
        Some(imported.verdicts)
    }

    fn expire(&mut self, now: Now) {
        for id in self.connections.ids() {
            let call = call!(self, now);
            let in_time = self.sync.on_peer_timeout(call, id);
            let in_time = in_time.and_then(|()| self.relay.on_peer_timeout(id, now.elapsed));
            if let Err(reason) = in_time.and_then(|()| self.connections.on_peer_timeout(call, id)) {
                self.close(id, reason, now);
            }
        }
        let call = call!(self, now);
        self.connections.forget_ended_bans(call);
        if let Some(address) = self.discovery.on_timeout(call, &self.connections) {
            self.connections.dial_once(address, now.elapsed);
        }
        self.connections.dial_due(call);
        if call.local.recover_if_due(call.outbox, now) {
            self.sync.on_store_recovered(call);
        }
        self.save_if_due(now);
    }

    /// Ends every call: announces a new tip, and requests what is missing.
    fn finish(&mut self, now: Now) {
        let call = call!(self, now);
        if self.relay.is_tip_new(call.local) {
            let behind = self.sync.peers_behind(&call.local.chain);
            self.relay.announce_new_tip(call, behind);
        }
        self.relay.offer_new(call);
        self.sync.request(call);
        self.relay.request_transactions(call);
        self.sync.watch(call);
    }
}

#[cfg(test)]
mod tests;
