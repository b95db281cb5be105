//! Addresses of peers: unsolicited, too many, invented, or of the node itself; and endless requests for
//! addresses.

use std::time::Duration;

use futures_util::FutureExt;
use hashloom::protocol::{CloseReason, MessageKind, limits};
use hashloom::{Message, PeerAddr};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::caller::Caller;
use crate::carrier::Format;
use crate::chain::Entry;
use crate::socket::Socket;
use crate::stage::Stage;
use crate::table::{Discovery, Ends, Over, ROW, Row, attack, closed};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "unsolicited_peers",
        does: "unsolicited addresses",
        attack: |stage| Box::pin(tells_unasked(stage, 1)),
        ..UNASKED
    },
    Row {
        name: "unsolicited_peers_none",
        does: "an unsolicited answer without addresses",
        attack: |stage| Box::pin(tells_unasked(stage, 0)),
        ..UNASKED
    },
    Row {
        name: "unsolicited_peers_called",
        does: "addresses of peers from a called host that was not asked",
        discovery: Discovery::Off,
        attack: attack!(is_called_and_tells),
        ..UNASKED
    },
    Row {
        name: "peers_twice",
        does: "a second answer to one question for addresses",
        discovery: Discovery::On,
        attack: attack!(answers_twice),
        ..UNASKED
    },
    Row {
        name: "peers_before_hello",
        does: "addresses before the hello",
        ends: closed!(ExpectedHello),
        attack: |stage| Box::pin(opens_with(stage, Message::Peers { addresses: Vec::new() })),
        ..EITHER
    },
    Row {
        name: "get_peers_before_hello",
        does: "a question for addresses before the hello",
        ends: closed!(ExpectedHello),
        attack: |stage| Box::pin(opens_with(stage, Message::GetPeers { limit: 1 })),
        ..EITHER
    },
    Row {
        name: "too_many_addresses",
        does: "too many addresses in a message",
        ends: Ends::TooManyItems,
        attack: |stage| Box::pin(tells_unasked(stage, limits::MAX_PEERS_PER_MESSAGE + 1)),
        ..EITHER
    },
    Row {
        name: "too_many_addresses_asked_for",
        does: "more addresses than were asked for",
        discovery: Discovery::On,
        ends: Ends::TooManyItems,
        attack: |stage| {
            Box::pin(async {
                let mut caller = Caller::asked_for_peers(stage).await;
                caller.say(peers(stage, NO_PORT, limits::MAX_PEERS_PER_MESSAGE + 1)).await;
                stage.caller = Some(caller);
            })
        },
        ..ROW
    },
    Row {
        name: "oversize_peers",
        does: "addresses in a frame that is too large for them",
        attack: |stage| {
            Box::pin(is_oversize(stage, Message::Peers { addresses: Vec::new() }, MessageKind::Peers))
        },
        ends: OVERSIZE,
        ..MALFORMED
    },
    Row {
        name: "oversize_get_peers",
        does: "a question for addresses that is too large for one",
        attack: |stage| Box::pin(is_oversize(stage, Message::GetPeers { limit: 1 }, MessageKind::GetPeers)),
        ends: OVERSIZE,
        ..MALFORMED
    },
    Row {
        name: "address_empty",
        does: "an address without a character",
        attack: |stage| Box::pin(writes_address(stage, "")),
        ..MALFORMED
    },
    Row {
        name: "address_of_control_characters",
        does: "an address with control characters",
        attack: |stage| Box::pin(writes_address(stage, "ws://\u{1b}[2J\r\n")),
        ..MALFORMED
    },
    Row {
        name: "address_with_a_blank",
        does: "an address with a blank",
        attack: |stage| Box::pin(writes_address(stage, "ws://a b")),
        ..MALFORMED
    },
    Row {
        name: "address_beyond_ascii",
        does: "an address that is written from right to left",
        attack: |stage| Box::pin(writes_address(stage, "ws://\u{202e}elpmaxe")),
        ..MALFORMED
    },
    Row {
        name: "address_too_long",
        does: "an address that is too long by a byte",
        attack: |stage| {
            Box::pin(async {
                let text = "a".repeat(PeerAddr::MAX_LEN + 1);
                writes_address(stage, &text).await;
            })
        },
        ..MALFORMED
    },
    Row {
        name: "longest_addresses",
        does: "as many of the longest addresses as a message may have",
        attack: attack!(tells_the_longest),
        ..HARMLESS
    },
    Row {
        name: "addresses_of_no_transport",
        does: "addresses that no transport can dial",
        attack: attack!(tells_what_nobody_can_dial),
        ..HARMLESS
    },
    Row {
        name: "rumours",
        does: "addresses that lead nowhere, and are not advertised further",
        attack: attack!(spreads_rumours),
        ..HARMLESS
    },
    Row { name: "own_address", does: "the node's own address", attack: attack!(tells_its_own), ..HARMLESS },
    Row {
        name: "own_address_by_another_name",
        does: "the node's own address by another name, where it finds itself once",
        over: Over::Sockets,
        attack: attack!(tells_its_own_by_another_name),
        ..HARMLESS
    },
    Row {
        name: "own_address_as_theirs",
        does: "a hello that says it listens where the node does",
        discovery: Discovery::Either,
        attack: attack!(listens_at_the_node),
        ..HARMLESS
    },
    Row {
        name: "addresses_of_a_third_party",
        does: "a third party's addresses, where it accepts TCP and says nothing: 8 connections in 9 s, one in 0.5 s",
        over: Over::Sockets,
        attack: attack!(points_at_a_third_party),
        ..HARMLESS
    },
    Row {
        name: "callers_that_listen_everywhere",
        does: "hundreds of callers, each of which says that it listens elsewhere: at most 64 addresses are kept",
        over: Over::Sockets,
        attack: attack!(listen_everywhere),
        ..HARMLESS
    },
    Row {
        name: "get_peers_without_end",
        does: "thousands of questions for addresses, of which one a minute is answered",
        discovery: Discovery::Either,
        attack: attack!(asks_without_end),
        ..HARMLESS
    },
];

