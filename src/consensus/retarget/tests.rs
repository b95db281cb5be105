//! Properties of all rules, and the helpers that the tests of the single rules share.

mod attacks;

use super::past::MEDIAN_SPAN;
use super::*;
use core::cell::RefCell;
use proptest::prelude::*;
use rstest::rstest;

const TEN_MINUTES: Duration = Duration::from_secs(600);

/// Four hex zeros, one block in ten minutes.
pub(super) fn pace() -> Pace {
    Pace::new(Target::try_from(Target::FOUR_HEX_ZEROS).unwrap(), TEN_MINUTES)
}

pub(super) fn sample(height: u64, timestamp_ms: u64, bits: u32) -> Sample {
    let timestamp = Timestamp::from_millis(timestamp_ms);
    Sample { height, timestamp, target: CompactTarget::from_bits(bits) }
}

const EVERY_RULE: [Retarget; 6] = [
    Retarget::Fixed,
    Retarget::Step,
    Retarget::Window { blocks: 8 },
    Retarget::Lwma { blocks: 8 },
    Retarget::Asert { half_life_ms: 600_000 },
    Retarget::BoundedLwma { blocks: 8 },
];

#[rstest]
#[case(Retarget::Fixed, Ok(()))]
#[case(Retarget::Step, Ok(()))]
#[case(Retarget::Window { blocks: 0 }, Err(RetargetError::EmptyWindow))]
#[case(Retarget::Window { blocks: 1 }, Ok(()))]
#[case(Retarget::Window { blocks: u32::MAX }, Ok(()))]
#[case(Retarget::Lwma { blocks: 0 }, Err(RetargetError::LwmaBlocks { got: 0 }))]
#[case(Retarget::Lwma { blocks: 1 }, Ok(()))]
#[case(Retarget::Lwma { blocks: 1_024 }, Ok(()))]
#[case(Retarget::Lwma { blocks: 1_025 }, Err(RetargetError::LwmaBlocks { got: 1_025 }))]
#[case(Retarget::BoundedLwma { blocks: 0 }, Err(RetargetError::LwmaBlocks { got: 0 }))]
#[case(Retarget::BoundedLwma { blocks: 1_024 }, Ok(()))]
#[case(Retarget::BoundedLwma { blocks: 1_025 }, Err(RetargetError::LwmaBlocks { got: 1_025 }))]
#[case(Retarget::Asert { half_life_ms: 0 }, Err(RetargetError::NoHalfLife))]
#[case(Retarget::Asert { half_life_ms: 1 }, Ok(()))]
#[case(Retarget::default(), Ok(()))]
fn validate_knows_the_bounds(#[case] rule: Retarget, #[case] expected: Result<(), RetargetError>) {
    assert_eq!(rule.validate(), expected);
}

// The genesis block commits to these bytes.
#[rstest]
#[case(Retarget::Fixed, &[0])]
#[case(Retarget::Step, &[1])]
#[case(Retarget::Window { blocks: 2_016 }, &[2, 0xe0, 0x0f])]
#[case(Retarget::Lwma { blocks: 60 }, &[3, 60])]
#[case(Retarget::Asert { half_life_ms: 300 }, &[4, 0xac, 0x02])]
#[case(Retarget::BoundedLwma { blocks: 60 }, &[5, 60])]
fn canonical_bytes_are_frozen(#[case] rule: Retarget, #[case] bytes: &[u8]) {
    assert_eq!(postcard::to_allocvec(&rule).unwrap(), bytes);
    assert_eq!(postcard::from_bytes::<Retarget>(bytes).unwrap(), rule);
}

#[test]
fn genesis_is_never_asked_for() {
    for rule in EVERY_RULE {
        for parent_height in 0..40 {
            let asked = RefCell::new(Vec::new());
            let next = rule.next_target(Target::FOUR_HEX_ZEROS, TEN_MINUTES, parent_height, |height| {
                asked.borrow_mut().push(height);
                sample(height, 1_700_000_000_000 + height * 600_000, Target::FOUR_HEX_ZEROS.to_bits())
            });
            assert_eq!(next, Target::FOUR_HEX_ZEROS, "{rule:?} on time at {parent_height}");
            let asked = asked.into_inner();
            assert!(asked.iter().all(|height| (1..=parent_height).contains(height)), "{rule:?}: {asked:?}");
            let is_average = matches!(rule, Retarget::Lwma { .. } | Retarget::BoundedLwma { .. });
            let bound = if is_average { 9 } else { 2 };
            assert!(asked.len() <= bound, "{rule:?}: {asked:?}");
        }
    }
}

/// Only block 1 has the easiest target by definition: the target of block 2 follows from that of block 1.
#[rstest]
#[case::step(Retarget::Step)]
#[case::window(Retarget::Window { blocks: 1 })]
#[case::asert(Retarget::Asert { half_life_ms: 600_000 })]
fn only_block_1_has_the_easiest_target_by_rule(#[case] rule: Retarget) {
    let harder = 0x1d00_ffff;
    let next = |parent_height| {
        let past = |height| sample(height, 1_700_000_000_000, harder);
        rule.next_target(Target::FOUR_HEX_ZEROS, TEN_MINUTES, parent_height, past)
    };
    assert_eq!(next(0), Target::FOUR_HEX_ZEROS);
    assert_eq!(next(1), CompactTarget::from_bits(harder));
}

