//! A chain that is mined on demand: in a long loop, the last block is as cheap to mine as the first.

use core::time::Duration;
use std::sync::Arc;

use super::forge::*;
use crate::primitives::Target;
use crate::{ChainSpec, CompactTarget, Retarget};

const BLOCKS: usize = 600;

/// The targets of blocks that are mined in a loop, one each millisecond.
fn targets(spec: ChainSpec) -> Vec<CompactTarget> {
    let mut chain = Chain::new(spec);
    let mut now = NOW;
    let mut mine = || {
        now = now.saturating_add(Duration::from_millis(1));
        let block = chain.template(vec![], now).unwrap().mine().unwrap();
        let target = block.header().target;
        assert!(chain.import(Arc::new(block), now).unwrap().is_extension());
        target
    };
    (0..BLOCKS).map(|_| mine()).collect()
}

#[test]
fn a_loop_of_blocks_stays_as_easy_as_the_first() {
    let on_demand = ChainSpec::on_demand("test").easiest_target(EASY).build().unwrap();
    assert_eq!(targets(on_demand), [EASY; BLOCKS]);

    // The default rule raises the difficulty, so it is the preset that keeps it low.
    let default = ChainSpec::builder("test").easiest_target(EASY).build().unwrap();
    let last = targets(default).pop().unwrap();
    assert!(Target::try_from(last).unwrap() < Target::try_from(EASY).unwrap());
}

#[test]
fn the_preset_differs_from_the_default_in_the_retargeting_alone() {
    let on_demand = ChainSpec::on_demand("test").build();
    assert_eq!(on_demand, ChainSpec::builder("test").retarget(Retarget::Fixed).build());
    assert_eq!(on_demand.unwrap().easiest_target(), Target::FOUR_HEX_ZEROS);
}
