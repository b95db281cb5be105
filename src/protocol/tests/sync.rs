//! Synchronisation of nodes with different chains, and the messages that it takes.

use super::bench::{Bench, asked_of, closed, hashes, headers, kinds, sent_to};
use super::network::{LATENCY, Network};
use super::*;
use rstest::rstest;

#[rstest]
#[case::one_request(3)]
#[case::several_header_batches_and_windows(5_000)]
fn a_newcomer_takes_over_the_chain(#[case] len: u64) {
    let blocks = chain_of(len, "block");
    let mut network = Network::new(2);
    network.load(0, &blocks);
    network.connect(1, 0);
    network.settle();
    network.assert_same_chain(len);
    assert!(network.nodes[1].protocol.chain().blocks(1..).map(Result::unwrap).eq(blocks.iter().cloned()));
    let bodies = network.bodies();
    assert_eq!((bodies.len(), bodies.values().max()), (blocks.len(), Some(&1)));
    let batches = usize::try_from(len).unwrap() / limits::MAX_HEADERS + 1;
    assert_eq!(network.crossings("get_headers"), vec![(1, 0); batches]);
    let requests = network.crossings("get_blocks").len();
    assert!(requests <= blocks.len() / limits::BLOCKS_PER_REQUEST + 1, "{requests} requests");
    let connected = network.nodes[1].events.iter().filter_map(|event| match event {
        Event::BlockConnected { block, .. } => Some(block),
        _ => None,
    });
    assert!(connected.eq(&blocks));
}

#[test]
fn several_peers_share_a_download() {
    let blocks = chain_of(600, "block");
    let mut network = Network::new(4);
    for node in 0..3 {
        network.load(node, &blocks);
        network.connect(3, node);
    }
    network.settle();
    network.assert_same_chain(600);
    let bodies = network.bodies();
    let mut per_block: BTreeMap<Hash, usize> = BTreeMap::new();
    for ((hash, ..), count) in &bodies {
        *per_block.entry(*hash).or_default() += count;
    }
    assert_eq!((per_block.len(), per_block.values().max()), (600, Some(&1)));
    for node in 0..3 {
        let share = bodies.keys().filter(|(_, a, b)| (*a, *b) == (node, 3)).count();
        assert!(share > 100, "peer {node} was asked for {share} of 600 bodies");
    }
}

#[test]
fn a_late_joiner_takes_over_what_the_others_mined() {
    let mut network = Network::mesh(3);
    for (miner, text) in [(0, "a"), (1, "b"), (2, "c"), (1, "d")] {
        network.mine(miner, text);
        network.settle();
    }
    network.crash(2);
    network.mine(0, "e");
    network.start(2);
    network.connect(2, 0);
    network.settle();
    network.assert_same_chain(5);
    let texts = network.nodes[2].protocol.chain().blocks(1..).map(|block| block.unwrap().data()[0].0.clone());
    assert_eq!(texts.collect::<Vec<_>>(), ["a", "b", "c", "d", "e"]);
}

#[test]
fn a_fork_heals_to_the_side_with_more_work_and_loses_no_transaction() {
    let mut network = Network::mesh(3);
    network.mine(0, "common");
    network.settle();
    network.sever(0, 2);
    network.sever(1, 2);
    network.mine(2, "lost 1");
    network.mine(2, "lost 2");
    for text in ["won 1", "won 2", "won 3"] {
        network.mine(0, text);
        network.settle();
    }
    assert_eq!(network.nodes[2].protocol.chain().height(), 3);
    network.heal();
    network.run_for(Duration::from_secs(20));
    network.assert_same_chain(4);
    assert_eq!(network.nodes[0].protocol.chain().tip().data(), [note("won 3")]);
    let left = network.nodes[2].events.iter().filter_map(|event| match event {
        Event::BlockDisconnected(block) => Some(block.data()[0].0.as_str()),
        _ => None,
    });
    assert_eq!(left.collect::<Vec<_>>(), ["lost 2", "lost 1"]);
    for node in &network.nodes {
        // In the order in which they had been mined.
        assert_eq!(node.pending(), ["lost 1", "lost 2"]);
    }
    network.mine_data(1, None);
    network.settle();
    network.assert_same_chain(5);
    assert!(network.nodes.iter().all(|node| node.pending().is_empty()));
}

