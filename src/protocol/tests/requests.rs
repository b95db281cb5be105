//! From which peers data is requested, how much at a time, and to which peers it is announced: each rule at
//! its boundary.

use super::bench::{Bench, asked_of, closed, hashes, headers, kinds, sent_to};
use super::*;
use crate::ChainConfig;
use crate::primitives::transaction_id;
use rstest::rstest;

const UNKNOWN: Hash = Hash::from_bytes([7; 32]);

fn with_chain(chain: ChainConfig) -> Bench {
    Bench::with_config(ProtocolConfig::default().with_seed(1).with_chain(chain))
}

/// Returns the work of the node's chain with `more` additional blocks.
fn work_of(bench: &Bench, more: usize) -> Work {
    let mut chain = bench.copy_of_chain();
    for _ in 0..more {
        extend(&mut chain, "more");
    }
    chain.work()
}

fn asks_for_headers(outputs: &[Output<Note>], peer: PeerId) -> bool {
    kinds(outputs, peer).contains(&"get_headers")
}

#[test]
fn a_name_may_be_as_long_as_it_may_be() {
    let mut bench = Bench::new();
    let peer = bench.accept();
    let agent = "a".repeat(limits::MAX_AGENT_BYTES);
    let outputs = bench.receive(peer, Message::Hello(Hello { agent: agent.clone(), ..bench.hello() }));
    assert!(closed(&outputs, peer).is_none());
    assert_eq!(bench.node.peers()[0].agent, agent);
}

#[test]
fn a_connection_that_the_node_opened_takes_no_place_of_a_caller() {
    let mut bench = Bench::with_config(ProtocolConfig::default().with_seed(1).with_max_inbound(0));
    let address: PeerAddr = "test://kept".parse().unwrap();
    bench.node.connect(address.clone(), bench.now).unwrap();
    bench.outputs();
    let peer = PeerId(1_000);
    let outputs =
        bench.handle(Input::Connected { peer, direction: Direction::Outbound, address, format: "none" });
    assert_eq!(kinds(&outputs, peer), ["hello"]);
}

/// Headers are requested only if the tip is unknown and its claimed work is more than the node's own.
#[rstest]
#[case::unknown_with_more(UNKNOWN, 1, true)]
#[case::unknown_with_as_much(UNKNOWN, 0, false)]
#[case::known_whatever_it_says(Hash::ZERO, 1, false)]
fn a_newcomer_is_asked_for_headers_that_may_matter(
    #[case] tip: Hash,
    #[case] more: usize,
    #[case] expected: bool,
) {
    let mut bench = Bench::new();
    let tip = if tip == UNKNOWN { tip } else { *bench.blocks[1].hash() };
    let work = work_of(&bench, more);
    let (peer, outputs) = bench.join_at(tip, 4, work);
    assert_eq!(asks_for_headers(&outputs, peer), expected);
}

#[test]
fn the_connection_that_is_kept_of_two_serves_the_address_of_the_other() {
    let mut bench = Bench::new();
    let address: PeerAddr = "test://kept".parse().unwrap();
    bench.node.connect(address.clone(), bench.now).unwrap();
    bench.outputs();
    let opened = PeerId(1_000);
    bench.handle(Input::Connected { peer: opened, direction: Direction::Outbound, address, format: "none" });
    // The node with the smaller nonce keeps the connection that it opened and closes the other one.
    let nonce = bench.node.connections.nonce() - 1;
    bench.receive(opened, Message::Hello(Hello { nonce, ..bench.hello() }));
    let called = bench.accept();
    let outputs = bench.receive(called, Message::Hello(Hello { nonce, ..bench.hello() }));
    assert!(closed(&outputs, opened).is_none() && closed(&outputs, called).is_none());
    bench.handle(Input::Disconnected { peer: opened, reason: CloseReason::Ended });
    assert_eq!(bench.node.unconnected().count(), 0, "it is reached over the other one");
    let outputs = bench.pass(limits::MAX_BACKOFF);
    assert!(!outputs.iter().any(|output| matches!(output, Output::Dial { .. })));
}

