//! Limits at their boundary: the largest permitted value and the next one.

use super::bench::{Bench, closed, sent_to};
use super::*;
use crate::primitives::transaction_id;
use rstest::rstest;

const MOMENT: Duration = Duration::from_millis(1);

fn header() -> Header {
    *spec("test").genesis::<Note>().unwrap().header()
}

fn block() -> Arc<Block<Note>> {
    Arc::new(spec("test").genesis().unwrap())
}

#[rstest]
#[case::locator(|len| Message::GetHeaders { locator: vec![Hash::ZERO; len], limit: 1 }, limits::MAX_LOCATOR_HASHES)]
#[case::headers(|len| Message::Headers(vec![header(); len]), limits::MAX_HEADERS)]
#[case::get_blocks(|len| Message::GetBlocks { hashes: vec![Hash::ZERO; len] }, limits::MAX_BLOCKS)]
#[case::not_found(|len| Message::NotFound { hashes: vec![Hash::ZERO; len] }, limits::MAX_BLOCKS)]
#[case::blocks(|len| Message::Blocks(vec![block(); len]), limits::MAX_BLOCKS)]
#[case::offer(|len| Message::Offer { ids: vec![Hash::ZERO; len] }, limits::MAX_TRANSACTIONS)]
#[case::get_transactions(
    |len| Message::GetTransactions { ids: vec![Hash::ZERO; len] },
    limits::MAX_TRANSACTIONS
)]
#[case::transactions(|len| Message::Transactions(vec![note("x"); len]), limits::MAX_TRANSACTIONS)]
#[case::peers(
    |len| Message::Peers { addresses: vec!["test://a".parse().unwrap(); len] },
    limits::MAX_PEERS_PER_MESSAGE
)]
fn a_message_holds_so_many_items_and_not_one_more(
    #[case] message: fn(usize) -> Message<Note>,
    #[case] limit: usize,
) {
    let mut bench = Bench::new();
    let mut reason = |message: Message<Note>| {
        let peer = bench.join();
        closed(&bench.receive(peer, message), peer).cloned()
    };
    // What is wrong with the largest permitted message is another thing, such as being unsolicited.
    let largest = reason(message(limit));
    assert!(!matches!(largest, Some(CloseReason::TooManyItems { .. })), "{largest:?}");
    let too_many = message(limit + 1);
    let expected = CloseReason::TooManyItems { kind: too_many.kind(), got: limit + 1, limit };
    assert_eq!(format!("{:?}", reason(too_many)), format!("{:?}", Some(expected)));
}

/// A node that keeps a connection to one address.
struct Caller {
    bench: Bench,
    address: PeerAddr,
    next: u64,
}

impl Caller {
    fn new() -> Self {
        let mut bench = Bench::new();
        let address: PeerAddr = "test://kept".parse().unwrap();
        bench.node.connect(address.clone(), bench.now).unwrap();
        assert!(matches!(bench.outputs()[..], [Output::Dial { .. }]));
        Self { bench, address, next: 1_000 }
    }

    /// Connects, and closes the connection after `lasted`. Returns the node's wait before it dials again.
    fn wait_after(&mut self, lasted: Duration, introduces_itself: bool) -> Duration {
        self.next += 1;
        let peer = PeerId(self.next);
        let address = self.address.clone();
        self.bench.handle(Input::Connected { peer, direction: Direction::Outbound, address, format: "none" });
        if introduces_itself {
            let hello = Hello { nonce: self.next, ..self.bench.hello() };
            self.bench.receive(peer, Message::Hello(hello));
        }
        self.bench.now.elapsed += lasted;
        let outputs = self.bench.handle(Input::Disconnected { peer, reason: CloseReason::Ended });
        assert!(closed(&outputs, peer).is_none());
        let ended = self.bench.now.elapsed;
        loop {
            let at = self.bench.node.poll_timeout().expect("it is dialled again");
            let outputs = self.bench.pass(at.saturating_sub(self.bench.now.elapsed));
            if outputs.iter().any(|output| matches!(output, Output::Dial { .. })) {
                return self.bench.now.elapsed.saturating_sub(ended);
            }
        }
    }
}

/// Up to half of a wait is subtracted at random; three failures in a row make the wait four times the first.
#[test]
fn only_a_connection_that_lasts_lets_the_waits_start_anew() {
    let (first, third) = (limits::MIN_BACKOFF / 2..=limits::MIN_BACKOFF, limits::MIN_BACKOFF * 2);
    let short = limits::LASTING_CONNECTION.saturating_sub(MOMENT);
    let mut caller = Caller::new();
    assert!(first.contains(&caller.wait_after(short, true)));
    caller.wait_after(short, true);
    let wait = caller.wait_after(short, true);
    assert!(wait >= third, "a moment too short: {wait:?}");
    let wait = caller.wait_after(limits::LASTING_CONNECTION, true);
    assert!(first.contains(&wait), "just long enough: {wait:?}");
}

#[test]
fn a_connection_on_which_nobody_introduced_himself_does_not_count_however_long() {
    let mut caller = Caller::new();
    caller.wait_after(Duration::ZERO, true);
    caller.wait_after(Duration::ZERO, true);
    let wait = caller.wait_after(limits::LASTING_CONNECTION, false);
    assert!(wait >= limits::MIN_BACKOFF * 2, "{wait:?}");
}

#[test]
fn transactions_that_a_lost_peer_was_asked_for_are_asked_of_another_at_once() {
    let mut bench = Bench::new();
    let [first, second] = [bench.join(), bench.join()];
    let ids = vec![transaction_id(&note("pay")).unwrap()];
    let ask = Message::GetTransactions { ids: ids.clone() };
    let outputs = bench.receive(first, Message::Offer { ids: ids.clone() });
    assert_eq!(sent_to(&outputs, first), [&ask]);
    assert!(bench.receive(second, Message::Offer { ids }).is_empty(), "one of them is enough");
    let outputs = bench.handle(Input::Disconnected { peer: first, reason: CloseReason::Ended });
    assert_eq!(sent_to(&outputs, second), [&ask]);
}

/// Peers rely on these limits, which docs/protocol.md documents.
#[test]
fn the_limits_are_those_of_the_documentation() {
    assert_eq!((limits::MAX_BLOCKS_BYTES, limits::MAX_TRANSACTIONS_BYTES), (1_048_576, 1_048_576));
    assert_eq!(limits::BAN_DURATION.as_secs(), 3_600);
    assert_eq!(limits::ASK_PEERS_INTERVAL.as_secs(), 120);
    assert_eq!(limits::ANSWER_PEERS_INTERVAL, limits::ASK_PEERS_INTERVAL / 2);
    assert_eq!(limits::MAX_DISCOVERED_BACKOFF.as_secs(), 3_600);
    assert_eq!(limits::ALIAS_PAUSE.as_secs(), 600);
    assert_eq!(limits::MAX_ADDRESS_AGE.as_secs(), 2_592_000);
    assert_eq!(limits::MAX_ADDRESSES, 1_280);
}
