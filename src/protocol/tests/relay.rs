//! Blocks and transactions reach all nodes, without redundant messages.

use super::bench::{Bench, closed, hashes, headers, kinds, sent_to};
use super::network::Network;
use super::*;
use crate::mempool::MempoolConfig;
use crate::primitives::transaction_id;
use rstest::rstest;

#[rstest]
#[case::triangle(3)]
#[case::mesh(5)]
fn a_mined_block_crosses_each_link_at_most_once(#[case] nodes: usize) {
    let mut network = Network::mesh(nodes);
    for miner in 0..nodes {
        network.trace.clear();
        let block = network.mine(miner, &format!("by {miner}"));
        network.settle();
        network.assert_same_chain(miner as u64 + 1);
        let pushed: Vec<_> = (0..nodes).filter(|to| *to != miner).map(|to| (miner, to)).collect();
        let mut got = network.crossings("new_block");
        got.sort_unstable();
        assert_eq!(got, pushed);
        let bodies = network.bodies();
        assert!(bodies.keys().all(|(hash, ..)| hash == block.hash()));
        assert_eq!(bodies.values().max(), Some(&1));
        // Every node received the body before an announcement.
        assert_eq!(network.crossings("get_blocks"), []);
    }
}

#[test]
fn down_a_line_a_block_goes_by_its_header_first() {
    let mut network = Network::new(4);
    for node in 1..4 {
        network.connect(node, node - 1);
    }
    network.settle();
    network.mine(0, "far");
    network.settle();
    network.assert_same_chain(1);
    assert_eq!(network.crossings("new_block"), [(0, 1)]);
    assert_eq!(network.crossings("announce"), [(1, 2), (2, 3)]);
    assert_eq!(network.crossings("get_blocks"), [(2, 1), (3, 2)]);
    assert_eq!(network.crossings("blocks"), [(1, 2), (2, 3)]);
}

#[test]
fn who_does_not_want_whole_blocks_gets_headers() {
    let plain = ProtocolConfig::default().with_wants_new_blocks(false);
    let mut network = Network::of([(spec("test"), ProtocolConfig::default()), (spec("test"), plain)]);
    network.connect(0, 1);
    network.settle();
    network.mine(0, "news");
    network.settle();
    network.assert_same_chain(1);
    assert_eq!((network.crossings("new_block"), network.crossings("announce")), (vec![], vec![(0, 1)]));
}

#[test]
fn a_transaction_reaches_every_mempool_once_and_never_goes_back() {
    let mut network = Network::mesh(4);
    let id = network.submit(2, "pay");
    network.settle();
    for node in &network.nodes {
        assert_eq!(node.pending(), ["pay"]);
        let accepted =
            |event: &&Event<Note>| matches!(event, Event::TransactionAccepted { id: got } if *got == id);
        assert_eq!(node.events.iter().filter(accepted).count(), 1);
    }
    let mut delivered = network.crossings("transactions");
    delivered.sort_unstable();
    assert_eq!(delivered, [(2, 0), (2, 1), (2, 3)]);
    assert!(network.crossings("offer").iter().all(|(_, to)| *to != 2), "echoed to where it came from");
}

#[test]
fn a_newcomer_is_offered_the_whole_mempool_and_a_full_one_too() {
    let mut network = Network::new(2);
    for number in 0..10_000 {
        network.submit(0, &number.to_string());
    }
    network.connect(1, 0);
    network.settle();
    assert_eq!(network.nodes[1].pending().len(), 10_000);
    let [first, second] = [0, 1].map(|node| network.nodes[node].protocol.mempool());
    assert!(second.iter().all(|(id, _)| first.contains(id)));
}

