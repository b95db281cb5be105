//! Bitcoin's rule: one adjustment per window of blocks.

use ruint::aliases::U512;

use super::{Pace, Sample};
use crate::primitives::CompactTarget;

/// Multiplies the target of `last` by the ratio of the time from `first` to `last` to the expected time: one
/// interval per block. One adjustment changes the target by at most a factor of four.
///
/// Source: Bitcoin Core, `CalculateNextWorkRequired` in `pow.cpp`, with one deliberate difference. Bitcoin
/// measures from the first block *of* a window, so the interval between two windows is never counted, and the
/// time of 2,015 intervals is compared with that expected for 2,016. The time-warp attack exploits that gap
/// (BIP 54). Here `first` is the block *before* the window, and the expected time covers exactly the
/// intervals between `first` and `last`.
///
/// The first window has no mined block before it and is measured from block 1. If `first` and `last` are the
/// same block, the target does not change.
#[must_use]
pub fn window(pace: &Pace, first: &Sample, last: &Sample) -> CompactTarget {
    let intervals = last.height.saturating_sub(first.height);
    if intervals == 0 {
        return pace.keep(last);
    }
    let wanted = u128::from(intervals) * u128::from(pace.interval_ms);
    let took = last.timestamp.saturating_since(first.timestamp).as_millis();
    let took = took.clamp(wanted / MAX_CHANGE, wanted.saturating_mul(MAX_CHANGE));
    pace.write(U512::from(pace.read(last)) * U512::from(took) / U512::from(wanted))
}

/// The largest factor by which one adjustment changes the target.
const MAX_CHANGE: u128 = 4;

#[cfg(test)]
mod tests {
    use super::super::tests::{pace, sample};
    use super::*;
    use crate::CompactTarget;
    use crate::primitives::Target;
    use core::time::Duration;
    use rstest::rstest;

    /// Intervals of Bitcoin's window, each of 600 s.
    const BLOCKS: u64 = 2_016;
    const WANTED: u64 = BLOCKS * 600_000;

    // The vectors of Bitcoin Core's pow_tests, with Bitcoin's limit; times in seconds.
    #[rstest]
    #[case::get_next_work(1_261_130_161, 1_262_152_739, 0x1d00_ffff, 0x1d00_d86a)]
    #[case::pow_limit(1_231_006_505, 1_233_061_996, 0x1d00_ffff, 0x1d00_ffff)]
    #[case::lower_limit_actual(1_279_008_237, 1_279_297_671, 0x1c05_a3f4, 0x1c01_68fd)]
    #[case::upper_limit_actual(1_263_163_443, 1_269_211_443, 0x1c38_7f6f, 0x1d00_e1fd)]
    fn matches_bitcoin(#[case] first: u64, #[case] last: u64, #[case] bits: u32, #[case] expected: u32) {
        let limit = Target::try_from(CompactTarget::from_bits(0x1d00_ffff)).unwrap();
        let pace = Pace::new(limit, Duration::from_secs(600));
        let next = window(&pace, &sample(0, first * 1_000, bits), &sample(BLOCKS, last * 1_000, bits));
        assert_eq!(next, CompactTarget::from_bits(expected));
    }

    #[rstest]
    #[case::at_the_lower_clamp(WANTED / 4, 0x1c3f_ffc0)]
    #[case::past_the_lower_clamp(WANTED / 4 - 1, 0x1c3f_ffc0)]
    #[case::before_the_lower_clamp(WANTED / 4 + 1_000, 0x1c3f_ffcd)]
    #[case::exact(WANTED, 0x1d00_ffff)]
    #[case::before_the_upper_clamp(WANTED * 4 - 100_000, 0x1d03_fff6)]
    #[case::at_the_upper_clamp(WANTED * 4, 0x1d03_fffc)]
    #[case::past_the_upper_clamp(WANTED * 4 + 1, 0x1d03_fffc)]
    #[case::no_time_at_all(0, 0x1c3f_ffc0)]
    #[case::end_of_time(u64::MAX, 0x1d03_fffc)]
    fn changes_by_four_at_the_most(#[case] took_ms: u64, #[case] expected: u32) {
        let next = window(&pace(), &sample(1, 0, 0x1d00_ffff), &sample(1 + BLOCKS, took_ms, 0x1d00_ffff));
        assert_eq!(next, CompactTarget::from_bits(expected));
    }

    #[test]
    fn the_same_block_twice_keeps_its_target() {
        let only = sample(1, 5, 0x1c12_3456);
        assert_eq!(window(&pace(), &only, &only), only.target);
    }
}
