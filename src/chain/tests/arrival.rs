//! Blocks and headers that arrive in any order: headers first, orphans, and the missing bodies to request.

use rstest::rstest;

use super::forge::*;
use crate::{BlockError, ChainConfig, RuleError};

#[rstest]
#[case(&[1, 2, 3, 4])]
#[case(&[4, 3, 2, 1])]
#[case(&[2, 4, 1, 3])]
#[case(&[3, 1, 4, 2])]
fn bodies_come_in_any_order_after_their_headers(#[case] order: &[usize]) {
    let branch = Branch::of(&[1, 2, 3, 4]);
    let mut chain = chain();
    for block in branch.mined() {
        assert_eq!(import_header(&mut chain, block), Ok(true));
        assert_eq!(import_header(&mut chain, block), Ok(false));
    }
    assert_eq!((chain.height(), chain.best_header().1.height), (0, 4));
    let mut here = vec![0];
    for height in order {
        let before = chain.height();
        let result = import(&mut chain, branch.at(*height)).unwrap();
        here.push(*height);
        let connected = (1..5).take_while(|height| here.contains(height)).count();
        if result.is_extension() {
            assert_eq!(result.connected, branch.mined()[usize::try_from(before).unwrap()..connected]);
        } else {
            let missing = (0..*height).rev().find(|height| !here.contains(height)).unwrap();
            assert_eq!(result, orphaned(branch.hash(missing)));
        }
        assert_follows(&chain, &branch.cut(connected));
        let missing = (1..5).filter(|height| !here.contains(height)).map(|height| branch.hash(height));
        assert_eq!(chain.missing_bodies(branch.tip().hash(), 9), missing.collect::<Vec<_>>());
    }
    assert_eq!(chain.height(), 4);
}

#[test]
fn missing_bodies_are_asked_for_within_a_window() {
    let ahead = Branch::of(&[1, 2, 3, 4, 5]);
    let other = ahead.cut(1).with(&[12, 13]);
    let mut chain = fed(spec(), &ahead.mined()[..1]);
    for block in ahead.above(1).iter().chain(other.above(1)) {
        assert_eq!(import_header(&mut chain, block), Ok(true));
    }
    let hashes = |branch: &Branch, heights: &[usize]| {
        heights.iter().map(|height| branch.hash(*height)).collect::<Vec<_>>()
    };
    let asked = |chain: &Chain, branch: &Branch, height: usize, window: usize| {
        chain.missing_bodies(&branch.hash(height), window)
    };
    assert_eq!(asked(&chain, &ahead, 5, 9), hashes(&ahead, &[2, 3, 4, 5]));
    assert_eq!(asked(&chain, &ahead, 3, 9), hashes(&ahead, &[2, 3]));
    assert_eq!(asked(&chain, &ahead, 5, 2), hashes(&ahead, &[2, 3]));
    assert_eq!(asked(&chain, &ahead, 1, 9), []);
    assert_eq!(asked(&chain, &ahead, 0, 9), []);
    assert_eq!(asked(&chain, &other, 3, 9), hashes(&other, &[2, 3]));
    assert_eq!(asked(&chain, &other, 3, 1), hashes(&other, &[2]));

    let missing = ahead.hash(2);
    assert_eq!(import(&mut chain, ahead.at(3)), Ok(orphaned(missing)));
    assert_eq!(asked(&chain, &ahead, 5, 3), hashes(&ahead, &[2, 4]), "the window counts blocks");
    assert_eq!(import(&mut chain, other.at(2)), extended(&other.above(1)[..1]));
    assert_eq!(asked(&chain, &other, 3, 9), hashes(&other, &[3]));
    assert_eq!(asked(&chain, &ahead, 5, 9), hashes(&ahead, &[2, 4, 5]));
    assert_eq!(chain.missing_bodies(&crate::Hash::ZERO, 9), []);
}

#[test]
fn orphans_that_are_bad_are_dropped_and_leave_the_others() {
    let mut bad = Branch::of(&[1]);
    bad.extend(vec![Note::Bad(2)]);
    let late = Branch::of(&[1]).next_with(words(&[12]), |header| header.height = 7);
    let mut chain = chain();
    for orphan in [bad.at(2), &late] {
        assert_eq!(import(&mut chain, orphan), Ok(orphaned(bad.hash(1))));
    }
    assert_eq!(import(&mut chain, bad.at(1)), extended(&bad.mined()[..1]));
    assert_eq!(chain.orphan_count(), 0);
    assert!(chain.is_invalid(bad.at(2).hash()));
    assert_eq!(chain.header(late.hash()), Ok(None));
}

#[test]
fn an_orphan_with_less_work_than_any_block_may_have_is_refused() {
    let branch = Branch::of(&[1, 2]);
    let got = crate::CompactTarget::from_bits(0x2100_ffff);
    let free = branch.next_with(words(&[3]), |header| header.target = got);
    assert_eq!(import(&mut chain(), &free), Err(BlockError::Rule(RuleError::Target { got, expected: EASY })));
}

#[test]
fn an_orphan_that_came_again_after_its_header_is_counted_once() {
    let branch = Branch::of(&[1, 2, 3]);
    let mut chain = chain();
    assert_eq!(import(&mut chain, branch.at(2)), Ok(orphaned(branch.hash(1))));
    for block in branch.mined() {
        assert_eq!(import_header(&mut chain, block), Ok(true));
    }
    assert_eq!(import(&mut chain, branch.at(2)), Ok(orphaned(branch.hash(1))));
    assert_eq!(import(&mut chain, branch.at(1)), extended(&branch.mined()[..2]));
    assert_eq!(chain.orphan_count(), 0);
    assert_eq!(import(&mut chain, branch.at(3)), extended(branch.above(2)));
    assert_follows(&chain, &branch);
}

