//! What a bad signature costs the peer that sent it.

use core::time::Duration;
use std::sync::Arc;

use hashloom::primitives::{Work, transaction_id};
use hashloom::protocol::{
    CloseReason, Direction, Hello, Input, Message, Now, Output, PeerId, Protocol, ProtocolConfig, Tip, limits,
};
use hashloom::signed::Signed;
use hashloom::{BlockError, Blockchain, Hash};

use crate::kit::{NOW, changed, forged, received, refused, spec, text};

type Node = Protocol<Signed<String>>;

fn at(seconds: u64) -> Now {
    let elapsed = Duration::from_secs(seconds);
    Now { elapsed, wall: NOW.saturating_add(elapsed) }
}

fn handle(node: &mut Node, input: Input<Signed<String>>, now: Now) -> Vec<Output<Signed<String>>> {
    node.handle(input, now);
    core::iter::from_fn(|| node.poll_output()).collect()
}

/// A node with a peer that has completed the handshake.
fn node_with_peer(number: u64, now: Now) -> (Node, PeerId) {
    let config = ProtocolConfig::default().with_seed(number);
    let mut node = Protocol::with_chain(Blockchain::new(spec("signed")), config, NOW).unwrap();
    let peer = join(&mut node, number, now);
    (node, peer)
}

fn join(node: &mut Node, number: u64, now: Now) -> PeerId {
    let peer = PeerId(number);
    let address = "test://mallory".parse().unwrap();
    handle(node, Input::Connected { peer, direction: Direction::Inbound, address, format: "none" }, now);
    let genesis = *node.chain().genesis().hash();
    let hello = Hello {
        protocol: limits::PROTOCOL_VERSION,
        genesis,
        nonce: 1_000 + number,
        tip: Tip { hash: genesis, height: 0, work: Work::ZERO },
        agent: "test".to_owned(),
        listen: None,
        wants_new_blocks: true,
        keeps_bodies: None,
    };
    handle(node, Input::Received { peer, message: Message::Hello(hello) }, now);
    peer
}

fn closed(outputs: &[Output<Signed<String>>]) -> Option<&CloseReason> {
    outputs.iter().find_map(|output| match output {
        Output::Close { reason, .. } => Some(reason),
        _ => None,
    })
}

/// Lets the peer offer the transaction and deliver it when the node requests it.
fn deliver(
    node: &mut Node,
    peer: PeerId,
    transaction: &Signed<String>,
    now: Now,
) -> Vec<Output<Signed<String>>> {
    let ids: Vec<Hash> = vec![transaction_id(transaction).unwrap()];
    let outputs = handle(node, Input::Received { peer, message: Message::Offer { ids: ids.clone() } }, now);
    let asks = |output: &Output<Signed<String>>| matches!(output, Output::Send { message: Message::GetTransactions { ids: asked }, .. } if *asked == ids);
    assert!(outputs.iter().any(asks), "{outputs:?}");
    let message = Message::Transactions(vec![received(transaction)]);
    handle(node, Input::Received { peer, message }, now)
}

#[test]
fn forged_transactions_close_the_connection_and_add_up_to_a_ban() {
    let (mut node, mut peer) = node_with_peer(1, at(0));
    let seen = text(node.chain(), 1, 0, "pay");
    for attempt in 1..=5 {
        let forged = changed(&seen, None, None, None, Some(&format!("pay {attempt} more")));
        let id = transaction_id(&forged).unwrap();
        let outputs = deliver(&mut node, peer, &forged, at(attempt));
        let Some(reason @ CloseReason::RefusedTransaction { id: of, reason: rejected }) = closed(&outputs)
        else {
            panic!("{outputs:?}");
        };
        assert_eq!((*of, rejected.rule()), (id, "signature"));
        assert_eq!(reason.penalty(), limits::BAN_SCORE / 5);
        assert_eq!((node.mempool().len(), node.bans(at(attempt)).len()), (0, usize::from(attempt == 5)));
        handle(&mut node, Input::Disconnected { peer, reason: CloseReason::Ended }, at(attempt));
        if attempt < 5 {
            peer = join(&mut node, attempt + 1, at(attempt));
        }
    }
}

#[test]
fn a_number_that_is_used_or_ahead_costs_nothing() {
    let (mut node, peer) = node_with_peer(1, at(0));
    for (sequence, is_kept) in [(1, false), (0, true)] {
        let signed = text(node.chain(), 1, sequence, "note");
        let outputs = deliver(&mut node, peer, &signed, at(sequence));
        assert!(closed(&outputs).is_none(), "{outputs:?}");
        assert_eq!(node.mempool().len(), usize::from(is_kept));
    }
    assert!(node.bans(at(9)).is_empty());
}

#[test]
fn a_block_with_a_forged_transaction_bans_at_once() {
    let (mut node, peer) = node_with_peer(1, at(0));
    let seen = text(node.chain(), 1, 0, "pay");
    let bad = changed(&seen, None, None, None, Some("pay more"));
    let block = forged(node.chain(), vec![received(&seen), received(&bad)]);
    let message = Message::NewBlock(Arc::clone(&block));
    let outputs = handle(&mut node, Input::Received { peer, message }, at(1));
    let Some(CloseReason::InvalidBlock { hash, error: BlockError::Rule(error) }) = closed(&outputs) else {
        panic!("{outputs:?}");
    };
    assert_eq!((hash, refused(error)), (block.hash(), (1, "signature")));
    assert_eq!(node.bans(at(1))[0].host.as_str(), "mallory");
    assert_eq!(node.chain().height(), 0);
}
