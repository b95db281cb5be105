//! A header-only chain is compared with a full chain: both accept and refuse the same headers.

use proptest::prelude::*;
use rstest::rstest;

use super::forge::*;
use crate::consensus::HeaderChain;
use crate::primitives::Target;
use crate::{Block, BlockError, ChainSpec, CompactTarget, Hash, Header, Retarget, RuleError, Timestamp};

/// A target that takes about 500 hashes to meet.
const HARD: CompactTarget = CompactTarget::from_bits(0x1f7f_ffff);

/// How a header is changed before it is pushed.
#[derive(Clone, Debug)]
enum Change {
    Nothing,
    Version(u32),
    Height(u64),
    Parent,
    History,
    TargetBits(u32),
    TargetNear(i8),
    EasiestTarget,
    Nonce(u64),
    NoWork,
    Time(i32),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => Just(Change::Nothing),
        1 => any::<u32>().prop_map(Change::Version),
        1 => prop_oneof![0..50_u64, any::<u64>()].prop_map(Change::Height),
        1 => Just(Change::Parent),
        1 => Just(Change::History),
        1 => any::<u32>().prop_map(Change::TargetBits),
        1 => any::<i8>().prop_map(Change::TargetNear),
        1 => Just(Change::EasiestTarget),
        1 => (Header::NONCE_LIMIT..).prop_map(Change::Nonce),
        1 => Just(Change::NoWork),
        3 => (-200_000..200_000_i32).prop_map(Change::Time),
    ]
}

fn rule() -> impl Strategy<Value = Retarget> {
    prop_oneof![
        Just(Retarget::Fixed),
        Just(Retarget::Step),
        (1..9_u32).prop_map(|blocks| Retarget::Window { blocks }),
        (1..9_u32).prop_map(|blocks| Retarget::Lwma { blocks }),
        (1..9_u32).prop_map(|blocks| Retarget::BoundedLwma { blocks }),
        (20_000..100_000_u64).prop_map(|half_life_ms| Retarget::Asert { half_life_ms }),
    ]
}

/// A header that extends the tip and is valid except for its proof of work.
fn draft(headers: &HeaderChain, gap_ms: u64) -> Header {
    let tip = headers.tip();
    // After a gap of ten intervals every rule lowers the difficulty, which keeps mining cheap.
    let is_hard = Target::try_from(headers.next_target()).unwrap() < Target::try_from(HARD).unwrap();
    let gap_ms = if is_hard { 100_000 } else { gap_ms };
    Header {
        height: tip.height + 1,
        previous_hash: *headers.tip_hash(),
        history_root: headers.history_root(),
        timestamp: Timestamp::from_millis(tip.timestamp.as_millis() + gap_ms),
        target: headers.next_target(),
        ..*tip
    }
}

/// The header with proof of work, if one of 2^14 nonces gives it.
fn sealed(header: Header) -> Header {
    let Ok(target) = Target::try_from(header.target) else { return header };
    let mut tries = (0..1 << 14).map(|nonce| Header { nonce, ..header });
    tries.find(|header| target.is_met_by(&header.hash())).unwrap_or(header)
}

fn changed(mut header: Header, change: &Change) -> Header {
    match *change {
        Change::Nothing => {}
        Change::Version(version) => header.version = version,
        Change::Height(height) => header.height = height,
        Change::Parent => header.previous_hash = Hash::digest(b"parent"),
        Change::History => header.history_root = Hash::digest(b"history"),
        Change::TargetBits(bits) => header.target = CompactTarget::from_bits(bits),
        Change::TargetNear(by) => {
            let bits = header.target.to_bits().saturating_add_signed(i32::from(by));
            header.target = CompactTarget::from_bits(bits);
        }
        Change::EasiestTarget => header.target = EASY,
        Change::Time(by) => {
            let millis = header.timestamp.as_millis().saturating_add_signed(i64::from(by));
            header.timestamp = Timestamp::from_millis(millis);
        }
        Change::Nonce(nonce) => return Header { nonce, ..header },
        Change::NoWork => {
            let target = Target::try_from(header.target).unwrap();
            let mut tries = (0..).map(|nonce| Header { nonce, ..header });
            return tries.find(|header| !target.is_met_by(&header.hash())).unwrap();
        }
    }
    sealed(header)
}

