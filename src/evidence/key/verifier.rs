//! Public keys.

use core::fmt;
use core::str::FromStr;

use ed25519_dalek::VerifyingKey;

use super::encoded::{self, EncodedKey};
use super::{COSIGNATURE_V1, ED25519, KeyError, NoteSignature, cosigned_message, key_id};
use crate::primitives::Timestamp;
use crate::primitives::ed25519::{self, InvalidSignature, KeyFlaw};

/// A public key that verifies the signatures of a [`NoteSigner`](super::NoteSigner) or the cosignatures of a
/// [`Cosigner`](super::Cosigner).
///
/// The text form is that of <https://c2sp.org/signed-note>, `name+key ID+base64(signature type || public key)`.
#[derive(Clone, PartialEq, Eq)]
pub struct NoteVerifier {
    name: String,
    id: u32,
    signature_type: u8,
    key: VerifyingKey,
}

impl NoteVerifier {
    pub(super) fn new(name: String, signature_type: u8, key: VerifyingKey) -> Self {
        let id = key_id(&name, signature_type, key.as_bytes());
        Self { name, id, signature_type, key }
    }

    /// The name of the key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The ID of the key. Text forms have it as eight hex digits.
    pub const fn key_id(&self) -> u32 {
        self.id
    }

    /// Whether the key is that of a cosigner, whose signatures have a time.
    pub const fn is_cosigner(&self) -> bool {
        self.signature_type == COSIGNATURE_V1
    }

    /// The public key.
    pub(crate) fn public_key(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Whether a signature claims to be from this key.
    pub(crate) fn is_claimed_by(&self, signature: &NoteSignature) -> bool {
        self.id == signature.key_id() && self.name == signature.name()
    }

    /// Verifies a signature of this text, and returns the time of a cosignature.
    pub(crate) fn verify(&self, text: &str, signature: &[u8]) -> Result<Option<Timestamp>, InvalidSignature> {
        if !self.is_cosigner() {
            let signature = signature.try_into().map_err(|_| InvalidSignature)?;
            ed25519::verify(&self.key, text.as_bytes(), signature)?;
            return Ok(None);
        }
        let (time, signature) = signature.split_first_chunk().ok_or(InvalidSignature)?;
        let signature = signature.try_into().map_err(|_| InvalidSignature)?;
        let seconds = u64::from_be_bytes(*time);
        if seconds > MAX_SECONDS {
            return Err(InvalidSignature);
        }
        ed25519::verify(&self.key, cosigned_message(seconds, text).as_bytes(), signature)?;
        Ok(Some(Timestamp::from_millis(seconds.saturating_mul(1000))))
    }
}

/// The latest time of a cosignature, in seconds since 1970-01-01 UTC.
const MAX_SECONDS: u64 = (1 << 63) - 1;

impl FromStr for NoteVerifier {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let encoded = EncodedKey::parse(text, &[ED25519, COSIGNATURE_V1])?;
        encoded.check_id(key_id(encoded.name, encoded.signature_type, encoded.key.as_slice()))?;
        let key = ed25519::parse_key(&encoded.key).map_err(|flaw| match flaw {
            KeyFlaw::NotOnCurve => KeyError::NotOnCurve,
            KeyFlaw::NotCanonical => KeyError::NotCanonical,
            KeyFlaw::SmallOrder => KeyError::SmallOrder,
        })?;
        Ok(Self::new(encoded.name.to_owned(), encoded.signature_type, key))
    }
}

impl fmt::Display for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        encoded::write(f, &self.name, self.id, self.signature_type, self.key.as_bytes())
    }
}

impl fmt::Debug for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteVerifier({self})")
    }
}
