//! One node, and peers whose messages a test controls.

use super::*;

pub(super) struct Bench {
    pub(super) node: Protocol<Note>,
    pub(super) now: Now,
    /// The initial blocks of the node.
    pub(super) blocks: Vec<Arc<Block<Note>>>,
    next_peer: u64,
}

impl Bench {
    /// A node with three blocks.
    pub(super) fn new() -> Self {
        Self::with_config(ProtocolConfig::default().with_seed(1))
    }

    pub(super) fn with_config(config: ProtocolConfig) -> Self {
        let mut bench = Self::over(Blockchain::with_config(spec("test"), config.chain.clone()), config);
        bench.blocks = chain_of(3, "block");
        for block in &bench.blocks {
            assert!(bench.node.mined(block, bench.now).unwrap());
        }
        bench.outputs();
        bench
    }

    /// Creates a node with this chain.
    pub(super) fn over(chain: Blockchain<Note>, config: ProtocolConfig) -> Self {
        Self::over_at(chain, config, START)
    }

    /// Creates a node with this chain that starts at another wall clock time.
    pub(super) fn over_at(chain: Blockchain<Note>, config: ProtocolConfig, wall: Timestamp) -> Self {
        let now = Now { elapsed: Duration::ZERO, wall };
        let node = Protocol::with_chain(chain, config, now.wall).unwrap();
        Self { node, now, blocks: Vec::new(), next_peer: 1 }
    }

    pub(super) fn outputs(&mut self) -> Vec<Output<Note>> {
        self.node.drain_outputs()
    }

    pub(super) fn handle(&mut self, input: Input<Note>) -> Vec<Output<Note>> {
        self.node.handle(input, self.now);
        self.outputs()
    }

    pub(super) fn receive(&mut self, peer: PeerId, message: Message<Note>) -> Vec<Output<Note>> {
        self.handle(Input::Received { peer, message })
    }

    /// Advances the clock by this duration, with every timeout at its time.
    pub(super) fn pass(&mut self, duration: Duration) -> Vec<Output<Note>> {
        let end = self.now.elapsed + duration;
        let mut outputs = Vec::new();
        while let Some(at) = self.node.poll_timeout().filter(|at| *at <= end) {
            self.at(at);
            outputs.extend(self.handle(Input::Timeout));
            let next = self.node.poll_timeout();
            assert!(next.is_none_or(|next| next > at), "a deadline that does not pass: {next:?}");
        }
        self.at(end);
        outputs
    }

    fn at(&mut self, elapsed: Duration) {
        self.now.wall = self.now.wall.saturating_add(elapsed.saturating_sub(self.now.elapsed));
        self.now.elapsed = self.now.elapsed.max(elapsed);
    }

    /// Opens an inbound connection without completing its handshake.
    pub(super) fn accept(&mut self) -> PeerId {
        let peer = PeerId(self.next_peer);
        self.next_peer += 1;
        let address = format!("test://peer-{}", peer.0).parse().unwrap();
        let outputs =
            self.handle(Input::Connected { peer, direction: Direction::Inbound, address, format: "none" });
        assert!(matches!(sent_to(&outputs, peer)[..], [Message::Hello(_)]));
        peer
    }

    /// Connects a peer that only has genesis.
    pub(super) fn join(&mut self) -> PeerId {
        let genesis = *self.node.chain().genesis().hash();
        self.join_at(genesis, 0, Work::ZERO).0
    }

    /// Connects a peer that claims the maximum work, so that the node requests headers at once.
    pub(super) fn join_ahead(&mut self) -> PeerId {
        let work = Work::from_uint(ruint::aliases::U256::MAX);
        let (peer, outputs) = self.join_at(Hash::from_bytes([7; 32]), 1_000, work);
        assert!(kinds(&outputs, peer).contains(&"get_headers"), "{outputs:?}");
        peer
    }

    /// Connects a peer with this tip.
    pub(super) fn join_at(&mut self, hash: Hash, height: u64, work: Work) -> (PeerId, Vec<Output<Note>>) {
        let peer = self.accept();
        let mut hello = self.hello();
        hello.tip = Tip { hash, height, work };
        let outputs = self.receive(peer, Message::Hello(hello));
        (peer, outputs)
    }

    /// Returns the `Hello` of the next peer.
    pub(super) fn hello(&self) -> Hello {
        let chain = self.node.chain();
        Hello {
            protocol: limits::PROTOCOL_VERSION,
            genesis: *chain.genesis().hash(),
            nonce: 1_000 + self.next_peer,
            tip: Tip { hash: *chain.genesis().hash(), height: 0, work: Work::ZERO },
            agent: "test".to_owned(),
            listen: None,
            wants_new_blocks: true,
            keeps_bodies: None,
        }
    }

    /// Returns a copy of the node's chain.
    pub(super) fn copy_of_chain(&self) -> Blockchain<Note> {
        let mut chain = Blockchain::new(spec("test"));
        for block in self.node.chain().blocks(1..) {
            let _ = chain.import(block.unwrap(), START).unwrap();
        }
        assert_eq!(chain.tip(), self.node.chain().tip());
        chain
    }

    /// Returns blocks that extend the node's initial blocks, each with one transaction.
    pub(super) fn following(&self, texts: &[&str]) -> Vec<Arc<Block<Note>>> {
        let mut chain = Blockchain::new(spec("test"));
        for block in &self.blocks {
            let _ = chain.import(Arc::clone(block), START).unwrap();
        }
        texts.iter().map(|text| extend(&mut chain, text)).collect()
    }
}

/// Returns all messages to this peer.
pub(super) fn sent_to(outputs: &[Output<Note>], to: PeerId) -> Vec<&Message<Note>> {
    let mut sent = Vec::new();
    for output in outputs {
        match output {
            Output::Send { peers, message } if peers.contains(&to) => sent.push(message),
            _ => {}
        }
    }
    sent
}

/// Returns the kinds of all messages to this peer.
pub(super) fn kinds(outputs: &[Output<Note>], to: PeerId) -> Vec<&'static str> {
    sent_to(outputs, to).into_iter().map(Message::kind).collect()
}

/// Returns the hashes that are requested from this peer in `GetBlocks`.
pub(super) fn asked_of(outputs: &[Output<Note>], of: PeerId) -> Vec<Hash> {
    let asked = |message: &Message<Note>| match message {
        Message::GetBlocks { hashes } => hashes.clone(),
        _ => Vec::new(),
    };
    sent_to(outputs, of).into_iter().flat_map(asked).collect()
}

/// Returns why the connection to this peer is closed, if it is.
pub(super) fn closed(outputs: &[Output<Note>], of: PeerId) -> Option<&CloseReason> {
    outputs.iter().find_map(|output| match output {
        Output::Close { peer, reason } if *peer == of => Some(reason),
        _ => None,
    })
}

pub(super) fn headers(blocks: &[Arc<Block<Note>>]) -> Message<Note> {
    Message::Headers(blocks.iter().map(|block| *block.header()).collect())
}

pub(super) fn hashes(blocks: &[Arc<Block<Note>>]) -> Vec<Hash> {
    blocks.iter().map(|block| *block.hash()).collect()
}
