//! L3: the peer protocol as a pure state machine. It reads no clock, opens no socket, starts no thread and
//! draws no randomness of its own. Time is an argument of every call, randomness comes from a seed in the
//! configuration, and every effect is an output of [`Protocol::poll_output`].

mod address;
mod answer;
mod clock;
mod close;
mod config;
mod dialer;
mod discovery;
mod download;
mod event;
mod eviction;
mod handshake;
pub(crate) mod host;
mod io;
pub mod limits;
mod message;
mod minable;
mod now;
mod peer;
mod refusal;
mod relay;
mod report;
mod reputation;
mod saved;
mod scope;
mod serve;
mod state;
mod storage;
mod sync;

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

pub use address::{PeerAddr, PeerAddrError};
pub use answer::BlocksAnswer;
pub use close::CloseReason;
pub use config::ProtocolConfig;
pub(crate) use config::printable;
pub use dialer::ConnectError;
pub use discovery::KnownAddress;
pub use event::{ClockBehind, Event, RefusedBranch};
pub use host::{HostError, PeerHost};
pub use io::{Input, Output};
pub use message::{Hello, Message, MessageKind, Tip};
pub use minable::TemplateError;
#[cfg(feature = "node")]
pub(crate) use minable::check_sendable;
pub use now::Now;
pub use peer::{Direction, PeerId, PeerInfo};
pub use reputation::Ban;
pub use scope::Reach;

use crate::chain::{Blockchain, Verdict};
use crate::consensus::{BlockError, ChainSpec};
use crate::mempool::{Mempool, MempoolError, Source};
use crate::miner::Template;
use crate::primitives::{Address, Block, Hash, Timestamp, Transaction};
use crate::store::StoreError;
use clock::ClockWatch;
use dialer::Dialer;
use discovery::Discovery;
use relay::Relay;
use report::Report;
use reputation::Reputation;
use saved::Saved;
use state::{Overdue, Peer};
use storage::Storage;

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
    chain: Blockchain<T>,
    mempool: Mempool<T>,
    peers: BTreeMap<PeerId, Peer>,
    dialer: Dialer,
    reputation: Reputation,
    discovery: Discovery,
    rng: fastrand::Rng,
    /// The nonce of this node's `Hello`, by which it recognises a connection to itself.
    nonce: u64,
    /// The tip that was last announced to the peers.
    announced: Hash,
    /// When headers were last requested from a peer that has not delivered a block.
    headers_tried: Option<Duration>,
    /// Whether something has happened since the last block requests that may allow more of them.
    blocks_due: bool,
    relay: Relay,
    outputs: VecDeque<Output<T>>,
    storage: Storage,
    clock: ClockWatch,
    refusals: Report,
    saved: Saved,
}

impl<T: Transaction> Protocol<T> {
    /// Creates a node that knows the genesis block and no peer.
    ///
    /// # Panics
    ///
    /// Panics under the conditions of [`Blockchain::with_config`].
    pub fn new(spec: ChainSpec, config: ProtocolConfig) -> Self {
        Self::bare(Blockchain::with_config(spec, config.chain.clone()), config)
    }

    /// Creates a node on an opened chain, with the bans, the known addresses and the pending transactions
    /// from the chain's store. `config.chain` is ignored, because the chain was opened with its own bounds.
    ///
    /// # Errors
    ///
    /// [`StoreError`], if the store fails.
    pub fn with_chain(
        chain: Blockchain<T>,
        config: ProtocolConfig,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut node = Self::bare(chain, config);
        node.load_peers(now)?;
        node.load_mempool(now)?;
        node.plan_to_drop_stale();
        Ok(node)
    }

    fn bare(chain: Blockchain<T>, config: ProtocolConfig) -> Self {
        let seed = config.seed.unwrap_or(0);
        let mut rng = fastrand::Rng::with_seed(seed);
        Self {
            mempool: Mempool::new(&chain, config.mempool.clone()),
            announced: *chain.tip().hash(),
            chain,
            peers: BTreeMap::new(),
            // Below 2^53, so that JavaScript's numbers hold the nonce exactly.
            nonce: rng.u64(..1 << 53),
            dialer: Dialer::new(rng.fork()),
            reputation: Reputation::default(),
            discovery: Discovery::new(seed),
            rng,
            config,
            headers_tried: None,
            blocks_due: false,
            relay: Relay::default(),
            outputs: VecDeque::new(),
            storage: Storage::default(),
            clock: ClockWatch::default(),
            refusals: Report::default(),
            saved: Saved::default(),
        }
    }

