//! Arbitrary inputs in any order: no input panics, every deadline passes, and the stored and sent data is
//! bounded.

use super::bench::Bench;
use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// The number of peers in a sequence; some are never connected.
const PEERS: u64 = 6;

/// Maximum outputs of one input, for the few peers, blocks and transactions in these sequences.
const MAX_OUTPUTS: usize = 200;

#[derive(Clone, Debug)]
enum Step {
    Connect(u64, bool),
    Greet(u64, Box<Hello>),
    Say(u64, Message<Note>),
    /// Answers the node's last request to this peer as an honest peer would.
    Answer(u64),
    Disconnect(u64),
    Malformed(u64),
    DialFailed(u64),
    Dial(u64),
    Submit(String),
    Mine(String),
    Pass(Duration),
}

/// Blocks for the sequences: the node's own, two branches, an invalid one, and orphans.
fn blocks() -> Vec<Arc<Block<Note>>> {
    let bench = Bench::new();
    let mut blocks = bench.blocks.clone();
    blocks.extend(bench.following(&["a1", "a2", "a3", "a4"]));
    blocks.extend(bench.following(&["b1", "b2", "b3", "b4", "b5"]));
    let header = *blocks[3].header();
    let data = vec![note("refused")];
    let merkle_root = crate::primitives::BodyDigest::of(&data).unwrap().merkle_root();
    blocks.push(Arc::new(Block::new(sealed(Header { merkle_root, ..header }), data)));
    blocks.push(Arc::new(Block::new(header, vec![note("of another block")])));
    let later = START.saturating_add(Duration::from_secs(300));
    blocks.push(Arc::new(Block::new(sealed(Header { timestamp: later, ..header }), Vec::new())));
    blocks.push(Arc::new(Block::new(Header { nonce: 1, height: u64::MAX, ..header }, Vec::new())));
    blocks.extend(chain_of(3, "elsewhere").split_off(1));
    blocks
}

fn message(blocks: Vec<Arc<Block<Note>>>) -> impl Strategy<Value = Message<Note>> {
    let block = prop::sample::select(blocks.clone());
    let run = (0..blocks.len(), 0usize..6)
        .prop_map(move |(from, len)| blocks[from..blocks.len().min(from + len)].to_vec());
    let headers = |blocks: Vec<Arc<Block<Note>>>| blocks.iter().map(|block| *block.header()).collect();
    let text = prop::sample::select(vec!["a1", "x", "y", "z", "refused", "block 1"]);
    let notes = prop::collection::vec(text.prop_map(note), 0..4);
    let ids =
        notes.clone().prop_map(|n| n.iter().map(|n| crate::primitives::transaction_id(n).unwrap()).collect());
    let hashes = run.clone().prop_map(|blocks| blocks.iter().map(|block| *block.hash()).collect());
    prop_oneof![
        any::<u64>().prop_map(Message::Ping),
        any::<u64>().prop_map(Message::Pong),
        (Strategy::boxed(hashes.clone()), any::<u32>())
            .prop_map(|(locator, limit)| Message::GetHeaders { locator, limit }),
        run.clone().prop_map(move |blocks| Message::Headers(headers(blocks))),
        hashes.clone().prop_map(|hashes| Message::GetBlocks { hashes }),
        run.prop_map(Message::Blocks),
        hashes.prop_map(|hashes| Message::NotFound { hashes }),
        block.clone().prop_map(|block| Message::Announce(*block.header())),
        block.prop_map(Message::NewBlock),
        Strategy::boxed(ids.clone()).prop_map(|ids| Message::Offer { ids }),
        ids.prop_map(|ids| Message::GetTransactions { ids }),
        notes.prop_map(Message::Transactions),
        Just(Message::Bye { reason: "bye".to_owned() }),
        any::<u32>().prop_map(|limit| Message::GetPeers { limit }),
        prop::collection::vec(0..2 * PEERS, 0..8)
            .prop_map(|peers| Message::Peers { addresses: peers.into_iter().map(address).collect() }),
    ]
}

