//! Queries of side branches: which blocks are on the best chain, what each branch requires of its next
//! header, and what is evicted first.

use core::time::Duration;

use rstest::rstest;

use super::forge::*;
use super::stored::{disk, open};
use crate::chain::Verdict;
use crate::chain::orphans::Orphans;
use crate::{BlockError, ChainConfig, Hash, Retarget, RuleError};

#[test]
fn what_is_unknown_or_beside_the_best_chain_is_not_on_it() {
    let main = Branch::of(&[1, 2]);
    let side = Branch::of(&[11]);
    let mut chain = fed(spec(), main.mined());
    assert_eq!(import(&mut chain, side.tip()), Ok(side_branch()));
    let is_best = [main.hash(0), main.hash(1), main.hash(2), side.hash(1), Hash::ZERO]
        .map(|hash| chain.is_best(&hash).unwrap());
    assert_eq!(is_best, [true, true, true, false, false]);
    // Every block here has the same work.
    let work = |hash| chain.work_at(&hash).unwrap();
    assert_eq!(work(main.hash(2)), Some(chain.work()));
    assert_eq!(work(side.hash(1)), work(main.hash(1)));
    assert!(work(main.hash(1)) > work(main.hash(0)));
    assert_eq!(work(Hash::ZERO), None);
}

/// Side branches of several lengths, which share heights.
#[cfg(feature = "http")]
#[test]
fn a_list_of_side_blocks_begins_with_the_highest_at_every_limit() {
    let main = Branch::of(&[1, 2, 3, 4]);
    let mut chain = fed(spec(), main.mined());
    for branch in [main.cut(0).with(&[11, 12, 13]), main.cut(1).with(&[22, 23]), main.cut(3).with(&[34])] {
        for block in branch.mined() {
            let _ = import(&mut chain, block);
        }
    }
    let all = chain.side_blocks(usize::MAX);
    let heights: Vec<_> = all.iter().map(|(_, header)| header.height).collect();
    assert_eq!(heights, [4, 3, 3, 2, 2, 1]);
    assert!(all.windows(2).all(|pair| pair[0].1.height > pair[1].1.height || pair[0].0 < pair[1].0));
    for limit in 0..=all.len() + 1 {
        assert_eq!(chain.side_blocks(limit), all[..limit.min(all.len())], "{limit}");
    }
}

/// Two side branches of headers without bodies. One of them has the best header.
#[test]
fn each_branch_has_ancestors_of_its_own() {
    let main = Branch::of(&[1, 2, 3]);
    let ahead = main.cut(2).with(&[13, 14, 15, 16]);
    let other = main.cut(1).with(&[22, 23, 24]);
    let mut chain = fed(spec(), main.mined());
    for block in ahead.above(2).iter().chain(other.above(1)) {
        assert_eq!(import_header(&mut chain, block), Ok(true));
    }
    assert_eq!(chain.best_header().0, ahead.tip().hash());
    for (branch, fork) in [(&ahead, 2), (&other, 1)] {
        for from in branch.above(fork) {
            assert_eq!(chain.tree.fork_height(from.hash()), Some(fork as u64));
            for height in 0..=from.height() + 1 {
                let index = usize::try_from(height).unwrap();
                let is_aside = (fork + 1..=usize::try_from(from.height()).unwrap()).contains(&index);
                let expected = is_aside.then(|| branch.hash(index));
                assert_eq!(chain.tree.ancestor(from.hash(), height).copied(), expected, "{height}");
            }
        }
    }
    assert_eq!(chain.tree.fork_height(&main.hash(3)), None, "it is on the best chain");
}

/// The best chain has faster blocks than the side branch.
#[rstest]
#[case::step(Retarget::Step)]
#[case::window(Retarget::Window { blocks: 2 })]
#[case::lwma(Retarget::Lwma { blocks: 3 })]
#[case::asert(Retarget::Asert { half_life_ms: 20_000 })]
fn the_target_beside_the_best_chain_follows_from_the_blocks_there(#[case] retarget: Retarget) {
    let spec = builder().retarget(retarget).block_interval(Duration::from_secs(10)).build().unwrap();
    let grown = |gaps: &[u64]| {
        let mut chain = Chain::new(spec.clone());
        let mut time = spec.genesis_time();
        for gap in gaps {
            time = time.saturating_add(Duration::from_secs(*gap));
            let block: Shared = chain.template(words(&[1]), time).unwrap().mine().unwrap().into();
            assert_eq!(import(&mut chain, &block), extended(&[block]));
        }
        chain
    };
    let (mut chain, other) = (grown(&[3, 3, 3, 3, 3]), grown(&[4, 12, 4, 12, 4, 12]));
    assert_ne!(chain.header_at(4).unwrap().unwrap().target, other.header_at(4).unwrap().unwrap().target);
    for block in blocks(&other, 1..) {
        assert_eq!(import_header(&mut chain, &block), Ok(true), "height {}", block.height());
    }
}

#[test]
fn a_body_that_leaves_just_enough_room_is_kept_aside() {
    let main = Branch::of(&[1, 2]);
    let size = main.tip().digest().unwrap().size;
    let mut chain = chain_with(ChainConfig::default().with_max_side_bytes(size));
    for block in main.mined() {
        assert_eq!(import(&mut chain, block), extended(core::slice::from_ref(block)));
    }
    // The second body fills the limit exactly, so the first branch is evicted.
    let [first, second] = [Branch::of(&[11]), Branch::of(&[12])];
    assert_eq!(first.tip().digest().unwrap().size, size);
    assert_eq!(import(&mut chain, first.tip()), Ok(side_branch()));
    assert_eq!(import(&mut chain, second.tip()), Ok(side_branch()));
    assert_eq!(chain.header(first.tip().hash()), Ok(None));
    assert_eq!(chain.block(second.tip().hash()), Ok(Some(second.tip().clone())));
}

