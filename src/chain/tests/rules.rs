//! Every consensus rule at its boundary: a block at the boundary is accepted, and a block just past it is
//! refused with an error that has all details.

use core::time::Duration;

use rstest::rstest;

use super::forge::*;
use crate::primitives::{CompactTargetError, Target};
use crate::{Address, Block, BlockError, CompactTarget, Hash, Header, RuleError, Timestamp};

const PARENTS: [u32; 3] = [1, 2, 3];

/// Imports a changed header and its block. Asserts that both are refused with equal errors and change
/// nothing, and returns the error.
fn refusal(change: impl FnOnce(&mut Header)) -> BlockError {
    let branch = Branch::of(&PARENTS);
    refusal_of(&branch, &branch.next_with(words(&[4]), change), NOW)
}

fn refusal_of(branch: &Branch, block: &Shared, now: Timestamp) -> BlockError {
    let mut chain = fed(spec(), branch.mined());
    let error = chain.import_header(block.header(), now).unwrap_err();
    assert_eq!(chain.import(block.clone(), now), Err(error.clone()));
    chain.check_invariants();
    assert_follows(&chain, branch);
    assert_eq!(chain.header(block.hash()), Ok(None));
    assert_eq!(import(&mut chain, &branch.clone().extend(words(&[5]))).map(|_| ()), Ok(()));
    error
}

fn accepts(branch: &Branch, block: &Shared) {
    let mut chain = fed(spec(), branch.mined());
    assert_eq!(import_header(&mut chain, block), Ok(true));
    assert_eq!(import(&mut chain, block), extended(core::slice::from_ref(block)));
}

#[rstest]
#[case(0)]
#[case(2)]
#[case(u32::MAX)]
fn version_is_one(#[case] got: u32) {
    assert_eq!(
        refusal(|header| header.version = got),
        BlockError::Rule(RuleError::Version { got, expected: 1 })
    );
}

#[rstest]
#[case(0)]
#[case(3)]
#[case(5)]
#[case(u64::MAX)]
fn height_is_the_parent_s_and_one(#[case] got: u64) {
    assert_eq!(
        refusal(|header| header.height = got),
        BlockError::Rule(RuleError::Height { got, expected: 4 })
    );
}

#[rstest]
#[case(1 << 53)]
#[case(u64::MAX)]
fn nonce_is_below_its_limit(#[case] nonce: u64) {
    let branch = Branch::of(&PARENTS);
    let data = words(&[4]);
    let block = Block::new(Header { nonce, ..branch.draft(&data) }, data).into();
    assert_eq!(
        refusal_of(&branch, &block, NOW),
        BlockError::Rule(RuleError::Nonce { got: nonce, limit: 1 << 53 })
    );
}

#[test]
fn largest_nonce_is_accepted() {
    let branch = Branch::of(&PARENTS);
    let data = words(&[4]);
    let target = Target::try_from(EASY).unwrap();
    let header = (0..=u8::MAX)
        .map(|byte| Header {
            nonce: (1 << 53) - 1,
            miner: Address::from_bytes([byte; 20]),
            ..branch.draft(&data)
        })
        .find(|header| target.is_met_by(&header.hash()))
        .unwrap();
    accepts(&branch, &Block::new(header, data).into());
}

#[rstest]
#[case::zero(0, CompactTargetError::Zero)]
#[case::negative(0x0492_3456, CompactTargetError::Negative)]
#[case::overflow(0x2112_3456, CompactTargetError::Overflow)]
fn target_stands_for_a_number(
    #[case] bits: u32,
    #[case] error: impl Fn(CompactTarget) -> CompactTargetError,
) {
    let branch = Branch::of(&PARENTS);
    let data = words(&[4]);
    let target = CompactTarget::from_bits(bits);
    let block = Block::new(Header { target, ..branch.draft(&data) }, data).into();
    assert_eq!(refusal_of(&branch, &block, NOW), BlockError::Rule(RuleError::CompactTarget(error(target))));
}

#[rstest]
#[case::harder(0x207f_fffe)]
#[case::easier(0x2100_ffff)]
fn target_is_what_retargeting_says(#[case] bits: u32) {
    let got = CompactTarget::from_bits(bits);
    assert_eq!(
        refusal(|header| header.target = got),
        BlockError::Rule(RuleError::Target { got, expected: EASY })
    );
}