#[test]
fn a_new_tip_is_told_to_those_with_less_work_alone() {
    let mut bench = Bench::new();
    let sender = bench.join();
    let (as_much, even_more) = (work_of(&bench, 1), work_of(&bench, 2));
    let [(equal, _), (ahead, _)] = [as_much, even_more].map(|work| bench.join_at(UNKNOWN, 4, work));
    let behind = bench.join();
    let block = bench.following(&["new"]).remove(0);
    let outputs = bench.receive(sender, Message::NewBlock(Arc::clone(&block)));
    assert_eq!(sent_to(&outputs, behind), [&Message::Announce(*block.header())]);
    for peer in [sender, equal, ahead] {
        assert!(!kinds(&outputs, peer).contains(&"announce"));
    }
}

#[test]
fn a_new_tip_on_another_branch_is_told_like_any_other() {
    let mut bench = Bench::new();
    let [sender, witness] = [bench.join(), bench.join()];
    let branch = chain_of(4, "other");
    for block in &branch[..3] {
        let outputs = bench.receive(sender, Message::NewBlock(Arc::clone(block)));
        assert_eq!(kinds(&outputs, witness), [""; 0]);
    }
    let outputs = bench.receive(sender, Message::NewBlock(Arc::clone(&branch[3])));
    assert_eq!(bench.node.chain().tip(), &branch[3]);
    assert_eq!(sent_to(&outputs, witness)[0], &Message::Announce(*branch[3].header()));
}

#[test]
fn what_came_from_one_peer_is_not_asked_of_another_that_offered_it() {
    let mut bench = Bench::new();
    let [first, second] = [bench.join(), bench.join()];
    let ids = vec![transaction_id(&note("pay")).unwrap()];
    bench.receive(first, Message::Offer { ids: ids.clone() });
    bench.receive(second, Message::Offer { ids });
    let outputs = bench.receive(first, Message::Transactions(vec![note("pay")]));
    assert_eq!(bench.node.mempool().len(), 1);
    assert_eq!(kinds(&outputs, second), [""; 0]);
}

/// A text of this many canonical bytes, made of one letter.
fn sized(letter: &str, bytes: usize) -> Note {
    let text = note(letter.repeat(bytes - 3));
    let mut encoded = Vec::new();
    text.encode(&mut encoded).unwrap();
    assert_eq!(encoded.len(), bytes);
    text
}

#[test]
fn transactions_fill_an_answer_to_the_last_byte() {
    let mut bench = Bench::new();
    let peer = bench.join();
    let half = limits::MAX_TRANSACTIONS_BYTES / 2;
    let ask = |bench: &mut Bench, notes: [Note; 2]| {
        let ids = notes.map(|note| bench.node.submit(note, bench.now).unwrap()).to_vec();
        bench.outputs();
        let outputs = bench.receive(peer, Message::GetTransactions { ids });
        let [Message::Transactions(got)] = sent_to(&outputs, peer)[..] else { panic!("{outputs:?}") };
        got.len()
    };
    assert_eq!(ask(&mut bench, [sized("a", half), sized("b", half)]), 2);
    assert_eq!(ask(&mut bench, [sized("c", half), sized("d", half + 1)]), 1);
}

#[test]
fn blocks_fill_an_answer_to_the_last_byte() {
    let mut bench = Bench::new();
    let peer = bench.join();
    let half = limits::MAX_BLOCKS_BYTES / 2 - Header::LEN;
    let mut chain = bench.copy_of_chain();
    for (letter, bytes) in [("a", half), ("b", half), ("c", half + 1)] {
        let time = chain.spec().genesis_time().saturating_add(Duration::from_secs(chain.height() + 1));
        let block = Arc::new(chain.template(vec![sized(letter, bytes)], time).unwrap().mine().unwrap());
        let _ = chain.import(Arc::clone(&block), START).unwrap();
        assert!(bench.node.mined(&block, bench.now).unwrap());
        bench.blocks.push(block);
    }
    bench.outputs();
    let mut ask = |blocks: &[Arc<Block<Note>>]| {
        let outputs = bench.receive(peer, Message::GetBlocks { hashes: hashes(blocks) });
        kinds(&outputs, peer)
    };
    let blocks: Vec<_> = chain.blocks(4..).map(Result::unwrap).collect();
    assert_eq!(ask(&blocks[..2]), ["blocks"]);
    assert_eq!(ask(&blocks[1..]), ["blocks", "blocks"]);
}