#[test]
fn window_changes_at_its_multiples_only() {
    // All timestamps are equal: each adjustment makes the next window four times harder.
    let mut chain = vec![sample(0, 0, Target::FOUR_HEX_ZEROS.to_bits())];
    for height in 1..=24 {
        let past = |height| chain[usize::try_from(height).unwrap()];
        let next =
            Retarget::Window { blocks: 8 }.next_target(Target::FOUR_HEX_ZEROS, TEN_MINUTES, height - 1, past);
        chain.push(sample(height, 0, next.to_bits()));
    }
    let bits: Vec<u32> = chain.iter().map(|sample| sample.target.to_bits()).collect();
    let expected = [[0x1f00_ffff; 8], [0x1e3f_ffc0; 8], [0x1e0f_fff0; 8]].concat();
    assert_eq!(bits[..24], expected);
    assert_eq!(bits[24], 0x1e03_fffc);
}

#[test]
fn every_rule_but_fixed_gets_harder_when_blocks_come_too_fast() {
    for rule in EVERY_RULE {
        let mut chain = vec![sample(0, 0, Target::FOUR_HEX_ZEROS.to_bits())];
        for height in 1..=64 {
            let past = |height| chain[usize::try_from(height).unwrap()];
            let next = rule.next_target(Target::FOUR_HEX_ZEROS, TEN_MINUTES, height - 1, past);
            chain.push(sample(height, 1_700_000_000_000 + height * 60_000, next.to_bits()));
        }
        let tip = Target::try_from(chain[64].target).unwrap();
        assert_eq!(tip < pace().easiest(), rule != Retarget::Fixed, "{rule:?} ends at {tip}");
    }
}

fn any_rule() -> impl Strategy<Value = Retarget> {
    prop_oneof![
        Just(Retarget::Fixed),
        Just(Retarget::Step),
        prop_oneof![0..12_u32, any::<u32>()].prop_map(|blocks| Retarget::Window { blocks }),
        prop_oneof![0..12_u32, any::<u32>()].prop_map(|blocks| Retarget::Lwma { blocks }),
        prop_oneof![0..12_u64, any::<u64>()].prop_map(|half_life_ms| Retarget::Asert { half_life_ms }),
        prop_oneof![0..12_u32, any::<u32>()].prop_map(|blocks| Retarget::BoundedLwma { blocks }),
    ]
}

fn any_number() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), 0..100_u64, any::<u64>()]
}

fn any_target() -> impl Strategy<Value = U256> {
    (any::<[u8; 32]>(), 0..=256_usize).prop_map(|(bytes, shift)| U256::from_be_bytes(bytes) >> shift)
}

proptest! {
    #[test]
    fn any_samples_give_a_target_in_range(
        rule in any_rule(),
        easiest in any_target(),
        interval in any_number(),
        parent_height in any_number(),
        past in proptest::collection::vec((any_number(), any_number(), any::<u32>(), any_target()), 1..16),
    ) {
        let pace = Pace::new(Target::from_uint(easiest), Duration::from_millis(interval));
        let easiest = pace.easiest().to_compact();
        let next = rule.next_target(easiest, pace.interval(), parent_height, |height| {
            let index = usize::try_from(height % past.len() as u64).unwrap();
            let (other_height, timestamp, bits, target) = past[index];
            // Most samples have a valid target and their true height, some neither.
            if bits % 8 == 0 {
                return sample(other_height, timestamp, bits);
            }
            sample(height, timestamp, Target::from_uint(target).to_compact().to_bits())
        });
        let next = Target::try_from(next);
        prop_assert!(next.is_ok_and(|next| next <= pace.easiest()), "{next:?}");
    }
}

#[rstest]
#[case(Retarget::Window { blocks: 1 })]
#[case(Retarget::Window { blocks: 2 })]
#[case(Retarget::Window { blocks: u32::MAX })]
#[case(Retarget::Lwma { blocks: 1 })]
#[case(Retarget::BoundedLwma { blocks: 1 })]
fn what_is_kept_of_the_past_is_all_that_a_rule_asks_for(#[case] edge: Retarget) {
    for rule in EVERY_RULE.into_iter().chain([edge]) {
        // Faster and faster, with targets of their own.
        let block = |height: u64| {
            sample(height, height.isqrt() * 600_000, 0x1e0f_0000 - u32::try_from(height).unwrap())
        };
        let mut kept = Past::default();
        for parent in 0..=100 {
            kept.push(rule, block(parent));
            assert_eq!(Past::read(rule, parent, |height| Ok::<_, ()>(block(height))), Ok(kept.clone()));
            let past = |height| {
                kept.at(height).unwrap_or_else(|| panic!("{rule:?} asks for {height} after {parent}"))
            };
            let target = rule.next_target(Target::FOUR_HEX_ZEROS, TEN_MINUTES, parent, past);
            assert_eq!(
                rule.target_after(Target::FOUR_HEX_ZEROS, TEN_MINUTES, &kept),
                target,
                "{rule:?} {parent}"
            );
            let all: Vec<Sample> = (0..=parent).filter_map(|height| kept.at(height)).collect();
            assert!(all.len() <= MEDIAN_SPAN + 1, "{rule:?} keeps {all:?}");
            assert!(all.iter().all(|sample| *sample == block(sample.height)), "{all:?}");
        }
    }
}