#[test]
fn hash_meets_the_target() {
    let branch = Branch::of(&PARENTS);
    let data = words(&[4]);
    let target = Target::try_from(EASY).unwrap();
    let draft = branch.draft(&data);
    let above = (0..Header::NONCE_LIMIT)
        .map(|nonce| Header { nonce, ..draft })
        .find(|header| !target.is_met_by(&header.hash()))
        .unwrap();
    let block = Block::new(above, data).into();
    let expected = BlockError::Rule(RuleError::ProofOfWork { hash: above.hash(), target: EASY });
    assert_eq!(refusal_of(&branch, &block, NOW), expected);
}

/// Milliseconds after genesis that rise and fall, each later than the median of the blocks before it.
const OFFSETS: [u64; 14] = [50, 51, 52, 90, 60, 95, 61, 99, 70, 98, 71, 97, 96, 100];

#[rstest]
fn timestamp_is_later_than_the_median_of_the_last_eleven(
    #[values(0, 1, 2, 3, 9, 10, 11, 12, 13)] parents: usize,
) {
    let mut branch = Branch::of(&[]);
    let start = branch.tip().header().timestamp.as_millis();
    for offset in &OFFSETS[..parents] {
        let time = Timestamp::from_millis(start + offset);
        let block = branch.next_with(words(&[1]), |header| header.timestamp = time);
        branch.push(&block);
    }
    let mut last: Vec<u64> = core::iter::once(0).chain(OFFSETS[..parents].iter().copied()).collect();
    last.drain(..last.len().saturating_sub(11));
    last.sort_unstable();
    let median = Timestamp::from_millis(start + last[last.len() / 2]);

    let at = branch.next_with(words(&[2]), |header| header.timestamp = median);
    assert_eq!(
        refusal_of(&branch, &at, NOW),
        BlockError::Rule(RuleError::TimestampTooEarly { got: median, median })
    );
    let later = Timestamp::from_millis(median.as_millis() + 1);
    accepts(&branch, &branch.next_with(words(&[2]), |header| header.timestamp = later));
}

#[test]
fn timestamp_is_at_most_the_drift_ahead_of_the_clock() {
    let branch = Branch::of(&PARENTS);
    let limit = NOW.saturating_add(Duration::from_secs(60));
    accepts(&branch, &branch.next_with(words(&[4]), |header| header.timestamp = limit));

    let got = Timestamp::from_millis(limit.as_millis() + 1);
    let late = branch.next_with(words(&[4]), |header| header.timestamp = got);
    let error = refusal_of(&branch, &late, NOW);
    assert_eq!(error, BlockError::Rule(RuleError::TimestampTooLate { got, limit }));
    let mut chain = fed(spec(), branch.mined());
    assert!(chain.import(late.clone(), NOW).is_err());
    let later = Timestamp::from_millis(NOW.as_millis() + 1);
    assert_eq!(chain.import(late.clone(), later), extended(&[late]), "the verdict was on the clock alone");
}

#[test]
fn the_end_of_time_overflows_nothing() {
    let branch = Branch::of(&PARENTS);
    let end = Timestamp::from_millis(u64::MAX);
    let block = branch.next_with(words(&[4]), |header| header.timestamp = end);
    let limit = NOW.saturating_add(Duration::from_secs(60));
    assert_eq!(
        refusal_of(&branch, &block, NOW),
        BlockError::Rule(RuleError::TimestampTooLate { got: end, limit })
    );
    let mut chain = fed(spec(), branch.mined());
    assert_eq!(chain.import(block.clone(), end), extended(&[block]));
    assert_eq!(chain.template(words(&[5]), end).unwrap().header().timestamp, end);
}

#[test]
fn history_root_is_over_all_blocks_before() {
    let branch = Branch::of(&PARENTS);
    let expected = branch.draft(&[]).history_root;
    for got in [Hash::ZERO, branch.cut(2).draft(&[]).history_root] {
        let error = refusal(|header| header.history_root = got);
        assert_eq!(error, BlockError::Rule(RuleError::HistoryRoot { got, expected }));
    }
}

#[test]
fn merkle_root_is_over_the_block_s_transactions() {
    let branch = Branch::of(&PARENTS);
    let good = branch.next(words(&[4, 5]));
    let mut chain = fed(spec(), branch.mined());
    for other in [words(&[5, 4]), words(&[4]), words(&[4, 5, 5]), vec![]] {
        let got = branch.draft(&other).merkle_root;
        let mutated: Shared = Block::new(*good.header(), other).into();
        let error = BlockError::Rule(RuleError::MerkleRoot { got, expected: good.header().merkle_root });
        assert_eq!(import(&mut chain, &mutated), Err(error));
    }
    let good = good.into();
    assert_eq!(import(&mut chain, &good), extended(&[good]));
}

