//! Peers that do not answer in time.

use super::bench::{Bench, asked_of, closed, hashes, headers, kinds, sent_to};
use super::*;
use crate::primitives::transaction_id;
use rstest::rstest;

const MOMENT: Duration = Duration::from_millis(1);

#[test]
fn a_caller_that_does_not_introduce_itself_is_closed() {
    let mut bench = Bench::new();
    let peer = bench.accept();
    assert!(bench.pass(limits::HANDSHAKE_TIMEOUT.saturating_sub(MOMENT)).is_empty());
    let outputs = bench.pass(MOMENT);
    assert_eq!(closed(&outputs, peer).map(ToString::to_string).as_deref(), Some("no hello within 10 s"));
    assert_eq!(kinds(&outputs, peer), ["bye"]);
    assert_eq!(bench.node.poll_timeout(), None);
}

#[rstest]
#[case::headers(|_: &mut Bench, _: PeerId| {}, "no answer to get_headers within 20 s")]
#[case::blocks(
    |bench: &mut Bench, peer: PeerId| {
        let blocks = bench.following(&["a", "b"]);
        bench.receive(peer, headers(&blocks));
    },
    "no answer to get_blocks within 20 s"
)]
#[case::transactions(
    |bench: &mut Bench, peer: PeerId| {
        bench.receive(peer, Message::Headers(Vec::new()));
        bench.receive(peer, Message::Offer { ids: vec![transaction_id(&note("pay")).unwrap()] });
    },
    "no answer to get_transactions within 20 s"
)]
fn a_request_that_is_not_answered_closes(#[case] ask: fn(&mut Bench, PeerId), #[case] reason: &str) {
    let mut bench = Bench::new();
    let peer = bench.join_ahead();
    ask(&mut bench, peer);
    assert!(bench.pass(limits::REQUEST_TIMEOUT.saturating_sub(MOMENT)).is_empty());
    let outputs = bench.pass(MOMENT);
    assert_eq!(closed(&outputs, peer).map(ToString::to_string).as_deref(), Some(reason));
}

/// The number of bytes that a peer at the minimum rate delivers in this time.
fn in_time(time: Duration) -> usize {
    usize::try_from(time.as_secs() * u64::from(limits::MIN_DOWNLOAD_RATE)).unwrap()
}

/// The time that a peer at the minimum rate may take for the smallest block.
fn time_of_a_block() -> Duration {
    limits::REQUEST_TIMEOUT / u32::try_from(limits::BLOCKS_PER_REQUEST).unwrap()
}

/// The minimum rate: each block takes a moment less than the request timeout.
#[test]
fn a_peer_that_delivers_at_the_lowest_rate_is_given_time() {
    let mut bench = Bench::new();
    let peer = bench.join_ahead();
    let texts = ["a", "b", "c", "d"].map(|text| text.repeat(in_time(limits::REQUEST_TIMEOUT)));
    let blocks = bench.following(&texts.each_ref().map(String::as_str));
    bench.receive(peer, headers(&blocks));
    for block in &blocks {
        assert!(bench.pass(limits::REQUEST_TIMEOUT.saturating_sub(MOMENT)).is_empty());
        bench.receive(peer, Message::Blocks(vec![Arc::clone(block)]));
    }
    assert_eq!(bench.node.chain().tip(), &blocks[3]);
    assert_eq!(bench.node.peers().len(), 1);
}

#[test]
fn a_peer_that_drips_small_blocks_is_replaced() {
    let mut bench = Bench::new();
    let [slow, other] = [bench.join_ahead(), bench.join_ahead()];
    let blocks = bench.following(&["a", "b", "c"]);
    assert_eq!(asked_of(&bench.receive(slow, headers(&blocks)), slow), hashes(&blocks));
    assert_eq!(asked_of(&bench.receive(other, headers(&blocks)), other), []);
    bench.pass(limits::REQUEST_TIMEOUT.saturating_sub(MOMENT * 100));
    let outputs = bench.receive(slow, Message::Blocks(vec![Arc::clone(&blocks[0])]));
    assert!(closed(&outputs, slow).is_none());
    assert!(closed(&bench.pass(time_of_a_block()), slow).is_none());
    let outputs = bench.pass(MOMENT * 200);
    let reason = closed(&outputs, slow).unwrap();
    assert_eq!(reason.to_string(), "no answer to get_blocks within 20 s");
    assert_eq!(reason.penalty(), 0, "slowness is no offence");
    assert_eq!(asked_of(&outputs, other), hashes(&blocks[1..]));
}

