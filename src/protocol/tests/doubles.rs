//! Duplicate connections to one node, and peers that falsely claim to be one: every peer learns the nonces of
//! others.

use super::bench::{Bench, closed};
use super::*;
use rstest::rstest;

const PEER: &str = "ws://192.0.2.1:5001";
const NAMED: &str = "ws://peer.example.org:5001";
const STRANGER: &str = "ws://192.0.2.9:40000";

/// Opens a connection to or from `at` and completes the handshake with the nonce.
fn meet(bench: &mut Bench, id: u64, direction: Direction, at: &str, nonce: u64) -> Vec<Output<Note>> {
    let (peer, address) = (PeerId(id), at.parse::<PeerAddr>().unwrap());
    if direction == Direction::Outbound && !bench.node.unconnected().any(|known| *known == address) {
        bench.node.connect(address.clone(), bench.now).unwrap();
    }
    let mut outputs = bench.handle(Input::Connected { peer, direction, address, format: "none" });
    let hello = Hello { nonce, ..bench.hello() };
    outputs.extend(bench.receive(peer, Message::Hello(hello)));
    outputs
}

/// Returns one nonce below the node's own, and one above.
fn nonces(bench: &Bench) -> [u64; 2] {
    [bench.node.connections.nonce() - 1, bench.node.connections.nonce() + 1]
}

fn open(bench: &Bench) -> Vec<u64> {
    bench.node.peers().iter().map(|peer| peer.id.0).collect()
}

#[rstest]
#[case::calls_a_node_that_dialled_the_peer((Direction::Outbound, PEER), (Direction::Inbound, STRANGER))]
#[case::called_before_the_peer_was_dialled((Direction::Inbound, STRANGER), (Direction::Outbound, PEER))]
#[case::is_dialled_while_the_peer_is_there((Direction::Inbound, PEER), (Direction::Outbound, STRANGER))]
#[case::was_dialled_before_the_peer_called((Direction::Outbound, STRANGER), (Direction::Inbound, PEER))]
#[case::both_were_dialled((Direction::Outbound, STRANGER), (Direction::Outbound, PEER))]
#[case::both_called((Direction::Inbound, STRANGER), (Direction::Inbound, PEER))]
fn who_repeats_a_nonce_from_elsewhere_ends_nothing(
    #[case] first: (Direction, &str),
    #[case] second: (Direction, &str),
    #[values(0, 1)] which: usize,
) {
    let mut bench = Bench::new();
    let nonce = nonces(&bench)[which];
    meet(&mut bench, 1, first.0, first.1, nonce);
    meet(&mut bench, 2, second.0, second.1, nonce);
    assert_eq!(open(&bench), [1, 2]);
    assert_eq!(bench.node.unconnected().count(), 0);
    // An address is dialled again when its own connection ends, even if another connection is open.
    for (id, (direction, at)) in [(1, first), (2, second)] {
        bench.handle(Input::Disconnected { peer: PeerId(id), reason: CloseReason::Ended });
        let dialled_again = bench.node.unconnected().any(|address| address.as_str() == at);
        assert_eq!(dialled_again, direction == Direction::Outbound);
    }
}

/// The node does not resolve names, so an inbound peer may be the node at the end of an outbound connection.
/// The outbound connection stays in any case.
#[rstest]
fn a_connection_that_we_opened_never_ends_for_one_that_somebody_else_did(
    #[values(PEER, NAMED)] dialled: &str,
    #[values("ws://192.0.2.1:40000", STRANGER)] caller: &str,
    #[values(0, 1)] which: usize,
    #[values(false, true)] calls_first: bool,
) {
    let mut bench = Bench::new();
    let nonce = nonces(&bench)[which];
    let order = [(1, Direction::Outbound, dialled), (2, Direction::Inbound, caller)];
    let mut outputs = Vec::new();
    for at in if calls_first { [1, 0] } else { [0, 1] } {
        let (id, direction, at) = order[at];
        outputs.extend(meet(&mut bench, id, direction, at, nonce));
    }
    assert!(closed(&outputs, PeerId(1)).is_none());
    let may_be_one = dialled == NAMED || caller != STRANGER;
    let ends = may_be_one && which == 1;
    assert_eq!(open(&bench), if ends { vec![1] } else { vec![1, 2] });
    // The remote node closes the outbound connection if its nonce is smaller; the inbound one then serves the
    // address.
    if may_be_one && which == 0 {
        let reason = CloseReason::Bye { reason: String::new() };
        bench.handle(Input::Disconnected { peer: PeerId(1), reason });
        assert_eq!(bench.node.unconnected().count(), 0);
        bench.handle(Input::Disconnected { peer: PeerId(2), reason: CloseReason::Ended });
        assert_eq!(bench.node.unconnected().count(), 1);
    }
}