fn spec_of(rule: Retarget) -> ChainSpec {
    builder().retarget(rule).build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn headers_alone_get_the_verdicts_of_a_chain_of_blocks(
        rule in rule(),
        has_blocks in any::<bool>(),
        steps in prop::collection::vec((change(), 0..30_000_u64), 1..40),
    ) {
        let spec = spec_of(rule);
        let mut chain = Chain::new(spec.clone());
        let mut headers = HeaderChain::new::<Note>(spec).unwrap();
        for (change, gap_ms) in steps {
            let right = draft(&headers, gap_ms);
            // If the changed header is refused, the unchanged one is pushed. It is refused too if its
            // timestamp is not later than the median.
            for header in [changed(right, &change), sealed(right)] {
                let before = *headers.tip_hash();
                let verdict = headers.push(&header, right.timestamp);
                let imported = chain.import_header(&header, right.timestamp).map(drop);
                prop_assert_eq!(imported, verdict.clone().map_err(of_import));
                if verdict.is_err() {
                    prop_assert_eq!(*headers.tip_hash(), before);
                    continue;
                }
                prop_assert_eq!(*headers.tip_hash(), header.hash());
                if has_blocks {
                    let block = Block::new(header, Vec::new());
                    prop_assert!(chain.import(block.into(), right.timestamp).is_ok());
                    prop_assert_eq!(chain.work(), headers.work());
                    prop_assert_eq!(chain.end.history.root(), headers.history_root());
                }
                break;
            }
        }
        let known = chain.entry(headers.tip_hash(), None).unwrap().unwrap();
        prop_assert_eq!((known.header, known.work), (*headers.tip(), headers.work()));
    }
}

#[test]
fn a_forged_header_with_the_easiest_target_is_refused_where_the_chain_asks_for_more() {
    let spec = spec_of(Retarget::Step);
    let mut headers = HeaderChain::new::<Note>(spec.clone()).unwrap();
    for _ in 0..4 {
        let header = sealed(draft(&headers, 1_000));
        assert_eq!(headers.push(&header, NOW), Ok(()));
    }
    let right = draft(&headers, 1_000);
    let forged = sealed(Header { target: EASY, ..right });
    assert_eq!(spec.check_header(&forged), Ok(()));
    let expected = RuleError::Target { got: EASY, expected: right.target };
    assert_ne!(right.target, EASY);
    assert_eq!(headers.clone().push(&forged, NOW), Err(expected));
    assert_eq!(headers.push(&sealed(right), NOW), Ok(()));
}

#[test]
fn a_header_by_itself_has_a_version_a_nonce_a_target_and_work() {
    let spec = spec();
    let good = mine(*Branch::of(&[1]).tip().header());
    assert_eq!(spec.check_header(&good), Ok(()));
    let version = RuleError::Version { got: 2, expected: 1 };
    assert_eq!(spec.check_header(&Header { version: 2, ..good }), Err(version));
    let (got, limit) = (Header::NONCE_LIMIT, Header::NONCE_LIMIT);
    assert_eq!(spec.check_header(&Header { nonce: got, ..good }), Err(RuleError::Nonce { got, limit }));
    let easier = CompactTarget::from_bits(0x2100_ffff);
    let error = RuleError::Target { got: easier, expected: EASY };
    assert_eq!(spec.check_header(&Header { target: easier, ..good }), Err(error));
    let idle = changed(good, &Change::NoWork);
    let error = RuleError::ProofOfWork { hash: idle.hash(), target: EASY };
    assert_eq!(spec.check_header(&idle), Err(error));
}

/// Each header is mined after the change, so that its proof of work is valid.
#[rstest]
#[case::version("version", |header: &mut Header| header.version = 2, NOW)]
#[case::height("height", |header: &mut Header| header.height = 5, NOW)]
#[case::target_that_is_easier("target", |header: &mut Header| header.target = CompactTarget::from_bits(0x2100_ffff), NOW)]
#[case::target_that_is_harder("target", |header: &mut Header| header.target = CompactTarget::from_bits(0x207f_fffe), NOW)]
#[case::parent("parent_known", |header: &mut Header| header.previous_hash = Hash::digest(b"parent"), NOW)]
#[case::history("history_root", |header: &mut Header| header.history_root = Hash::digest(b"history"), NOW)]
#[case::median("median_time", |header: &mut Header| header.timestamp = spec().genesis_time(), NOW)]
#[case::drift("future_drift", |_: &mut Header| {}, spec().genesis_time())]
#[case::the_end_of_time("future_drift", |header: &mut Header| header.timestamp = Timestamp::from_millis(u64::MAX), NOW)]
fn a_broken_rule_has_the_same_name_with_and_without_blocks(
    #[case] rule: &str,
    #[case] change: impl FnOnce(&mut Header),
    #[case] now: Timestamp,
) {
    let branch = Branch::of(&[1, 2, 3, 4, 5, 6, 7]);
    let block = branch.next_with(Vec::new(), change);
    assert_refused(&branch, block.header(), rule, now);
}