#[rstest]
#[case::at_the_limit(1_000, true)]
#[case::one_byte_more(1_001, false)]
fn size_is_at_most_what_the_spec_says(
    #[case] size: usize,
    #[case] fits: bool,
    #[values(true, false)] known: bool,
) {
    let spec = builder().max_block_bytes(1_000).build().unwrap();
    let mut branch = Branch::new(&spec);
    // Postcard writes one byte for the variant and two for the length before the padding.
    let block = branch.extend(vec![Note::Pad(vec![0; size - Header::LEN - 3])]);
    assert_eq!(block.digest().unwrap().size, size);
    let mut chain = Chain::new(spec);
    if known {
        assert_eq!(import_header(&mut chain, &block), Ok(true));
    }
    if fits {
        assert_eq!(import(&mut chain, &block), extended(&[block]));
        return;
    }
    assert_eq!(
        import(&mut chain, &block),
        Err(BlockError::Rule(RuleError::Size { got: size, limit: 1_000 }))
    );
    assert_eq!(chain.is_invalid(block.hash()), known);
    assert_eq!(chain.height(), 0);
}

#[rstest]
#[case::at_the_limit(3, true)]
#[case::one_more(4, false)]
fn transactions_are_at_most_as_many_as_the_spec_says(
    #[case] count: u32,
    #[case] fits: bool,
    #[values(true, false)] known: bool,
) {
    let spec = builder().max_block_transactions(3).build().unwrap();
    let block = Branch::new(&spec).extend((0..count).map(Note::Word).collect());
    let mut chain = Chain::new(spec);
    if known {
        assert_eq!(import_header(&mut chain, &block), Ok(true));
    }
    if fits {
        assert_eq!(import(&mut chain, &block), extended(&[block]));
        return;
    }
    let error = RuleError::Count { got: 4, limit: 3 };
    assert_eq!(import(&mut chain, &block), Err(error.clone().into()));
    assert_eq!(chain.template(block.data().to_vec(), NOW).unwrap_err(), error);
    assert!(
        !chain.is_invalid(block.hash()),
        "they are counted before they are known to belong to the header"
    );
    assert_eq!(chain.height(), 0);
}

#[test]
fn transactions_are_counted_before_they_are_hashed() {
    let spec = builder().max_block_transactions(3).build().unwrap();
    let branch = Branch::new(&spec);
    let mut chain = Chain::new(spec);
    let error = RuleError::Count { got: 4, limit: 3 };
    // Hashing one of these transactions would fail with another error.
    let mute = || vec![Note::Mute; 4];
    let block: Shared = branch.next(mute()).into();
    assert_eq!(import(&mut chain, &block), Err(error.clone().into()));
    assert_eq!(chain.template(mute(), NOW).unwrap_err(), error);
    let orphan: Shared =
        Block::new(mine(Header { previous_hash: Hash::ZERO, ..branch.draft(&[]) }), mute()).into();
    assert_eq!(import(&mut chain, &orphan), Err(error.into()));
    assert_eq!(chain.orphan_count(), 0);
}

#[test]
fn another_body_with_too_many_transactions_says_nothing_about_the_block() {
    let spec = builder().max_block_transactions(3).build().unwrap();
    let block = Branch::new(&spec).extend(words(&[1]));
    let mut chain = Chain::new(spec);
    assert_eq!(import_header(&mut chain, &block), Ok(true));
    let other: Shared = Block::new(*block.header(), words(&[1, 2, 3, 4])).into();
    assert_eq!(import(&mut chain, &other), Err(BlockError::Rule(RuleError::Count { got: 4, limit: 3 })));
    assert_eq!(import(&mut chain, &block), extended(&[block]));
}

#[test]
fn transactions_have_canonical_bytes() {
    let branch = Branch::of(&PARENTS);
    let block: Shared = branch.next(vec![Note::Word(1), Note::Mute]).into();
    let mut chain = fed(spec(), branch.mined());
    assert_eq!(import(&mut chain, &block), Err(BlockError::Rule(RuleError::Encode(mute()))));
    assert!(!chain.is_invalid(block.hash()));
}

