//! Fixed-size byte strings: hex in text and human-readable formats, raw in the others.

/// Why a text is not the hex form of a fixed-size byte string.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseHexError {
    /// The text has the wrong number of digits.
    #[error("expected {expected} hex digits, got {got}")]
    Length {
        /// The length of the text in bytes.
        got: usize,
        /// The number of digits of the type.
        expected: usize,
    },
    /// The text contains a character that is not a hex digit.
    #[error("expected a hex digit, got {got:?} at byte {at}")]
    Digit {
        /// The offset of the character in bytes.
        at: usize,
        /// The character that is not a hex digit.
        got: char,
    },
}

/// Parses `N` bytes from exactly `2 * N` hex digits.
pub(crate) fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], ParseHexError> {
    let length = ParseHexError::Length { got: text.len(), expected: N * 2 };
    if text.len() != N * 2 {
        return Err(length);
    }
    if let Some((at, got)) = text.char_indices().find(|(_, digit)| !digit.is_ascii_hexdigit()) {
        return Err(ParseHexError::Digit { at, got });
    }
    let mut bytes = [0; N];
    // Cannot fail: the length is right and every character is a digit.
    hex::decode_to_slice(text, &mut bytes).map_err(|_| length)?;
    Ok(bytes)
}

/// Writes these bytes in hex into a buffer of twice their length. Allocates nothing, because messages contain
/// hashes by the thousand.
pub(crate) fn hex_text<'a>(bytes: &[u8], buffer: &'a mut [u8]) -> &'a str {
    // Neither call can fail: the length is right, and every digit is ASCII.
    let _ = hex::encode_to_slice(bytes, buffer);
    core::str::from_utf8(buffer).unwrap_or_default()
}

/// Implements the conversions, the hex text form and the serde form of a newtype over `[u8; N]`. The serde
/// form is lower-case hex in human-readable formats, and the bytes without a length in the others.
macro_rules! fixed_bytes {
    ($name:ident, $len:expr) => {
        impl $name {
            /// The length in bytes.
            pub const LEN: usize = $len;

            /// Wraps the bytes as they are.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad($crate::primitives::bytes::hex_text(&self.0, &mut [0; 2 * $len]))
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl core::str::FromStr for $name {
            type Err = $crate::primitives::bytes::ParseHexError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::primitives::bytes::parse_hex(text).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    let mut text = [0; 2 * $len];
                    serializer.serialize_str($crate::primitives::bytes::hex_text(&self.0, &mut text))
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let visitor = $crate::primitives::bytes::HexVisitor { name: stringify!($name) };
                    deserializer.deserialize_str(visitor).map(Self)
                } else {
                    <[u8; $len]>::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}
pub(crate) use fixed_bytes;

/// Deserialises the `N` bytes of a type from lower-case hex, the only case that is written, so that each
/// value has exactly one serde form. [`parse_hex`] is for input by people and accepts both cases.
pub(crate) struct HexVisitor<const N: usize> {
    pub(crate) name: &'static str,
}

impl<const N: usize> serde::de::Visitor<'_> for HexVisitor<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "the text form of {}", self.name)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<[u8; N], E> {
        let bytes = parse_hex(text).map_err(E::custom)?;
        // Counts instead of searching, because the compiler vectorises the count.
        if text.bytes().filter(u8::is_ascii_uppercase).count() == 0 {
            return Ok(bytes);
        }
        let upper = text.char_indices().find(|(_, digit)| digit.is_ascii_uppercase());
        let (at, got) = upper.unwrap_or_default();
        Err(E::custom(format_args!("expected a lower-case hex digit, got {got:?} at byte {at}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::lower("00ff7a", Ok([0x00, 0xff, 0x7a]))]
    #[case::upper("00FF7A", Ok([0x00, 0xff, 0x7a]))]
    #[case::too_short("00ff7", Err(ParseHexError::Length { got: 5, expected: 6 }))]
    #[case::too_long("00ff7a0", Err(ParseHexError::Length { got: 7, expected: 6 }))]
    #[case::not_a_digit("00fg7a", Err(ParseHexError::Digit { at: 3, got: 'g' }))]
    #[case::a_sign("+0ff7a", Err(ParseHexError::Digit { at: 0, got: '+' }))]
    #[case::not_ascii("00ffé", Err(ParseHexError::Digit { at: 4, got: 'é' }))]
    fn hex_of_three_bytes(#[case] text: &str, #[case] expected: Result<[u8; 3], ParseHexError>) {
        assert_eq!(parse_hex(text), expected);
    }

    #[test]
    fn people_may_write_upper_case_and_a_serde_form_is_in_lower_case() {
        let address = crate::Address::from_bytes([0xab; 20]);
        let lower = address.to_string();
        assert_eq!(lower.to_ascii_uppercase().parse(), Ok(address));
        assert_eq!(serde_json::from_value::<crate::Address>(lower.clone().into()).unwrap(), address);
        let upper = serde_json::from_value::<crate::Address>(lower.replacen('a', "A", 1).into());
        assert_eq!(upper.unwrap_err().to_string(), "expected a lower-case hex digit, got 'A' at byte 0");
    }
}
