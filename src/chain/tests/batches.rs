//! Imports of several blocks at once: the verdict on each block, and what the whole batch changes in the best
//! chain.

use std::sync::Arc;

use proptest::prelude::*;

use super::forge::*;
use super::model::{grow, scenario};
use super::stored::{assert_same, disk, open};
use crate::chain::{Imported, Verdict};
use crate::{BlockError, ChainConfig, RuleError, Timestamp};

fn import_all(chain: &mut Chain, blocks: &[Shared]) -> Imported<Note> {
    let imported = chain.import_all(blocks.iter().cloned(), NOW).unwrap();
    chain.check_invariants();
    imported
}

/// The expected outcome of a batch of which every block is kept.
fn kept(count: usize, disconnected: &[Shared], connected: &[Shared]) -> Imported<Note> {
    Imported {
        verdicts: vec![Ok(Verdict::Kept); count],
        disconnected: disconnected.iter().rev().cloned().collect(),
        connected: verified(connected),
    }
}

fn chained<'a>(parts: impl IntoIterator<Item = &'a [Shared]>) -> Vec<Shared> {
    parts.into_iter().flatten().cloned().collect()
}

#[test]
fn a_batch_moves_the_best_chain_once() {
    let main = Branch::of(&[1, 2, 3]);
    let mut chain = chain();
    assert_eq!(import_all(&mut chain, main.mined()), kept(3, &[], main.mined()));
    assert_follows(&chain, &main);
    assert_eq!(import_all(&mut chain, &[]), kept(0, &[], &[]));
    let duplicate = Imported { verdicts: vec![Ok(Verdict::Duplicate); 3], ..kept(0, &[], &[]) };
    assert_eq!(import_all(&mut chain, main.mined()), duplicate);
}

#[test]
fn a_branch_that_comes_and_goes_within_a_batch_was_never_there() {
    let main = Branch::of(&[1, 2, 3]);
    let other = main.cut(1).with(&[12, 13, 14]);
    let back = main.with(&[4, 5]);
    let mut chain = fed(spec(), main.mined());
    let batch = chained([other.above(1), back.above(3)]);
    assert_eq!(import_all(&mut chain, &batch), kept(5, &[], back.above(3)));
    assert_follows(&chain, &back);
    assert_eq!(chain.block(other.tip().hash()), Ok(Some(Arc::clone(other.tip()))));
}

#[test]
fn of_several_reorganisations_only_the_last_is_seen() {
    let main = Branch::of(&[1, 2, 3]);
    let first = main.cut(2).with(&[13, 14]);
    let second = main.cut(1).with(&[22, 23, 24, 25]);
    let third = second.cut(3).with(&[34, 35, 36]);
    let mut chain = fed(spec(), main.mined());
    let batch = chained([first.above(2), second.above(1), third.above(3)]);
    let whole = kept(batch.len(), main.above(1), third.above(1));
    assert_eq!(import_all(&mut chain, &batch), whole);
    assert_follows(&chain, &third);
}

#[test]
fn a_bad_block_in_the_middle_stops_those_on_it_and_no_others() {
    let main = Branch::of(&[1, 2]);
    let mut bad = main.with(&[]);
    bad.extend(vec![Note::Bad(3)]);
    let bad = bad.with(&[4, 5]);
    let good = main.with(&[13, 14]);
    let stray = Branch::of(&[21, 22, 23]);
    let mut chain = chain();
    let batch =
        chained([main.mined(), bad.above(2), &good.above(2)[..1], &stray.mined()[2..], good.above(3)]);
    let imported = import_all(&mut chain, &batch);
    let [error, parent] = [
        BlockError::Rule(RuleError::Transaction { index: 0, reason: rejected(3) }),
        BlockError::InvalidParent { parent: bad.hash(3) },
    ];
    let verdicts = vec![
        Ok(Verdict::Kept),
        Ok(Verdict::Kept),
        Err(error),
        Err(parent),
        Ok(Verdict::Orphan { missing: bad.hash(4) }),
        Ok(Verdict::Kept),
        Ok(Verdict::Orphan { missing: stray.hash(2) }),
        Ok(Verdict::Kept),
    ];
    assert_eq!(imported, Imported { verdicts, ..kept(0, &[], good.mined()) });
    assert_follows(&chain, &good);
}

