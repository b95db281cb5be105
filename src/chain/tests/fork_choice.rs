//! Fork choice: which branch becomes the best chain, and what is left of the others.

use super::forge::*;
use crate::{BlockError, Hash, RuleError};

#[test]
fn the_first_seen_of_equals_stays() {
    let first = Branch::of(&[1, 2]);
    let second = first.cut(1).with(&[12]);
    let mut chain = fed(spec(), first.mined());
    assert_eq!(import(&mut chain, second.tip()), Ok(side_branch()));
    assert_follows(&chain, &first);
    assert_eq!(chain.best_header().0, first.tip().hash());
}

#[test]
fn more_work_wins_and_the_old_branch_can_come_back() {
    let old = Branch::of(&[1, 2, 3]);
    let new = old.cut(1).with(&[12, 13, 14]);
    let mut chain = fed(spec(), old.mined());
    assert_eq!(import(&mut chain, new.at(2)), Ok(side_branch()));
    assert_eq!(import(&mut chain, new.at(3)), Ok(side_branch()));
    assert_eq!(import(&mut chain, new.at(4)), reorged(old.above(1), new.above(1)));
    assert_follows(&chain, &new);
    assert!(chain.is_best(new.at(2).hash()).unwrap() && !chain.is_best(old.at(2).hash()).unwrap());
    assert_eq!(chain.block(old.at(2).hash()), Ok(Some(old.at(2).clone())));

    let back = old.with(&[4, 5]);
    assert_eq!(import(&mut chain, back.at(4)), Ok(side_branch()));
    assert_eq!(import(&mut chain, back.at(5)), reorged(new.above(1), back.above(1)));
    assert_follows(&chain, &back);
}

#[test]
fn a_branch_may_leave_at_genesis() {
    let old = Branch::of(&[1, 2, 3, 4, 5, 6, 7]);
    let new = Branch::of(&[11, 12, 13, 14, 15, 16, 17, 18]);
    let mut chain = fed(spec(), old.mined());
    for block in &new.mined()[..7] {
        assert_eq!(import(&mut chain, block), Ok(side_branch()));
    }
    assert_eq!(import(&mut chain, new.tip()), reorged(old.mined(), new.mined()));
    assert_follows(&chain, &new);
}

/// A branch on genesis whose block at height 2 the application rejects.
fn bad_branch() -> Branch {
    let mut bad = Branch::of(&[11]);
    bad.extend(vec![Note::Word(12), Note::Bad(12)]);
    bad.with(&[13, 14])
}

fn bad_error() -> RuleError {
    RuleError::Transaction { index: 1, reason: rejected(12) }
}

#[test]
fn a_bad_block_in_the_middle_of_a_reorg_changes_nothing_and_is_remembered() {
    let main = Branch::of(&[1, 2, 3]);
    let bad = bad_branch();
    let mut chain = fed(spec(), main.mined());
    for block in &bad.mined()[..3] {
        assert_eq!(import(&mut chain, block), Ok(side_branch()));
    }
    let ancestor = bad.hash(2);
    let expected = BlockError::InvalidAncestor { ancestor, error: Box::new(bad_error()) };
    assert_eq!(import(&mut chain, bad.tip()), Err(expected));
    assert_follows(&chain, &main);
    assert_eq!(chain.best_header().0, main.tip().hash());

    assert!(!chain.is_invalid(bad.at(1).hash()), "the block before the bad one is good");
    for block in bad.above(1) {
        let hash = *block.hash();
        assert!(chain.is_invalid(&hash));
        assert_eq!(chain.block(&hash), Ok(None), "its body is dropped");
        assert_eq!(import(&mut chain, block), Err(BlockError::KnownInvalid { hash }));
    }
    let child = bad.with(&[15]);
    let parent = bad.hash(4);
    assert_eq!(import(&mut chain, child.tip()), Err(BlockError::InvalidParent { parent }));

    let around = bad.cut(1).with(&[22, 23, 24]);
    for block in &around.above(1)[..2] {
        assert_eq!(import(&mut chain, block), Ok(side_branch()));
    }
    assert_eq!(import(&mut chain, around.tip()), reorged(main.mined(), around.mined()));
    assert_follows(&chain, &around);
}

