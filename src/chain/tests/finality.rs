//! Finality: how deep a reorganisation may go.

use super::forge::*;
use crate::{BlockError, ChainSpec, Fault, Imported};

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
    assert_eq!(error.fault(), Fault::Nobody);
    assert_eq!(import_header(&mut chain, below.tip()), Err(error.clone()));
    assert_eq!(import(&mut chain, below.tip()), Err(error));
    assert_eq!(import(&mut chain, at.at(3)), Ok(Imported::SideBranch));
    assert_eq!(import(&mut chain, at.at(4)), Ok(Imported::SideBranch));
    assert_eq!(import(&mut chain, at.at(5)), reorged(main.above(2), at.above(2)));
    assert_follows(&chain, &at);
}
