//! Finality: how deep a reorganisation may go.

use super::forge::*;
use crate::{BlockError, ChainSpec};

fn final_after(depth: u64) -> ChainSpec {
    builder().finality_depth(Some(depth)).build().unwrap()
}

#[test]
fn a_branch_may_leave_at_the_last_final_block_and_not_below() {
    let spec = final_after(2);
    let main = Branch::new(&spec).with(&[1, 2, 3, 4]);
    let mut chain = fed(spec, main.mined());
    let at = main.cut(2).with(&[13, 14, 15]);
    let below = main.cut(1).with(&[12]);

    let error = BlockError::Finality { fork_height: 1, final_height: 2 };
    assert_eq!(import_header(&mut chain, below.tip()), Err(error.clone()));
    assert_eq!(import(&mut chain, below.tip()), Err(error));
    assert_eq!(import(&mut chain, at.at(3)), Ok(side_branch()));
    assert_eq!(import(&mut chain, at.at(4)), Ok(side_branch()));
    assert_eq!(import(&mut chain, at.at(5)), reorged(main.above(2), at.above(2)));
    assert_follows(&chain, &at);
}

/// A chain, its best branch, and a branch whose headers were imported before their fork became final, and
/// whose bodies are still missing.
fn late_bodies() -> (Chain, Branch, Branch) {
    let spec = final_after(2);
    let main = Branch::new(&spec).with(&[1, 2, 3, 4]);
    let late = Branch::new(&spec).with(&[11, 12, 13, 14, 15]);
    let mut chain = fed(spec, &main.mined()[..2]);
    for block in late.mined() {
        assert_eq!(import_header(&mut chain, block), Ok(true));
    }
    assert_eq!(chain.best_header().0, late.tip().hash());
    for block in main.above(2) {
        assert_eq!(import(&mut chain, block), extended(core::slice::from_ref(block)));
    }
    (chain, main, late)
}

#[test]
fn headers_that_can_no_longer_be_followed_are_forgotten() {
    let (chain, main, late) = late_bodies();
    assert_eq!(chain.best_header().0, main.tip().hash());
    assert_eq!(chain.header(late.tip().hash()), Ok(None));
    assert_eq!(chain.missing_bodies(late.tip().hash(), 9), []);
}

#[test]
fn finality_blames_nobody_however_often_the_branch_comes() {
    let (mut chain, main, late) = late_bodies();
    let error = BlockError::Finality { fork_height: 0, final_height: 2 };
    for _ in 0..2 {
        assert_eq!(import_header(&mut chain, late.at(1)), Err(error.clone()));
        assert_eq!(import(&mut chain, late.at(1)), Err(error.clone()));
    }
    assert_eq!(import(&mut chain, late.at(2)), Ok(orphaned(late.hash(1))));
    assert_follows(&chain, &main);
}

/// Two branches of headers have more work than the tip. The fork of the second best becomes final before its
/// bodies arrive.
#[test]
fn bodies_of_the_second_best_branch_come_too_late() {
    let spec = final_after(2);
    let main = Branch::new(&spec).with(&[1, 2, 3]);
    let fork = Branch::new(&spec).with(&[11, 12, 13, 14]);
    let best = main.cut(2).with(&[23, 24, 25, 26]);
    let mut chain = fed(spec, &main.mined()[..2]);
    for block in fork.mined().iter().chain(best.above(2)) {
        assert_eq!(import_header(&mut chain, block), Ok(true));
    }
    assert_eq!(import(&mut chain, main.at(3)), extended(main.above(2)));
    for block in fork.above(1) {
        assert_eq!(import(&mut chain, block), Ok(orphaned(fork.hash(1))));
    }
    let error = BlockError::Finality { fork_height: 0, final_height: 1 };
    assert_eq!(import(&mut chain, fork.at(1)), Err(error));
    assert_eq!(
        chain.header(fork.at(1).hash()),
        Ok(None),
        "it is no worse than it was, so it is not remembered"
    );
    assert_eq!(chain.best_header().0, best.tip().hash());
    assert_follows(&chain, &main);
}

#[test]
fn a_long_way_of_headers_is_no_way_for_finality() {
    let spec = final_after(1);
    let branch = Branch::new(&spec).with(&(0..30).collect::<Vec<_>>());
    let mut chain = Chain::new(spec);
    for block in branch.mined() {
        assert_eq!(import_header(&mut chain, block), Ok(true));
        assert_eq!(chain.tree.fork_height(block.hash()), Some(0));
    }
    for block in branch.mined() {
        assert_eq!(import(&mut chain, block), extended(core::slice::from_ref(block)));
        let fork_height = (block != branch.tip()).then_some(block.height());
        assert_eq!(chain.tree.fork_height(branch.tip().hash()), fork_height);
    }
}