const EITHER: Row = Row { discovery: Discovery::Either, ..ROW };
const UNASKED: Row = Row { ends: Ends::Unsolicited("peers"), ..EITHER };
const MALFORMED: Row = Row { over: Over::Sockets, ends: Ends::Malformed, ..EITHER };
const HARMLESS: Row = Row { discovery: Discovery::On, ends: Ends::Harmless, ..ROW };

/// Refused for its size and not for its content, which the binary formats would refuse, too.
const OVERSIZE: Ends = Ends::Closed("Malformed", |reason| {
    matches!(reason, CloseReason::Malformed(_)) && reason.to_string().contains("bytes, at most")
});

/// A port on which no program listens.
const NO_PORT: u16 = 1;

/// The places that one source may fill: those of its buckets, two of which may coincide.
#[expect(clippy::cast_possible_truncation, reason = "a small constant")]
const PLACES_OF_ONE_SOURCE: usize = limits::NEW_BUCKETS_PER_SOURCE as usize * limits::BUCKET_SIZE;

/// An address that the transport can dial.
fn address(stage: &Stage, port: u16, path: &str) -> PeerAddr {
    let place = stage.carrier.anywhere.trim_end_matches('0');
    format!("{place}{port}/{path}").parse().unwrap()
}

/// This many different addresses on one host.
fn peers(stage: &Stage, port: u16, count: usize) -> Message<Entry> {
    Message::Peers { addresses: (0..count).map(|number| address(stage, port, &number.to_string())).collect() }
}

/// A host that accepts TCP connections and sends nothing.
async fn silent() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// The connections that were made to the listener, including closed ones.
fn accepted(listener: &TcpListener) -> Vec<tokio::net::TcpStream> {
    core::iter::from_fn(|| listener.accept().now_or_never()).map(|accepted| accepted.unwrap().0).collect()
}

async fn tells_unasked(stage: &mut Stage, count: usize) {
    let mut caller = Caller::introduced(stage).await;
    caller.say(peers(stage, NO_PORT, count)).await;
    stage.caller = Some(caller);
}

async fn is_called_and_tells(stage: &mut Stage) {
    let mut caller = Caller::called(stage).await;
    caller.introduce().await;
    caller.say(peers(stage, NO_PORT, 1)).await;
    stage.caller = Some(caller);
}

