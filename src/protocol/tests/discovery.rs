//! Addresses: which peers are asked and when, which addresses are accepted, which are advertised, and which
//! survive a restart.

mod kept;

use super::bench::{Bench, closed, kinds, sent_to};
use super::network::{Network, address};
use super::*;
use crate::protocol::{KnownAddress, PeerHost};
use rstest::rstest;

fn config() -> ProtocolConfig {
    ProtocolConfig::default().with_seed(1).with_discovery(true)
}

fn addr(text: &str) -> PeerAddr {
    text.parse().unwrap()
}

/// A peer that has completed the handshake and claims to listen at an address.
fn meet(
    bench: &mut Bench,
    peer: u64,
    direction: Direction,
    at: &str,
    listen: Option<&str>,
) -> (PeerId, Vec<Output<Note>>) {
    let id = PeerId(peer);
    if direction == Direction::Outbound && !bench.node.unconnected().any(|address| *address == addr(at)) {
        // The node accepts an outbound connection only to an address that it dials.
        let _ = bench.node.connect(addr(at), bench.now);
    }
    bench.handle(Input::Connected { peer: id, direction, address: addr(at), format: "none" });
    // A dialled peer listens at the dialled address.
    let listen = if direction == Direction::Outbound { Some(at) } else { listen };
    let hello = Hello { nonce: peer, listen: listen.map(addr), ..bench.hello() };
    let outputs = bench.receive(id, Message::Hello(hello));
    (id, outputs)
}

fn call(bench: &mut Bench, peer: u64, from: &str, listen: &str) -> PeerId {
    meet(bench, peer, Direction::Inbound, from, Some(listen)).0
}

/// Returns the addresses that the node advertises to a peer that asks.
fn told(bench: &mut Bench, peer: PeerId) -> Option<Vec<String>> {
    let outputs = bench.receive(peer, Message::GetPeers { limit: u32::MAX });
    match sent_to(&outputs, peer)[..] {
        [Message::Peers { addresses }] => {
            let mut told: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            told.sort();
            Some(told)
        }
        [] => None,
        _ => panic!("{outputs:?}"),
    }
}

fn dials(outputs: &[Output<Note>]) -> Vec<String> {
    let dial = |output: &Output<Note>| match output {
        Output::Dial { address, .. } => Some(address.to_string()),
        _ => None,
    };
    outputs.iter().filter_map(dial).collect()
}

fn known(bench: &Bench) -> Vec<String> {
    bench.node.addresses().iter().map(|known| known.address.to_string()).collect()
}

fn peers(texts: &[&str]) -> Message<Note> {
    Message::Peers { addresses: texts.iter().map(|text| addr(text)).collect() }
}

fn fail(bench: &mut Bench, address: &str) -> Vec<Output<Note>> {
    bench.handle(Input::DialFailed { address: addr(address), error: Arc::new(PeerAddrError::Empty) })
}

#[test]
fn nodes_that_know_one_in_common_find_each_other() {
    let nodes = (0..5).map(|node| (spec("test"), config().with_listen(Some(address(node)))));
    let mut network = Network::of(nodes);
    for node in 1..5 {
        network.connect(node, 0);
    }
    network.run_for(limits::ASK_PEERS_INTERVAL * 2);
    for (index, node) in network.nodes.iter().enumerate() {
        assert_eq!(node.protocol.peers().len(), 4, "peers of node {index}");
        assert_eq!(node.protocol.unconnected().count(), 0);
    }
    // The first node is down, and the other nodes still agree on one chain.
    network.crash(0);
    network.mine(1, "without it");
    network.run_for(Duration::from_secs(30));
    let tip = network.nodes[1].tip();
    assert!(network.nodes[2..].iter().all(|node| node.tip() == tip));
}

#[test]
fn a_discovered_peer_that_is_gone_is_given_up_after_a_while() {
    let nodes = (0..3).map(|node| (spec("test"), config().with_listen(Some(address(node)))));
    let mut network = Network::of(nodes);
    network.connect(1, 0);
    network.connect(2, 0);
    network.run_for(limits::ASK_PEERS_INTERVAL * 2);
    let discoverer = [1, 2].into_iter().find(|node| network.nodes[*node].dialled.len() > 1).unwrap();
    network.crash(3 - discoverer);
    network.run_for(Duration::from_secs(24 * 60 * 60));
    let node = &network.nodes[discoverer];
    let dialled = node.dialled.len();
    assert!((5..=20).contains(&dialled), "dialled {dialled} times");
    let known: Vec<KnownAddress> = node.protocol.addresses();
    assert!(known.iter().all(|known| known.address != address(3 - discoverer)), "{known:?}");
    assert_eq!(node.protocol.unconnected().count(), 0);
}

