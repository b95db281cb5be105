//! The limits on what a chain keeps off the best chain, and what it evicts when a limit is reached.

use super::forge::*;
use crate::{BlockError, ChainConfig, RuleError};

#[test]
fn side_headers_are_bounded_and_the_least_work_goes_first() {
    let main = Branch::of(&[1, 2, 3, 4, 5]);
    let low = Branch::of(&[11]);
    let high = main.cut(1).with(&[22, 23]);
    let mut chain = chain_with(ChainConfig::default().with_max_side_headers(3));
    for block in main.mined() {
        assert_eq!(import(&mut chain, block), extended(core::slice::from_ref(block)));
    }
    for block in low.mined().iter().chain(high.above(1)) {
        assert_eq!(import(&mut chain, block), Ok(side_branch()));
    }
    let next = main.cut(2).with(&[33]);
    assert_eq!(import(&mut chain, next.tip()), Ok(side_branch()));
    assert_eq!(chain.header(low.tip().hash()), Ok(None));
    assert!(
        chain.header(high.tip().hash()).unwrap().is_some()
            && chain.header(next.tip().hash()).unwrap().is_some()
    );
}

#[test]
fn the_path_to_the_best_header_is_never_forgotten() {
    let ahead = Branch::of(&[1, 2, 3]);
    let other = Branch::of(&[11]);
    let mut chain = chain_with(ChainConfig::default().with_max_side_headers(3));
    for block in ahead.mined() {
        assert_eq!(import_header(&mut chain, block), Ok(true));
    }
    let full = BlockError::SideBranchesFull { got: 3, limit: 3 };
    assert_eq!(import_header(&mut chain, ahead.with(&[4]).tip()), Err(full.clone()));
    assert_eq!(import_header(&mut chain, other.tip()), Err(full));
    assert_eq!(import(&mut chain, ahead.at(1)), extended(&ahead.mined()[..1]));
    assert_eq!(import_header(&mut chain, ahead.with(&[4]).tip()), Ok(true));
}

#[test]
fn headers_on_the_tip_are_bounded_like_all_others() {
    let tip = Branch::of(&[1]);
    let mut chain = chain_with(ChainConfig::default().with_max_side_headers(2));
    assert_eq!(import(&mut chain, tip.tip()), extended(tip.mined()));
    for number in 10..20 {
        assert_eq!(import_header(&mut chain, tip.with(&[number]).tip()), Ok(true));
    }
    assert_eq!(chain.tree.side_len(), 2);
    assert_eq!(chain.best_header().0, tip.with(&[10]).tip().hash());
}

#[test]
fn bad_blocks_on_the_tip_are_bounded_like_all_others() {
    let tip = Branch::of(&[1]);
    let mut chain = chain_with(ChainConfig::default().with_max_side_headers(2));
    assert_eq!(import(&mut chain, tip.tip()), extended(tip.mined()));
    for number in 10..20 {
        let bad = tip.clone().extend(vec![Note::Bad(number)]);
        assert!(matches!(
            import(&mut chain, &bad),
            Err(BlockError::Rule(RuleError::Transaction { index: 0, .. }))
        ));
    }
    assert!(chain.tree.side_len() <= 2);
}

#[test]
fn a_chain_that_keeps_nothing_aside_still_grows() {
    let branch = Branch::of(&[1, 2, 3]);
    let config = ChainConfig::default().with_max_side_headers(0).with_max_side_bytes(0).with_max_orphans(0);
    let mut chain = chain_with(config);
    for block in branch.mined() {
        assert_eq!(import(&mut chain, block), extended(core::slice::from_ref(block)));
    }
    let aside = Branch::of(&[11]);
    let full = BlockError::SideBranchesFull { got: 0, limit: 0 };
    assert_eq!(import(&mut chain, aside.tip()), Err(full.clone()));
    assert_eq!(import_header(&mut chain, branch.with(&[4]).tip()), Err(full));
    assert_follows(&chain, &branch);
}

#[test]
fn bodies_aside_are_bounded_by_their_bytes() {
    let main = Branch::of(&[1, 2]);
    let size = main.tip().digest().unwrap().size;
    let mut chain = chain_with(ChainConfig::default().with_max_side_bytes(2 * size - 1));
    for block in main.mined() {
        assert_eq!(import(&mut chain, block), extended(core::slice::from_ref(block)));
    }
    let [first, second] = [Branch::of(&[11]), Branch::of(&[12])];
    assert_eq!(import(&mut chain, first.tip()), Ok(side_branch()));
    assert_eq!(import(&mut chain, second.tip()), Ok(side_branch()));
    assert_eq!(chain.header(first.tip().hash()), Ok(None));

    let mut large = Branch::of(&[]);
    let block = large.extend(vec![Note::Pad(vec![0; 2 * size])]);
    let full = BlockError::SideBytesFull { got: size, limit: 2 * size - 1 };
    assert_eq!(import(&mut chain, &block), Err(full));
    assert_eq!(chain.block(second.tip().hash()), Ok(Some(second.tip().clone())));
}