#[test]
fn of_equal_chains_each_keeps_its_own_until_one_grows() {
    let mut network = Network::new(2);
    network.mine(0, "left");
    network.mine(1, "right");
    network.connect(0, 1);
    network.settle();
    assert_ne!(network.nodes[0].tip(), network.nodes[1].tip());
    network.mine(1, "more");
    network.settle();
    network.assert_same_chain(2);
    assert_eq!(network.nodes[0].pending(), ["left"]);
}

#[test]
fn a_block_mined_during_the_handshake_is_not_missed() {
    let mut network = Network::new(2);
    network.connect(1, 0);
    // Both ends have sent their `Hello`, and neither has received the other's.
    network.run_for(LATENCY);
    network.mine(0, "during");
    network.settle();
    network.assert_same_chain(1);
    assert_eq!(network.bodies().values().collect::<Vec<_>>(), [&1]);
}

#[test]
fn the_same_calls_give_the_same_trace() {
    let run = || {
        let mut network = Network::mesh(4);
        network.mine(0, "a");
        network.submit(1, "b");
        network.run_for(Duration::from_secs(40));
        network.sever(2, 3);
        network.mine_data(3, None);
        network.heal();
        network.run_for(Duration::from_secs(40));
        format!("{:?}", network.trace)
    };
    assert_eq!(run(), run());
}

#[test]
fn a_stalled_download_goes_on_with_another_peer() {
    let blocks = chain_of(100, "block");
    let mut network = Network::new(3);
    network.load(0, &blocks);
    network.load(1, &blocks);
    network.loses = Box::new(|from, message| from == 0 && message.kind() == "blocks");
    network.connect(2, 0);
    network.connect(2, 1);
    network.settle();
    assert_eq!(network.nodes[2].protocol.chain().height(), 0);
    network.run_for(limits::REQUEST_TIMEOUT + Duration::from_secs(1));
    network.assert_same_chain(100);
    assert_eq!(network.nodes[2].closed(), ["no answer to get_blocks within 20 s"]);
}

/// The peer reads and sends the next blocks while the answers to earlier requests are in transit.
#[test]
fn several_requests_are_under_way_at_a_time() {
    const ONE: usize = limits::BLOCKS_PER_REQUEST;
    const MOST: usize = limits::MAX_BLOCKS_IN_FLIGHT;
    let mut bench = Bench::new();
    let peer = bench.join_ahead();
    let blocks = bench.following(&vec!["x"; MOST + ONE + 2]);
    let requests = |outputs: &[Output<Note>]| -> Vec<Vec<Hash>> {
        let hashes = |message: &Message<Note>| match message {
            Message::GetBlocks { hashes } => Some(hashes.clone()),
            _ => None,
        };
        sent_to(outputs, peer).into_iter().filter_map(hashes).collect()
    };
    let outputs = bench.receive(peer, headers(&blocks));
    assert_eq!(requests(&outputs), blocks[..MOST].chunks(ONE).map(hashes).collect::<Vec<_>>());
    // Large blocks arrive one by one, but are not requested one by one.
    for block in &blocks[..ONE - 1] {
        assert_eq!(requests(&bench.receive(peer, Message::Blocks(vec![Arc::clone(block)]))), [[]; 0]);
    }
    let outputs = bench.receive(peer, Message::Blocks(vec![Arc::clone(&blocks[ONE - 1])]));
    assert_eq!(requests(&outputs), [hashes(&blocks[MOST..MOST + ONE])]);
    let outputs = bench.receive(peer, Message::Blocks(blocks[ONE..2 * ONE].to_vec()));
    assert_eq!(requests(&outputs), [hashes(&blocks[MOST + ONE..])]);
    for blocks in blocks[2 * ONE..].chunks(ONE) {
        let outputs = bench.receive(peer, Message::Blocks(blocks.to_vec()));
        assert_eq!(requests(&outputs), [[]; 0], "asked for already");
    }
    assert_eq!(bench.node.chain().tip(), blocks.last().unwrap());
}