#[test]
fn without_discovery_nobody_is_asked_told_or_dialled() {
    let mut bench = Bench::new();
    let (peer, outputs) =
        meet(&mut bench, 1, Direction::Outbound, "ws://192.0.2.1:1", Some("ws://192.0.2.1:1"));
    assert!(!kinds(&outputs, peer).contains(&"get_peers"));
    let caller = call(&mut bench, 2, "ws://192.0.2.2:40000", "ws://192.0.2.2:1");
    assert_eq!(told(&mut bench, caller).unwrap(), [""; 0], "a question has its answer");
    assert_eq!(known(&bench), [""; 0]);
    let outputs = bench.receive(peer, peers(&["ws://192.0.2.3:1"]));
    assert_eq!(closed(&outputs, peer).unwrap().to_string(), "unsolicited peers");
    assert_eq!(dials(&bench.pass(Duration::from_secs(60))), ["ws://192.0.2.1:1"], "the one that is kept");
}

#[test]
fn a_peer_that_was_dialled_is_asked_at_once_and_then_rarely() {
    let mut bench = Bench::with_config(config().with_max_discovered(0));
    let (peer, outputs) = meet(&mut bench, 1, Direction::Outbound, "ws://192.0.2.1:1", None);
    let asks =
        |outputs: &[Output<Note>]| kinds(outputs, peer).iter().filter(|kind| **kind == "get_peers").count();
    assert_eq!(asks(&outputs), 1);
    // While its answer is outstanding, the peer is not asked again.
    let mut asked = 0;
    let mut keep_alive = |bench: &mut Bench, minutes: u64| {
        let before = asked;
        for _ in 0..minutes * 6 {
            let outputs = bench.pass(Duration::from_secs(10));
            asked += asks(&outputs);
            for ping in sent_to(&outputs, peer) {
                if let Message::Ping(nonce) = ping {
                    bench.receive(peer, Message::Pong(*nonce));
                }
            }
        }
        asked - before
    };
    assert_eq!(keep_alive(&mut bench, 30), 0);
    bench.receive(peer, peers(&[]));
    assert_eq!(keep_alive(&mut bench, 3), 1);
    bench.receive(peer, peers(&[]));
    assert_eq!(keep_alive(&mut bench, 2), 1);
    let caller = call(&mut bench, 2, "ws://192.0.2.2:40000", "ws://192.0.2.2:1");
    let outputs = bench.pass(Duration::from_secs(20));
    assert!(!kinds(&outputs, caller).contains(&"get_peers"), "callers are not asked");
}

#[test]
fn a_peer_is_answered_once_in_a_while_and_never_blamed_for_asking() {
    let mut bench = Bench::with_config(config());
    let peer = call(&mut bench, 1, "ws://192.0.2.1:40000", "ws://192.0.2.1:1");
    call(&mut bench, 2, "ws://192.0.2.2:40000", "ws://192.0.2.2:1");
    assert_eq!(told(&mut bench, peer).unwrap(), ["ws://192.0.2.2:1"]);
    for _ in 0..1_000 {
        assert_eq!(told(&mut bench, peer), None);
    }
    bench.now.elapsed += limits::ANSWER_PEERS_INTERVAL;
    assert_eq!(told(&mut bench, peer).unwrap(), ["ws://192.0.2.2:1"]);
    assert!(bench.node.peers().iter().any(|info| info.id == peer), "it is still there");
}

