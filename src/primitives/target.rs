//! The difficulty of finding a block: the 256-bit target, its 32-bit compact form, and the difficulty for
//! display. Retargeting, which computes the target of a block, is elsewhere.

use core::fmt;
use core::str::FromStr;

use ruint::aliases::U256;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bytes::{HexVisitor, ParseHexError, parse_hex};
use super::hash::Hash;

/// The largest number that a block's hash may be. A *smaller* target is *harder* to meet, so the order of
/// targets is the reverse of the order of difficulties.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(U256);

/// Why a [`CompactTarget`] encodes no valid target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompactTargetError {
    /// The sign bit of the mantissa is set.
    #[error("compact target {0} is negative")]
    Negative(CompactTarget),
    /// The number is zero, which no hash meets.
    #[error("compact target {0} is zero")]
    Zero(CompactTarget),
    /// The number has more than 256 bits.
    #[error("compact target {0} exceeds 256 bits")]
    Overflow(CompactTarget),
}

impl Target {
    /// Four leading hex zeros: the default of a chain's easiest target. A block takes about 65,536 attempts.
    pub const FOUR_HEX_ZEROS: CompactTarget = CompactTarget(0x1f00_ffff);

    /// The target that every hash meets.
    pub const MAX: Self = Self(U256::MAX);

    /// The target as a number.
    pub const fn from_uint(value: U256) -> Self {
        Self(value)
    }

    /// The number.
    pub const fn as_uint(&self) -> U256 {
        self.0
    }

    /// Whether `hash`, read as a big-endian number, is at or below this target.
    pub fn is_met_by(&self, hash: &Hash) -> bool {
        U256::from_be_bytes(*hash.as_bytes()) <= self.0
    }

    /// The compact form, rounded down to its three bytes of precision (Bitcoin's `GetCompact`).
    pub fn to_compact(self) -> CompactTarget {
        let mut size = self.0.byte_len();
        let mut mantissa = if size <= 3 {
            self.0.to::<u32>() << (8 * (3 - size))
        } else {
            (self.0 >> (8 * (size - 3))).to::<u32>()
        };
        // The top bit of the mantissa is a sign, so a number that would set it takes one more byte.
        if mantissa & 0x0080_0000 != 0 {
            mantissa >>= 8;
            size += 1;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a size in bytes is at most 33")]
        CompactTarget((size as u32) << 24 | mantissa)
    }
}

impl TryFrom<CompactTarget> for Target {
    type Error = CompactTargetError;

    /// Bitcoin's `SetCompact`: `mantissa * 256^(exponent - 3)`.
    fn try_from(compact: CompactTarget) -> Result<Self, CompactTargetError> {
        let exponent = (compact.0 >> 24) as usize;
        let mantissa = u64::from(compact.0 & 0x007f_ffff) >> (8 * 3_usize.saturating_sub(exponent));
        if mantissa == 0 {
            return Err(CompactTargetError::Zero(compact));
        }
        let shift = 8 * exponent.saturating_sub(3);
        let (limb, bit) = (shift / 64, shift % 64);
        // The mantissa is in one limb of 64 bits or in two. A shift of the whole number takes three times as long,
        // and an average over the last targets decodes a hundred for each block.
        let (low, high) = (mantissa << bit, mantissa >> 1 >> (63 - bit));
        if limb > 3 || (limb == 3 && high > 0) {
            return Err(CompactTargetError::Overflow(compact));
        }
        if compact.0 & 0x0080_0000 != 0 {
            return Err(CompactTargetError::Negative(compact));
        }
        let part = |index| {
            if index == limb {
                low
            } else if index == limb + 1 {
                high
            } else {
                0
            }
        };
        Ok(Self(U256::from_limbs([0, 1, 2, 3].map(part))))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.0.to_be_bytes::<32>()))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

/// The 32-bit compact form of a target, as in headers: one byte of exponent and three of mantissa, like
/// Bitcoin's `nBits`. Holds any 32 bits; [`Target::try_from`] decodes them and refuses invalid ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompactTarget(u32);

impl CompactTarget {
    /// Wraps the bits as they are.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits.
    pub const fn to_bits(self) -> u32 {
        self.0
    }
}

impl fmt::Display for CompactTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for CompactTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompactTarget({self})")
    }
}

impl FromStr for CompactTarget {
    type Err = ParseHexError;

    fn from_str(text: &str) -> Result<Self, ParseHexError> {
        parse_hex(text).map(|bytes| Self(u32::from_be_bytes(bytes)))
    }
}

impl Serialize for CompactTarget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_u32(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for CompactTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let bits = deserializer.deserialize_str(HexVisitor { name: "CompactTarget" })?;
            Ok(Self(u32::from_be_bytes(bits)))
        } else {
            u32::deserialize(deserializer).map(Self)
        }
    }
}