#[test]
fn headers_that_lead_further_are_an_event() {
    let mut bench = Bench::new();
    let peer = bench.join_ahead();
    let blocks = bench.following(&["a", "b"]);
    let advanced = |outputs: &[Output<Note>]| {
        let height = |output: &Output<Note>| match output {
            Output::Event(Event::HeadersAdvanced { height }) => Some(*height),
            _ => None,
        };
        outputs.iter().filter_map(height).collect::<Vec<_>>()
    };
    assert_eq!(advanced(&bench.receive(peer, headers(&blocks))), [5]);
    let other = bench.join_ahead();
    assert_eq!(advanced(&bench.receive(other, headers(&blocks))), [0_u64; 0]);
}

/// A quarter of the limit on side headers is the size of a batch and of the window.
#[test]
fn a_peer_that_repeats_a_full_batch_is_not_asked_for_more() {
    let mut bench = with_chain(ChainConfig::default().with_max_side_headers(16));
    let peer = bench.join_ahead();
    let blocks = bench.following(&["a", "b", "c", "d"]);
    let outputs = bench.receive(peer, headers(&blocks));
    assert!(asks_for_headers(&outputs, peer), "there may be more");
    let outputs = bench.receive(peer, headers(&blocks));
    assert!(!asks_for_headers(&outputs, peer) && closed(&outputs, peer).is_none());
}

/// If the best header is within the window, other peers are asked for headers after it; otherwise for headers
/// after the tip.
#[rstest]
#[case::within(4, true)]
#[case::beyond(5, false)]
fn the_next_peer_is_asked_from_the_best_header_within_the_window(
    #[case] ahead: usize,
    #[case] from_best: bool,
) {
    let mut bench = with_chain(ChainConfig::default().with_max_side_headers(16));
    let first = bench.join_ahead();
    let blocks = bench.following(&["a", "b", "c", "d", "e"]);
    bench.receive(first, headers(&blocks[..4]));
    if ahead == 5 {
        bench.receive(first, headers(&blocks[4..]));
    }
    let best = if from_best { *blocks[3].hash() } else { *bench.node.chain().tip().hash() };
    let work = Work::from_uint(ruint::aliases::U256::MAX);
    let (second, outputs) = bench.join_at(UNKNOWN, 1_000, work);
    let locator = sent_to(&outputs, second).into_iter().find_map(|message| match message {
        Message::GetHeaders { locator, .. } => Some(locator.clone()),
        _ => None,
    });
    assert_eq!(locator.unwrap()[0], best);
}

#[test]
fn only_so_many_bodies_are_asked_for_as_fit_beside_the_chain() {
    let room = 2 * spec("test").max_block_bytes();
    let mut bench = with_chain(ChainConfig::default().with_max_side_bytes(room));
    let peer = bench.join_ahead();
    let blocks = bench.following(&["a", "b", "c", "d"]);
    let outputs = bench.receive(peer, headers(&blocks));
    assert_eq!(asked_of(&outputs, peer), hashes(&blocks[..2]));
}

/// All bodies of a branch except the lowest arrive. They are dropped once no connected peer has the branch.
#[test]
fn bodies_that_wait_go_with_the_last_peer_that_leads_to_them() {
    let mut bench = Bench::new();
    let blocks = bench.following(&["a", "b", "c"]);
    let kept = |bench: &Bench| {
        [1, 2].map(|at: usize| bench.node.chain().block(blocks[at].hash()).unwrap().is_some())
    };
    let peers = [bench.join_ahead(), bench.join_ahead()];
    for peer in peers {
        bench.receive(peer, headers(&blocks));
    }
    bench.receive(peers[0], Message::Blocks(blocks[1..].to_vec()));
    assert_eq!(kept(&bench), [true, true]);
    for (peer, expected) in peers.into_iter().zip([[true, true], [false, false]]) {
        bench.handle(Input::Disconnected { peer, reason: CloseReason::Ended });
        assert_eq!(kept(&bench), expected);
    }
}