    /// Returns the chain.
    pub const fn chain(&self) -> &Blockchain<T> {
        &self.chain
    }

    /// Returns the pool of pending transactions.
    pub const fn mempool(&self) -> &Mempool<T> {
        &self.mempool
    }

    /// Returns the peers that have completed the handshake.
    pub fn peers(&self) -> Vec<PeerInfo> {
        let info = |(id, peer): (&PeerId, &Peer)| {
            let hello = peer.hello.as_ref()?;
            Some(PeerInfo {
                id: *id,
                address: peer.address.clone(),
                direction: peer.direction,
                agent: hello.agent.clone(),
                height: peer.best.map(|best| best.height),
                blocks_in_flight: peer.blocks.len(),
            })
        };
        self.peers.iter().filter_map(info).collect()
    }

    /// Returns the number of peers that have completed the handshake.
    pub fn peer_count(&self) -> usize {
        self.peers.values().filter(|peer| peer.is_ready()).count()
    }

    /// Returns the addresses that this node keeps a connection to and that have none at present.
    pub fn unconnected(&self) -> impl Iterator<Item = &PeerAddr> {
        self.dialer.unconnected()
    }

    /// Keeps a connection to this address: dials it at once, and again whenever the connection ends.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], if the address is kept already, its host is banned, or the limit is reached.
    pub fn connect(&mut self, address: PeerAddr, now: Now) -> Result<(), ConnectError> {
        if self.dialer.keeps(&address) {
            return Err(ConnectError::AlreadyAdded { address });
        }
        if let Some(remaining) = self.reputation.remaining(&PeerHost::from(&address), now) {
            return Err(ConnectError::Banned { address, remaining });
        }
        if self.dialer.kept() >= self.config.max_outbound {
            return Err(ConnectError::TooMany { limit: self.config.max_outbound });
        }
        self.dialer.add(address, now.elapsed);
        self.dial_due(now);
        Ok(())
    }

    /// Submits a transaction to the mempool and offers it to the peers.
    ///
    /// # Errors
    ///
    /// [`MempoolError`]; the transaction is not added.
    pub fn submit(&mut self, transaction: T, now: Now) -> Result<Hash, MempoolError> {
        let submitted = self.mempool.submit(transaction, Source::Local, &self.chain, now.wall);
        self.report_lost();
        let id = submitted?;
        self.accepted(id);
        self.offer_new(now);
        self.plan_to_save(now);
        Ok(id)
    }

    /// Builds a template for the next block from `data`, or from the pending transactions if `data` is
    /// `None`.
    ///
    /// # Errors
    ///
    /// The consensus rule that a block with these transactions would break, or the store's error while
    /// nothing can be imported.
    pub fn template(
        &self,
        data: Option<Vec<T>>,
        miner: Address,
        now: Timestamp,
    ) -> Result<Template<T>, BlockError> {
        if self.is_halted() {
            return Err(self.store_failure().into());
        }
        match data {
            Some(data) => self.chain.template_for(miner, data, now),
            None => self.mempool.template(&self.chain, miner, now),
        }
    }

    /// Imports a block that this node mined, makes it durable and sends it to the peers. Returns whether the
    /// block is on the best chain.
    ///
    /// # Errors
    ///
    /// The consensus rule that the block breaks, or the store's error.
    pub fn mined(&mut self, block: &Arc<Block<T>>, now: Now) -> Result<bool, BlockError> {
        let verdict = match self.import_all(vec![Arc::clone(block)], now) {
            Some(mut verdicts) => verdicts.pop().unwrap_or(Ok(Verdict::Duplicate)),
            None => Err(self.store_failure().into()),
        };
        verdict.inspect_err(|error| self.drop_refused(block, error, now))?;
        let is_best = self.chain.is_best(block.hash()).unwrap_or_else(|error| {
            self.read_failed(error);
            self.chain.tip() == block
        });
        if is_best {
            self.push(block);
        }
        self.after_import(now);
        Ok(is_best)
    }

