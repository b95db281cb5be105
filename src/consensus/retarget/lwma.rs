//! LWMA-1: a linearly weighted moving average over recent blocks, in which the latest weigh most.

use ruint::Uint;
use ruint::aliases::U512;

use super::{Pace, Retarget, Sample};
use crate::primitives::CompactTarget;

/// The average target of the last `blocks` blocks, times their weighted average solve time, divided by the
/// block interval. The newest solve time has the weight `blocks` and the oldest the weight 1.
///
/// Source: zawy12, "LWMA difficulty algorithm", <https://github.com/zawy12/difficulty-algorithms/issues/3>,
/// in the version for targets: `next = average target * sum(i * solve time i) / (interval * n * (n + 1) /
/// 2)`. The following limits are from the same source:
///
/// - A timestamp that is not later than all earlier ones of the average counts as one millisecond later than
///   the latest (the source has one second). With this monotonic handling, the blocks after a forged future
///   timestamp cancel its effect. A solve time that is only clamped at zero would keep the effect.
/// - A solve time counts as six intervals at most, so that no idle gap, however long, makes more than a few
///   blocks easy.
/// - The weighted solve time counts as at least a tenth of that of blocks on time.
///
/// `samples` are consecutive blocks, the oldest first and the parent last; the function reads the last
/// `blocks + 1`. If there are fewer, virtual blocks before block 1 take the missing places, on time and at
/// the easiest target: the rule works from height 3 on, and the first intervals of a young chain do not cause
/// large changes. `blocks` is clamped to 1 to [`Retarget::MAX_LWMA_BLOCKS`].
#[must_use]
pub fn lwma(pace: &Pace, blocks: u32, samples: &[Sample]) -> CompactTarget {
    let average = Average::of(pace, blocks, samples);
    average.scaled(pace, average.weighted.max(average.wanted / MAX_RISE))
}

/// [`lwma`] whose weighted solve time counts as at least 4/5 and at most 5/2 of that of blocks on time.
///
/// The result of [`lwma`] ranges from a tenth of the average target to six times the average. A private fork
/// whose timestamps barely advance can use that range to become 13 times harder in 30 blocks and 2,500 times
/// in 100, after which a few lucky blocks have as much work as the chain that they replace. L. Bahack
/// described that attack for Bitcoin ("Theoretical Bitcoin attacks with less than half of the computational
/// power", 2013, <https://arxiv.org/abs/1312.7013>). With the limits of this function and an average over 90
/// blocks, 100 blocks do not double the difficulty, and 100 blocks that claim the longest solve time reduce
/// it to a twentieth. Zcash has similar limits on the change of its average, 16 % and 32 %
/// (`nPowMaxAdjustUp`, `nPowMaxAdjustDown`).
///
/// At a constant hash rate the weighted solve time of 90 blocks varies by 10 %, so chance alone seldom
/// reaches a limit. Between the limits, both functions have equal results.
#[must_use]
pub fn bounded_lwma(pace: &Pace, blocks: u32, samples: &[Sample]) -> CompactTarget {
    let average = Average::of(pace, blocks, samples);
    let (shortest, longest) = (average.wanted * 4 / 5, average.wanted * 5 / 2);
    average.scaled(pace, average.weighted.clamp(shortest, longest))
}

/// The sums over the last blocks from which both functions compute the target.
struct Average {
    blocks: u32,
    /// The sum of the targets.
    targets: U512,
    /// The weighted sum of the solve times in milliseconds: the oldest has the weight 1, the newest `blocks`.
    weighted: u128,
    /// The weighted sum if each block took one interval.
    wanted: u128,
}

impl Average {
    fn of(pace: &Pace, blocks: u32, samples: &[Sample]) -> Self {
        let blocks = blocks.clamp(1, Retarget::MAX_LWMA_BLOCKS);
        let interval = u128::from(pace.interval_ms);
        let wanted = interval * weights(u128::from(blocks));
        let recent = samples.rchunks(blocks as usize + 1).next().unwrap_or_default();
        let Some((oldest, recent)) = recent.split_first() else {
            let targets = U512::from(pace.easiest) * U512::from(blocks);
            return Self { blocks, targets, weighted: wanted, wanted };
        };

        let missing = u64::from(blocks) - recent.len() as u64;
        let mut weighted = interval * weights(u128::from(missing));
        let mut targets = Sum::from(pace.easiest) * Sum::from(missing);
        let mut latest = oldest.timestamp.as_millis();
        let longest = pace.interval_ms.saturating_mul(MAX_SOLVE_TIME);
        // Equal targets in a row are decoded once.
        let mut target = (oldest.target, Sum::from(pace.read(oldest)));
        for (weight, sample) in (missing + 1..).zip(recent) {
            let timestamp = sample.timestamp.as_millis().max(latest.saturating_add(1));
            weighted += u128::from(weight) * u128::from((timestamp - latest).min(longest));
            if sample.target != target.0 {
                target = (sample.target, Sum::from(pace.read(sample)));
            }
            targets += target.1;
            latest = timestamp;
        }
        Self { blocks, targets: U512::from(targets), weighted, wanted }
    }

    /// The average target times `weighted`, divided by the wanted time.
    fn scaled(&self, pace: &Pace, weighted: u128) -> CompactTarget {
        let divisor = U512::from(self.blocks) * U512::from(self.wanted);
        pace.write(self.targets * U512::from(weighted) / divisor)
    }
}

/// `1 + 2 + ... + n`.
const fn weights(n: u128) -> u128 {
    n * (n + 1) / 2
}

