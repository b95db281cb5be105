//! Small units that would otherwise be bare integers or byte arrays.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::bytes::fixed_bytes;

/// A point in time: milliseconds since 1970-01-01 UTC, leap seconds not counted.
///
/// Block timestamps are not ordered by height: a block only has to be later than the median of the eleven
/// before it, so a child may well carry an earlier timestamp than its parent.
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

    /// The point `duration` later, or the latest that the type holds.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How much later `self` is than `earlier`; zero where it is not later.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// Who mined a block: 20 bytes that the application gives a meaning. All zeros where nobody claims it.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address([u8; 20]);

fixed_bytes!(Address, 20);

impl Address {
    /// Nobody.
    pub const ZERO: Self = Self([0; 20]);
}

#[cfg(test)]
mod tests {
    use super::*;

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