async fn answers_twice(stage: &mut Stage) {
    let mut caller = Caller::asked_for_peers(stage).await;
    for _ in 0..2 {
        caller.say(Message::Peers { addresses: Vec::new() }).await;
    }
    stage.caller = Some(caller);
}

async fn opens_with(stage: &mut Stage, message: Message<Entry>) {
    let mut caller = Caller::connect(stage).await;
    caller.say(message).await;
    stage.caller = Some(caller);
}

/// Writes a message followed by blanks.
async fn is_oversize(stage: &mut Stage, message: Message<Entry>, kind: MessageKind) {
    let mut bytes = stage.carrier.format().encode(&message);
    bytes.resize(kind.max_frame_bytes().unwrap() + 1, b' ');
    let mut socket = Socket::introduced(stage).await;
    socket.write_payload(&bytes).await;
    stage.socket = Some(socket);
}

/// Advertises a text that is not an address.
async fn writes_address(stage: &mut Stage, text: &str) {
    assert!(text.parse::<PeerAddr>().is_err());
    let format = stage.carrier.format();
    let good = Message::Peers { addresses: vec!["good".parse().unwrap()] };
    assert_eq!(peers_of_texts(format, &["good"]), format.encode(&good));
    let mut socket = Socket::introduced(stage).await;
    socket.write_payload(&peers_of_texts(format, &[text])).await;
    stage.socket = Some(socket);
}

/// The bytes of a message with these texts as addresses.
fn peers_of_texts(format: Format, addresses: &[&str]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Named<'a> {
        peers: Content<'a>,
    }
    #[derive(Serialize)]
    struct Content<'a> {
        addresses: &'a [&'a str],
    }
    let numbered = (MessageKind::Peers.number(), addresses);
    match format {
        Format::Json => serde_json::to_vec(&Named { peers: Content { addresses } }).unwrap(),
        Format::Bincode => bincode::serialize(&numbered).unwrap(),
        Format::Postcard => postcard::to_allocvec(&numbered).unwrap(),
    }
}

async fn tells_the_longest(stage: &mut Stage) {
    let (listener, port) = silent().await;
    let longest = |number: usize| {
        let start = address(stage, port, &format!("{number:02}"));
        // JSON writes two bytes for each of these characters.
        let rest = "\"".repeat(PeerAddr::MAX_LEN - start.as_str().len());
        format!("{start}{rest}").parse().unwrap()
    };
    let addresses = (0..limits::MAX_PEERS_PER_MESSAGE).map(longest).collect();
    let caller = tells(stage, Message::Peers { addresses }).await;
    assert_eq!(stage.node.addresses().len(), limits::BUCKET_SIZE, "one group of one source has one bucket");
    stage.kept.push(Box::new(listener));
    stage.caller = Some(caller);
}

/// A dialled peer that sends this answer to a request for addresses, and waits until the node has handled it.
async fn tells(stage: &mut Stage, answer: Message<Entry>) -> Caller {
    let mut caller = Caller::asked_for_peers(stage).await;
    caller.say(answer).await;
    caller.is_heard().await;
    caller
}

async fn tells_what_nobody_can_dial(stage: &mut Stage) {
    let texts = [
        "x",
        "://",
        "ws://",
        "ws://[",
        "ws://127.0.0.1:99999",
        "ws://127.0.0.1:0",
        "ws://127.1:22",
        "ws://0177.0.0.1:22",
        "ws://0x7f.1:22",
        "ws://2130706433:22",
        "http://example.org:80",
        "morse://127.0.0.1:1",
        "javascript:alert(1)",
    ];
    let addresses = texts.iter().map(|text| text.parse().unwrap()).collect();
    let caller = tells(stage, Message::Peers { addresses }).await;
    assert_eq!(stage.node.addresses(), []);
    stage.caller = Some(caller);
}