/// Wide enough for the sum of [`Retarget::MAX_LWMA_BLOCKS`] targets.
type Sum = Uint<320, 5>;

/// The limit of one solve time, in block intervals.
const MAX_SOLVE_TIME: u64 = 6;

/// The largest factor by which [`lwma`] makes the next block harder than the average.
const MAX_RISE: u128 = 10;

#[cfg(test)]
mod tests {
    use super::super::tests::{pace, sample};
    use super::*;
    use rstest::rstest;

    /// Well below the easiest, and a power of 256 so that small factors stay exact.
    const BITS: u32 = 0x1a10_0000;

    /// Blocks at heights 1, 2, ... with these timestamps in milliseconds.
    fn chain(timestamps: &[u64]) -> Vec<Sample> {
        (1..).zip(timestamps).map(|(height, &at)| sample(height, at, BITS)).collect()
    }

    // The interval is 600,000 ms; two blocks have the weights 1 and 2, so a weighted sum of 1,800,000 is on
    // time.
    #[rstest]
    #[case::on_time(&[0, 600_000, 1_200_000], 0x1a10_0000)]
    #[case::twice_as_fast(&[0, 300_000, 600_000], 0x1a08_0000)]
    #[case::newest_weighs_most(&[0, 600_000, 900_000], 0x1a0a_aaaa)]
    #[case::oldest_weighs_least(&[0, 300_000, 900_000], 0x1a0d_5555)]
    #[case::at_the_solve_time_clamp(&[0, 3_600_000, 7_200_000], 0x1a60_0000)]
    #[case::past_the_solve_time_clamp(&[0, 3_600_001, 9_999_999_999], 0x1a60_0000)]
    #[case::before_the_solve_time_clamp(&[0, 3_600_000, 7_199_000], 0x1a5f_fb72)]
    #[case::at_a_tenth(&[0, 60_000, 120_000], 0x1a01_9999)]
    #[case::past_a_tenth(&[0, 0, 0], 0x1a01_9999)]
    #[case::end_of_time(&[u64::MAX, u64::MAX, u64::MAX], 0x1a01_9999)]
    #[case::only_the_last_are_read(&[9, 8, 0, 600_000, 1_200_000], 0x1a10_0000)]
    fn two_blocks(#[case] timestamps: &[u64], #[case] expected: u32) {
        assert_eq!(lwma(&pace(), 2, &chain(timestamps)), CompactTarget::from_bits(expected));
    }

    // The limits are 4/5 and 5/2 of 0x10_0000; between them both rules agree.
    #[rstest]
    #[case::on_time(&[0, 600_000, 1_200_000], 0x1a10_0000)]
    #[case::newest_weighs_most(&[0, 600_000, 1_050_000], 0x1a0d_5555)]
    #[case::before_the_shortest(&[0, 480_000, 966_000], 0x1a0c_e81b)]
    #[case::at_the_shortest(&[0, 480_000, 960_000], 0x1a0c_cccc)]
    #[case::past_the_shortest(&[0, 480_000, 959_999], 0x1a0c_cccc)]
    #[case::no_time_at_all(&[0, 0, 0], 0x1a0c_cccc)]
    #[case::before_the_longest(&[0, 1_500_000, 2_999_000], 0x1a27_fb72)]
    #[case::at_the_longest(&[0, 1_500_000, 3_000_000], 0x1a28_0000)]
    #[case::past_the_longest(&[0, 1_500_000, 3_000_001], 0x1a28_0000)]
    #[case::end_of_time(&[0, u64::MAX, u64::MAX], 0x1a20_0000)]
    #[case::only_the_last_are_read(&[9, 8, 0, 600_000, 1_200_000], 0x1a10_0000)]
    fn two_blocks_within_limits(#[case] timestamps: &[u64], #[case] expected: u32) {
        assert_eq!(bounded_lwma(&pace(), 2, &chain(timestamps)), CompactTarget::from_bits(expected));
    }

    #[test]
    fn a_forged_timestamp_is_given_back() {
        // The third block claims to be an interval late, the fourth has the true time.
        let forged = lwma(&pace(), 3, &chain(&[0, 600_000, 1_800_000, 1_800_000]));
        let honest = lwma(&pace(), 3, &chain(&[0, 600_000, 1_200_000, 1_800_000]));
        assert!(forged < honest, "{forged} is easier than {honest}");
    }

    #[rstest]
    #[case::no_block(&[])]
    #[case::genesis_does_not_count(&[123])]
    #[case::on_time(&[0, 600_000])]
    fn missing_history_is_on_time_at_the_easiest(#[case] timestamps: &[u64]) {
        let easiest = pace().easiest().to_compact();
        let samples: Vec<Sample> =
            chain(timestamps).into_iter().map(|sample| Sample { target: easiest, ..sample }).collect();
        assert_eq!(lwma(&pace(), 60, &samples), easiest);
        assert_eq!(bounded_lwma(&pace(), 60, &samples), easiest);
    }

    #[test]
    fn a_first_fast_interval_weighs_no_more_than_later_ones() {
        // 59 blocks on time have a weight of 1 + ... + 59 = 1,770 of 1,830; the easiest target is 0xffff.
        let easiest = pace().easiest().to_compact();
        let samples = [1, 2].map(|height| Sample { target: easiest, ..sample(height, height - 1, BITS) });
        assert_eq!(lwma(&pace(), 60, &samples), CompactTarget::from_bits(0x1f00_f79a));
    }
}
