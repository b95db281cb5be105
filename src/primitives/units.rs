//! Newtypes for times, durations and addresses.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bytes::fixed_bytes;

/// A point in time: milliseconds since 1970-01-01 UTC, leap seconds not counted.
///
/// Block timestamps are not ordered by height: a block only has to be later than the median of the eleven
/// blocks before it, so a child may have an earlier timestamp than its parent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The point `millis` milliseconds after 1970-01-01 UTC.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The point `duration` later, in whole milliseconds; the largest value of the type on overflow.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How much later `self` is than `earlier`; zero if it is not later.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// The serde form of a duration as a number of whole milliseconds, for `with`.
pub(crate) mod millis {
    use super::{Deserialize, Deserializer, Duration, Serializer};

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// A duration for people, written in its two largest units: `3 d 4 h`, `59 min 30 s`, `12.5 s`, `40 ms`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        let (seconds, millis) = (self.0.as_secs(), self.0.subsec_millis());
        let (large, large_unit, small, small_unit) = match seconds {
            0 => return write!(f, "{millis} ms"),
            1..MINUTE if millis == 0 => return write!(f, "{seconds} s"),
            1..MINUTE => {
                let thousandths = format!("{millis:03}");
                return write!(f, "{seconds}.{} s", thousandths.trim_end_matches('0'));
            }
            MINUTE..HOUR => (seconds / MINUTE, "min", seconds % MINUTE, "s"),
            HOUR..DAY => (seconds / HOUR, "h", seconds % HOUR / MINUTE, "min"),
            DAY.. => (seconds / DAY, "d", seconds % DAY / HOUR, "h"),
        };
        write!(f, "{large} {large_unit}")?;
        if small > 0 { write!(f, " {small} {small_unit}") } else { Ok(()) }
    }
}

/// The address of a miner: 20 bytes whose meaning the application defines. All zeros if there is none.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address([u8; 20]);

fixed_bytes!(Address, 20);

impl Address {
    /// All zeros: no miner.
    pub const ZERO: Self = Self([0; 20]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, "0 ms")]
    #[case(999, "999 ms")]
    #[case(1_000, "1 s")]
    #[case(1_050, "1.05 s")]
    #[case(59_999, "59.999 s")]
    #[case(60_000, "1 min")]
    #[case(3_599_999, "59 min 59 s")]
    #[case(3_600_000, "1 h")]
    #[case(3_660_000, "1 h 1 min")]
    #[case(86_400_000, "1 d")]
    #[case(1_767_225_600_000, "20454 d")]
    #[case(1_767_229_200_000, "20454 d 1 h")]
    fn a_span_has_the_two_largest_units(#[case] millis: u64, #[case] expected: &str) {
        assert_eq!(Span(Duration::from_millis(millis)).to_string(), expected);
    }

    #[test]
    fn timestamp_arithmetic_saturates() {
        let early = Timestamp::from_millis(1_000);
        let late = early.saturating_add(Duration::from_secs(2));
        assert_eq!(late.as_millis(), 3_000);
        assert_eq!(late.saturating_since(early), Duration::from_secs(2));
        assert_eq!(early.saturating_since(late), Duration::ZERO);
        assert_eq!(late.saturating_add(Duration::MAX).as_millis(), u64::MAX);
    }
}