#[test]
fn an_answer_is_bounded_in_number_and_bytes() {
    let mut bench = Bench::with_config(config().with_max_inbound(200));
    for number in 2..100 {
        // An address of the maximum length.
        let path = "\"".repeat(PeerAddr::MAX_LEN - format!("ws://10.{number}.0.1:1/").len());
        call(
            &mut bench,
            number,
            &format!("ws://10.{number}.0.1:40000"),
            &format!("ws://10.{number}.0.1:1/{path}"),
        );
    }
    let peer = call(&mut bench, 1, "ws://10.0.0.1:40000", "ws://10.0.0.1:1");
    let outputs = bench.receive(peer, Message::GetPeers { limit: 3 });
    let answers = sent_to(&outputs, peer);
    assert!(matches!(answers[..], [Message::Peers { addresses }] if addresses.len() == 3), "{answers:?}");
    bench.now.elapsed += limits::ANSWER_PEERS_INTERVAL;
    let outputs = bench.receive(peer, Message::GetPeers { limit: u32::MAX });
    let [answer @ Message::Peers { addresses }] = &sent_to(&outputs, peer)[..] else { panic!("{outputs:?}") };
    assert_eq!(addresses.len(), limits::MAX_PEERS_PER_MESSAGE);
    assert!(postcard::to_allocvec(answer).unwrap().len() < 10_000);
    assert!(serde_json::to_vec(answer).unwrap().len() < 20_000);
}

/// The address that a host claims, the address that is learned from it, and whether that is advertised.
#[rstest]
#[case::at_its_own_host("ws://192.0.2.1:40000", "ws://192.0.2.1:1", Some("ws://192.0.2.1:1"), true)]
#[case::everywhere("ws://192.0.2.1:40000", "ws://0.0.0.0:1", Some("ws://192.0.2.1:1"), true)]
#[case::everywhere_by_ipv6("ws://[2001:db8::1]:40000", "ws://[::]:1", Some("ws://[2001:db8::1]:1"), true)]
#[case::over_ipv6("ws://[::ffff:192.0.2.1]:40000", "ws://[::]:1", Some("ws://192.0.2.1:1"), true)]
#[case::elsewhere("ws://192.0.2.1:40000", "ws://198.51.100.1:22", Some("ws://198.51.100.1:22"), false)]
#[case::by_name("ws://192.0.2.1:40000", "ws://a.example.org:1", Some("ws://a.example.org:1"), false)]
#[case::on_this_machine("ws://192.0.2.1:40000", "ws://127.0.0.1:1", None, false)]
#[case::in_this_network("ws://192.0.2.1:40000", "ws://10.0.0.1:1", None, false)]
#[case::at_no_port("ws://192.0.2.1:40000", "ws://192.0.2.1:0", None, false)]
fn a_caller_speaks_for_the_host_that_it_comes_from(
    #[case] from: &str,
    #[case] listen: &str,
    #[case] heard: Option<&str>,
    #[case] is_told: bool,
) {
    let mut bench = Bench::with_config(config().with_max_discovered(0));
    call(&mut bench, 1, from, listen);
    assert_eq!(known(&bench), Vec::from_iter(heard.map(str::to_owned)));
    let other = call(&mut bench, 2, "ws://203.0.113.1:40000", "ws://203.0.113.1:1");
    let told = told(&mut bench, other).unwrap();
    assert_eq!(told, Vec::from_iter(heard.filter(|_| is_told).map(str::to_owned)));
}

#[test]
fn addresses_are_told_to_those_alone_whom_they_lead_to_the_same_place() {
    let mut bench = Bench::with_config(config());
    let callers = ["127.0.0.1", "10.0.0.1", "192.0.2.1"];
    for (number, host) in (1..).zip(callers) {
        call(&mut bench, number, &format!("ws://{host}:40000"), &format!("ws://{host}:1"));
    }
    let [machine, private, public] = callers.map(|host| format!("ws://{host}:1"));
    let mut told_at = |number: u64, from: &str| {
        let peer = meet(&mut bench, number, Direction::Inbound, from, None).0;
        told(&mut bench, peer).unwrap()
    };
    assert_eq!(told_at(10, "ws://203.0.113.1:40000"), std::slice::from_ref(&public));
    assert_eq!(told_at(11, "ws://10.9.9.9:40000"), [private.clone(), public.clone()]);
    assert_eq!(told_at(12, "ws://127.0.0.1:40001"), [private, machine, public]);
}