/// The blocks of several messages are imported as if the messages had arrived one by one, up to the first message at
/// which the peer is at fault.
#[rstest]
#[case::requested(None, 96, None)]
#[case::not_requested(Some((0, 1)), 64, Some("unsolicited blocks"))]
#[case::too_many(Some((64, limits::MAX_BLOCKS + 1)), 64, Some("blocks has 65 items"))]
fn blocks_of_several_messages_are_imported_together(
    #[case] repeated_in_third: Option<(usize, usize)>,
    #[case] height: u64,
    #[case] closed: Option<&str>,
) {
    let mut bench = Bench::new();
    let peer = bench.join_ahead();
    let blocks = bench.following(&vec!["x"; 96]);
    bench.receive(peer, headers(&blocks));
    let mut messages: Vec<_> = blocks.chunks(32).map(<[_]>::to_vec).collect();
    if let Some((block, times)) = repeated_in_third {
        messages[2] = vec![Arc::clone(&blocks[block]); times];
    }
    bench.node.handle(Input::ReceivedBlocks { peer, messages }, bench.now);
    let outputs = bench.node.drain_outputs();
    assert_eq!(bench.node.chain().height(), height + blocks[0].height() - 1);
    let connected = |output: &&Output<Note>| matches!(output, Output::Event(Event::BlockConnected { .. }));
    assert_eq!(outputs.iter().filter(connected).count() as u64, height);
    let reason = outputs.iter().find_map(|output| match output {
        Output::Close { reason, .. } => Some(reason.to_string()),
        _ => None,
    });
    assert_eq!(reason.is_some(), closed.is_some(), "{reason:?}");
    assert!(reason.unwrap_or_default().contains(closed.unwrap_or_default()));
}

/// A chain of headers with more work but without bodies must not block the chains of other peers.
#[rstest]
#[case::while_it_withholds(Duration::from_secs(1))]
#[case::after_it_is_gone(limits::REQUEST_TIMEOUT)]
fn withheld_bodies_do_not_hide_the_chains_of_others(#[case] wait: Duration) {
    let mut bench = Bench::new();
    let withholder = bench.join_ahead();
    let withheld = bench.following(&["w1", "w2", "w3", "w4", "w5"]);
    let outputs = bench.receive(withholder, headers(&withheld));
    assert_eq!(asked_of(&outputs, withholder), hashes(&withheld));
    let outputs = bench.pass(wait);
    let is_closed = closed(&outputs, withholder).map(ToString::to_string);
    let expected = (wait == limits::REQUEST_TIMEOUT).then_some("no answer to get_blocks within 20 s");
    assert_eq!(is_closed.as_deref(), expected);
    // Less work than the withheld headers claim, but more than the node has.
    let honest = bench.following(&["h1", "h2"]);
    let mut chain = bench.copy_of_chain();
    for block in &honest {
        let _ = chain.import(Arc::clone(block), START).unwrap();
    }
    let (peer, outputs) = bench.join_at(*chain.tip().hash(), chain.height(), chain.work());
    assert!(kinds(&outputs, peer).contains(&"get_headers"), "{outputs:?}");
    let outputs = bench.receive(peer, headers(&honest));
    assert_eq!(asked_of(&outputs, peer), hashes(&honest));
    bench.receive(peer, Message::Blocks(honest.clone()));
    assert_eq!(bench.node.chain().tip(), &honest[1]);
}

