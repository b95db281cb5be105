//! Freezes the targets that every retargeting rule computes on a chain with fast, slow and forged blocks, and
//! the work of targets: a change would split every chain with the rule.

use std::time::Duration;

use hashloom::consensus::retarget::Sample;
use hashloom::primitives::{Target, Work};
use hashloom::{Retarget, Timestamp};

use super::golden_chain::check;

const INTERVAL: Duration = Duration::from_secs(10);

/// Enough blocks for two averages of the longest rule.
const BLOCKS: u64 = 200;

const RULES: [Retarget; 8] = [
    Retarget::Fixed,
    Retarget::Step,
    Retarget::Window { blocks: 16 },
    Retarget::Lwma { blocks: 45 },
    Retarget::Lwma { blocks: 1 },
    Retarget::Asert { half_life_ms: 300_000 },
    Retarget::BoundedLwma { blocks: 90 },
    Retarget::BoundedLwma { blocks: 5 },
];

/// The timestamp of a block in milliseconds: fast blocks, then slow ones, then fast ones, with an idle gap.
/// Every seventh timestamp is too late, so that the next one is earlier.
fn timestamp(height: u64) -> u64 {
    let mut at = 1_767_225_600_000;
    for height in 1..=height {
        let jitter = height * height % 13 * 100;
        at += match height {
            150 => 3_600_000,
            60..100 => 25_000 + jitter,
            _ => 1_000 + jitter,
        };
    }
    if height.is_multiple_of(7) { at + 40_000 } else { at }
}

/// The targets of the blocks from height 1 on.
fn targets(rule: Retarget) -> String {
    let mut chain =
        vec![Sample { height: 0, timestamp: Timestamp::default(), target: Target::FOUR_HEX_ZEROS }];
    for height in 1..=BLOCKS {
        let past = |height| chain[usize::try_from(height).unwrap()];
        let target = rule.next_target(Target::FOUR_HEX_ZEROS, INTERVAL, height - 1, past);
        chain.push(Sample { height, timestamp: Timestamp::from_millis(timestamp(height)), target });
    }
    chain[1..].iter().map(|block| block.target.to_string()).collect::<Vec<_>>().join(" ")
}

#[test]
fn retarget() {
    let mut lines = vec![
        ("interval in milliseconds".to_owned(), INTERVAL.as_millis().to_string()),
        ("easiest target".to_owned(), Target::FOUR_HEX_ZEROS.to_string()),
        (
            "timestamps".to_owned(),
            (1..=BLOCKS).map(|height| timestamp(height).to_string()).collect::<Vec<_>>().join(" "),
        ),
    ];
    lines.extend(RULES.map(|rule| {
        let bytes = hex::encode(postcard::to_allocvec(&rule).unwrap());
        (format!("rule {bytes}"), targets(rule))
    }));
    for bits in [0x2100_ffff_u32, 0x207f_ffff, 0x1f00_ffff, 0x1a10_0000, 0x0101_0000] {
        let Ok(target) = Target::try_from(hashloom::CompactTarget::from_bits(bits)) else { continue };
        lines.push((format!("work {bits:08x}"), Work::from(target).to_string()));
    }
    check(
        "retarget.txt",
        "The targets of every retargeting rule from height 1 on, and the work of targets.",
        &lines,
    );
}
