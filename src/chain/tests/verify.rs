//! Verification of a stored chain: a valid chain passes in steps of any size, and a chain with an invalid
//! block, which no import would accept, fails at that block with the rule that it breaks.

use std::sync::Arc;

use proptest::prelude::*;
use rstest::rstest;

use super::super::ancestry::push_block;
use super::super::entry::{BestEntry, ChainEntry};
use super::forge::*;
use crate::chain::VerifyError;
use crate::consensus::headers::work_of;
use crate::primitives::Target;
use crate::store::{Batch, Table};
use crate::{Block, ChainConfig, ChainSpec, CompactTarget, Hash, Header, RuleError, StoreError, Timestamp};

/// A chain with these blocks, which were added without validation.
fn unchecked(blocks: &[Shared]) -> Chain {
    let mut chain = chain();
    for block in blocks {
        let (hash, work) = (*block.hash(), chain.work() + work_of(block.header().target));
        let mut entry = ChainEntry::new(hash, *block.header(), work);
        chain.tree.insert(entry.clone(), chain.store.tip());
        entry.size = Header::LEN;
        let _ = chain.tree.attach(Arc::clone(block));
        let _ = chain.tree.switch(&[hash], &[]);
        let subtrees = push_block(&mut chain.end, chain.spec.retarget(), hash, block.header());
        chain.store.put_block(block, postcard::to_allocvec(block).unwrap());
        chain.store.push_row(BestEntry { entry, subtrees });
    }
    chain
}

/// A chain with the blocks of `branch`, whose store has `bytes` in place of the block at `height`.
fn exchanged(branch: &Branch, height: usize, bytes: Vec<u8>) -> Chain {
    // Without a cache every block is read from the store.
    let mut chain = chain_with(ChainConfig::default().with_max_cached_bytes(0));
    for block in branch.mined() {
        assert_eq!(import(&mut chain, block), extended(core::slice::from_ref(block)));
    }
    let mut batch = Batch::new();
    let key = [&(height as u64).to_be_bytes()[..], branch.hash(height).as_bytes()].concat();
    batch.put(Table::Blocks, key, bytes);
    chain.commit_aside(&batch).unwrap();
    chain
}

/// Three valid blocks, one whose header `change` has modified, and two that extend it.
fn with_bad(data: Vec<Note>, change: impl FnOnce(&mut Header)) -> Chain {
    let mut branch = Branch::of(&[1, 2, 3]);
    let bad = branch.next_with(data, change);
    branch.push(&bad);
    unchecked(branch.with(&[5, 6]).mined())
}

fn genesis_hash() -> Hash {
    *spec().genesis::<Note>().unwrap().hash()
}

#[test]
fn names_the_block_and_the_rule_of_its_header() {
    type Case = (fn(&mut Header), fn(&RuleError) -> bool);
    let cases: [Case; 8] = [
        (|header| header.version = 2, |error| matches!(error, RuleError::Version { got: 2, .. })),
        (|header| header.height = 9, |error| matches!(error, RuleError::Height { got: 9, expected: 4 })),
        (
            |header| header.previous_hash = genesis_hash(),
            |error| matches!(error, RuleError::Parent { got, .. } if *got == genesis_hash()),
        ),
        (|header| header.history_root = Hash::ZERO, |error| matches!(error, RuleError::HistoryRoot { .. })),
        (|header| header.merkle_root = Hash::ZERO, |error| matches!(error, RuleError::MerkleRoot { .. })),
        (|header| header.state_root = Hash::ZERO, |error| matches!(error, RuleError::StateRoot { .. })),
        (
            |header| header.timestamp = Timestamp::from_millis(1),
            |error| matches!(error, RuleError::TimestampTooEarly { .. }),
        ),
        (
            |header| header.target = CompactTarget::from_bits(0x203f_ffff),
            |error| matches!(error, RuleError::Target { .. }),
        ),
    ];
    for (change, is_rule) in cases {
        let chain = with_bad(words(&[4]), change);
        let error = chain.verify(..).unwrap_err();
        assert!(matches!(&error, VerifyError::Block { height: 4, error } if is_rule(error)), "{error}");
        assert_eq!(error.height(), 4);
        assert_eq!(chain.verify(..4), Ok(()));
    }
}

#[rstest]
#[case::rejected(vec![Note::Bad(7)], RuleError::Transaction { index: 0, reason: rejected(7) })]
#[case::mute(vec![Note::Word(1), Note::Mute], RuleError::Encode(mute()))]
fn names_the_rule_of_the_body(#[case] data: Vec<Note>, #[case] error: RuleError) {
    let chain = with_bad(data, |_| {});
    assert_eq!(chain.verify(..), Err(VerifyError::Block { height: 4, error }));
}

#[test]
fn names_a_block_that_is_too_large() {
    let limit = spec().max_block_bytes();
    let chain = with_bad(vec![Note::Pad(vec![0; limit])], |_| {});
    let error = chain.verify(3..).unwrap_err();
    assert!(matches!(error, VerifyError::Block { height: 4, error: RuleError::Size { .. } }), "{error}");
}

#[test]
fn names_a_block_with_too_many_transactions() {
    let limit = spec().max_block_transactions();
    let chain = with_bad(vec![Note::Word(1); limit + 1], |_| {});
    let error = RuleError::Count { got: limit + 1, limit };
    assert_eq!(chain.verify(3..), Err(VerifyError::Block { height: 4, error }));
}

