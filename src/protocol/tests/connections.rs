//! Which connections a node opens, keeps and closes.

use super::bench::Bench;
use super::network::{LATENCY, Network, address};
use super::*;
use rstest::rstest;

/// Covers every order of two dials and of the messages on the two connections.
#[rstest]
fn two_nodes_that_dial_each_other_keep_one_connection(
    #[values([0, 1], [1, 0])] order: [usize; 2],
    #[values(1, 2, 3, 4)] seed: u64,
) {
    let latency = u64::try_from(LATENCY.as_millis()).unwrap();
    for apart in (0..=6 * latency).step_by(5).flat_map(|at| [at, at + 1, at + 4]) {
        let config = ProtocolConfig::default().with_seed(seed * 100);
        let mut network = Network::of([(spec("test"), config.clone()), (spec("test"), config)]);
        let [first, second] = order;
        network.connect(first, second);
        network.run_for(Duration::from_millis(apart));
        network.connect(second, first);
        network.run_for(Duration::from_secs(30));
        for node in &network.nodes {
            assert_eq!(node.protocol.peers().len(), 1, "{apart} ms apart");
            assert_eq!(node.protocol.unconnected().count(), 0, "still dials what it is connected to");
            assert!(node.dialled.len() <= 2, "dialled at {:?}", node.dialled);
        }
        network.mine(0, "once");
        network.settle();
        network.assert_same_chain(1);
        assert_eq!(network.crossings("new_block"), [(0, 1)]);
    }
}

#[test]
fn two_addresses_of_one_node_make_one_connection() {
    let mut network = Network::new(2);
    network.connect(0, 1);
    network.connect(1, 0);
    network.run_for(Duration::from_secs(60));
    network.sever(0, 1);
    network.heal();
    network.run_for(Duration::from_secs(60));
    assert!(network.nodes.iter().all(|node| node.protocol.peers().len() == 1));
}

#[test]
fn a_node_that_dials_itself_finds_out_and_never_does_so_again() {
    let mut network = Network::new(1);
    network.connect(0, 0);
    network.run_for(Duration::from_secs(60));
    let node = &network.nodes[0];
    assert_eq!(node.dialled, [Duration::ZERO]);
    assert_eq!(node.closed(), ["connected to itself", "connected to itself"]);
    assert_eq!((node.protocol.peers().len(), node.protocol.unconnected().count()), (0, 0));
}

#[test]
fn of_too_many_callers_the_last_is_told_why() {
    let full = ProtocolConfig::default().with_max_inbound(2);
    let mut network =
        Network::of([full.clone(), full.clone(), full.clone(), full].map(|config| (spec("test"), config)));
    for caller in 1..4 {
        network.connect(caller, 0);
    }
    network.settle();
    assert_eq!(network.nodes[0].protocol.peers().len(), 2);
    assert_eq!(network.nodes[0].closed(), ["too many peers: 2 are connected already"]);
    let told = "peer closed the connection: too many peers: 2 are connected already";
    assert_eq!(network.nodes[3].closed(), [told]);
    // A free slot is used.
    network.crash(1);
    network.run_for(limits::MAX_BACKOFF + LATENCY * 10);
    assert_eq!(network.nodes[3].protocol.peers().len(), 1);
}

#[test]
fn nodes_of_different_chains_refuse_each_other_by_name() {
    let config = ProtocolConfig::default();
    let mut network = Network::of([(spec("one"), config.clone()), (spec("other"), config)]);
    network.connect(0, 1);
    network.settle();
    let genesis = [0, 1].map(|node| *network.nodes[node].protocol.chain().genesis().hash());
    for (node, [ours, theirs]) in [(0, genesis), (1, [genesis[1], genesis[0]])] {
        let reason = format!(
            "wrong chain: the peer's genesis is {theirs}, expected {ours}; name, block interval or another rule differs"
        );
        assert_eq!(network.nodes[node].closed(), [reason]);
    }
    assert!(network.nodes.iter().all(|node| node.protocol.peers().is_empty()));
    // Dialled again after half of the wait at the earliest, and after the whole at the latest.
    network.run_for((limits::OTHER_CHAIN_BACKOFF / 2).saturating_sub(LATENCY * 10));
    assert_eq!(network.nodes[0].dialled.len(), 1);
    network.run_for(limits::OTHER_CHAIN_BACKOFF);
    assert!((2..=3).contains(&network.nodes[0].dialled.len()));
}

#[test]
fn waits_between_dials_grow_until_somebody_answers() {
    let mut network = Network::new(2);
    network.crash(1);
    network.connect(0, 1);
    network.run_for(Duration::from_secs(120));
    let waits: Vec<_> =
        network.nodes[0].dialled.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    let mut full = limits::MIN_BACKOFF;
    for wait in &waits {
        assert!((full / 2..=full + LATENCY * 2).contains(wait), "{wait:?} of {full:?}");
        full = (full * 2).min(limits::MAX_BACKOFF);
    }
    assert!(waits.len() >= 10, "{waits:?}");
    network.start(1);
    network.run_for(limits::MAX_BACKOFF);
    assert_eq!(network.nodes[0].protocol.peers().len(), 1);
}

#[test]
fn a_peer_that_starts_anew_is_connected_again_and_catches_up() {
    let mut network = Network::new(2);
    network.connect(0, 1);
    network.mine(0, "kept");
    network.run_for(Duration::from_secs(60));
    network.crash(1);
    assert_eq!(network.nodes[0].closed(), ["connection ended"]);
    network.run_for(Duration::from_secs(2));
    network.start(1);
    network.run_for(Duration::from_secs(5));
    network.assert_same_chain(1);
    let addresses: Vec<_> = network.nodes[0].protocol.peers().into_iter().map(|peer| peer.address).collect();
    assert_eq!(addresses, [address(1)]);
}

#[test]
fn a_node_that_shuts_down_says_so_and_dials_nobody() {
    let mut network = Network::mesh(3);
    network.shut_down(1);
    network.run_for(Duration::from_millis(100));
    let told = "peer closed the connection: node is shutting down";
    assert_eq!(network.nodes[1].closed(), ["node is shutting down"; 2]);
    assert_eq!(
        (network.nodes[0].closed(), network.nodes[2].closed()),
        (vec![told.into()], vec![told.into()])
    );
    assert_eq!(network.nodes[1].protocol.unconnected().count(), 0);
}

#[test]
fn addresses_are_added_once_and_only_so_many() {
    let mut network = Network::of([(spec("test"), ProtocolConfig::default().with_max_outbound(2))]);
    let now = network.now();
    let node = &mut network.nodes[0].protocol;
    node.connect(address(1), now).unwrap();
    let again = node.connect(address(1), now);
    assert_eq!(again, Err(ConnectError::AlreadyAdded { address: address(1) }));
    node.connect(address(2), now).unwrap();
    assert_eq!(node.connect(address(3), now), Err(ConnectError::TooMany { limit: 2 }));
}

#[test]
fn what_a_peer_calls_itself_is_shown_without_control_characters() {
    let mut bench = Bench::new();
    let peer = bench.accept();
    let hello = Hello { agent: "good\n\u{1b}[2J".to_owned(), ..bench.hello() };
    let outputs = bench.receive(peer, Message::Hello(hello));
    let connected = outputs.iter().find_map(|output| match output {
        Output::Event(Event::PeerConnected { agent, .. }) => Some(agent.as_str()),
        _ => None,
    });
    assert_eq!(connected, Some("good  [2J"));
    assert_eq!(bench.node.peers()[0].agent, "good  [2J");
}