fn hello(blocks: Vec<Arc<Block<Note>>>) -> impl Strategy<Value = Box<Hello>> {
    let listen = prop::option::of((0..2 * PEERS).prop_map(address));
    (0u64..4, prop::sample::select(blocks), any::<u64>(), any::<bool>(), listen).prop_map(
        |(nonce, tip, work, wants_new_blocks, listen)| {
            Box::new(Hello {
                nonce,
                tip: Tip {
                    hash: *tip.hash(),
                    height: tip.height(),
                    work: Work::from_uint(ruint::aliases::U256::from(work)),
                },
                wants_new_blocks,
                listen,
                ..Bench::new().hello()
            })
        },
    )
}

fn step(blocks: Vec<Arc<Block<Note>>>) -> impl Strategy<Value = Step> {
    let peer = 0..PEERS;
    let text = prop::sample::select(vec!["x", "y", "z", "own"]).prop_map(str::to_owned);
    let millis = prop_oneof![0u64..100, Just(500), Just(10_000), Just(19_999), Just(20_000), Just(300_000)];
    prop_oneof![
        3 => (peer.clone(), any::<bool>()).prop_map(|(peer, inbound)| Step::Connect(peer, inbound)),
        6 => (peer.clone(), hello(blocks.clone())).prop_map(|(peer, hello)| Step::Greet(peer, hello)),
        20 => (peer.clone(), message(blocks)).prop_map(|(peer, message)| Step::Say(peer, message)),
        20 => peer.clone().prop_map(Step::Answer),
        1 => peer.clone().prop_map(Step::Disconnect),
        1 => peer.clone().prop_map(Step::Malformed),
        1 => peer.clone().prop_map(Step::DialFailed),
        1 => peer.prop_map(Step::Dial),
        2 => text.clone().prop_map(Step::Submit),
        2 => text.prop_map(Step::Mine),
        3 => millis.prop_map(|millis| Step::Pass(Duration::from_millis(millis))),
    ]
}

fn address(peer: u64) -> PeerAddr {
    format!("test://{peer}").parse().unwrap()
}

/// Returns the answer of an honest peer with `blocks` to the last request, if there is one.
fn answer(request: &Message<Note>, blocks: &[Arc<Block<Note>>]) -> Option<Message<Note>> {
    match request {
        Message::GetHeaders { .. } => {
            Some(Message::Headers(blocks[3..7].iter().map(|block| *block.header()).collect()))
        }
        Message::GetBlocks { hashes } => {
            let found = |hash: &Hash| blocks.iter().find(|block| block.hash() == hash).cloned();
            Some(Message::Blocks(hashes.iter().filter_map(found).collect()))
        }
        Message::GetTransactions { ids } => {
            let notes = ["a1", "x", "y", "z", "refused", "block 1"].map(note);
            let wanted = |note: &Note| ids.contains(&crate::primitives::transaction_id(note).unwrap());
            Some(Message::Transactions(notes.into_iter().filter(wanted).collect()))
        }
        Message::GetPeers { .. } => Some(Message::Peers { addresses: (0..2 * PEERS).map(address).collect() }),
        Message::Ping(nonce) => Some(Message::Pong(*nonce)),
        _ => None,
    }
}

/// The open peers, and the last request to each.
#[derive(Default)]
struct Driver {
    open: BTreeMap<u64, PeerId>,
    asked: BTreeMap<PeerId, Message<Note>>,
    next: u64,
}

