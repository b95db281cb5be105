//! What happens when a peer says nothing.

use super::bench::{Bench, closed, headers, kinds, sent_to};
use super::*;
use crate::transaction_id;
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

#[test]
fn a_peer_that_delivers_bit_by_bit_is_given_time() {
    let mut bench = Bench::new();
    let peer = bench.join_ahead();
    let blocks = bench.following(&["a", "b", "c"]);
    bench.receive(peer, headers(&blocks));
    for block in &blocks {
        assert!(bench.pass(limits::REQUEST_TIMEOUT.saturating_sub(MOMENT)).is_empty());
        bench.receive(peer, Message::Blocks(vec![Arc::clone(block)]));
    }
    assert_eq!(bench.node.chain().tip(), &blocks[2]);
    assert_eq!(bench.node.peers().len(), 1);
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
    // A pong to nothing is harmless and answers nothing.
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