#[test]
fn names_a_block_without_proof_of_work() {
    let mut branch = Branch::of(&[1, 2, 3]);
    let draft = branch.draft(&words(&[4]));
    let target = Target::try_from(EASY).unwrap();
    let header = (0..1_000).map(|nonce| Header { nonce, ..draft }).find(|h| !target.is_met_by(&h.hash()));
    branch.push(&Block::new(header.unwrap(), words(&[4])).into());
    let chain = unchecked(branch.with(&[5]).mined());
    let (hash, target) = (branch.hash(4), EASY);
    let error = RuleError::ProofOfWork { hash, target };
    assert_eq!(chain.verify(..), Err(VerifyError::Block { height: 4, error }));
}

#[test]
fn names_a_block_that_was_exchanged() {
    let branch = Branch::of(&[1, 2, 3, 4]);
    let other = branch.cut(1).with(&[22]);
    let chain = exchanged(&branch, 2, postcard::to_allocvec(other.tip()).unwrap());
    let key = format!("2 {}", branch.hash(2));
    let error = StoreError::DamagedValue { table: Table::Blocks, key, reason: "is another block" };
    assert_eq!(chain.verify(..), Err(VerifyError::Store { height: 2, error }));
    assert_eq!(chain.verify(..2), Ok(()));
    assert_eq!(chain.verify(3..), Ok(()));
}

#[test]
fn names_a_body_that_was_exchanged_under_its_header() {
    let branch = Branch::of(&[1, 2, 3, 4]);
    let forged = Block::new(*branch.at(2).header(), words(&[22]));
    let chain = exchanged(&branch, 2, postcard::to_allocvec(&forged).unwrap());
    let (key, reason) = (format!("2 {}", branch.hash(2)), "has other transactions than its header says");
    let error = StoreError::DamagedValue { table: Table::Blocks, key, reason };
    assert_eq!(chain.verify(..), Err(VerifyError::Store { height: 2, error }));
    assert_eq!(chain.verify(3..), Ok(()));
}

#[test]
fn names_genesis_where_it_is_not_that_of_the_spec() {
    let mut chain = fed(spec(), Branch::of(&[1]).mined());
    chain.spec = ChainSpec::builder("another").easiest_target(EASY).build().unwrap();
    chain.genesis.block = Arc::new(chain.spec.genesis().unwrap());
    let expected = *chain.genesis().hash();
    let got = genesis_hash();
    assert_eq!(chain.verify(..), Err(VerifyError::Hash { height: 0, got, expected }));
}

#[test]
fn a_range_is_cut_to_the_chain_and_has_no_state_unless_it_is_given() {
    let chain = with_bad(vec![Note::Bad(7)], |_| {});
    assert_eq!(chain.verify(3..), Ok(()), "nothing is applied without a state");
    assert_eq!(chain.verify(100..), Ok(()));
    assert_eq!(chain.verifier(5..100).unwrap().progress().total, 2);
    let below = fed(spec(), Branch::of(&[1, 2]).mined());
    let mut verifier = chain.verifier(3..).unwrap().with_state(below.state().clone());
    let error = RuleError::Transaction { index: 0, reason: rejected(7) };
    let expected = Err(VerifyError::Block { height: 4, error });
    assert_eq!(verifier.step(&chain, u64::MAX), expected);
    assert_eq!(verifier.step(&chain, u64::MAX), expected, "it stays at what it found");
    assert_eq!((verifier.next_height(), verifier.progress().done), (4, 1));
}

#[test]
fn notices_that_what_it_verified_left_the_best_chain() {
    let old = Branch::of(&[1, 2, 3]);
    let mut chain = fed(spec(), old.mined());
    let mut high = chain.verifier(..).unwrap();
    assert_eq!(high.step(&chain, 3).unwrap().done, 3);
    let mut low = chain.verifier(..).unwrap();
    assert_eq!(low.step(&chain, 2).unwrap().done, 2);
    for block in old.cut(1).with(&[22, 33, 44]).above(1) {
        assert!(import(&mut chain, block).is_ok());
    }
    assert_eq!(high.step(&chain, 1), Err(VerifyError::Reorganised { height: 2 }));
    assert!(low.step(&chain, 9).unwrap().is_complete, "what it had verified is still there");
    assert_eq!(low.next_height(), 4, "and it ends where the chain ended at first");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_good_chain_passes_in_steps_of_any_size(
        numbers in prop::collection::vec(any::<u32>(), 0..30),
        steps in prop::collection::vec(0..8_u64, 1..10),
        start in 0..32_u64,
    ) {
        let chain = fed(spec(), Branch::of(&numbers).mined());
        prop_assert_eq!(chain.verify(start..), Ok(()));
        let mut verifier = chain.verifier(..).unwrap();
        let mut steps = steps.into_iter().chain([1]).cycle();
        let mut done = 0;
        while !verifier.progress().is_complete {
            let blocks = steps.next().unwrap();
            let progress = verifier.step(&chain, blocks).unwrap();
            done = (done + blocks).min(progress.total);
            prop_assert_eq!(progress.done, done);
            // Another verifier can continue at this height with this state.
            let (next, state) = (verifier.next_height(), verifier.state().unwrap().clone());
            verifier = if done % 2 == 0 { verifier } else { chain.verifier(next..).unwrap().with_state(state) };
            done = verifier.progress().done;
        }
        prop_assert_eq!(verifier.next_height(), chain.height() + 1);
        prop_assert_eq!(verifier.state(), Some(chain.state()));
    }
}
