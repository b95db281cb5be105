//! Signatures, and why one is refused.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::primitives::bytes::{HexVisitor, hex_text, parse_hex};
use crate::primitives::{ParseHexError, Rejected};

/// An Ed25519 signature: the 64 bytes of RFC 8032, verified or not.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// The length in bytes.
    pub const LEN: usize = 64;

    /// Wraps the bytes as they are.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(hex_text(&self.0, &mut [0; 2 * Self::LEN]))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({self})")
    }
}

impl FromStr for Signature {
    type Err = ParseHexError;

    fn from_str(text: &str) -> Result<Self, ParseHexError> {
        parse_hex(text).map(Self)
    }
}

/// Lower-case hex in human-readable formats, and the 64 bytes without a length in the others.
impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_str(hex_text(&self.0, &mut [0; 2 * Self::LEN]));
        }
        // Serde has arrays up to 32.
        let (halves, _) = self.0.as_chunks::<32>();
        <&[[u8; 32]; 2]>::try_from(halves).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_str(HexVisitor { name: "Signature" }).map(Self);
        }
        let mut bytes = [0; 64];
        bytes.copy_from_slice(<[[u8; 32]; 2]>::deserialize(deserializer)?.as_flattened());
        Ok(Self(bytes))
    }
}

/// Why a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The public key is not a point of the curve.
    #[error("the public key is not a point of edwards25519")]
    KeyNotOnCurve,
    /// The public key is an encoding of a point that RFC 8032, section 5.1.3, refuses.
    #[error("the public key is not in canonical form")]
    KeyNotCanonical,
    /// The public key is a point of small order, under which one signature is valid for many messages.
    #[error("the public key has small order")]
    KeySmallOrder,
    /// The signature is not one of this message under this key, or not in the only accepted form.
    #[error("the signature is not the author's, or is for another transaction, sequence number or chain")]
    Invalid,
}

impl From<SignatureError> for Rejected {
    fn from(error: SignatureError) -> Self {
        let rule = if error == SignatureError::Invalid { "signature" } else { "author_key" };
        Self::new(rule, error.to_string())
    }
}
