//! Proofs that the chain builds are verified against headers that it did not build.

use super::forge::*;
use crate::chain::ProveError;
use crate::primitives::merkle::{ProofError, leaf_hash};
use crate::primitives::transaction_id;

/// Verifies every possible proof against the headers of `branch`.
fn verify_all(chain: &Chain, branch: &Branch) {
    let len = branch.mined().len();
    for newer in 1..=len {
        let root = branch.at(newer).header().history_root;
        for older in 0..newer {
            let proof = chain.ancestor_proof(older as u64, newer as u64).unwrap();
            let leaf = leaf_hash(branch.hash(older).as_bytes());
            assert_eq!(proof.verify(&leaf, &root), Ok(()));
            let other = leaf_hash(branch.hash(newer).as_bytes());
            assert!(proof.verify(&other, &root).is_err(), "a block is not its own ancestor");
        }
        for older in 0..=newer {
            let proof = chain.consistency_proof(older as u64, newer as u64).unwrap();
            let old_root = branch.at(older).header().history_root;
            assert_eq!(proof.verify(&old_root, &root), Ok(()));
        }
    }
}

#[test]
fn ancestors_are_proven_before_and_after_a_reorg() {
    let old = Branch::of(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let new = old.cut(4).with(&[15, 16, 17, 18, 19, 20, 21]);
    let mut chain = fed(spec(), old.mined());
    verify_all(&chain, &old);
    for block in new.above(4) {
        assert!(import(&mut chain, block).is_ok());
    }
    assert_follows(&chain, &new);
    verify_all(&chain, &new);

    let proof = chain.ancestor_proof(6, 8).unwrap();
    let root = new.at(8).header().history_root;
    assert!(proof.verify(&leaf_hash(old.hash(6).as_bytes()), &root).is_err(), "that block left the chain");
}

#[test]
fn proofs_of_what_is_not_there_are_refused() {
    let chain = fed(spec(), Branch::of(&[1, 2]).mined());
    assert_eq!(
        chain.ancestor_proof(2, 2),
        Err(ProveError::Proof(ProofError::IndexOutOfRange { index: 2, tree_size: 2 }))
    );
    assert_eq!(
        chain.ancestor_proof(0, 4),
        Err(ProveError::Proof(ProofError::SizeOutOfRange { size: 4, len: 3 }))
    );
    assert_eq!(
        chain.ancestor_proof(u64::MAX, u64::MAX),
        Err(ProveError::Proof(ProofError::SizeOutOfRange { size: u64::MAX, len: 3 }))
    );
    assert_eq!(
        chain.consistency_proof(2, 1),
        Err(ProveError::Proof(ProofError::Shrinks { old_size: 2, new_size: 1 }))
    );
    assert_eq!(
        chain.consistency_proof(0, 4),
        Err(ProveError::Proof(ProofError::SizeOutOfRange { size: 4, len: 3 }))
    );
}

#[test]
fn transactions_are_proven_on_every_branch() {
    let mut main = Branch::of(&[1]);
    main.extend(words(&[2, 3, 4, 5, 6]));
    let mut side = Branch::of(&[]);
    side.extend(words(&[7, 8]));
    let mut chain = fed(spec(), main.mined());
    assert_eq!(import(&mut chain, side.tip()), Ok(side_branch()));
    for block in [main.at(1), main.at(2), side.at(1)] {
        for (index, note) in block.data().iter().enumerate() {
            let proof = chain.transaction_proof(block.hash(), index).unwrap().unwrap();
            let root = block.header().merkle_root;
            assert_eq!(proof.verify(&transaction_id(note).unwrap(), &root), Ok(()));
            assert!(proof.verify(&transaction_id(&Note::Word(99)).unwrap(), &root).is_err());
        }
    }
    let past_the_end = chain.transaction_proof(side.tip().hash(), 2);
    assert_eq!(past_the_end, Err(ProveError::Proof(ProofError::IndexOutOfRange { index: 2, tree_size: 2 })));
    assert_eq!(chain.transaction_proof(&side.with(&[9]).hash(2), 0), Ok(None));
}