#[test]
fn what_was_mined_is_not_taken_from_a_peer_again() {
    let mut bench = Bench::new();
    let peer = bench.join();
    let id = transaction_id(&note("block 2")).unwrap();
    let outputs = bench.receive(peer, Message::Offer { ids: vec![id] });
    assert_eq!(kinds(&outputs, peer), [""; 0]);
    // The transaction is mined between the request and the answer.
    let late = note("late");
    let id = transaction_id(&late).unwrap();
    let outputs = bench.receive(peer, Message::Offer { ids: vec![id] });
    assert_eq!(sent_to(&outputs, peer), [&Message::GetTransactions { ids: vec![id] }]);
    let block = bench.following(&["late"]).remove(0);
    assert!(bench.node.mined(&block, bench.now).unwrap());
    bench.outputs();
    assert_eq!(kinds(&bench.receive(peer, Message::Transactions(vec![late])), peer), [""; 0]);
    assert!(bench.node.mempool().is_empty());
    assert_eq!(bench.node.peers().len(), 1);
}

#[test]
fn what_one_peer_does_not_deliver_is_asked_of_another() {
    let mut bench = Bench::new();
    let [first, second] = [bench.join(), bench.join()];
    let id = transaction_id(&note("pay")).unwrap();
    let outputs = bench.receive(first, Message::Offer { ids: vec![id] });
    assert_eq!(kinds(&outputs, first), ["get_transactions"]);
    assert_eq!(kinds(&bench.receive(second, Message::Offer { ids: vec![id] }), second), [""; 0]);
    let outputs = bench.receive(first, Message::Transactions(Vec::new()));
    assert_eq!(sent_to(&outputs, second), [&Message::GetTransactions { ids: vec![id] }]);
    bench.receive(second, Message::Transactions(vec![note("pay")]));
    assert!(bench.node.mempool().contains(&id));
}

#[test]
fn an_answer_that_ends_early_is_asked_for_the_rest() {
    let mut bench = Bench::new();
    let peer = bench.join();
    let ids = ["a", "b", "c"].map(|text| transaction_id(&note(text)).unwrap());
    bench.receive(peer, Message::Offer { ids: ids.to_vec() });
    let outputs = bench.receive(peer, Message::Transactions(vec![note("b")]));
    // The skipped transactions are no longer pending at the peer; those after the end of the answer may be.
    assert_eq!(sent_to(&outputs, peer), [&Message::GetTransactions { ids: vec![ids[2]] }]);
    // An empty answer ends the requests for the rest.
    assert_eq!(kinds(&bench.receive(peer, Message::Transactions(Vec::new())), peer), [""; 0]);
}

#[test]
fn transactions_of_a_branch_that_lost_are_offered_to_those_who_never_saw_it() {
    let mut bench = Bench::new();
    let lost = bench.following(&["lost"]);
    let won = bench.following(&["won 1", "won 2"]);
    assert!(bench.node.mined(&lost[0], bench.now).unwrap());
    bench.outputs();
    let peer = bench.join_ahead();
    bench.receive(peer, headers(&won));
    let outputs = bench.receive(peer, Message::Blocks(won.clone()));
    assert_eq!(bench.node.chain().tip().hash(), &hashes(&won)[1]);
    let ids = vec![transaction_id(&note("lost")).unwrap()];
    assert_eq!(sent_to(&outputs, peer), [&Message::Offer { ids }]);
}

#[test]
fn what_a_newcomer_was_offered_is_not_offered_again_when_it_comes_back() {
    let mut bench = Bench::new();
    let (lost, won) = (bench.following(&["lost"]), bench.following(&["won 1", "won 2"]));
    bench.node.submit(note("lost"), bench.now).unwrap();
    bench.outputs();
    // The peer is offered all pending transactions.
    let peer = bench.join_ahead();
    assert!(bench.node.mined(&lost[0], bench.now).unwrap());
    bench.outputs();
    bench.receive(peer, headers(&won));
    let outputs = bench.receive(peer, Message::Blocks(won));
    assert!(bench.node.mempool().contains(&transaction_id(&note("lost")).unwrap()));
    assert_eq!(kinds(&outputs, peer), [""; 0]);
}

