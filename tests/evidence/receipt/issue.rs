//! Why a chain issues no receipt.

use hashloom::Hash;
use hashloom::chain::ChainConfig;
use hashloom::evidence::{Checkpoint, CheckpointError, IssueReceiptError, Receipt, SignedNote};
use hashloom::primitives::merkle;

use crate::log::Log;

fn refused(log: &Log, block: &Hash, index: usize, note: SignedNote) -> IssueReceiptError {
    Receipt::issue(&log.chain, block, index, note).unwrap_err()
}

#[test]
fn an_unknown_block() {
    let log = Log::of(3);
    let hash = Hash::digest(b"no block");
    assert_eq!(refused(&log, &hash, 0, log.checkpoint(3)), IssueReceiptError::UnknownBlock { hash });
}

#[test]
fn a_block_of_a_side_branch() {
    let mut log = Log::of(3);
    let mut branch = log.fork_at(1);
    branch.extend(3, "other");
    let hash = log.hash(2);
    log.reorganise(&branch);
    assert_eq!(refused(&log, &hash, 0, log.checkpoint(3)), IssueReceiptError::SideBranch { hash });
}

#[test]
fn a_block_that_the_checkpoint_does_not_cover() {
    let log = Log::of(3);
    let error = IssueReceiptError::NotCovered { height: 2, size: 2 };
    assert_eq!(refused(&log, &log.hash(2), 0, log.checkpoint(2)), error);
}

#[test]
fn a_checkpoint_of_more_blocks_than_the_chain_has() {
    let log = Log::of(3);
    let mut ahead = log.fork_at(3);
    ahead.extend(2, "order");
    let error = IssueReceiptError::BeyondTip { size: 5, height: 3 };
    assert_eq!(refused(&log, &log.hash(1), 0, ahead.checkpoint(5)), error);
    // The root of the next block is known before that block is mined.
    let receipt = Receipt::issue(&log.chain, &log.hash(3), 2, ahead.checkpoint(4)).unwrap();
    assert_eq!(receipt.verify(&log.policy()).unwrap().header.height, 3);
}

#[test]
fn a_checkpoint_of_another_history() {
    let log = Log::of(5);
    let mut branch = log.fork_at(1);
    branch.extend(4, "other");
    let root = |log: &Log| log.chain.header_at(5).unwrap().unwrap().history_root;
    let error = IssueReceiptError::OtherHistory { size: 5, got: root(&branch), expected: root(&log) };
    assert_eq!(refused(&log, &log.hash(1), 0, branch.checkpoint(5)), error);
}

#[test]
fn a_pruned_block() {
    let mut log = Log::with_config(0, ChainConfig::default().with_keep_bodies(Some(2)));
    for _ in 0..20 {
        log.extend(2, "order");
        // Bodies are kept from a written state on.
        log.chain.checkpoint().unwrap();
    }
    let first = log.chain.first_body();
    assert!(first > 1, "nothing was pruned");
    let error = IssueReceiptError::Pruned { height: 1, first };
    assert_eq!(refused(&log, &log.hash(1), 0, log.checkpoint(40)), error);
    assert_eq!(log.receipt(first, 0, 40).header().height, first);
}

#[test]
fn an_index_behind_the_last_transaction() {
    let log = Log::of(3);
    let error = IssueReceiptError::NoTransaction { index: 3, count: 3 };
    assert_eq!(refused(&log, &log.hash(1), 3, log.checkpoint(3)), error);
}

#[test]
fn a_note_that_is_no_checkpoint() {
    let log = Log::of(3);
    let note = SignedNote::sign("all is well\n", &log.key).unwrap();
    let error = CheckpointError::MissingLine { line: 2 };
    assert_eq!(refused(&log, &log.hash(1), 0, note), IssueReceiptError::Checkpoint(error));
}

#[test]
fn the_checkpoint_of_no_blocks_covers_none() {
    let log = Log::of(3);
    let empty = Checkpoint::new(log.key.name(), 0, merkle::root(&[])).unwrap();
    let note = SignedNote::sign(empty.to_string(), &log.key).unwrap();
    let error = IssueReceiptError::NotCovered { height: 0, size: 0 };
    assert_eq!(refused(&log, log.chain.genesis().hash(), 0, note), error);
}
