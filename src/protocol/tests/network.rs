//! A network of protocols on virtual time, with links of a fixed latency that preserve the order of messages,
//! and a trace of all delivered messages. Equal calls give equal traces.

use core::fmt;
use std::collections::BTreeSet;

use super::*;

/// The one-way latency of every link.
pub(super) const LATENCY: Duration = Duration::from_millis(10);

type Loses = Box<dyn Fn(usize, &Message<Note>) -> bool>;

pub(super) struct Network {
    pub(super) nodes: Vec<Node>,
    pub(super) trace: Vec<Crossing>,
    /// Which messages are lost, by sender and message.
    pub(super) loses: Loses,
    elapsed: Duration,
    /// Ordered by time and by the order of sending.
    arrivals: BTreeMap<(Duration, u64), Arrival>,
    sent: u64,
    /// The dialling and the accepting node of each connection, and whether each end is open.
    connections: Vec<[(usize, bool); 2]>,
    /// Pairs of nodes that cannot connect to each other, the lower index first.
    apart: BTreeSet<(usize, usize)>,
}

pub(super) struct Node {
    pub(super) protocol: Protocol<Note>,
    pub(super) events: Vec<Event<Note>>,
    pub(super) dialled: Vec<Duration>,
    config: ProtocolConfig,
    is_up: bool,
}

/// One delivered message.
pub(super) struct Crossing {
    pub(super) at: Duration,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) message: Message<Note>,
}

impl fmt::Debug for Crossing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} -> {}: {:?}", self.at, self.from, self.to, self.message)
    }
}

enum Arrival {
    Message { connection: usize, end: usize, message: Message<Note> },
    Dialled { from: usize, address: PeerAddr },
    Accepted { connection: usize, address: PeerAddr },
    Failed { from: usize, address: PeerAddr },
    Closed { connection: usize, end: usize },
}

impl Network {
    /// Creates nodes of one chain without connections.
    pub(super) fn new(nodes: usize) -> Self {
        Self::of((0..nodes).map(|_| (spec("test"), ProtocolConfig::default())))
    }

    pub(super) fn of(nodes: impl IntoIterator<Item = (ChainSpec, ProtocolConfig)>) -> Self {
        let node = |(index, (spec, config)): (usize, (ChainSpec, ProtocolConfig))| {
            let seed = config.seed.unwrap_or(0) + index as u64 + 1;
            Node::new(spec, config.with_seed(seed))
        };
        Self {
            nodes: nodes.into_iter().enumerate().map(node).collect(),
            trace: Vec::new(),
            loses: Box::new(|_, _| false),
            elapsed: Duration::ZERO,
            arrivals: BTreeMap::new(),
            sent: 0,
            connections: Vec::new(),
            apart: BTreeSet::new(),
        }
    }

    /// Creates nodes, each of which has dialled all nodes before it.
    pub(super) fn mesh(nodes: usize) -> Self {
        let mut network = Self::new(nodes);
        for from in 0..nodes {
            for to in 0..from {
                network.connect(from, to);
            }
        }
        network.settle();
        network
    }

    pub(super) fn now(&self) -> Now {
        Now { elapsed: self.elapsed, wall: START.saturating_add(self.elapsed) }
    }

    pub(super) fn connect(&mut self, from: usize, to: usize) {
        let now = self.now();
        self.nodes[from].protocol.connect(address(to), now).unwrap();
        self.pump(from);
    }

    pub(super) fn mine(&mut self, node: usize, text: &str) -> Arc<Block<Note>> {
        self.mine_data(node, Some(vec![note(text)]))
    }

    /// Mines a block with these transactions, or with the pending ones if `data` is `None`.
    pub(super) fn mine_data(&mut self, node: usize, data: Option<Vec<Note>>) -> Arc<Block<Note>> {
        let now = self.now();
        let protocol = &mut self.nodes[node].protocol;
        let template = protocol.template(data, Address::ZERO, now.wall).unwrap();
        let block = Arc::new(template.mine().unwrap());
        assert!(protocol.mined(&block, now).unwrap());
        self.pump(node);
        block
    }

    /// Submits blocks to a node as if it had mined them.
    pub(super) fn load(&mut self, node: usize, blocks: &[Arc<Block<Note>>]) {
        let now = self.now();
        for block in blocks {
            assert!(self.nodes[node].protocol.mined(block, now).unwrap());
        }
        self.pump(node);
    }

    pub(super) fn submit(&mut self, node: usize, text: &str) -> Hash {
        let now = self.now();
        let id = self.nodes[node].protocol.submit(note(text), now).unwrap();
        self.pump(node);
        id
    }

    /// Delivers a message that the sender did not send.
    pub(super) fn inject(&mut self, from: usize, to: usize, message: Message<Note>) {
        let is_theirs =
            |ends: &[(usize, bool); 2]| ends.contains(&(from, true)) && ends.contains(&(to, true));
        let connection = self.connections.iter().rposition(is_theirs).unwrap();
        let end = usize::from(self.connections[connection][1].0 == to);
        self.schedule(LATENCY, Arrival::Message { connection, end, message });
    }