#[test]
fn what_was_gone_when_a_peer_asked_for_it_is_offered_again_when_it_comes_back() {
    let mut bench = Bench::new();
    let (lost, won) = (bench.following(&["lost"]), bench.following(&["won 1", "won 2"]));
    let peer = bench.join_ahead();
    let id = bench.node.submit(note("lost"), bench.now).unwrap();
    assert!(bench.node.mined(&lost[0], bench.now).unwrap());
    bench.outputs();
    let outputs = bench.receive(peer, Message::GetTransactions { ids: vec![id] });
    assert_eq!(sent_to(&outputs, peer), [&Message::Transactions(Vec::new())]);
    bench.receive(peer, headers(&won));
    let outputs = bench.receive(peer, Message::Blocks(won));
    assert_eq!(sent_to(&outputs, peer), [&Message::Offer { ids: vec![id] }]);
}

#[test]
fn what_comes_in_one_answer_goes_on_in_one_offer() {
    let mut bench = Bench::new();
    let (giver, other) = (bench.join(), bench.join());
    let notes: Vec<Note> = (0..limits::MAX_TRANSACTIONS).map(|n| note(format!("note {n}"))).collect();
    let ids: Vec<Hash> = notes.iter().map(|note| transaction_id(note).unwrap()).collect();
    bench.receive(giver, Message::Offer { ids: ids.clone() });
    let outputs = bench.receive(giver, Message::Transactions(notes));
    assert_eq!(sent_to(&outputs, other), [&Message::Offer { ids }]);
    assert_eq!(kinds(&outputs, giver), [""; 0]);
}

/// Lets a peer offer these transactions and deliver the requested ones.
fn deliver(bench: &mut Bench, peer: PeerId, texts: impl Iterator<Item = String>) -> Vec<Output<Note>> {
    let notes: Vec<Note> = texts.map(note).collect();
    let ids = notes.iter().map(|note| transaction_id(note).unwrap()).collect();
    let outputs = bench.receive(peer, Message::Offer { ids });
    assert_eq!(kinds(&outputs, peer), ["get_transactions"], "what gave way may come again");
    bench.receive(peer, Message::Transactions(notes))
}

#[test]
fn a_flood_of_transactions_from_one_host_keeps_those_of_another_out_no_longer() {
    const ROOM: usize = 300;
    let mempool = MempoolConfig::default().with_max_transactions(ROOM);
    let mut bench = Bench::with_config(ProtocolConfig::default().with_seed(1).with_mempool(mempool));
    let own = bench.node.submit(note("own"), bench.now).unwrap();
    let [flood, honest, other] = [bench.join(), bench.join(), bench.join()];
    let mut outputs = deliver(&mut bench, flood, (0..2 * ROOM).map(|number| format!("flood {number}")));
    for round in 0..4_usize {
        let texts = (round * 25..(round + 1) * 25).map(|number| format!("honest {number}"));
        let ids: Vec<Hash> = texts.clone().map(|text| transaction_id(&note(text)).unwrap()).collect();
        let brought = deliver(&mut bench, honest, texts);
        assert_eq!(sent_to(&brought, other), [&Message::Offer { ids: ids.clone() }], "passed on");
        outputs.extend(brought);
        // The latest transactions of the flood were evicted, and are delivered again.
        outputs.extend(deliver(&mut bench, flood, (ROOM - 6..2 * ROOM).map(|n| format!("flood {n}"))));
        assert!(ids.iter().all(|id| bench.node.mempool().contains(id)), "round {round}");
    }
    assert!(bench.node.mempool().contains(&own));
    assert_eq!(bench.node.mempool().len(), ROOM);
    assert!([flood, honest, other].iter().all(|peer| closed(&outputs, *peer).is_none()));
    // Transactions are mined in order of arrival, so the rest of the flood comes first.
    let template = bench.node.template(None, Address::ZERO, bench.now.wall).unwrap();
    let begins: Vec<&str> =
        template.data().iter().map(|note| note.0.split(' ').next().unwrap()).take(102).collect();
    assert_eq!((begins[0], begins[1], begins[101]), ("own", "flood", "flood"));
}