/// A peer that delivers the headers first and withholds the bodies leaves the other peers without new headers
/// to deliver.
#[test]
fn withheld_bodies_come_from_those_who_say_that_they_have_them() {
    let mut bench = Bench::new();
    let blocks = bench.following(&["a", "b", "c"]);
    let mut chain = bench.copy_of_chain();
    for block in &blocks {
        let _ = chain.import(Arc::clone(block), START).unwrap();
    }
    let join = |bench: &mut Bench| bench.join_at(*chain.tip().hash(), chain.height(), chain.work()).0;
    let withholder = bench.join_ahead();
    let honest = join(&mut bench);
    let outputs = bench.receive(withholder, headers(&blocks));
    assert_eq!(asked_of(&outputs, withholder), hashes(&blocks));
    bench.receive(honest, Message::Headers(Vec::new()));
    let outputs = bench.pass(limits::REQUEST_TIMEOUT);
    assert!(closed(&outputs, withholder).is_some());
    assert_eq!(asked_of(&outputs, honest), hashes(&blocks));
}

/// The miner of a block may disconnect before it has delivered the parent. Other peers have the parent on a
/// branch with no more work than the node's own.
#[test]
fn what_a_block_waits_for_comes_from_peers_with_no_more_work_than_ours() {
    let mut bench = Bench::new();
    let own = bench.following(&["own"]);
    let rivals = bench.following(&["rival", "on top"]);
    assert!(bench.node.mined(&own[0], bench.now).unwrap());
    bench.outputs();
    let [miner, other] = [bench.join(), bench.join()];
    let outputs = bench.receive(other, Message::Announce(*rivals[0].header()));
    assert_eq!(asked_of(&outputs, other), [], "of equals the first stays");
    let outputs = bench.receive(miner, Message::NewBlock(Arc::clone(&rivals[1])));
    assert_eq!((asked_of(&outputs, miner), asked_of(&outputs, other)), (hashes(&rivals[..1]), vec![]));
    let outputs = bench.handle(Input::Disconnected { peer: miner, reason: CloseReason::Ended });
    assert_eq!(asked_of(&outputs, other), hashes(&rivals[..1]));
    bench.receive(other, Message::Blocks(rivals[..1].to_vec()));
    assert_eq!(bench.node.chain().tip(), &rivals[1]);
}

/// Headers far ahead of the bodies delay the requests to the peer that delivered them, not to others.
#[test]
fn headers_far_ahead_do_not_hold_up_the_headers_of_others() {
    // A quarter of the limit is the window, and the size of a batch.
    let room = crate::ChainConfig::default().with_max_side_headers(1_000);
    let mut bench = Bench::with_config(ProtocolConfig::default().with_seed(1).with_chain(room));
    let first = bench.join_ahead();
    let mut chain = bench.copy_of_chain();
    let mut batch = || (0..250).map(|_| extend(&mut chain, "far")).collect::<Vec<_>>();
    let outputs = bench.receive(first, headers(&batch()));
    assert!(kinds(&outputs, first).contains(&"get_headers"));
    let outputs = bench.receive(first, headers(&batch()));
    assert!(!kinds(&outputs, first).contains(&"get_headers"), "goes on beyond the window");
    let second = bench.join_ahead();
    let honest = bench.following(&["h1"]);
    let outputs = bench.receive(second, headers(&honest));
    assert_eq!(asked_of(&outputs, second), hashes(&honest));
}

#[test]
fn good_headers_before_one_from_the_future_count() {
    let mut bench = Bench::new();
    let peer = bench.join_ahead();
    let blocks = bench.following(&["next", "later"]);
    let late = bench.now.wall.saturating_add(Duration::from_secs(125));
    let future = sealed(Header { timestamp: late, ..*blocks[1].header() });
    let outputs = bench.receive(peer, Message::Headers(vec![*blocks[0].header(), future]));
    assert_eq!(closed(&outputs, peer).map(ToString::to_string), None);
    assert_eq!(asked_of(&outputs, peer), [*blocks[0].hash()]);
    bench.receive(peer, Message::Blocks(vec![Arc::clone(&blocks[0])]));
    // Two minutes ahead are permitted: five seconds later the header is requested again.
    assert_eq!(kinds(&bench.pass(Duration::from_secs(4)), peer), [""; 0]);
    assert_eq!(kinds(&bench.pass(Duration::from_secs(1)), peer), ["get_headers"]);
    let outputs = bench.receive(peer, Message::Headers(vec![future]));
    assert_eq!(asked_of(&outputs, peer), [future.hash()]);
}

