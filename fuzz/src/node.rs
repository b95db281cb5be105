//! A node with a driver that verifies everything: outputs against the open connections, deadlines against the
//! clock, and all state that a peer can grow against its limit.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashloom::mempool::MempoolConfig;
use hashloom::primitives::Work;
use hashloom::protocol::{
    CloseReason, Direction, Hello, Input, Now, Output, PeerAddrError, PeerId, Tip, limits,
};
use hashloom::{ChainConfig, Event, Message, PeerAddr, Protocol, ProtocolConfig};

use crate::fixture::{self, KNOWN, Note, START};

/// Small limits, so that a short run reaches them.
const MAX_INBOUND: usize = 3;
const MAX_OUTBOUND: usize = 2;
const MAX_DISCOVERED: usize = 2;
const MAX_PENDING: usize = 4;
const MAX_PENDING_BYTES: usize = 128;
const MAX_ORPHANS: usize = 4;

/// The maximum number of outputs for one input, given the few peers, blocks and notes of a run.
const MAX_OUTPUTS: usize = 400;

/// After this time without messages every peer is disconnected.
const SILENCE: Duration = Duration::from_mins(2);

/// The node, and the state of its driver.
#[derive(Debug)]
pub struct TestNode {
    node: Protocol<Note>,
    now: Now,
    /// The open connection for each address.
    open: BTreeMap<PeerAddr, PeerId>,
    dialled: BTreeSet<PeerAddr>,
    /// The last request to each open peer.
    asked: BTreeMap<PeerId, Message<Note>>,
    /// The peers that have completed the handshake.
    introduced: BTreeSet<PeerId>,
    next_peer: u64,
    work: Work,
    /// The node's own nonce, from its first `Hello`.
    nonce: Option<u64>,
}

impl TestNode {
    /// A node with the first [`KNOWN`] blocks of the fixture and without peers.
    pub fn new() -> Self {
        let chain = ChainConfig::default()
            .with_max_orphans(MAX_ORPHANS)
            .with_max_orphan_bytes(4_096)
            .with_max_side_headers(16)
            .with_max_side_bytes(4_096);
        let mempool =
            MempoolConfig::default().with_max_transactions(MAX_PENDING).with_max_bytes(MAX_PENDING_BYTES);
        let config = ProtocolConfig::default()
            .with_seed(7)
            .with_max_inbound(MAX_INBOUND)
            .with_max_outbound(MAX_OUTBOUND)
            .with_discovery(true)
            .with_max_discovered(MAX_DISCOVERED)
            .with_mempool(mempool);
        let chain = fixture::chain_of(&fixture::blocks()[..KNOWN], chain);
        let work = chain.work();
        let node = Protocol::with_chain(chain, config, START).expect("a store in memory does not fail");
        Self {
            node,
            now: Now { elapsed: Duration::ZERO, wall: START },
            open: BTreeMap::new(),
            dialled: BTreeSet::new(),
            asked: BTreeMap::new(),
            introduced: BTreeSet::new(),
            next_peer: 0,
            work,
            nonce: None,
        }
    }

    /// The protocol state of the node.
    pub const fn protocol(&self) -> &Protocol<Note> {
        &self.node
    }

    /// The current time.
    pub const fn now(&self) -> Now {
        self.now
    }

    /// The node's nonce, after it has sent its first `Hello`.
    pub const fn nonce(&self) -> Option<u64> {
        self.nonce
    }

    /// The address of a peer.
    pub fn address(peer: u8) -> PeerAddr {
        format!("test://{peer}").parse().expect("an address")
    }

    /// The connection to a peer, or an id that was never used if there is none.
    pub fn id(&self, peer: u8) -> PeerId {
        self.open.get(&Self::address(peer)).copied().unwrap_or(PeerId(u64::MAX))
    }

    /// Whether the peer has completed the handshake and its connection is open.
    pub fn is_introduced(&self, peer: u8) -> bool {
        self.introduced.contains(&self.id(peer))
    }

    /// Removes and returns the last request to this peer.
    pub fn take_asked(&mut self, peer: u8) -> Option<Message<Note>> {
        self.asked.remove(&self.id(peer))
    }

    /// A valid `Hello` from a peer that has a branch with more work.
    pub fn hello(&self) -> Hello {
        let chain = self.node.chain();
        Hello {
            protocol: limits::PROTOCOL_VERSION,
            genesis: *chain.genesis().hash(),
            nonce: 1,
            tip: Tip {
                hash: *fixture::blocks()[23].hash(),
                height: 15,
                work: Work::from_uint(hashloom::primitives::U256::MAX),
            },
            agent: "fuzz".to_owned(),
            listen: None,
            wants_new_blocks: true,
            keeps_bodies: None,
        }
    }