#[test]
fn what_the_owner_names_may_lead_anywhere_and_a_rumour_not_nearer_than_it_says() {
    let mut bench = Bench::with_config(config());
    let reaches = |outputs: &[Output<Note>]| -> Vec<(String, bool, bool)> {
        let reach = |output: &Output<Note>| match output {
            Output::Dial { address, reach } => Some((
                address.to_string(),
                reach.permits("127.0.0.1".parse().unwrap()),
                reach.permits("10.0.0.1".parse().unwrap()),
            )),
            _ => None,
        };
        outputs.iter().filter_map(reach).collect()
    };
    let (peer, outputs) = meet(&mut bench, 1, Direction::Outbound, "ws://node.example.org:1", None);
    assert_eq!(reaches(&outputs), []);
    bench.receive(peer, peers(&["ws://rebound.example.net:22"]));
    let rumour = "ws://rebound.example.net:22".to_owned();
    assert_eq!(reaches(&bench.handle(Input::Timeout)), [(rumour.clone(), false, false)]);
    fail(&mut bench, &rumour);
    bench.node.connect(addr(&rumour), bench.now).unwrap();
    assert_eq!(reaches(&bench.outputs()), [(rumour, true, true)]);
}

#[test]
fn a_rumour_is_told_on_only_after_it_has_proven_true() {
    let mut bench = Bench::with_config(config());
    let (peer, _) = meet(&mut bench, 1, Direction::Outbound, "ws://192.0.2.1:1", None);
    bench.receive(
        peer,
        peers(&[
            "ws://198.51.100.1:1",
            "ws://127.0.0.1:22",
            "ws://127.1:22",
            "ws://0177.0.0.1:22",
            "ws://0x7f.1:22",
            "ws://2130706433:22",
            "ws://127.0.0.1.:22",
            "ws://localhost.:22",
            "ws://[::ffff:127.0.0.1]:22",
            "ws://[64:ff9b::7f00:1]:22",
            "ws://10.0.0.1:22",
            "ws://10.1:22",
            "ws://192.168.257:22",
            "ws://192.0.2.9:0",
            "ws://192.0.2.9:70000",
            "ws://user@192.0.2.9:1",
        ]),
    );
    assert_eq!(known(&bench), ["ws://192.0.2.1:1", "ws://198.51.100.1:1"]);
    let asker = call(&mut bench, 2, "ws://203.0.113.1:40000", "ws://203.0.113.1:1");
    assert_eq!(told(&mut bench, asker).unwrap(), ["ws://192.0.2.1:1"]);

    assert_eq!(dials(&bench.handle(Input::Timeout)), ["ws://198.51.100.1:1"]);
    meet(&mut bench, 3, Direction::Outbound, "ws://198.51.100.1:1", None);
    bench.now.elapsed += limits::ANSWER_PEERS_INTERVAL;
    assert_eq!(told(&mut bench, asker).unwrap(), ["ws://192.0.2.1:1", "ws://198.51.100.1:1"]);
}

#[test]
fn whoever_does_not_say_where_it_listens_is_told_to_nobody() {
    let mut bench = Bench::with_config(config());
    let address = addr("ws://192.0.2.1:1");
    bench.node.connect(address.clone(), bench.now).unwrap();
    bench.handle(Input::Connected {
        peer: PeerId(1),
        direction: Direction::Outbound,
        address,
        format: "none",
    });
    let hello = bench.hello();
    assert_eq!(hello.listen, None);
    bench.receive(PeerId(1), Message::Hello(hello));
    assert_eq!(bench.node.peers().len(), 1);
    let asker = call(&mut bench, 2, "ws://203.0.113.1:40000", "ws://203.0.113.1:1");
    assert_eq!(told(&mut bench, asker).unwrap(), [""; 0]);
    // A node without discovery does not advertise its address.
    let said = |discovery| {
        let config = config().with_listen(Some(addr("ws://192.0.2.50:1"))).with_discovery(discovery);
        let mut bench = Bench::with_config(config);
        let (peer, address) = (PeerId(1), addr("ws://192.0.2.1:40000"));
        let outputs =
            bench.handle(Input::Connected { peer, direction: Direction::Inbound, address, format: "none" });
        match sent_to(&outputs, peer)[..] {
            [Message::Hello(hello)] => hello.listen.as_ref().map(ToString::to_string),
            _ => panic!("{outputs:?}"),
        }
    };
    assert_eq!((said(true), said(false)), (Some("ws://192.0.2.50:1".to_owned()), None));
}