    /// Closes a connection. An address that this node keeps a connection to is dialled again.
    pub fn disconnect(&mut self, peer: PeerId, reason: CloseReason, now: Now) {
        self.close(peer, reason, now);
        self.after_import(now);
    }

    /// Closes a connection and removes the addresses that are reached over it, so that they are not dialled
    /// again. Returns whether the connection existed.
    pub fn remove(&mut self, peer: PeerId, now: Now) -> bool {
        let was_there = self.peers.contains_key(&peer);
        self.forget_addresses(peer);
        self.disconnect(peer, CloseReason::Requested, now);
        if was_there {
            self.plan_to_save(now);
        }
        was_there
    }

    /// Sends a `Bye` to every peer, closes all connections, and writes everything unsaved to the store. Later
    /// inputs are ignored, except new connections.
    pub fn shutdown(&mut self, now: Now) {
        self.save_at_last();
        self.stop_discovery();
        self.dialer = Dialer::new(self.rng.fork());
        while let Some((peer, _)) = self.peers.first_key_value() {
            self.close(*peer, CloseReason::Shutdown, now);
        }
    }

    /// Processes one input. Never fails and never blocks: a peer's misbehaviour closes its connection.
    pub fn handle(&mut self, input: Input<T>, now: Now) {
        match input {
            Input::Connected { peer, direction, address } => self.connected(peer, direction, address, now),
            Input::DialFailed { address, error } => self.dial_failed(address, error, now),
            Input::Disconnected { peer, reason } => {
                self.forget(peer, reason, now);
            }
            Input::Malformed { peer, error } => self.close(peer, CloseReason::Malformed(error), now),
            Input::Received { peer, message } => {
                if let Err(reason) = self.receive(peer, message, now) {
                    self.close(peer, reason, now);
                }
            }
            Input::Timeout => self.expire(now),
        }
        self.after_import(now);
    }