#[test]
fn a_bad_block_is_forgotten_before_a_good_one_with_less_work() {
    let main = Branch::of(&[1, 2]);
    let (good, other) = (Branch::of(&[11]), Branch::of(&[12]));
    let mut chain = chain_with(ChainConfig::default().with_max_side_headers(2));
    for block in main.mined() {
        assert_eq!(import(&mut chain, block), extended(core::slice::from_ref(block)));
    }
    let bad = main.clone().extend(vec![Note::Bad(3)]);
    let error = BlockError::Rule(RuleError::Transaction { index: 0, reason: rejected(3) });
    assert_eq!(import(&mut chain, &bad), Err(error));
    assert_eq!(import(&mut chain, good.tip()), Ok(side_branch()));
    assert_eq!(import(&mut chain, other.tip()), Ok(side_branch()));
    assert_eq!(chain.header(bad.hash()), Ok(None));
    for kept in [good, other] {
        assert_eq!(chain.header(kept.tip().hash()), Ok(Some(*kept.tip().header())));
    }
}

/// The block is evicted and imported again before the batch is committed.
#[test]
fn a_block_that_comes_back_within_a_batch_is_kept() {
    let disk = disk();
    let config = ChainConfig::default().with_max_side_headers(1);
    let mut chain: Chain = open(&spec(), &config, &disk);
    let main = Branch::of(&[1, 2]);
    for block in main.mined() {
        assert_eq!(import(&mut chain, block), extended(core::slice::from_ref(block)));
    }
    let [first, second] = [11, 12].map(|number| Branch::of(&[number]).tip().clone());
    let batch = [&first, &second, &first].map(Shared::clone);
    let verdicts = chain.import_all(batch, NOW).unwrap().verdicts;
    assert_eq!(verdicts, [Ok(Verdict::Kept), Ok(Verdict::Kept), Ok(Verdict::Kept)]);
    chain.check_store();
    let reopened: Chain = open(&spec(), &config, &disk);
    let kept = [&first, &second].map(|block| reopened.block(block.hash()).unwrap());
    assert_eq!(kept, [Some(first), None]);
}

/// Of branches with equal work the first one seen wins, so arrival numbers must continue after a reopening.
#[test]
fn the_turn_goes_on_after_opening() {
    let disk = disk();
    let main = Branch::of(&[1, 2]);
    let mut chain: Chain = open(&spec(), &ChainConfig::default(), &disk);
    for block in main.mined() {
        assert_eq!(import(&mut chain, block), extended(core::slice::from_ref(block)));
    }
    let tip_seen = chain.store.tip().seen;
    let mut reopened: Chain = open(&spec(), &ChainConfig::default(), &disk);
    let side = Branch::of(&[11]);
    assert_eq!(import(&mut reopened, side.tip()), Ok(side_branch()));
    let seen: Vec<u64> = reopened.tree.complete_rows().into_values().map(|row| row.seen).collect();
    assert_eq!(seen, [tip_seen + 1]);
}

#[test]
fn orphans_may_fill_their_room_to_the_last_byte() {
    let block = |number| Branch::of(&[number, number]).tip().clone();
    let [first, second, third] = [1, 2, 3].map(block);
    let bytes = first.memory_size();
    assert_eq!([&second, &third].map(|block| block.memory_size()), [bytes; 2]);
    let mut orphans = Orphans::new(3, 2 * bytes);
    for block in [&first, &second, &third] {
        orphans.insert(block.clone());
    }
    let kept = [&first, &second, &third].map(|block| orphans.contains(block.hash()));
    assert_eq!(kept, [false, true, true], "two, to the last byte");
    let mut orphans = Orphans::new(3, bytes);
    orphans.insert(first.clone());
    assert!(orphans.contains(first.hash()), "as large as may be");
}

/// A side branch whose fork has become final is refused for finality, and none of its valid blocks is marked
/// invalid.
#[test]
fn a_branch_that_finality_refuses_has_no_bad_ancestor() {
    let spec = builder().finality_depth(Some(2)).build().unwrap();
    let main = Branch::new(&spec).with(&[1, 2, 3]);
    let fork = Branch::new(&spec).with(&[11, 12, 13, 14]);
    let best = main.cut(2).with(&[23, 24, 25, 26]);
    let mut chain = fed(spec, &main.mined()[..2]);
    assert_eq!(import(&mut chain, fork.at(1)), Ok(side_branch()));
    for block in fork.above(1).iter().chain(best.above(2)) {
        assert_eq!(import_header(&mut chain, block), Ok(true));
    }
    assert_eq!(import(&mut chain, main.at(3)), extended(main.above(2)));
    for block in &fork.mined()[1..3] {
        assert_eq!(import(&mut chain, block), Ok(side_branch()));
    }
    let error = BlockError::Finality { fork_height: 0, final_height: 1 };
    assert_eq!(import(&mut chain, fork.at(4)), Err(error));
    assert!(!fork.mined().iter().any(|block| chain.is_invalid(block.hash())));
    assert_follows(&chain, &main);
}