/// The ratio of a chain's easiest target to a target: how many times harder the target is; 1 at the easiest.
/// For display: consensus does not use it.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Difficulty(f64);

impl Difficulty {
    /// The difficulty of `target` on a chain whose easiest target is `easiest`.
    pub fn new(easiest: Target, target: Target) -> Self {
        Self(f64::from(easiest.0) / f64::from(target.0))
    }

    /// The number.
    pub const fn as_f64(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Difficulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;
    use ruint::aliases::U512;

    fn target(bits: u32) -> Result<Target, CompactTargetError> {
        Target::try_from(CompactTarget(bits))
    }

    // The vectors of Bitcoin Core's arith_uint256 tests (`bignum_SetCompact`).
    #[rstest]
    #[case(0x0112_3456, "12", 0x0112_0000)]
    #[case(0x0200_8000, "80", 0x0200_8000)]
    #[case(0x0212_3456, "1234", 0x0212_3400)]
    #[case(0x0312_3456, "123456", 0x0312_3456)]
    #[case(0x0412_3456, "12345600", 0x0412_3456)]
    #[case(0x0500_9234, "92340000", 0x0500_9234)]
    #[case(0x2012_3456, "1234560000000000000000000000000000000000000000000000000000000000", 0x2012_3456)]
    #[case(0x1f00_ffff, "ffff00000000000000000000000000000000000000000000000000000000", 0x1f00_ffff)]
    fn compact_form_matches_bitcoin(#[case] bits: u32, #[case] number: &str, #[case] again: u32) {
        let decoded = target(bits).unwrap();
        assert_eq!(decoded.as_uint(), U256::from_str_radix(number, 16).unwrap());
        assert_eq!(decoded.to_compact().to_bits(), again);
    }

    #[rstest]
    #[case(0x0000_0000, CompactTargetError::Zero(CompactTarget(0)))]
    #[case(0x0012_3456, CompactTargetError::Zero(CompactTarget(0x0012_3456)))]
    #[case(0x0100_3456, CompactTargetError::Zero(CompactTarget(0x0100_3456)))]
    #[case(0x0492_3456, CompactTargetError::Negative(CompactTarget(0x0492_3456)))]
    #[case(0x01fe_dcba, CompactTargetError::Negative(CompactTarget(0x01fe_dcba)))]
    #[case(0x2112_3456, CompactTargetError::Overflow(CompactTarget(0x2112_3456)))]
    #[case(0xff12_3456, CompactTargetError::Overflow(CompactTarget(0xff12_3456)))]
    fn compact_form_refuses_what_is_no_target(#[case] bits: u32, #[case] error: CompactTargetError) {
        assert_eq!(target(bits), Err(error));
    }

    #[test]
    fn four_hex_zeros_mean_what_they_say() {
        let easiest = Target::try_from(Target::FOUR_HEX_ZEROS).unwrap();
        assert!(easiest.to_string().starts_with("0000ffff"));
        let at = easiest.to_string().parse().unwrap();
        assert!(easiest.is_met_by(&at));
        let above = Target(easiest.0 + U256::ONE).to_string().parse().unwrap();
        assert!(!easiest.is_met_by(&above));
        assert!((Difficulty::new(easiest, Target(easiest.0 >> 1)).as_f64() - 2.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn compact_form_is_a_mantissa_times_a_power_of_256(mantissa in 1_u32..0x0080_0000, exponent: u8) {
            let (wide, exponent_bits) = (U512::from(mantissa), 8 * usize::from(exponent));
            let number = if exponent < 3 { wide >> (24 - exponent_bits) } else { wide << (exponent_bits - 24) };
            let bits = u32::from(exponent) << 24 | mantissa;
            let fits = exponent <= 34 && number <= U512::from(U256::MAX);
            prop_assert_eq!(target(bits).is_ok(), fits && !number.is_zero());
            if let Ok(target) = target(bits) {
                prop_assert_eq!(U512::from(target.0), number);
            }
        }

        #[test]
        fn compact_form_rounds_down_and_is_stable(bytes in any::<[u8; 32]>(), shift in 0usize..256) {
            let number = U256::from_be_bytes(bytes) >> shift;
            prop_assume!(!number.is_zero());
            let compact = Target(number).to_compact();
            let decoded = Target::try_from(compact).unwrap();
            prop_assert!(decoded.0 <= number);
            // At least two full bytes of mantissa are kept.
            prop_assert!(number - decoded.0 <= number >> 15);
            prop_assert_eq!(decoded.to_compact(), compact);
        }
    }
}