impl Driver {
    fn play(&mut self, bench: &mut Bench, blocks: &[Arc<Block<Note>>], step: Step) -> Vec<Output<Note>> {
        let open = |peer: u64| self.open.get(&peer).copied().unwrap_or(PeerId(u64::MAX));
        let outputs = match step {
            Step::Connect(peer, inbound) => {
                if self.open.contains_key(&peer) {
                    return Vec::new();
                }
                self.next += 1;
                let id = PeerId(1_000 + self.next);
                self.open.insert(peer, id);
                let direction = if inbound { Direction::Inbound } else { Direction::Outbound };
                bench.handle(Input::Connected { peer: id, direction, address: address(peer), format: "none" })
            }
            Step::Greet(peer, hello) => bench.receive(open(peer), Message::Hello(*hello)),
            Step::Say(peer, message) => bench.receive(open(peer), message),
            Step::Answer(peer) => match self.asked.remove(&open(peer)).and_then(|m| answer(&m, blocks)) {
                Some(message) => bench.receive(open(peer), message),
                None => Vec::new(),
            },
            Step::Disconnect(peer) => {
                let peer = self.open.remove(&peer).unwrap_or(PeerId(u64::MAX));
                bench.handle(Input::Disconnected { peer, reason: CloseReason::Ended })
            }
            Step::Malformed(peer) => {
                bench.handle(Input::Malformed { peer: open(peer), error: Arc::new(PeerAddrError::Empty) })
            }
            Step::DialFailed(peer) => bench
                .handle(Input::DialFailed { address: address(peer), error: Arc::new(PeerAddrError::Empty) }),
            Step::Dial(peer) => {
                let _ = bench.node.connect(address(peer), bench.now);
                bench.outputs()
            }
            Step::Submit(text) => {
                let _ = bench.node.submit(note(text), bench.now);
                bench.outputs()
            }
            Step::Mine(text) => {
                let template =
                    bench.node.template(Some(vec![note(text)]), Address::ZERO, bench.now.wall).unwrap();
                let block = Arc::new(template.mine().unwrap());
                assert!(bench.node.mined(&block, bench.now).unwrap());
                bench.outputs()
            }
            Step::Pass(duration) => bench.pass(duration),
        };
        self.follow(&outputs);
        outputs
    }

    /// Asserts that messages are only sent over open connections.
    fn follow(&mut self, outputs: &[Output<Note>]) {
        for output in outputs {
            match output {
                Output::Send { peers, message } => {
                    assert!(!peers.is_empty());
                    for peer in peers {
                        assert!(
                            self.open.values().any(|open| open == peer),
                            "sent to {peer}, which is closed"
                        );
                        self.asked.insert(*peer, message.clone());
                    }
                }
                Output::Close { peer, .. } => {
                    let before = self.open.len();
                    self.open.retain(|_, open| open != peer);
                    assert_eq!(self.open.len() + 1, before, "{peer} is closed twice");
                }
                _ => {}
            }
        }
    }
}

proptest! {
    #[test]
    fn nothing_panics_and_everything_is_bounded(steps in prop::collection::vec(step(blocks()), 1..120)) {
        let blocks = blocks();
        let mut bench = Bench::with_config(ProtocolConfig::default().with_seed(1).with_discovery(true));
        let mut driver = Driver::default();
        let mut work = bench.node.chain().work();
        for step in steps {
            let is_time = matches!(step, Step::Pass(_));
            let outputs = driver.play(&mut bench, &blocks, step);
            prop_assert!(is_time || outputs.len() <= MAX_OUTPUTS, "{} outputs", outputs.len());
            prop_assert!(bench.node.chain().work() >= work);
            work = bench.node.chain().work();
            prop_assert_eq!(bench.node.connections.ids(), driver.open.values().copied().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
            for peer in bench.node.peers() {
                prop_assert!(peer.blocks_in_flight <= limits::MAX_BLOCKS_IN_FLIGHT);
                prop_assert!(bench.node.relay.ids_of(peer.id).0.len() <= limits::MAX_OFFERED);
            }
            prop_assert!(bench.node.connections.kept() <= limits::MAX_OUTBOUND);
            prop_assert!(bench.node.connections.discovered() <= limits::MAX_DISCOVERED);
            prop_assert!(bench.node.addresses().len() <= limits::MAX_ADDRESSES);
        }
        // After any sequence, the node becomes idle, removes silent peers, and accepts a new one.
        bench.pass(Duration::from_secs(120));
        prop_assert_eq!(bench.node.connections.ids(), []);
        bench.join();
    }
}
