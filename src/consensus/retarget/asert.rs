//! aserti3-2d: the target as an exponential function of the chain's lag behind its schedule.

use ruint::aliases::U512;

use super::{Pace, Sample};
use crate::primitives::CompactTarget;

/// The target of `anchor`, doubled for each half-life by which `parent` is later than the schedule and halved
/// for each by which it is earlier. The schedule is absolute: one interval per block since the anchor.
///
/// Source: Bitcoin Cash, "ASERT Difficulty Adjustment Algorithm (aserti3-2d)", version 0.6.3,
/// <https://documentation.cash/protocol/forks/2020-11-15-asert>. The arithmetic is the published one, in
/// 16.16 fixed point with a cubic approximation of 2^x. This crate differs in two points:
///
/// - Times are in milliseconds instead of seconds. Only the ratio of lag to half-life enters, so inputs in
///   whole seconds give the published results bit for bit.
/// - The published schedule starts at the parent of the anchor. Here the anchor is block 1, whose parent is
///   genesis, and no miner set the timestamp of genesis. The schedule therefore starts one interval before
///   the anchor: the anchor counts as on time.
///
/// A half-life of zero counts as one millisecond.
#[must_use]
pub fn asert(pace: &Pace, half_life_ms: u64, anchor: &Sample, parent: &Sample) -> CompactTarget {
    let elapsed = i128::from(parent.timestamp.as_millis()) - i128::from(anchor.timestamp.as_millis());
    let blocks = i128::from(parent.height) - i128::from(anchor.height);
    let lag = elapsed.saturating_sub(blocks.saturating_mul(i128::from(pace.interval_ms)));
    // Rust's division truncates towards zero, like that of the specification.
    let exponent = lag.saturating_mul(1 << FRACTION_BITS) / i128::from(half_life_ms.max(1));

    let scaled = U512::from(pace.read(anchor)) * U512::from(exp2_fraction(exponent & FRACTION_MASK));
    let shift = (exponent >> FRACTION_BITS) - i128::from(FRACTION_BITS);
    let distance = usize::try_from(shift.unsigned_abs()).unwrap_or(usize::MAX).min(U512::BITS);
    pace.write(if shift < 0 { scaled >> distance } else { scaled.saturating_shl(distance) })
}

/// `2^(fraction / 2^16) * 2^16` for a fraction below 2^16, by the cubic polynomial of the specification, with
/// a relative error of at most 0.013 %.
const fn exp2_fraction(fraction: i128) -> u128 {
    let x = (fraction & FRACTION_MASK).unsigned_abs();
    (1 << FRACTION_BITS)
        + ((195_766_423_245_049 * x + 971_821_376 * x * x + 5_127 * x * x * x + (1 << 47)) >> 48)
}

/// The number of fractional bits of the exponent.
const FRACTION_BITS: u32 = 16;

