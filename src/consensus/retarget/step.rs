//! The rule of many tutorials: the target halves or doubles after every block.

use core::cmp::Ordering;

use ruint::aliases::U512;

use super::{Pace, Sample};
use crate::primitives::CompactTarget;

/// The next block is twice as hard if the last block took less than the interval, half as hard if that block
/// took longer, and as hard as its parent if the block took exactly one interval.
///
/// Source: the rule that tutorials teach, in which the difficulty is a count of leading zero bits that goes
/// up or down by one (naivecoin does so at every tenth block). Tutorials often measure the block that is
/// being mined. This function measures the last complete interval, so that a miner cannot make its own block
/// easier by its timestamp.
///
/// The rule never settles: it keeps jumping by factors of two, half of the intervals are too long, and the
/// mean interval is about twice the configured one. It is a rule to learn from, not to use.
///
/// `before` is the parent of `parent`. For height 2, at which the parent of the parent is genesis, pass
/// `parent` twice: there is no interval yet, and the target does not change.
#[must_use]
pub fn step(pace: &Pace, before: &Sample, parent: &Sample) -> CompactTarget {
    if before.height == parent.height {
        return pace.keep(parent);
    }
    let target = U512::from(pace.read(parent));
    let took = parent.timestamp.saturating_since(before.timestamp);
    pace.write(match took.cmp(&pace.interval()) {
        Ordering::Less => target >> 1,
        Ordering::Equal => target,
        Ordering::Greater => target << 1,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{pace, sample};
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::just_too_fast(599_999, 0x1d00_ffff, 0x1c7f_ff80)]
    #[case::exact(600_000, 0x1d00_ffff, 0x1d00_ffff)]
    #[case::just_too_slow(600_001, 0x1d00_ffff, 0x1d01_fffe)]
    #[case::far_too_slow_is_one_step_too(u64::MAX, 0x1d00_ffff, 0x1d01_fffe)]
    #[case::same_time(0, 0x1d00_ffff, 0x1c7f_ff80)]
    #[case::never_beyond_the_easiest(600_001, 0x1f00_ffff, 0x1f00_ffff)]
    #[case::never_zero(0, 0x0101_0000, 0x0101_0000)]
    fn one_step(#[case] took_ms: u64, #[case] bits: u32, #[case] expected: u32) {
        let next = step(&pace(), &sample(7, 0, bits), &sample(8, took_ms, bits));
        assert_eq!(next, CompactTarget::from_bits(expected));
    }

    #[test]
    fn a_timestamp_that_goes_back_is_too_fast() {
        let next = step(&pace(), &sample(7, 1_000_000, 0x1d00_ffff), &sample(8, 5, 0x1d00_ffff));
        assert_eq!(next, CompactTarget::from_bits(0x1c7f_ff80));
    }
}