#[test]
fn blocks_in_the_wrong_order_are_connected_when_the_last_is_there() {
    let main = Branch::of(&[1, 2, 3]);
    let mut chain = chain();
    let batch: Vec<Shared> = main.mined().iter().rev().cloned().collect();
    let orphan = |height| Ok(Verdict::Orphan { missing: main.hash(height) });
    let verdicts = vec![orphan(2), orphan(1), Ok(Verdict::Kept)];
    assert_eq!(import_all(&mut chain, &batch), Imported { verdicts, ..kept(0, &[], main.mined()) });
    assert_follows(&chain, &main);
}

#[test]
fn a_batch_is_one_commit() {
    let disk = disk();
    let mut chain: Chain = open(&spec(), &ChainConfig::default(), &disk);
    let main = Branch::of(&(0..50).collect::<Vec<_>>());
    let before = disk.commits();
    assert_eq!(import_all(&mut chain, main.mined()).connected, main.mined());
    assert_eq!(disk.commits(), before + 1);
    let _ = import_all(&mut chain, main.mined());
    assert_eq!(import_header(&mut chain, main.with(&[1]).tip()), Ok(true));
    assert_eq!(disk.commits(), before + 1, "nothing has changed that is kept");
}

fn verdict_of(imported: Result<Imported<Note>, BlockError>) -> Result<Verdict, BlockError> {
    imported?.verdicts.remove(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_batch_comes_to_the_same_as_its_blocks_one_by_one(
        (plans, order, sizes) in scenario().prop_flat_map(|(plans, _)| {
            let blocks = plans.len();
            let order = prop::collection::vec(0..blocks, blocks..3 * blocks + 1);
            (Just(plans), order, prop::collection::vec(1..12_usize, 1..8))
        }),
        in_order in any::<bool>(),
    ) {
        let branches = grow(&spec(), &plans);
        let order = if in_order { (0..branches.len()).collect() } else { order };
        let blocks: Vec<Shared> = order.into_iter().map(|index| Arc::clone(branches[index].tip())).collect();
        let (mut batched, mut single) = (chain(), chain());
        let mut sizes = sizes.into_iter().cycle();
        let mut rest = &blocks[..];
        while !rest.is_empty() {
            let (batch, others) = rest.split_at(sizes.next().unwrap().min(rest.len()));
            rest = others;
            let before = blocks_of(&batched);
            let imported = import_all(&mut batched, batch);
            let one_by_one = batch.iter().map(|block| verdict_of(single.import(Arc::clone(block), NOW)));
            prop_assert_eq!(&imported.verdicts, &one_by_one.collect::<Vec<_>>());
            assert_same(&batched, &single);
            let after = blocks_of(&batched);
            let shared = before.iter().zip(&after).take_while(|(old, new)| old == new).count();
            let left: Vec<Shared> = before[shared..].iter().rev().cloned().collect();
            prop_assert_eq!(imported.disconnected, left);
            prop_assert_eq!(imported.connected, verified(&after[shared..]));
        }
    }
}

fn blocks_of(chain: &Chain) -> Vec<Shared> {
    blocks(chain, ..)
}

#[test]
fn a_block_from_the_future_waits_for_its_time_and_holds_up_no_other() {
    let main = Branch::of(&[1]);
    let late = main.next_with(words(&[2]), |header| {
        header.timestamp = NOW.saturating_add(core::time::Duration::from_secs(61));
    });
    let mut chain = chain();
    let imported = import_all(&mut chain, &[Arc::clone(&late), Arc::clone(main.tip()), Arc::clone(&late)]);
    let limit = Timestamp::from_millis(NOW.as_millis() + 60_000);
    let error = BlockError::Rule(RuleError::TimestampTooLate { got: late.header().timestamp, limit });
    // The first copy becomes an orphan, because timestamps are checked only after the parent is imported.
    let verdicts = vec![Ok(Verdict::Orphan { missing: main.hash(1) }), Ok(Verdict::Kept), Err(error)];
    assert_eq!(imported, Imported { verdicts, ..kept(0, &[], main.mined()) });
    assert_eq!(chain.orphan_count(), 0);
}