/// High latency: few bytes per second, but as many blocks per timeout as a request has.
#[test]
fn a_peer_with_small_blocks_from_afar_is_given_time() {
    let mut bench = Bench::new();
    let peer = bench.join_ahead();
    let texts: Vec<String> = (0..48).map(|number| number.to_string()).collect();
    let blocks = bench.following(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    bench.receive(peer, headers(&blocks));
    for blocks in blocks.chunks(16) {
        assert!(bench.pass(time_of_a_block() * 16).is_empty());
        bench.receive(peer, Message::Blocks(blocks.to_vec()));
    }
    assert_eq!(bench.node.chain().tip(), &blocks[47]);
    assert_eq!(bench.node.peers().len(), 1);
}

/// Fast delivery of some blocks does not extend the deadline of the others beyond one timeout.
#[test]
fn time_that_blocks_earn_is_not_saved_up() {
    let mut bench = Bench::new();
    let peer = bench.join_ahead();
    let large = "a".repeat(in_time(limits::REQUEST_TIMEOUT * 3));
    let blocks = bench.following(&[&large, "b"]);
    bench.receive(peer, headers(&blocks));
    bench.receive(peer, Message::Blocks(vec![Arc::clone(&blocks[0])]));
    assert!(bench.pass(limits::REQUEST_TIMEOUT.saturating_sub(MOMENT)).is_empty());
    assert!(closed(&bench.pass(MOMENT), peer).is_some());
}

#[test]
fn silence_is_broken_by_a_ping_and_ended_by_no_pong() {
    let mut bench = Bench::new();
    let [silent, alive] = [bench.join(), bench.join()];
    assert!(bench.pass(limits::PING_INTERVAL.saturating_sub(MOMENT)).is_empty());
    let outputs = bench.pass(MOMENT);
    let [Message::Ping(nonce)] = sent_to(&outputs, alive)[..] else { panic!("{outputs:?}") };
    assert_eq!(kinds(&outputs, silent), ["ping"]);
    bench.receive(alive, Message::Pong(*nonce));
    // An unrequested pong has no effect.
    bench.receive(silent, Message::Pong(12));
    assert!(bench.pass(limits::REQUEST_TIMEOUT.saturating_sub(MOMENT)).is_empty());
    let outputs = bench.pass(MOMENT);
    let reason = closed(&outputs, silent).map(ToString::to_string);
    assert_eq!(reason.as_deref(), Some("no answer to ping within 20 s"));
    assert_eq!(closed(&outputs, alive).map(ToString::to_string), None);
    let outputs = bench.pass(limits::PING_INTERVAL.saturating_sub(limits::REQUEST_TIMEOUT));
    assert_eq!(kinds(&outputs, alive), ["ping"]);
}

#[test]
fn a_ping_is_answered() {
    let mut bench = Bench::new();
    let peer = bench.join();
    let outputs = bench.receive(peer, Message::Ping(42));
    assert_eq!(sent_to(&outputs, peer), [&Message::Pong(42)]);
}

#[test]
fn what_arrives_after_the_end_is_ignored() {
    let mut bench = Bench::new();
    let peer = bench.join_ahead();
    bench.node.disconnect(peer, CloseReason::Requested, bench.now);
    assert_eq!(kinds(&bench.outputs(), peer), ["bye"]);
    let blocks = bench.following(&["a"]);
    assert!(bench.receive(peer, headers(&blocks)).is_empty());
    assert!(bench.handle(Input::Disconnected { peer, reason: CloseReason::Ended }).is_empty());
}