/// Bodies of small transactions are larger in memory than in canonical bytes by a factor of more than four.
#[test]
fn bodies_that_wait_count_their_memory_and_give_way_to_the_one_they_wait_for() {
    let mut fork = Branch::of(&[]);
    for number in 1..=4 {
        let numbers: Vec<u32> = (0..100).map(|index| 1_000 * number + index).collect();
        fork.extend(words(&numbers));
    }
    let (size, memory) = (fork.tip().size(), fork.tip().memory_size());
    assert!(memory > 4 * size, "{memory} bytes of memory, {size} canonical ones");
    let main = Branch::of(&[1]);
    let mut chain = chain_with(ChainConfig::default().with_max_side_bytes(2 * memory));
    assert_eq!(import(&mut chain, main.tip()), extended(main.mined()));
    for block in fork.mined() {
        assert_eq!(import_header(&mut chain, block), Ok(true));
    }
    let waits = |missing| Ok(orphaned(missing));
    let kept = |chain: &Chain| [1, 2, 3, 4].map(|at| chain.block(&fork.hash(at)).unwrap().is_some());
    assert_eq!(import(&mut chain, fork.at(3)), waits(fork.hash(2)));
    assert_eq!(import(&mut chain, fork.at(2)), waits(fork.hash(1)));
    assert_eq!(chain.tree.side_bytes(), 2 * memory);
    let full = BlockError::SideBytesFull { got: 2 * memory, limit: 2 * memory };
    assert_eq!(import(&mut chain, fork.at(4)), Err(full), "the lower ones are of use first");
    assert_eq!(kept(&chain), [false, true, true, false]);
    assert_eq!(import(&mut chain, fork.at(1)), reorged(main.mined(), &fork.mined()[..2]));
    assert_eq!(kept(&chain), [true, true, false, false], "the highest was forgotten for the lowest");
    for block in fork.above(2) {
        assert_eq!(import(&mut chain, block), extended(core::slice::from_ref(block)));
    }
    assert_follows(&chain, &fork);
}

#[test]
fn bodies_that_wait_for_what_nobody_leads_to_are_forgotten() {
    let [first, second] = [Branch::of(&[1, 2, 3]), Branch::of(&[11, 12, 13])];
    let mut chain = chain();
    for branch in [&first, &second] {
        for block in branch.mined() {
            assert_eq!(import_header(&mut chain, block), Ok(true));
        }
        for block in branch.above(1) {
            assert_eq!(import(&mut chain, block), Ok(orphaned(branch.hash(1))));
        }
    }
    let kept =
        |chain: &Chain, branch: &Branch| [2, 3].map(|at| chain.block(&branch.hash(at)).unwrap().is_some());
    chain.retain_pending([first.hash(1), second.hash(3)]);
    assert_eq!((kept(&chain, &first), kept(&chain, &second)), ([true; 2], [true; 2]));
    chain.retain_pending([second.hash(3)]);
    assert_eq!((kept(&chain, &first), kept(&chain, &second)), ([false; 2], [true; 2]));
    chain.retain_pending([]);
    assert_eq!(chain.tree.side_bytes(), 0);
    // The dropped bodies are accepted again.
    for block in first.mined().iter().rev() {
        let _ = import(&mut chain, block).unwrap();
    }
    assert_follows(&chain, &first);
}

#[test]
fn a_reorg_that_puts_too_much_aside_forgets_it() {
    let mut old = Branch::of(&[]);
    for _ in 0..3 {
        old.extend(vec![Note::Pad(vec![0; 1_000])]);
    }
    let new = Branch::of(&[11, 12, 13, 14]);
    let config = ChainConfig::default().with_max_side_headers(4).with_max_side_bytes(2_000);
    let mut chain = chain_with(config);
    for block in old.mined() {
        assert_eq!(import(&mut chain, block), extended(core::slice::from_ref(block)));
    }
    for block in &new.mined()[..3] {
        assert_eq!(import(&mut chain, block), Ok(side_branch()));
    }
    assert_eq!(import(&mut chain, new.tip()), reorged(old.mined(), new.mined()));
    assert_eq!(chain.header(old.tip().hash()), Ok(None));
    assert_follows(&chain, &new);
}

/// The import of a block completes a pending child of it. An orphan that is adopted next needs room, but must
/// not evict that child.
#[test]
fn adopting_an_orphan_forgets_nothing_that_is_still_looked_at() {
    let main = Branch::of(&[1, 2, 3]);
    let fork = Branch::of(&[11]);
    let [waiting, orphan] = [fork.with(&[12]), fork.with(&[13])];
    let mut chain = chain_with(ChainConfig::default().with_max_side_headers(2));
    for block in main.mined() {
        assert_eq!(import(&mut chain, block), extended(core::slice::from_ref(block)));
    }
    let missing = fork.hash(1);
    assert_eq!(import(&mut chain, orphan.tip()), Ok(orphaned(missing)));
    assert_eq!(import_header(&mut chain, fork.tip()), Ok(true));
    assert_eq!(import(&mut chain, waiting.tip()), Ok(orphaned(missing)));
    assert_eq!(import(&mut chain, fork.tip()), Ok(side_branch()));
    assert_follows(&chain, &main);
    assert!(chain.block(waiting.tip().hash()).unwrap().is_some());
}