/// Three peers claim the same tip, and two are asked for headers. The answer of one confirms the claims of
/// all.
#[test]
fn a_claim_that_came_true_is_no_reason_to_ask_any_more() {
    let mut bench = Bench::new();
    let block = bench.following(&["a"]).remove(0);
    let work = work_of(&bench, 1);
    let peers = [(); 3].map(|()| bench.join_at(*block.hash(), 4, work));
    let asked = peers.each_ref().map(|(peer, outputs)| asks_for_headers(outputs, *peer));
    assert_eq!(asked, [true, true, false]);
    let outputs = bench.receive(peers[0].0, headers(&[block]));
    assert!(!asks_for_headers(&outputs, peers[2].0));
}

/// Headers that exceed the limit are requested again after a pause.
#[test]
fn a_peer_whose_branch_finds_no_room_is_left_alone_for_a_while() {
    let mut bench = with_chain(ChainConfig::default().with_max_side_headers(4));
    let first = bench.join_ahead();
    let blocks = chain_of(5, "from the beginning");
    for block in &blocks[..4] {
        bench.receive(first, Message::Announce(*block.header()));
    }
    assert_eq!(bench.node.chain().best_header().0, blocks[3].hash());
    bench.receive(first, Message::Headers(Vec::new()));
    let outputs = bench.receive(first, Message::Announce(*blocks[4].header()));
    assert!(closed(&outputs, first).is_none(), "it is nobody's fault");
    assert!(!asks_for_headers(&outputs, first));
    assert!(!asks_for_headers(
        &bench.pass(limits::FULL_PAUSE.saturating_sub(Duration::from_millis(1))),
        first
    ));
}

/// Pending transactions are written again within a second if a block may have changed them, and only then.
#[rstest]
#[case::nothing_waits(false, false, false)]
#[case::something_waits(true, false, true)]
#[case::something_came_back(false, true, true)]
fn what_waits_is_written_when_it_may_have_changed(
    #[case] waits: bool,
    #[case] reorganises: bool,
    #[case] expected: bool,
) {
    let mut bench = Bench::new();
    if waits {
        bench.node.submit(note("waits"), bench.now).unwrap();
    }
    bench.outputs();
    bench.pass(limits::SAVE_INTERVAL * 2);
    let branch = chain_of(4, "other");
    let next = bench.following(&["next"]);
    for block in if reorganises { &branch[..] } else { &next[..] } {
        bench.node.mined(block, bench.now).unwrap();
    }
    let due = bench.now.elapsed + limits::SAVE_INTERVAL;
    assert_eq!(bench.node.poll_timeout().is_some_and(|at| at <= due), expected);
}

#[test]
fn a_host_whose_ban_is_lifted_is_dialled_at_once_and_no_other() {
    let mut bench = Bench::new();
    let addresses: [PeerAddr; 2] = ["test://banned", "test://other"].map(|address| address.parse().unwrap());
    for address in &addresses {
        bench.node.connect(address.clone(), bench.now).unwrap();
        bench.outputs();
        bench.handle(Input::DialFailed {
            address: address.clone(),
            error: Arc::new(std::io::Error::other("refused")),
        });
    }
    let host = PeerHost::from(&addresses[0]);
    bench.node.ban(&host, Duration::from_secs(60), bench.now);
    bench.outputs();
    assert!(bench.node.unban(&host, bench.now));
    let outputs = bench.outputs();
    let dialled: Vec<_> = outputs.iter().filter(|output| matches!(output, Output::Dial { .. })).collect();
    assert!(matches!(dialled[..], [Output::Dial { address, .. }] if *address == addresses[0]), "{dialled:?}");
}