#[test]
fn a_peer_that_lost_a_block_is_asked_again_when_it_shows_another() {
    let mut bench = Bench::new();
    let peer = bench.join_ahead();
    let blocks = bench.following(&["a", "b"]);
    let outputs = bench.receive(peer, headers(&blocks[..1]));
    assert_eq!(asked_of(&outputs, peer), hashes(&blocks[..1]));
    let other = bench.join_ahead();
    let outputs = bench.receive(other, headers(&blocks[..1]));
    assert_eq!(asked_of(&outputs, other), []);
    let outputs = bench.receive(peer, Message::NotFound { hashes: hashes(&blocks[..1]) });
    assert_eq!((asked_of(&outputs, peer), asked_of(&outputs, other)), (vec![], hashes(&blocks[..1])));
    let outputs = bench.receive(peer, Message::Announce(*blocks[1].header()));
    assert_eq!(asked_of(&outputs, peer), hashes(&blocks[1..]));
}

#[test]
fn a_tree_with_little_room_still_synchronises() {
    let blocks = chain_of(300, "block");
    let small = crate::ChainConfig::default().with_max_side_headers(40).with_max_side_bytes(2 << 20);
    let mut network = Network::of([
        (spec("test"), ProtocolConfig::default()),
        (spec("test"), ProtocolConfig::default().with_chain(small)),
    ]);
    network.load(0, &blocks);
    network.connect(1, 0);
    network.settle();
    network.assert_same_chain(300);
    assert_eq!(network.bodies().values().max(), Some(&1));
}

/// Peers that wait for a request are asked in turn, regardless of the order of their connections.
#[test]
fn peers_with_endless_news_do_not_keep_others_from_being_asked() {
    let mut bench = Bench::new();
    let [a, b] = [bench.join_ahead(), bench.join_ahead()];
    let work = Work::from_uint(ruint::aliases::U256::MAX);
    let (patient, outputs) = bench.join_at(Hash::from_bytes([8; 32]), 9, work);
    assert!(!kinds(&outputs, patient).contains(&"get_headers"), "more requests than slots");
    let unknown = *chain_of(7, "elsewhere")[6].header();
    for peer in [a, b] {
        bench.receive(peer, Message::Announce(unknown));
    }
    let outputs = bench.receive(a, Message::Headers(Vec::new()));
    assert_eq!(kinds(&outputs, patient), ["get_headers"]);
}

/// A stream of new connections whose requests time out leaves a request slot to earlier peers.
#[test]
fn newcomers_do_not_come_before_those_who_have_waited() {
    let mut bench = Bench::new();
    let [slow, waiting] = [bench.join_ahead(), bench.join_ahead()];
    bench.receive(waiting, Message::Headers(Vec::new()));
    let other_slow = bench.join_ahead();
    let unknown = *chain_of(7, "elsewhere")[6].header();
    bench.receive(waiting, Message::Announce(unknown));
    bench.pass(Duration::from_secs(1));
    let work = Work::from_uint(ruint::aliases::U256::MAX);
    bench.join_at(Hash::from_bytes([9; 32]), 9, work);
    let outputs = bench.pass(limits::REQUEST_TIMEOUT);
    assert_eq!([slow, other_slow].map(|peer| kinds(&outputs, peer)), [["bye"]; 2], "both slots are free");
    assert_eq!(kinds(&outputs, waiting)[0], "get_headers");
}