    /// Breaks the connections between two nodes and prevents new ones.
    pub(super) fn sever(&mut self, a: usize, b: usize) {
        self.apart.insert((a.min(b), a.max(b)));
        for connection in 0..self.connections.len() {
            let [(x, x_open), (y, y_open)] = self.connections[connection];
            if (x.min(y), x.max(y)) == (a.min(b), a.max(b)) {
                for (end, is_open) in [(0, x_open), (1, y_open)] {
                    if is_open {
                        self.schedule(Duration::ZERO, Arrival::Closed { connection, end });
                    }
                }
            }
        }
        self.settle();
    }

    pub(super) fn heal(&mut self) {
        self.apart.clear();
    }

    /// The node loses its connections and its state.
    pub(super) fn crash(&mut self, node: usize) {
        self.nodes[node].is_up = false;
        for connection in 0..self.connections.len() {
            for end in [0, 1] {
                if self.connections[connection][end] == (node, true) {
                    self.connections[connection][end].1 = false;
                    self.schedule(LATENCY, Arrival::Closed { connection, end: 1 - end });
                }
            }
        }
        let config = self.nodes[node].config.clone();
        let seed = config.seed.unwrap_or(0) + 1_000;
        let spec = self.nodes[node].protocol.chain().spec().clone();
        self.nodes[node] = Node { is_up: false, ..Node::new(spec, config.with_seed(seed)) };
        self.settle();
    }

    pub(super) fn start(&mut self, node: usize) {
        self.nodes[node].is_up = true;
    }

    pub(super) fn shut_down(&mut self, node: usize) {
        let now = self.now();
        self.nodes[node].protocol.shutdown(now);
        self.pump(node);
    }

    /// Runs until no message is in transit. Timers only fire if they are due before.
    pub(super) fn settle(&mut self) {
        while let Some(((at, _), _)) = self.arrivals.first_key_value() {
            self.step(*at);
        }
    }

    /// Runs for this duration.
    pub(super) fn run_for(&mut self, duration: Duration) {
        let end = self.elapsed + duration;
        while let Some(at) = self.next().filter(|at| *at <= end) {
            self.step(at);
        }
        self.elapsed = end;
    }

    /// Returns the sender and the receiver of each delivered message of this kind.
    pub(super) fn crossings(&self, kind: &str) -> Vec<(usize, usize)> {
        let such = self.trace.iter().filter(|crossing| crossing.message.kind() == kind);
        such.map(|crossing| (crossing.from, crossing.to)).collect()
    }

    /// Counts how often the body of each block was sent over each link, in either direction.
    pub(super) fn bodies(&self) -> BTreeMap<(Hash, usize, usize), usize> {
        let mut counts = BTreeMap::new();
        for Crossing { from, to, message, .. } in &self.trace {
            let blocks = match message {
                Message::Blocks(blocks) => blocks.as_slice(),
                Message::NewBlock(block) => core::slice::from_ref(block),
                _ => &[],
            };
            for block in blocks {
                *counts.entry((*block.hash(), *from.min(to), *from.max(to))).or_default() += 1;
            }
        }
        counts
    }

    /// Asserts that all nodes have the same tip, and the same blocks with the same contents below it.
    #[track_caller]
    pub(super) fn assert_same_chain(&self, height: u64) {
        let first = self.nodes[0].protocol.chain();
        assert_eq!(first.height(), height);
        for node in &self.nodes[1..] {
            let chain = node.protocol.chain();
            assert_eq!(chain.tip().hash(), first.tip().hash());
            assert!(chain.blocks(..).eq(first.blocks(..)));
            assert_eq!(chain.state(), first.state());
        }
    }

    fn next(&self) -> Option<Duration> {
        let timers = self.nodes.iter().filter(|node| node.is_up).filter_map(|n| n.protocol.poll_timeout());
        timers.chain(self.arrivals.first_key_value().map(|((at, _), _)| *at)).min()
    }

