//! Random times, computed with integers only, so that a seed gives equal times on every machine. Independent
//! of messages and nodes.

use core::time::Duration;

use fastrand::Rng;

/// The latency of messages from one node to another, drawn for each message. Messages of one connection never
/// overtake each other, as on any stream transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Latency {
    /// A constant time.
    Constant(Duration),
    /// Uniformly distributed between two bounds.
    Uniform {
        /// The minimum.
        min: Duration,
        /// The maximum.
        max: Duration,
    },
    /// A minimum plus an exponentially distributed time: most messages are quick, and a few take many times
    /// as long.
    Exponential {
        /// The minimum.
        floor: Duration,
        /// The mean of the exponentially distributed part.
        mean: Duration,
    },
}

impl Latency {
    /// Draws one time from the distribution.
    pub fn sample(&self, rng: &mut Rng) -> Duration {
        match *self {
            Self::Constant(latency) => latency,
            Self::Uniform { min, max } => min + below(rng, max.saturating_sub(min)),
            Self::Exponential { floor, mean } => floor + exponential(rng, mean),
        }
    }

    /// Returns the mean of the distribution.
    pub fn mean(&self) -> Duration {
        match *self {
            Self::Constant(latency) => latency,
            Self::Uniform { min, max } => min + max.saturating_sub(min) / 2,
            Self::Exponential { floor, mean } => floor + mean,
        }
    }
}

/// Draws an exponentially distributed time by von Neumann's method, which only compares integers. A logarithm
/// could differ in its last bits between platforms.
pub(super) fn exponential(rng: &mut Rng, mean: Duration) -> Duration {
    let mut whole = 0_u64;
    loop {
        let first = rng.u32(..);
        let mut last = first;
        let mut falls_for = 1_u32;
        loop {
            let next = rng.u32(..);
            if next >= last {
                break;
            }
            last = next;
            falls_for += 1;
        }
        if falls_for % 2 == 1 {
            let factor = (u128::from(whole) << 32) + u128::from(first);
            let nanos = mean.as_nanos().saturating_mul(factor) >> 32;
            return Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        }
        whole += 1;
    }
}

/// Draws a uniformly distributed time from zero to `max`.
pub(super) fn below(rng: &mut Rng, max: Duration) -> Duration {
    Duration::from_nanos(rng.u64(..=u64::try_from(max.as_nanos()).unwrap_or(u64::MAX)))
}

/// Draws a number below `len`, which must not be zero. Equal on every machine, unlike a draw of `usize`.
pub(super) fn index(rng: &mut Rng, len: usize) -> usize {
    usize::try_from(rng.u64(..len as u64)).unwrap_or(0)
}

/// Draws one of the items.
pub(super) fn choose<'a, T>(rng: &mut Rng, from: &'a [T]) -> Option<&'a T> {
    if from.is_empty() { None } else { from.get(index(rng, from.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const MEAN: Duration = Duration::from_millis(100);

    #[rstest]
    #[case::constant(Latency::Constant(MEAN))]
    #[case::uniform(Latency::Uniform { min: MEAN / 2, max: MEAN * 2 })]
    #[case::exponential(Latency::Exponential { floor: MEAN / 4, mean: MEAN })]
    fn samples_have_the_mean_that_is_named(#[case] latency: Latency) {
        const COUNT: u32 = 100_000;
        let mut rng = Rng::with_seed(1);
        let sum: Duration = (0..COUNT).map(|_| latency.sample(&mut rng)).sum();
        let difference = (sum / COUNT).abs_diff(latency.mean());
        assert!(difference < latency.mean() / 50, "{:?}", sum / COUNT);
    }

    #[test]
    fn an_exponential_time_exceeds_its_mean_once_in_e_times() {
        let mut rng = Rng::with_seed(2);
        let longer = |factor: u32, rng: &mut Rng| {
            (0..100_000).filter(|_| exponential(rng, MEAN) > MEAN * factor).count()
        };
        let (once, thrice) = (longer(1, &mut rng), longer(3, &mut rng));
        assert!((36_300..37_300).contains(&once), "{once}");
        assert!((4_700..5_260).contains(&thrice), "{thrice}");
    }
}