async fn spreads_rumours(stage: &mut Stage) {
    let (listener, port) = silent().await;
    let told = peers(stage, port, limits::MAX_PEERS_PER_MESSAGE);
    let caller = tells(stage, told).await;
    assert_eq!(stage.node.addresses().len(), limits::BUCKET_SIZE);
    let mut other = Caller::introduced(stage).await;
    other.say(Message::GetPeers { limit: u32::MAX }).await;
    assert_eq!(answers(&other.is_heard().await), [&[]; 1]);
    stage.kept.push(Box::new((listener, other)));
    stage.caller = Some(caller);
}

/// The lists of addresses among these messages.
fn answers(said: &[Message<Entry>]) -> Vec<&[PeerAddr]> {
    let addresses = said.iter().filter_map(|message| match message {
        Message::Peers { addresses } => Some(addresses.as_slice()),
        _ => None,
    });
    addresses.collect()
}

async fn tells_its_own(stage: &mut Stage) {
    let told = Message::Peers { addresses: vec![stage.address()] };
    let caller = tells(stage, told).await;
    assert_eq!(stage.node.addresses(), []);
    stage.caller = Some(caller);
}

async fn tells_its_own_by_another_name(stage: &mut Stage) {
    let address = format!("{}/again", stage.address()).parse().unwrap();
    let mut caller = Caller::asked_for_peers(stage).await;
    caller.say(Message::Peers { addresses: vec![address] }).await;
    for _end in ["ours", "theirs"] {
        let reason = stage.closed().await;
        assert!(matches!(reason, CloseReason::SelfConnection | CloseReason::Bye { .. }), "{reason:?}");
    }
    assert_eq!(stage.node.addresses(), []);
    // The address is not dialled again.
    stage.pass(limits::MIN_DISCOVERED_BACKOFF * 2).await;
    stage.caller = Some(caller);
}

async fn listens_at_the_node(stage: &mut Stage) {
    let mut caller = Caller::connect(stage).await;
    caller.hello.listen = Some(stage.address());
    caller.introduce().await;
    caller.is_heard().await;
    assert_eq!(stage.node.addresses(), []);
    stage.caller = Some(caller);
}

async fn points_at_a_third_party(stage: &mut Stage) {
    let (listener, port) = silent().await;
    let told = peers(stage, port, limits::MAX_PEERS_PER_MESSAGE);
    let caller = tells(stage, told).await;
    let mut connections = Vec::new();
    for step in 0..18 {
        assert!(connections.len() <= step + 1, "{} connections after {step} steps", connections.len());
        stage.pass(limits::DISCOVERED_DIAL_INTERVAL).await;
        connections.extend(accepted(&listener));
    }
    assert_eq!(connections.len(), limits::MAX_DISCOVERED);
    stage.kept.push(Box::new((listener, connections)));
    stage.caller = Some(caller);
}

async fn listen_everywhere(stage: &mut Stage) {
    const CALLERS: u8 = 250;
    for number in 1..=CALLERS {
        let mut caller = Caller::connect(stage).await;
        caller.hello.listen = Some(format!("ws://127.{number}.0.1:{NO_PORT}").parse().unwrap());
        caller.introduce().await;
        caller.is_heard().await;
        drop(caller);
        let reason = stage.closed().await;
        assert!(matches!(reason, CloseReason::Lost(_)), "{reason:?}");
    }
    let known = stage.node.addresses().len();
    assert!((limits::BUCKET_SIZE..=PLACES_OF_ONE_SOURCE).contains(&known), "{known} addresses are kept");
}

async fn asks_without_end(stage: &mut Stage) {
    const QUESTIONS: u32 = 5_000;
    const PATIENCE: Duration = Duration::from_secs(20);
    let mut caller = Caller::introduced(stage).await;
    for _minute in 0..2 {
        for number in 0..QUESTIONS {
            caller.say(Message::GetPeers { limit: number }).await;
        }
        assert_eq!(answers(&caller.is_heard().await), [&[]; 1]);
        let mut silence = limits::ANSWER_PEERS_INTERVAL;
        while !silence.is_zero() {
            // Shorter than the silence after which the node sends a ping.
            stage.pass(PATIENCE).await;
            assert_eq!(answers(&caller.is_heard().await), [&[]; 0]);
            silence -= PATIENCE;
        }
    }
    stage.caller = Some(caller);
}
