//! Accumulated work, by which fork choice compares branches.

use core::fmt;
use core::iter::Sum;
use core::ops::Add;

use ruint::aliases::U256;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bytes::{HexVisitor, hex_text};
use super::target::Target;

/// The expected number of hash attempts to mine a block or a chain. The branch with the most work is the best
/// chain, at any height.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Work(U256);

impl Work {
    /// No work.
    pub const ZERO: Self = Self(U256::ZERO);

    /// The work as a number of hashes.
    pub const fn from_uint(hashes: U256) -> Self {
        Self(hashes)
    }

    /// The number of hashes.
    pub const fn as_uint(&self) -> U256 {
        self.0
    }

    /// The work of `self` beyond that of `other`; zero if there is none.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl From<Target> for Work {
    /// `floor(2^256 / (target + 1))`, as in Bitcoin's `GetBlockProof`. Saturates for the target 0, whose work
    /// of 2^256 does not fit.
    fn from(target: Target) -> Self {
        let target = target.as_uint();
        // 2^256 does not fit; ~t / (t + 1) + 1 is the same number.
        match target.checked_add(U256::ONE) {
            Some(divisor) => Self((!target / divisor).saturating_add(U256::ONE)),
            None => Self(U256::ONE),
        }
    }
}

impl Add for Work {
    type Output = Self;

    /// Saturates: no chain that can be mined has work beyond 256 bits.
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for Work {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Work {
    /// Decimal digits, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Work({self})")
    }
}

impl Serialize for Work {
    /// 64 hex digits in human-readable formats (a JSON number would lose precision), 32 bytes in the others.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.0.to_be_bytes::<32>();
        if serializer.is_human_readable() {
            serializer.serialize_str(hex_text(&bytes, &mut [0; 64]))
        } else {
            bytes.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Work {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: [u8; 32] = if deserializer.is_human_readable() {
            deserializer.deserialize_str(HexVisitor { name: "Work" })?
        } else {
            Deserialize::deserialize(deserializer)?
        };
        Ok(Self(U256::from_be_bytes(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CompactTarget;

    #[test]
    fn work_of_known_targets() {
        assert_eq!(Work::from(Target::MAX), Work(U256::ONE));
        assert_eq!(Work::from(Target::from_uint(U256::ONE)), Work(U256::ONE << 255));
        assert_eq!(Work::from(Target::from_uint(U256::ZERO)), Work(U256::MAX));
        assert_eq!(Work::from(Target::from_uint(U256::MAX >> 1)), Work(U256::from(2)));
        // The work of Bitcoin's genesis block, as its nodes print it: 0x100010001.
        let genesis = Target::try_from(CompactTarget::from_bits(0x1d00_ffff)).unwrap();
        assert_eq!(Work::from(genesis), Work(U256::from(0x1_0001_0001_u64)));
    }

    #[test]
    fn serde_form_keeps_every_bit() {
        let work = Work(U256::MAX - U256::from(5));
        let json = serde_json::to_string(&work).unwrap();
        assert_eq!(serde_json::from_str::<Work>(&json).unwrap(), work);
        let bytes = postcard::to_allocvec(&work).unwrap();
        assert_eq!(bytes.len(), 32);
        assert_eq!(postcard::from_bytes::<Work>(&bytes).unwrap(), work);
    }
}