    /// Opens a connection, unless one to this address is open.
    pub fn open(&mut self, peer: u8, is_inbound: bool) {
        let address = Self::address(peer);
        if self.open.contains_key(&address) {
            return;
        }
        self.next_peer += 1;
        let id = PeerId(self.next_peer);
        self.dialled.remove(&address);
        self.open.insert(address.clone(), id);
        let direction = if is_inbound { Direction::Inbound } else { Direction::Outbound };
        self.handle(Input::Connected { peer: id, direction, address, format: "none" });
    }

    /// Delivers a message to the node.
    pub fn receive(&mut self, peer: u8, message: Message<Note>) {
        let id = self.id(peer);
        let taken = self.introduced.contains(&id);
        let hello = match &message {
            Message::Hello(hello) if self.open.values().any(|open| *open == id) => Some(hello.clone()),
            _ => None,
        };
        self.handle(Input::Received { peer: id, message });
        if !taken && self.introduced.contains(&id) {
            let hello = hello.expect("only a hello introduces");
            assert_eq!(hello.protocol, limits::PROTOCOL_VERSION);
            assert_eq!(hello.genesis, *self.node.chain().genesis().hash());
            assert_ne!(Some(hello.nonce), self.nonce, "connected to itself");
            assert!(hello.agent.len() <= limits::MAX_AGENT_BYTES);
        }
    }

    /// Delivers malformed bytes to the node.
    pub fn malformed(&mut self, peer: u8) {
        let peer = self.id(peer);
        self.handle(Input::Malformed { peer, error: Arc::new(PeerAddrError::Empty) });
        assert!(!self.open.values().any(|open| *open == peer), "malformed, and still open");
    }

    /// Closes a connection from the peer's side.
    pub fn disconnect(&mut self, peer: u8) {
        let id = self.id(peer);
        self.forget(id);
        self.handle(Input::Disconnected { peer: id, reason: CloseReason::Ended });
    }

    /// The application requests a connection.
    pub fn connect(&mut self, peer: u8) {
        let _ = self.node.connect(Self::address(peer), self.now);
        self.follow();
    }

    /// Reports that a dial has failed.
    pub fn dial_failed(&mut self, peer: u8) {
        let address = Self::address(peer);
        self.dialled.remove(&address);
        self.handle(Input::DialFailed { address, error: Arc::new(PeerAddrError::Empty) });
    }

    /// The application submits a transaction.
    pub fn submit(&mut self, note: Note) {
        let _ = self.node.submit(note, self.now);
        self.follow();
    }

    /// A miner of this node finds a block with these notes.
    pub fn mine(&mut self, notes: Option<Vec<Note>>) {
        let Ok(template) = self.node.template(notes, hashloom::Address::ZERO, self.now.wall) else { return };
        let block = Arc::new(template.mine().expect("every second hash is a block"));
        self.node.mined(&block, self.now).expect("a template of its own is a good block");
        self.follow();
    }