#[test]
fn a_flood_of_addresses_costs_little_room_and_few_dials() {
    let mut bench = Bench::with_config(config());
    let (honest, _) = meet(&mut bench, 1, Direction::Outbound, "ws://192.0.2.1:1", None);
    let (liar, _) = meet(&mut bench, 2, Direction::Outbound, "ws://198.51.100.1:1", None);
    let flood: Vec<String> = (0..32).map(|number| format!("ws://203.{number}.113.1:1")).collect();
    let flood: Vec<&str> = flood.iter().map(String::as_str).collect();
    assert_eq!(closed(&bench.receive(liar, peers(&flood)), liar).map(ToString::to_string), None);
    assert_eq!(known(&bench).len(), 2 + flood.len());
    // The second message was not requested.
    let outputs = bench.receive(liar, peers(&flood));
    assert_eq!(closed(&outputs, liar).unwrap().to_string(), "unsolicited peers");

    // Inbound peers from one network, each of which claims another address.
    for number in 100..3_000 {
        let from = format!("ws://198.51.100.{}:40000", number % 200);
        let caller =
            call(&mut bench, number, &from, &format!("ws://{}.{}.0.1:1", 1 + number / 200, number % 200));
        bench.handle(Input::Disconnected { peer: caller, reason: CloseReason::Ended });
    }
    let part = usize::try_from(limits::NEW_BUCKETS_PER_SOURCE).unwrap() * limits::BUCKET_SIZE;
    assert!(known(&bench).len() <= 2 + part, "{}", known(&bench).len());

    // The address from the honest peer is added and dialled.
    bench.receive(honest, peers(&["ws://5.5.2.77:1"]));
    assert!(known(&bench).contains(&"ws://5.5.2.77:1".to_owned()));
    let mut dialled: Vec<String> = Vec::new();
    let start = bench.now.elapsed;
    while bench.now.elapsed < start + Duration::from_secs(60) {
        for address in dials(&bench.pass(Duration::from_millis(100))) {
            fail(&mut bench, &address);
            dialled.push(address);
        }
        bench.receive(honest, Message::Ping(1));
    }
    assert!(dialled.contains(&"ws://5.5.2.77:1".to_owned()));
    let most = 60_000 / limits::DISCOVERED_DIAL_INTERVAL.as_millis();
    assert!(dialled.len() as u128 <= most + 10, "{} dials in a minute", dialled.len());
}

#[test]
fn no_more_are_dialled_than_are_wanted() {
    let mut bench = Bench::with_config(config().with_max_discovered(3));
    let (peer, _) = meet(&mut bench, 1, Direction::Outbound, "ws://192.0.2.1:1", None);
    let many: Vec<String> = (0..20).map(|number| format!("ws://203.{number}.113.1:1")).collect();
    bench.receive(peer, peers(&many.iter().map(String::as_str).collect::<Vec<_>>()));
    let outputs = bench.pass(Duration::from_secs(20));
    let dialled = dials(&outputs);
    assert_eq!(dialled.len(), 3, "{dialled:?}");
    assert_eq!(bench.node.unconnected().count(), 0, "they are not promised to the application");
    // A failed address is replaced by another one, without an event and without an immediate retry.
    let outputs = fail(&mut bench, &dialled[0]);
    assert!(!outputs.iter().any(|output| matches!(output, Output::Event(_))), "{outputs:?}");
    let next = dials(&bench.handle(Input::Timeout));
    assert!(next.len() == 1 && !dialled.contains(&next[0]), "{next:?}");

    // An address that the application adds is kept from then on, and dialled until it answers.
    bench.node.connect(addr(&next[0]), bench.now).unwrap();
    let outputs = fail(&mut bench, &next[0]);
    assert!(outputs.iter().any(|output| matches!(output, Output::Event(Event::DialFailed { .. }))));
    assert_eq!(bench.node.unconnected().map(ToString::to_string).collect::<Vec<_>>(), next);
}

#[test]
fn a_node_does_not_go_where_it_found_itself() {
    let mut bench = Bench::with_config(config().with_listen(Some(addr("ws://192.0.2.50:1"))));
    let (peer, _) = meet(&mut bench, 1, Direction::Outbound, "ws://192.0.2.1:1", None);
    bench.receive(peer, peers(&["ws://192.0.2.50:1", "ws://me.example.org:1"]));
    assert_eq!(dials(&bench.handle(Input::Timeout)), ["ws://me.example.org:1"]);
    let me = PeerId(2);
    let outputs = bench.handle(Input::Connected {
        peer: me,
        direction: Direction::Outbound,
        address: addr("ws://me.example.org:1"),
        format: "none",
    });
    let [Message::Hello(hello)] = sent_to(&outputs, me)[..] else { panic!("{outputs:?}") };
    let outputs = bench.receive(me, Message::Hello(hello.clone()));
    assert_eq!(closed(&outputs, me).unwrap().to_string(), "connected to itself");
    assert_eq!(known(&bench), ["ws://192.0.2.1:1"]);
    call(&mut bench, 3, "ws://192.0.2.3:40000", "ws://me.example.org:1");
    assert_eq!(known(&bench), ["ws://192.0.2.1:1"], "whoever says so");
}

