//! Branches with more work that the node does not follow.

use rstest::rstest;

use super::bench::{Bench, headers};
use super::*;
use crate::protocol::RefusedBranch;
use crate::protocol::sync::refusal::is_fault_of_peer;
use crate::{ChainConfig, StoreError};

fn reports(outputs: &[Output<Note>]) -> Vec<Option<RefusedBranch>> {
    let report = |output: &Output<Note>| match output {
        Output::Event(Event::BranchRefused(branch)) => Some(Some(branch.clone())),
        Output::Event(Event::BranchRefusalEnded) => Some(None),
        _ => None,
    };
    outputs.iter().filter_map(report).collect()
}

/// A node with a chain of four blocks, of which only the last two may be disconnected.
fn node_with_final_blocks() -> Bench {
    let spec = ChainSpec::builder("test").easiest_target(spec("test").easiest_target());
    let spec = spec.retarget(Retarget::Fixed).finality_depth(Some(2)).build().unwrap();
    let mut chain = Blockchain::new(spec);
    for number in 0..4 {
        extend(&mut chain, &format!("ours {number}"));
    }
    Bench::over(chain, ProtocolConfig::default().with_seed(1))
}

/// Blocks on top of genesis that are on no other chain.
fn branch(bench: &Bench, blocks: usize) -> (Vec<Arc<Block<Note>>>, Work) {
    let mut chain = Blockchain::new(bench.node.chain().spec().clone());
    let blocks = (0..blocks).map(|number| extend(&mut chain, &format!("theirs {number}"))).collect();
    (blocks, chain.work())
}

#[test]
fn a_branch_with_more_work_that_is_final_is_reported_when_it_begins_and_when_it_ends() {
    let mut bench = node_with_final_blocks();
    let (theirs, work) = branch(&bench, 6);
    let (peer, said) = bench.join_at(*theirs[5].hash(), 6, work);
    assert_eq!((reports(&said), bench.node.refused_branch()), (vec![], None));
    let expected = RefusedBranch {
        rule: "finality",
        error: BlockError::Finality { fork_height: 0, final_height: 2 },
        work,
        peers: 1,
    };
    assert_eq!(reports(&bench.receive(peer, headers(&theirs))), [Some(expected.clone())]);
    assert_eq!(bench.node.refused_branch(), Some(expected.clone()));

    // Another peer is counted without a further event.
    let (other, _) = bench.join_at(*theirs[5].hash(), 6, work);
    assert_eq!(reports(&bench.receive(other, headers(&theirs))), []);
    assert_eq!(bench.node.refused_branch().unwrap().peers, 2);

    bench.handle(Input::Disconnected { peer: other, reason: CloseReason::Ended });
    let ended = bench.handle(Input::Disconnected { peer, reason: CloseReason::Ended });
    assert_eq!((reports(&ended), bench.node.refused_branch()), (vec![None], None));

    // Reconnecting peers do not cause further events.
    let (again, _) = bench.join_at(*theirs[5].hash(), 6, work);
    assert_eq!(reports(&bench.receive(again, headers(&theirs))), []);
    assert_eq!(bench.node.refused_branch(), Some(expected));
}

#[test]
fn what_headers_prove_counts_where_the_peer_claims_nothing() {
    let mut bench = node_with_final_blocks();
    let (theirs, work) = branch(&bench, 6);
    let peer = bench.join();
    // A header with an unknown parent triggers a header request.
    bench.receive(peer, Message::Announce(*theirs[5].header()));
    let refused = reports(&bench.receive(peer, headers(&theirs[..4])));
    assert_eq!((refused, bench.node.refused_branch()), (vec![], None), "no more work than ours");
    bench.receive(peer, Message::Announce(*theirs[5].header()));
    bench.receive(peer, headers(&theirs));
    assert_eq!(bench.node.refused_branch().map(|branch| branch.work), Some(work));

    // The peer has switched to the chain of this node.
    let tip = *bench.node.chain().tip().header();
    assert_eq!(reports(&bench.receive(peer, Message::Announce(tip))), [None]);
    assert_eq!(bench.node.refused_branch(), None);
}

#[test]
fn a_chain_that_has_caught_up_with_a_refused_branch_refuses_nothing_of_interest() {
    let mut bench = node_with_final_blocks();
    let (theirs, work) = branch(&bench, 5);
    let (peer, _) = bench.join_at(*theirs[4].hash(), 5, work);
    assert_eq!(reports(&bench.receive(peer, headers(&theirs))).len(), 1);
    let template = bench.node.template(Some(vec![note("next")]), Address::ZERO, bench.now.wall).unwrap();
    assert!(bench.node.mined(&Arc::new(template.mine().unwrap()), bench.now).unwrap());
    assert_eq!((reports(&bench.outputs()), bench.node.refused_branch()), (vec![None], None));
}

#[test]
fn a_branch_without_a_place_for_its_bodies_is_reported_until_there_is_one() {
    let config = ChainConfig::default().with_max_side_bytes(0);
    let mut bench = Bench::with_config(ProtocolConfig { chain: config, ..ProtocolConfig::default() });
    let (theirs, work) = branch(&bench, 6);
    let (peer, _) = bench.join_at(*theirs[5].hash(), 6, work);
    bench.receive(peer, headers(&theirs));
    let outputs = bench.receive(peer, Message::Blocks(theirs[..1].to_vec()));
    let [Some(refused)] = &reports(&outputs)[..] else { panic!("{outputs:?}") };
    assert_eq!((refused.rule, refused.work, refused.peers), ("max_side_bytes", work, 1));
}

/// A timestamp too far ahead of this node's clock, which may be wrong.
fn late() -> RuleError {
    let limit = Timestamp::from_millis(1);
    RuleError::TimestampTooLate { got: Timestamp::from_millis(2), limit }
}

#[rstest]
#[case::rule(RuleError::Version { got: 2, expected: 1 }.into(), true)]
#[case::other_body(RuleError::MerkleRoot { got: Hash::ZERO, expected: Hash::ZERO }.into(), true)]
#[case::clock(late().into(), false)]
#[case::known_invalid(BlockError::KnownInvalid { hash: Hash::ZERO }, true)]
#[case::invalid_parent(BlockError::InvalidParent { parent: Hash::ZERO }, true)]
#[case::ancestor(below(RuleError::Version { got: 2, expected: 1 }), true)]
#[case::early_ancestor(below(late()), false)]
#[case::unknown_parent(BlockError::UnknownParent { parent: Hash::ZERO }, false)]
#[case::finality(BlockError::Finality { fork_height: 1, final_height: 2 }, false)]
#[case::pruned(BlockError::Pruned { fork_height: 1, base: 2 }, false)]
#[case::replay(BlockError::Replay { height: 1, error: RuleError::Version { got: 2, expected: 1 } }, false)]
#[case::store(StoreError::Closed.into(), false)]
#[case::side_headers(BlockError::SideBranchesFull { got: 3, limit: 3 }, false)]
#[case::side_bytes(BlockError::SideBytesFull { got: 3, limit: 3 }, false)]
fn a_peer_is_at_fault_only_for_what_no_honest_peer_sends(#[case] error: BlockError, #[case] is_fault: bool) {
    assert_eq!(is_fault_of_peer(&error), is_fault, "{error}");
}

fn below(error: RuleError) -> BlockError {
    BlockError::InvalidAncestor { ancestor: Hash::ZERO, error: Box::new(error) }
}