    /// Processes all events up to `at`, one by one.
    fn step(&mut self, at: Duration) {
        self.elapsed = self.elapsed.max(at);
        assert!(self.sent < 1_000_000, "the nodes never come to rest");
        let now = self.now();
        for node in 0..self.nodes.len() {
            let Node { protocol, is_up, .. } = &mut self.nodes[node];
            if *is_up && protocol.poll_timeout().is_some_and(|at| at <= now.elapsed) {
                protocol.handle(Input::Timeout, now);
                let next = protocol.poll_timeout();
                assert!(next.is_none_or(|at| at > now.elapsed), "a deadline that does not pass: {next:?}");
                self.pump(node);
            }
        }
        if let Some(first) = self.arrivals.first_entry()
            && first.key().0 <= self.elapsed
        {
            let arrival = first.remove();
            self.arrive(arrival);
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Message { connection, end, message } => {
                let ends = self.connections[connection];
                let (to, is_open) = ends[end];
                if is_open {
                    let from = ends[1 - end].0;
                    self.trace.push(Crossing { at: self.elapsed, from, to, message: message.clone() });
                    self.input(to, Input::Received { peer: peer_id(connection, end), message });
                }
            }
            Arrival::Dialled { from, address: to } => {
                let node = (0..self.nodes.len()).find(|node| address(*node) == to);
                let reachable = |node: &usize| {
                    self.nodes[*node].is_up && !self.apart.contains(&(from.min(*node), from.max(*node)))
                };
                let Some(node) = node.filter(reachable) else {
                    self.schedule(LATENCY, Arrival::Failed { from, address: to });
                    return;
                };
                let connection = self.connections.len();
                self.connections.push([(from, true), (node, true)]);
                self.schedule(LATENCY, Arrival::Accepted { connection, address: to });
                let peer = peer_id(connection, 1);
                let address = format!("test://caller-{from}").parse().unwrap();
                self.input(
                    node,
                    Input::Connected { peer, direction: Direction::Inbound, address, format: "none" },
                );
            }
            Arrival::Accepted { connection, address } => {
                let (node, is_open) = self.connections[connection][0];
                if is_open {
                    let peer = peer_id(connection, 0);
                    self.input(
                        node,
                        Input::Connected { peer, direction: Direction::Outbound, address, format: "none" },
                    );
                }
            }
            Arrival::Failed { from, address } => {
                let error = Arc::new(PeerAddrError::Empty);
                self.input(from, Input::DialFailed { address, error });
            }
            Arrival::Closed { connection, end } => {
                let (node, is_open) = self.connections[connection][end];
                self.connections[connection][end].1 = false;
                if is_open {
                    let peer = peer_id(connection, end);
                    self.input(node, Input::Disconnected { peer, reason: CloseReason::Ended });
                }
            }
        }
    }

    fn input(&mut self, node: usize, input: Input<Note>) {
        let now = self.now();
        if self.nodes[node].is_up {
            self.nodes[node].protocol.handle(input, now);
            self.pump(node);
        }
    }

    /// Performs the outputs of a node.
    pub(super) fn pump(&mut self, node: usize) {
        for output in self.nodes[node].protocol.drain_outputs() {
            match output {
                Output::Send { peers, message } => {
                    for peer in peers {
                        let (connection, end) = place(peer);
                        assert!(self.connections[connection][end].1, "sent to a closed connection");
                        if !(self.loses)(node, &message) {
                            let message = message.clone();
                            self.schedule(LATENCY, Arrival::Message { connection, end: 1 - end, message });
                        }
                    }
                }
                Output::Dial { address, .. } => {
                    self.nodes[node].dialled.push(self.elapsed);
                    self.schedule(LATENCY, Arrival::Dialled { from: node, address });
                }
                Output::Close { peer, .. } => {
                    let (connection, end) = place(peer);
                    self.connections[connection][end].1 = false;
                    self.schedule(LATENCY, Arrival::Closed { connection, end: 1 - end });
                }
                Output::SendBlocks { .. } => unreachable!("in messages"),
                Output::Event(event) => self.nodes[node].events.push(event),
            }
        }
    }

    fn schedule(&mut self, after: Duration, arrival: Arrival) {
        self.arrivals.insert((self.elapsed + after, self.sent), arrival);
        self.sent += 1;
    }
}

impl Node {
    fn new(spec: ChainSpec, config: ProtocolConfig) -> Self {
        let protocol = Protocol::new(spec, config.clone());
        Self { protocol, events: Vec::new(), dialled: Vec::new(), config, is_up: true }
    }

    pub(super) fn tip(&self) -> Hash {
        *self.protocol.chain().tip().hash()
    }

    /// Returns the reasons of closed connections, in order, as text.
    pub(super) fn closed(&self) -> Vec<String> {
        let reason = |event: &Event<Note>| match event {
            Event::PeerDisconnected { reason, .. } => Some(reason.to_string()),
            _ => None,
        };
        self.events.iter().filter_map(reason).collect()
    }

    /// Returns the texts of the pending transactions.
    pub(super) fn pending(&self) -> Vec<&str> {
        self.protocol.mempool().iter().map(|(_, note)| note.0.as_str()).collect()
    }
}

pub(super) fn address(node: usize) -> PeerAddr {
    format!("test://{node}").parse().unwrap()
}

const fn peer_id(connection: usize, end: usize) -> PeerId {
    PeerId((connection * 2 + end) as u64)
}

fn place(peer: PeerId) -> (usize, usize) {
    let number = usize::try_from(peer.0).unwrap();
    (number / 2, number % 2)
}