    /// Returns the next output, in order; `None` if there is none.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output<T>> {
        self.outputs.pop_front()
    }

    /// Returns the deadline at which to call [`handle`](Self::handle) with [`Input::Timeout`], on the clock
    /// of [`Now::elapsed`].
    pub fn poll_timeout(&self) -> Option<Duration> {
        let peers = self.peers.values().map(Peer::deadline);
        let peers = peers.chain(self.dialer.deadline()).chain(self.discovery.deadline());
        let storage = self.storage.deadline().into_iter().chain(self.saved.deadline());
        peers.chain(storage).chain(self.relay.deadline()).chain(self.clock.deadline()).min()
    }

    fn receive(&mut self, id: PeerId, message: Message<T>, now: Now) -> Result<(), CloseReason> {
        // The message was in transit when the connection was closed.
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        peer.on_message(&message, now);
        if let Message::Bye { reason } = message {
            let reason = printable(&reason, limits::MAX_REASON_BYTES);
            return Err(CloseReason::Bye { reason });
        }
        if !peer.is_ready() {
            return match message {
                Message::Hello(hello) => self.introduced(id, hello, now),
                other => Err(CloseReason::ExpectedHello { got: other.kind() }),
            };
        }
        // Transports that move values without parsing them do not check the limits on items.
        let (got, limit) = message.items();
        if got > limit {
            return Err(CloseReason::TooManyItems { kind: message.kind(), got, limit });
        }
        match message {
            Message::Hello(_) => Err(CloseReason::SecondHello),
            Message::Ping(nonce) => {
                self.send(id, Message::Pong(nonce));
                Ok(())
            }
            Message::Pong(_) | Message::Bye { .. } => Ok(()),
            Message::GetHeaders { locator, limit } => {
                self.serve_headers(id, &locator, limit);
                Ok(())
            }
            Message::Headers(headers) => self.received_headers(id, &headers, now),
            Message::GetBlocks { hashes } => {
                self.serve_blocks(id, &hashes);
                Ok(())
            }
            Message::Blocks(blocks) => self.received_blocks(id, blocks, now),
            Message::NotFound { hashes } => self.not_found(id, &hashes),
            Message::Announce(header) => self.announced(id, &header, now),
            Message::NewBlock(block) => self.pushed(id, block, now),
            Message::Offer { ids } => {
                self.offered(id, ids);
                Ok(())
            }
            Message::GetTransactions { ids } => {
                self.serve_transactions(id, &ids);
                Ok(())
            }
            Message::Transactions(transactions) => self.received_transactions(id, transactions, now),
            Message::GetPeers { limit } => {
                self.serve_peers(id, limit, now);
                Ok(())
            }
            Message::Peers { addresses } => self.received_peers(id, addresses, now),
        }
    }

    fn expire(&mut self, now: Now) {
        let drift = self.chain.spec().max_future_drift();
        for id in self.peers.keys().copied().collect::<Vec<_>>() {
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            self.blocks_due |= peer.resume(now, drift);
            match peer.overdue(now.elapsed) {
                Overdue::Close(CloseReason::HandshakeTimeout(_)) if flaw!(KeepsTheNameless) => {
                    peer.connected_at = now.elapsed;
                }
                Overdue::Close(reason) => self.close(id, reason, now),
                Overdue::Ping if flaw!(KeepsTheSilent) => peer.last_received = now.elapsed,
                Overdue::Ping => {
                    let nonce = self.rng.u64(..1 << 53);
                    peer.ping = Some((nonce, now.elapsed + limits::REQUEST_TIMEOUT));
                    self.send(id, Message::Ping(nonce));
                }
                Overdue::Nothing => {}
            }
        }
        if self.reputation.forget_ended(now) {
            self.plan_to_save(now);
        }
        self.discover(now);
        self.dial_due(now);
        self.attend_to_storage(now);
        self.save_if_due(now);
    }

    fn dial_due(&mut self, now: Now) {
        for address in self.dialer.take_due(now.elapsed) {
            if let Some(remaining) = self.reputation.remaining(&PeerHost::from(&address), now) {
                self.dialer.postpone(&address, now.elapsed + remaining);
                continue;
            }
            let is_kept = self.dialer.keeps(&address);
            let reach = if is_kept { Reach::ANY } else { Reach::of_rumour(&address) };
            self.outputs.push_back(Output::Dial { address, reach });
        }
    }

    /// Sends the peer the reason, closes the connection and removes the peer.
    fn close(&mut self, id: PeerId, reason: CloseReason, now: Now) {
        let Some(peer) = self.peers.get(&id) else { return };
        let (host, penalty) = (peer.host(), reason.penalty());
        if !matches!(reason, CloseReason::Bye { .. }) {
            let text = reason.to_string();
            let text = printable(&text, limits::MAX_REASON_BYTES);
            self.send(id, Message::Bye { reason: text });
        }
        self.outputs.push_back(Output::Close { peer: id, reason: reason.clone() });
        self.forget(id, reason, now);
        self.punish(&host, penalty, now);
    }

    fn forget(&mut self, id: PeerId, reason: CloseReason, now: Now) {
        let Some(peer) = self.peers.remove(&id) else { return };
        // Drops pending bodies whose missing ancestors only this peer has, because those may never arrive.
        self.chain.keep_waiting(self.peers.values().filter_map(|peer| Some(peer.best?.hash)));
        // Bodies that were requested from this peer are requested from others.
        self.blocks_due |= !peer.blocks.is_empty() && !flaw!(ForgetsDownloads);
        if let Some((ids, _)) = &peer.transactions_request {
            self.release_transactions(ids);
        }
        let lasted = peer.is_ready() && now.elapsed >= peer.connected_at + limits::LASTING_CONNECTION;
        // An inbound connection from the node of this peer replaces the ended one, so no redial follows.
        if let Some(double) = self.double_of(&peer) {
            if !self.is_alias(&peer.address, now) {
                self.dialer.transfer(&peer.address, id, double);
            }
            self.released(id, &peer, &CloseReason::AlreadyConnected, lasted, now);
        } else {
            self.released(id, &peer, &reason, lasted, now);
        }
        if matches!(reason, CloseReason::WrongGenesis { .. }) {
            self.dialer.disconnected_from_other_chain(id, now.elapsed);
        } else {
            self.dialer.disconnected(id, lasted, now.elapsed);
        }
        self.event(Event::PeerDisconnected { peer: id, address: peer.address, reason });
    }

    fn send(&mut self, peer: PeerId, message: Message<T>) {
        self.outputs.push_back(Output::Send { peers: vec![peer], message });
    }

    fn event(&mut self, event: Event<T>) {
        self.outputs.push_back(Output::Event(event));
    }
}

#[cfg(test)]
mod tests;