    /// Advances the clock, with every timeout at its time.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now.elapsed + duration;
        while let Some(at) = self.node.poll_timeout().filter(|at| *at <= end) {
            self.set_clock(at);
            self.time_out();
        }
        self.set_clock(end);
    }

    /// Moves the clock forward at once, as after the machine was suspended, so that the timeout is late.
    pub fn sleep(&mut self, duration: Duration) {
        self.set_clock(self.now.elapsed + duration);
        self.time_out();
    }

    /// Checks the end of every run: silent peers are disconnected, the chain is valid, and a new peer is
    /// served.
    pub fn finish(&mut self) {
        self.pass(SILENCE);
        assert!(self.open.is_empty(), "silent, and still open: {:?}", self.open);
        assert_eq!(self.node.chain().verify(..), Ok(()));
        self.open(u8::MAX, true);
        let hello = Hello { nonce: u64::MAX, ..self.hello() };
        self.receive(u8::MAX, Message::Hello(hello));
        assert!(self.is_introduced(u8::MAX), "a newcomer is refused");
    }

    fn set_clock(&mut self, elapsed: Duration) {
        let passed = elapsed.saturating_sub(self.now.elapsed);
        self.now = Now { elapsed: self.now.elapsed + passed, wall: self.now.wall.saturating_add(passed) };
    }

    fn time_out(&mut self) {
        self.handle(Input::Timeout);
        let next = self.node.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now.elapsed), "a deadline that does not pass: {next:?}");
    }

    fn handle(&mut self, input: Input<Note>) {
        self.node.handle(input, self.now);
        self.follow();
    }

    /// Executes and checks the node's outputs.
    fn follow(&mut self) {
        let outputs: Vec<_> = core::iter::from_fn(|| self.node.poll_output()).collect();
        assert!(outputs.len() <= MAX_OUTPUTS, "{} outputs", outputs.len());
        for output in outputs {
            match output {
                Output::Send { peers, message } => self.sent(&peers, &message),
                Output::SendBlocks { peer, mut answer } => {
                    while let Some(message) = self.node.next_blocks(&mut answer, |error| panic!("{error}")) {
                        self.sent(&[peer], &message);
                    }
                }
                Output::Close { peer, .. } => {
                    assert!(self.forget(peer), "{peer} is closed, and was not open");
                }
                Output::Dial { address, .. } => {
                    assert!(self.dialled.insert(address.clone()), "{address} is dialled twice");
                }
                Output::Event(Event::PeerConnected { peer, .. }) => {
                    assert!(self.introduced.insert(peer), "{peer} is connected twice");
                }
                _ => {}
            }
        }
        self.assert_bounded();
    }

    fn sent(&mut self, peers: &[PeerId], message: &Message<Note>) {
        assert!(!peers.is_empty(), "sent to nobody: {message:?}");
        for peer in peers {
            assert!(self.open.values().any(|open| open == peer), "sent to {peer}, which is closed");
            let may_come_first = matches!(message, Message::Hello(_) | Message::Bye { .. });
            assert!(may_come_first || self.introduced.contains(peer), "said to a stranger: {message:?}");
            self.asked.insert(*peer, message.clone());
        }
        if let Message::Hello(hello) = message {
            self.nonce = Some(hello.nonce);
        }
        let (items, limit) = match message {
            Message::GetHeaders { locator, .. } => (locator.len(), limits::MAX_LOCATOR_HASHES),
            Message::Headers(headers) => (headers.len(), limits::MAX_HEADERS),
            Message::GetBlocks { hashes } | Message::NotFound { hashes } => {
                (hashes.len(), limits::MAX_BLOCKS)
            }
            Message::Blocks(blocks) => (blocks.len(), limits::MAX_BLOCKS),
            Message::Offer { ids } | Message::GetTransactions { ids } => {
                (ids.len(), limits::MAX_TRANSACTIONS)
            }
            Message::Transactions(transactions) => (transactions.len(), limits::MAX_TRANSACTIONS),
            Message::Bye { reason } => (reason.len(), limits::MAX_REASON_BYTES),
            Message::Peers { addresses } => (addresses.len(), limits::MAX_PEERS_PER_MESSAGE),
            _ => return,
        };
        assert!(items <= limit, "{items} items, at most {limit} are allowed: {message:?}");
    }

    /// Removes a connection. Returns whether it was open.
    fn forget(&mut self, peer: PeerId) -> bool {
        let before = self.open.len();
        self.open.retain(|_, open| *open != peer);
        self.asked.remove(&peer);
        self.introduced.remove(&peer);
        self.open.len() < before
    }

    fn assert_bounded(&mut self) {
        let (chain, mempool, peers) = (self.node.chain(), self.node.mempool(), self.node.peers());
        assert!(chain.work() >= self.work, "the chain lost work");
        self.work = chain.work();
        assert!(chain.orphan_count() <= MAX_ORPHANS);
        assert!(mempool.len() <= MAX_PENDING && mempool.bytes() <= MAX_PENDING_BYTES);
        let inbound = peers.iter().filter(|peer| peer.direction == Direction::Inbound).count();
        let outbound = peers.len() - inbound;
        assert!(inbound <= MAX_INBOUND && outbound <= MAX_OUTBOUND + MAX_DISCOVERED, "{peers:?}");
        assert!(self.node.addresses().len() <= limits::MAX_ADDRESSES);
        let ids: BTreeSet<PeerId> = peers.iter().map(|peer| peer.id).collect();
        assert_eq!(ids, self.introduced);
        assert!(peers.iter().all(|peer| peer.blocks_in_flight <= limits::MAX_BLOCKS_IN_FLIGHT));
        assert!(self.node.unconnected().count() <= MAX_OUTBOUND);
    }
}

impl Default for TestNode {
    fn default() -> Self {
        Self::new()
    }
}