#[test]
fn the_good_part_of_a_bad_branch_is_followed_when_it_comes_at_once() {
    let main = Branch::of(&[1]);
    let mut bad = Branch::of(&[11, 12]);
    bad.extend(vec![Note::Bad(13)]);
    let bad = bad.with(&[14]);
    let mut chain = fed(spec(), main.mined());
    for block in bad.mined() {
        assert_eq!(import_header(&mut chain, block), Ok(true));
    }
    for block in bad.above(1) {
        assert_eq!(import(&mut chain, block), Ok(orphaned(bad.hash(1))));
    }
    assert_eq!(import(&mut chain, bad.at(1)), reorged(main.mined(), &bad.mined()[..2]));
    assert_follows(&chain, &bad.cut(2));
    assert!(chain.is_invalid(&bad.hash(3)) && chain.is_invalid(&bad.hash(4)));
}

#[test]
fn a_bad_block_on_the_tip_keeps_the_good_ones_below() {
    let mut branch = Branch::of(&[1, 2]);
    branch.extend(vec![Note::Bad(3)]);
    let mut chain = chain();
    for block in branch.mined() {
        assert_eq!(import_header(&mut chain, block), Ok(true));
    }
    for height in [2, 3] {
        assert_eq!(import(&mut chain, branch.at(height)), Ok(orphaned(branch.hash(1))));
    }
    assert_eq!(import(&mut chain, branch.at(1)), extended(&branch.mined()[..2]));
    assert!(chain.is_invalid(&branch.hash(3)));
    assert_follows(&chain, &branch.cut(2));
}

#[test]
fn a_mutated_body_does_not_poison_the_header() {
    let branch = Branch::of(&[1, 2]);
    let mut chain = chain();
    for block in branch.mined() {
        assert_eq!(import_header(&mut chain, block), Ok(true));
    }
    let header = *branch.at(1).header();
    let mutated: Shared = crate::Block::new(header, words(&[99])).into();
    let error = import(&mut chain, &mutated).unwrap_err();
    assert!(
        matches!(error, BlockError::Rule(RuleError::MerkleRoot { expected, .. }) if expected == header.merkle_root)
    );
    assert_eq!(chain.best_header().0, branch.tip().hash());
    assert_eq!(import(&mut chain, branch.at(1)), extended(&branch.mined()[..1]));
    assert_eq!(import(&mut chain, branch.at(2)), extended(branch.above(1)));
}

#[test]
fn two_chains_find_where_they_part() {
    let shared = Branch::of(&(0..30).collect::<Vec<_>>());
    let ours = shared.with(&[100, 101, 102]);
    let theirs = shared.with(&[200, 201, 202, 203, 204]);
    let mut chain = fed(spec(), ours.mined());
    let peer = fed(spec(), theirs.mined());

    let locator = chain.locator().unwrap();
    assert_eq!((locator[0], locator.last().copied()), (ours.hash(33), Some(ours.hash(0))));
    let headers = |locator: &[Hash], limit| peer.headers_after(locator, limit).unwrap();
    // The locator lists the last ten blocks one by one, so it contains the last common block itself.
    let expected: Vec<_> = theirs.above(30).iter().map(|block| *block.header()).collect();
    assert_eq!(headers(&locator, 100), expected);
    assert_eq!(headers(&locator, 2), expected[..2]);
    assert_eq!(headers(&[], 1), [*theirs.at(1).header()]);
    assert_eq!(headers(&[Hash::ZERO, theirs.hash(35)], 9), []);
    assert_eq!(headers(&[Hash::ZERO], 1), [*theirs.at(1).header()], "after genesis");

    for block in theirs.above(30) {
        assert_eq!(import_header(&mut chain, block), Ok(true));
    }
    assert_eq!(chain.locator().unwrap(), peer.locator().unwrap(), "it is the best headers that count");
    assert_eq!(
        chain.headers_after(&[shared.hash(30)], 9).unwrap().len(),
        3,
        "and the best chain that is served"
    );
}