#[rstest]
#[case(vec![Note::Bad(7)], 0)]
#[case(vec![Note::Word(1), Note::Bad(7), Note::Bad(8)], 1)]
fn the_application_may_refuse_a_transaction(#[case] data: Vec<Note>, #[case] index: usize) {
    let branch = Branch::of(&PARENTS);
    let block: Shared = branch.next(data).into();
    let mut chain = fed(spec(), branch.mined());
    let error = BlockError::Rule(RuleError::Transaction { index, reason: rejected(7) });
    assert_eq!(import(&mut chain, &block), Err(error));
    assert_follows(&chain, &branch);
    let hash = *block.hash();
    assert!(chain.is_invalid(&hash));
    assert_eq!(import(&mut chain, &block), Err(BlockError::KnownInvalid { hash }));
    assert_eq!(import_header(&mut chain, &block), Err(BlockError::KnownInvalid { hash }));
    let mut child = branch.clone();
    child.push(&block);
    let child = child.extend(words(&[9]));
    assert_eq!(import_header(&mut chain, &child), Err(BlockError::InvalidParent { parent: hash }));
    assert_eq!(import(&mut chain, &child), Err(BlockError::InvalidParent { parent: hash }));
}

#[test]
fn state_root_is_the_application_s() {
    let branch = Branch::of(&PARENTS);
    let block = branch.next_with(words(&[4]), |header| header.state_root = Hash::ZERO);
    let mut chain = fed(spec(), branch.mined());
    let got = branch.draft(&words(&[4])).state_root;
    assert_eq!(
        import(&mut chain, &block),
        Err(BlockError::Rule(RuleError::StateRoot { got, expected: Hash::ZERO }))
    );
    assert_follows(&chain, &branch);
    assert!(chain.is_invalid(block.hash()));
}

#[test]
fn a_block_without_a_parent_waits_and_a_header_does_not() {
    let branch = Branch::of(&PARENTS);
    let mut chain = chain();
    let parent = branch.hash(2);
    assert_eq!(import_header(&mut chain, branch.at(3)), Err(BlockError::UnknownParent { parent }));
    assert_eq!(import(&mut chain, branch.at(3)), Ok(orphaned(parent)));
    assert_eq!(chain.header(branch.tip().hash()), Ok(None));
}

#[test]
fn what_is_here_already_is_a_duplicate() {
    let branch = Branch::of(&PARENTS);
    let fork = branch.cut(1).with(&[9]);
    let mut chain = fed(spec(), branch.mined());
    let genesis = branch.at(0).clone();
    assert_eq!(import_header(&mut chain, &genesis), Ok(false));
    assert_eq!(import(&mut chain, &genesis), Ok(duplicate()));
    assert_eq!(import(&mut chain, branch.at(2)), Ok(duplicate()));
    assert_eq!(import(&mut chain, fork.tip()), Ok(side_branch()));
    assert_eq!(import(&mut chain, fork.tip()), Ok(duplicate()));
    assert_eq!(import_header(&mut chain, fork.tip()), Ok(false));
    let orphan = fork.with(&[10, 11]);
    assert_eq!(import(&mut chain, orphan.tip()), Ok(orphaned(orphan.hash(3))));
    assert_eq!(import(&mut chain, orphan.tip()), Ok(duplicate()));
    assert_eq!(chain.orphan_count(), 1);
}

#[test]
fn the_genesis_of_another_chain_is_no_block_of_this_one() {
    let other: Block<Note> = builder().max_block_bytes(5_000).build().unwrap().genesis().unwrap();
    let mut chain = chain();
    let mined: Shared = Block::new(mine(*other.header()), vec![]).into();
    let commitment = mined.header().previous_hash;
    let error = BlockError::UnknownParent { parent: commitment };
    assert_eq!(import_header(&mut chain, &mined), Err(error));
    assert_eq!(import(&mut chain, &mined), Ok(orphaned(commitment)));
    assert_eq!(chain.height(), 0);

    let above = Branch::of(&[]).next_with(vec![], |header| header.height = 0);
    assert_eq!(import(&mut chain, &above), Err(BlockError::Rule(RuleError::Height { got: 0, expected: 1 })));
}

#[test]
fn a_target_that_is_easier_than_any_is_refused_before_all_else() {
    let branch = Branch::of(&PARENTS);
    let got = CompactTarget::from_bits(0x2100_ffff);
    let error = BlockError::Rule(RuleError::Target { got, expected: EASY });
    let header = Header { target: got, height: 9, ..branch.draft(&[]) };
    // The height and the body are wrong too, but neither is checked before the target.
    let block: Shared = Block::new(header, words(&[1])).into();
    assert_eq!(refusal_of(&branch, &block, NOW), error);
    let orphan: Shared = Block::new(Header { previous_hash: Hash::ZERO, ..header }, words(&[1])).into();
    assert_eq!(import(&mut chain(), &orphan), Err(error));
}