/// Selects the fractional bits of the exponent.
const FRACTION_MASK: i128 = (1 << FRACTION_BITS) - 1;

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;
    use crate::primitives::Target;
    use core::time::Duration;
    use rstest::rstest;

    /// Two days, in milliseconds.
    const HALF_LIFE: u64 = 172_800_000;

    /// One line of a published run: Bitcoin Cash's limit, interval and half-life, times in seconds.
    fn published(anchor: (u64, u64, u32), height: u64, time: u64) -> CompactTarget {
        let limit = Target::try_from(CompactTarget::from_bits(0x1d00_ffff)).unwrap();
        let pace = Pace::new(limit, Duration::from_secs(600));
        let (anchor_height, anchor_parent_time, bits) = anchor;
        let anchor = sample(anchor_height, (anchor_parent_time + 600) * 1_000, bits);
        asert(&pace, HALF_LIFE, &anchor, &sample(height, time * 1_000, bits))
    }

    // From the test vectors that the specification links to, named by their files.
    #[rstest]
    #[case::run01((1, 0, 0x1d00_ffff), 2, 1_200, 0x1d00_ffff)]
    #[case::run01((1, 0, 0x1d00_ffff), 11, 6_600, 0x1d00_ffff)]
    #[case::run02((1, 0, 0x1a2b_3c4d), 11, 6_600, 0x1a2b_3c4d)]
    #[case::run03((1, 0, 0x0101_0000), 11, 6_600, 0x0101_0000)]
    #[case::run05((1, 0, 0x1d00_ffff), 2, 0, 0x1d00_fec5)]
    #[case::run05((1, 0, 0x1d00_ffff), 290, 0, 0x1c7f_62c0)]
    #[case::run05((1, 0, 0x1d00_ffff), 578, 0, 0x1c3f_b160)]
    #[case::run05((1, 0, 0x1d00_ffff), 32_258, 0, 0x0f00_fec5)]
    #[case::run05((1, 0, 0x1d00_ffff), 62_210, 0, 0x0200_fe00)]
    #[case::run05((1, 0, 0x1d00_ffff), 64_226, 0, 0x0101_0000)]
    #[case::run05((1, 0, 0x1d00_ffff), 64_514, 0, 0x0101_0000)]
    #[case::run07((1, 0, 0x1802_aee8), 3, 1_310, 0x1802_ad91)]
    #[case::run07((1, 0, 0x1802_aee8), 9, 7_099, 0x1802_b39c)]
    #[case::run07((1, 0, 0x1802_aee8), 100, 20_363, 0x1802_49fb)]
    #[case::run07((1, 0, 0x1802_aee8), 250, 25_770, 0x1801_a154)]
    #[case::run07((1, 0, 0x1802_aee8), 460, 29_068, 0x1800_ff18)]
    #[case::run07((1, 0, 0x1802_aee8), 638, 31_020, 0x1800_a788)]
    fn matches_the_published_vectors(
        #[case] anchor: (u64, u64, u32),
        #[case] height: u64,
        #[case] time: u64,
        #[case] expected: u32,
    ) {
        assert_eq!(published(anchor, height, time), CompactTarget::from_bits(expected));
    }

    /// Run 4: from the hardest target, one half-life late at each block, up to the limit.
    #[test]
    fn run04_doubles_at_every_block() {
        for block in 1..=225 {
            let doubled: U512 = if block < 224 { U512::ONE << block } else { U512::from(0xffff) << 208 };
            let expected = Target::from_uint(doubled.to()).to_compact();
            let got = published((1, 0, 0x0101_0000), block + 1, 600 + block * 173_400);
            assert_eq!(got, expected, "block {block}");
        }
    }

    /// Run 10: 900 s blocks at heights around the largest signed 64-bit number.
    #[test]
    fn run10_crosses_the_signed_limits() {
        const EXPECTED: [u32; 10] = [
            0x1802_afbb,
            0x1802_b08f,
            0x1802_b166,
            0x1802_b23a,
            0x1802_b30e,
            0x1802_b3e5,
            0x1802_b4bb,
            0x1802_b592,
            0x1802_b669,
            0x1802_b73d,
        ];
        let anchor = (9_223_372_036_854_775_802, 2_147_483_047, 0x1802_aee8);
        for (block, expected) in (1..).zip(EXPECTED) {
            let got = published(anchor, anchor.0 + block, 2_147_483_647 + block * 900);
            assert_eq!(got, CompactTarget::from_bits(expected), "block {block}");
        }
    }

    #[test]
    fn the_cubic_is_close_to_the_power() {
        for fraction in 0..1_u32 << FRACTION_BITS {
            let exact = (f64::from(fraction) / 65_536.0).exp2() * 65_536.0;
            let got = f64::from(u32::try_from(exp2_fraction(fraction.into())).unwrap());
            assert!((got - exact).abs() / exact < 0.000_13, "2^({fraction}/65536): {got} for {exact}");
        }
    }

    #[rstest]
    #[case::late(u64::MAX, 1, 0x1d00_ffff)]
    #[case::late_without_half_life(u64::MAX, 0, 0x1d00_ffff)]
    #[case::early(0, 1, 0x0101_0000)]
    fn extremes_stop_at_the_bounds(#[case] time_ms: u64, #[case] half_life_ms: u64, #[case] expected: u32) {
        let limit = Target::try_from(CompactTarget::from_bits(0x1d00_ffff)).unwrap();
        let pace = Pace::new(limit, Duration::MAX);
        let (anchor, parent) = match time_ms {
            0 => (sample(1, u64::MAX, 0x1c00_ffff), sample(u64::MAX, 0, 0x1c00_ffff)),
            _ => (sample(1, 0, 0x1c00_ffff), sample(1, time_ms, 0x1c00_ffff)),
        };
        assert_eq!(asert(&pace, half_life_ms, &anchor, &parent), CompactTarget::from_bits(expected));
    }
}