#[test]
fn an_orphan_whose_header_came_since_is_adopted_once() {
    let branch = Branch::of(&[1, 2, 3]);
    let mut chain = chain();
    assert_eq!(import(&mut chain, branch.at(2)), Ok(orphaned(branch.hash(1))));
    for block in branch.mined() {
        assert_eq!(import_header(&mut chain, block), Ok(true));
    }
    assert_eq!(import(&mut chain, branch.at(3)), Ok(orphaned(branch.hash(2))));
    assert_eq!(import(&mut chain, branch.at(1)), extended(branch.mined()));
    assert_follows(&chain, &branch);
}

#[test]
fn an_orphan_names_the_ancestor_that_is_missing_behind_other_orphans() {
    let branch = Branch::of(&[1, 2, 3, 4]);
    let mut chain = chain();
    for (height, missing) in [(3, 2), (2, 1), (4, 1)] {
        let missing = branch.hash(missing);
        assert_eq!(import(&mut chain, branch.at(height)), Ok(orphaned(missing)));
    }
}

#[test]
fn orphans_are_adopted_in_chains() {
    let branch = Branch::of(&[1, 2, 3, 4]);
    let fork = branch.cut(2).with(&[13]);
    let mut chain = chain();
    for (block, missing) in [(branch.at(4), 3), (branch.at(2), 1), (fork.at(3), 1)] {
        let missing = branch.hash(missing);
        assert_eq!(import(&mut chain, block), Ok(orphaned(missing)));
    }
    assert_eq!(chain.orphan_count(), 3);
    assert_eq!(import(&mut chain, branch.at(3)), Ok(orphaned(branch.hash(1))));
    assert_eq!(import(&mut chain, branch.at(1)), extended(branch.mined()));
    assert_eq!(chain.orphan_count(), 0);
    assert_follows(&chain, &branch);
    assert_eq!(import(&mut chain, fork.at(3)), Ok(duplicate()));
}

#[test]
fn an_orphan_that_is_larger_than_the_pool_drives_out_no_other() {
    let branch = Branch::of(&[1]);
    let small = branch.with(&[2]);
    let mut large = branch.with(&[]);
    large.extend(vec![Note::Pad(vec![0; 1_000])]);
    let mut chain = chain_with(ChainConfig::default().with_max_orphan_bytes(1_000));
    for orphan in [small.tip(), large.tip()] {
        assert_eq!(import(&mut chain, orphan), Ok(orphaned(branch.hash(1))));
    }
    assert_eq!(chain.orphan_count(), 1);
    assert_eq!(import(&mut chain, branch.tip()), extended(small.mined()));
}

#[test]
fn orphans_are_bounded_by_count() {
    let branch = Branch::of(&[1]);
    let orphans: Vec<Branch> = (10..14).map(|number| branch.with(&[number])).collect();
    let mut chain = chain_with(ChainConfig::default().with_max_orphans(3));
    for orphan in &orphans {
        assert_eq!(import(&mut chain, orphan.tip()), Ok(orphaned(branch.hash(1))));
    }
    assert_eq!(chain.orphan_count(), 3);
    assert_eq!(import(&mut chain, branch.tip()), extended(&[branch.at(1).clone(), orphans[1].at(2).clone()]));
    assert_eq!(chain.header(orphans[0].tip().hash()), Ok(None), "the oldest was forgotten");
    assert!(
        chain.block(orphans[2].tip().hash()).unwrap().is_some()
            && chain.block(orphans[3].tip().hash()).unwrap().is_some()
    );
}

#[test]
fn the_first_seen_of_equal_blocks_that_waited_is_followed() {
    let branch = Branch::of(&[1]);
    let children: Vec<Branch> = (10..14).map(|number| branch.with(&[number])).collect();
    let mut chain = chain();
    assert_eq!(import_header(&mut chain, branch.tip()), Ok(true));
    for child in &children {
        assert_eq!(import(&mut chain, child.tip()), Ok(orphaned(branch.hash(1))));
    }
    assert_eq!(import(&mut chain, branch.tip()), extended(children[0].mined()));
}

#[test]
fn the_first_seen_of_equal_orphans_is_followed() {
    let branch = Branch::of(&[1]);
    let orphans: Vec<Branch> = (10..14).map(|number| branch.with(&[number])).collect();
    let mut chain = chain();
    for orphan in &orphans {
        assert_eq!(import(&mut chain, orphan.tip()), Ok(orphaned(branch.hash(1))));
    }
    assert_eq!(import(&mut chain, branch.tip()), extended(orphans[0].mined()));
}

#[test]
fn the_first_seen_of_the_others_is_followed_when_the_best_turns_out_bad() {
    let branch = Branch::of(&[1]);
    let others: Vec<Branch> = (10..16).map(|number| branch.with(&[number])).collect();
    let mut bad = branch.with(&[]);
    bad.extend(vec![Note::Bad(20)]);
    let bad = bad.with(&[21, 22]);
    let mut chain = chain();
    assert_eq!(import_header(&mut chain, branch.tip()), Ok(true));
    for block in others.iter().map(Branch::tip).chain(bad.above(1)) {
        assert_eq!(import(&mut chain, block), Ok(orphaned(branch.hash(1))));
    }
    assert_eq!(import(&mut chain, branch.tip()), extended(others[0].mined()));
    assert_eq!(chain.best_header().0, others[0].tip().hash());
}