#[test]
fn another_chain_is_not_asked_again() {
    let mut bench = Bench::with_config(config());
    let (peer, _) = meet(&mut bench, 1, Direction::Outbound, "ws://192.0.2.1:1", None);
    bench.receive(peer, peers(&["ws://192.0.2.2:1"]));
    assert_eq!(dials(&bench.handle(Input::Timeout)), ["ws://192.0.2.2:1"]);
    let other = PeerId(2);
    let address = addr("ws://192.0.2.2:1");
    bench.handle(Input::Connected { peer: other, direction: Direction::Outbound, address, format: "none" });
    let hello = Hello { genesis: Hash::ZERO, nonce: 2, ..bench.hello() };
    assert!(closed(&bench.receive(other, Message::Hello(hello)), other).is_some());
    assert_eq!(known(&bench), ["ws://192.0.2.1:1"]);
}

#[test]
fn a_second_address_of_a_peer_takes_no_place() {
    let mut bench = Bench::with_config(config().with_max_discovered(1));
    let (peer, _) = meet(&mut bench, 1, Direction::Outbound, "ws://192.0.2.1:1", None);
    bench.receive(peer, peers(&["ws://one.example.org:1"]));
    assert_eq!(dials(&bench.handle(Input::Timeout)), ["ws://one.example.org:1"]);
    let again = PeerId(2);
    let address = addr("ws://one.example.org:1");
    bench.handle(Input::Connected { peer: again, direction: Direction::Outbound, address, format: "none" });
    let hello = Hello { nonce: 1, ..bench.hello() };
    let outputs = bench.receive(again, Message::Hello(hello));
    assert_eq!(closed(&outputs, again).unwrap().to_string(), "already connected to this peer");
    let caller = call(&mut bench, 3, "ws://192.0.2.3:40000", "ws://three.example.org:1");
    let outputs = bench.pass(Duration::from_secs(10));
    assert_eq!(dials(&outputs), ["ws://three.example.org:1"]);
    assert_eq!(closed(&outputs, caller).map(ToString::to_string), None);
}

#[test]
fn a_caller_that_is_gone_is_called() {
    let mut bench = Bench::with_config(config());
    let caller = call(&mut bench, 1, "ws://192.0.2.1:40000", "ws://192.0.2.1:1");
    assert_eq!(dials(&bench.pass(Duration::from_secs(10))), [""; 0], "it is there already");
    bench.handle(Input::Disconnected { peer: caller, reason: CloseReason::Ended });
    assert_eq!(dials(&bench.pass(Duration::from_secs(10))), ["ws://192.0.2.1:1"]);
}

#[test]
fn a_banned_host_is_neither_told_of_nor_believed_nor_dialled() {
    let mut bench = Bench::with_config(config());
    let (peer, _) = meet(&mut bench, 1, Direction::Outbound, "ws://192.0.2.1:1", None);
    call(&mut bench, 2, "ws://192.0.2.2:40000", "ws://192.0.2.2:1");
    let host: PeerHost = "192.0.2.2".parse().unwrap();
    bench.node.ban(&host, Duration::from_secs(3_600), bench.now);
    assert_eq!(known(&bench), ["ws://192.0.2.1:1"]);
    bench.receive(peer, peers(&["ws://192.0.2.2:1"]));
    let asker = meet(&mut bench, 3, Direction::Inbound, "ws://192.0.2.3:40000", None).0;
    assert_eq!(told(&mut bench, asker).unwrap(), ["ws://192.0.2.1:1"]);
    assert_eq!(dials(&bench.pass(Duration::from_secs(20))), [""; 0]);
}

#[test]
fn a_peer_that_is_removed_is_forgotten() {
    let mut bench = Bench::with_config(config());
    let (peer, _) = meet(&mut bench, 1, Direction::Outbound, "ws://192.0.2.1:1", None);
    assert!(bench.node.remove(peer, bench.now));
    assert_eq!(known(&bench), [""; 0]);
    assert_eq!(dials(&bench.pass(Duration::from_secs(3_600))), [""; 0]);
}
