//! Misbehaviour and its consequences: scores, bans, and eviction.

use super::network::{LATENCY, Network, address};
use super::*;
use crate::protocol::{Ban, PeerHost};

fn host(text: &str) -> PeerHost {
    text.parse().unwrap()
}

/// Delivers to node 0 a message that breaks a rule, from node 1.
fn misbehave(network: &mut Network, message: &Message<Note>) {
    network.inject(1, 0, message.clone());
    network.settle();
}

fn banned(network: &Network, node: usize) -> Vec<Ban> {
    network.nodes[node].protocol.bans(network.now())
}

#[test]
fn small_offences_add_up_to_a_ban_that_ends() {
    let mut network = Network::new(3);
    network.connect(1, 0);
    network.connect(2, 0);
    network.settle();
    for _ in 0..5 {
        assert!(banned(&network, 0).is_empty());
        network.run_for(limits::MAX_BACKOFF);
        misbehave(&mut network, &Message::NotFound { hashes: vec![Hash::ZERO] });
    }
    let ban = banned(&network, 0);
    assert_eq!(ban.len(), 1);
    assert_eq!(ban[0].host, host("caller-1"));
    assert!(ban[0].remaining <= limits::BAN_DURATION && ban[0].remaining > limits::BAN_DURATION / 2);

    network.run_for(limits::MAX_BACKOFF * 2);
    assert!(network.nodes[1].protocol.peers().is_empty());
    let closed = network.nodes[1].closed();
    let last = closed.last().unwrap();
    assert!(last.starts_with("peer closed the connection: banned for another "), "{last}");
    assert_eq!(network.nodes[0].protocol.peers().len(), 1, "the other is not touched");

    network.run_for(limits::BAN_DURATION + limits::MAX_BACKOFF * 2);
    assert_eq!(network.nodes[1].protocol.peers().len(), 1);
    assert!(banned(&network, 0).is_empty());
}

#[test]
fn a_forged_block_bans_at_once_and_is_told() {
    let mut network = Network::mesh(2);
    let mut forged = *chain_of(1, "forged")[0].header();
    forged.nonce = u64::MAX;
    misbehave(&mut network, &Message::Announce(forged));
    assert_eq!(banned(&network, 0).len(), 1);
    let event =
        |event: &Event<Note>| matches!(event, Event::HostBanned { host, .. } if host.as_str() == "caller-1");
    assert_eq!(network.nodes[0].events.iter().filter(|e| event(e)).count(), 1);
}

#[test]
fn what_an_application_bans_is_gone_and_comes_back_when_it_is_lifted() {
    let mut network = Network::new(3);
    network.connect(0, 1);
    network.connect(2, 0);
    network.settle();
    let now = network.now();
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    let node = &mut network.nodes[0].protocol;
    for host in [PeerHost::from(&address(1)), host("caller-2")] {
        node.ban(&host, year, now);
    }
    assert!(node.peers().is_empty());
    let error = node.connect("test://1/another".parse().unwrap(), now).unwrap_err();
    assert_eq!(error.to_string(), "test://1/another is banned for another 365 d");
    network.pump(0);
    network.run_for(limits::MAX_BACKOFF * 4);
    assert_eq!(network.nodes[0].dialled.len(), 1, "nobody is dialled who is banned");
    assert!(network.nodes.iter().all(|node| node.protocol.peers().is_empty()));

    let now = network.now();
    let node = &mut network.nodes[0].protocol;
    assert!(node.unban(&PeerHost::from(&address(1)), now) && node.unban(&host("caller-2"), now));
    assert!(!node.unban(&PeerHost::from(&address(1)), now), "it is lifted");
    network.pump(0);
    network.run_for(limits::MAX_BACKOFF * 2);
    assert_eq!(network.nodes[0].protocol.peers().len(), 2);
}

#[test]
fn a_ban_holds_for_a_dial_that_is_under_way() {
    let mut network = Network::new(2);
    network.connect(0, 1);
    network.run_for(LATENCY);
    assert!(network.nodes[0].protocol.peers().is_empty());
    let now = network.now();
    network.nodes[0].protocol.ban(&PeerHost::from(&address(1)), Duration::MAX, now);
    network.pump(0);
    network.run_for(Duration::from_secs(60));
    assert!(network.nodes.iter().all(|node| node.protocol.peers().is_empty()));
    assert_eq!(network.nodes[0].dialled.len(), 1);
}

#[test]
fn a_peer_that_is_removed_is_not_dialled_again() {
    let mut network = Network::new(2);
    network.connect(0, 1);
    network.settle();
    let now = network.now();
    let node = &mut network.nodes[0].protocol;
    let peer = node.peers()[0].id;
    assert!(node.remove(peer, now) && !node.remove(peer, now));
    assert_eq!(node.unconnected().count(), 0);
    network.pump(0);
    network.run_for(limits::MAX_BACKOFF * 4);
    assert_eq!(network.nodes[0].dialled.len(), 1);
}

#[test]
fn one_host_does_not_take_all_places() {
    let config = ProtocolConfig::default().with_max_inbound_per_host(2);
    let mut node = Protocol::<Note>::new(spec("test"), config);
    let now = Now { elapsed: Duration::ZERO, wall: START };
    let mut refused = Vec::new();
    for (number, from) in
        (0..).zip(["ws://10.0.0.1:1", "ws://10.0.0.1:2", "ws://10.0.0.1:3", "ws://10.0.0.2:1"])
    {
        let address = from.parse().unwrap();
        node.handle(
            Input::Connected { peer: PeerId(number), direction: Direction::Inbound, address, format: "none" },
            now,
        );
    }
    while let Some(output) = node.poll_output() {
        if let Output::Close { peer, reason } = output {
            refused.push((peer, reason.to_string()));
        }
    }
    assert_eq!(refused, [(PeerId(2), "too many connections from one host: 2 are open already".to_owned())]);
}

/// A full node accepts another peer and evicts one, but not its oldest peer or one that has delivered blocks.
#[test]
fn a_full_node_makes_a_place() {
    const CALLERS: usize = 11;
    let full = ProtocolConfig::default().with_max_inbound(10);
    let configs = [full].into_iter().chain((0..CALLERS).map(|_| ProtocolConfig::default()));
    let mut network = Network::of(configs.map(|config| (spec("test"), config)));
    for caller in 1..CALLERS {
        network.connect(caller, 0);
        network.run_for(Duration::from_secs(1));
    }
    network.mine(10, "useful");
    network.settle();
    network.connect(CALLERS, 0);
    network.settle();
    assert_eq!(network.nodes[0].closed(), ["evicted in favour of another peer"]);
    assert_eq!(network.nodes[9].closed(), ["peer closed the connection: evicted in favour of another peer"]);
    assert_eq!(network.nodes[CALLERS].protocol.peers().len(), 1);
    assert_eq!(address(0), network.nodes[10].protocol.peers()[0].address);
}