#[test]
fn a_header_chain_refuses_a_nonce_without_a_number_and_a_hash_without_work() {
    let branch = Branch::of(&[1]);
    let right = branch.draft(&[]);
    assert_refused(&branch, &Header { nonce: Header::NONCE_LIMIT, ..right }, "nonce", NOW);
    assert_refused(&branch, &changed(right, &Change::NoWork), "proof_of_work", NOW);
    let zero = CompactTarget::from_bits(0);
    assert_refused(&branch, &Header { target: zero, ..right }, "target", NOW);
}

/// The error of an import for the error of a chain of headers.
fn of_import(error: RuleError) -> BlockError {
    match error {
        RuleError::Parent { got, .. } => BlockError::UnknownParent { parent: got },
        error => error.into(),
    }
}

/// Asserts that a header is refused by the rule of this name, that [`Chain::import_header`] returns an equal
/// error, and that neither call changes anything.
fn assert_refused(branch: &Branch, header: &Header, rule: &str, now: Timestamp) {
    let mut chain = fed(spec(), branch.mined());
    let mut headers = headers_of(branch);
    let before = format!("{headers:?}");
    let error = headers.push(header, now).unwrap_err();
    assert_eq!(error.rule(), rule, "{error}");
    assert_eq!(chain.import_header(header, now), Err(of_import(error)));
    assert_eq!(format!("{headers:?}"), before);
    assert_eq!(headers.push(branch.next(Vec::new()).header(), NOW), Ok(()));
}

fn headers_of(branch: &Branch) -> HeaderChain {
    let mut headers = HeaderChain::new::<Note>(spec()).unwrap();
    for block in branch.mined() {
        assert_eq!(headers.push(block.header(), NOW), Ok(()));
    }
    headers
}

#[test]
fn a_header_too_far_in_the_future_is_accepted_when_its_time_has_come() {
    let branch = Branch::of(&[1]);
    let time = Timestamp::from_millis(NOW.as_millis() + 60_001);
    let block = branch.next_with(Vec::new(), |header| header.timestamp = time);
    let mut headers = headers_of(&branch);
    let limit = Timestamp::from_millis(time.as_millis() - 1);
    let error = RuleError::TimestampTooLate { got: time, limit };
    assert_eq!(headers.push(block.header(), NOW), Err(error));
    assert_eq!(headers.push(block.header(), Timestamp::from_millis(NOW.as_millis() + 1)), Ok(()));
    assert_eq!(headers.tip(), block.header());
}

#[test]
fn the_tip_is_accepted_again_and_no_other_header_without_its_parent() {
    let branch = Branch::of(&[1, 2]);
    let mut headers = HeaderChain::new::<Note>(spec()).unwrap();
    // A list of all headers begins with that of the genesis block, which has no proof of work.
    for height in 0..=2 {
        for _ in 0..2 {
            assert_eq!(headers.push(branch.at(height).header(), NOW), Ok(()));
        }
    }
    assert_eq!((headers.tip(), headers.tip_hash()), (branch.tip().header(), &branch.hash(2)));
    assert_eq!(headers.work(), fed(spec(), branch.mined()).work());
    // An earlier header, a sibling of the tip, and the first header of another chain.
    let other = builder().genesis_time(NOW).build().unwrap();
    let stranger = Branch::new(&other).with(&[1]);
    for (header, parent) in [
        (branch.at(1).header(), branch.hash(0)),
        (branch.cut(1).with(&[3]).tip().header(), branch.hash(1)),
        (stranger.tip().header(), stranger.hash(0)),
    ] {
        assert_eq!(
            headers.push(header, NOW),
            Err(RuleError::Parent { got: parent, expected: branch.hash(2) })
        );
    }
    assert_eq!(headers.tip_hash(), &branch.hash(2));
}
