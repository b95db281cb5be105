//! Ed25519 with one verdict for each key, message and signature, on every platform and in every version of this crate.
//!
//! RFC 8032 leaves open how points of small order and other forms of a point are treated, and implementations differ.
//! Here all of them are refused, and the equation is checked without the cofactor:
//!
//! - a public key is a point in canonical form that is not of small order;
//! - R is in canonical form and not of small order, because it is compared by its bytes with the one that is computed;
//! - S is below the order of the group.
//!
//! Other implementations accept every signature that is accepted here, those of ZIP 215 included. Verification in batches
//! is not offered, because it has another verdict: its equation adds up the parts of small order of several
//! signatures, so that they cancel or not depending on random factors.

use ed25519_dalek::{Signature, VerifyingKey};

/// Why 32 bytes are not a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyFlaw {
    NotOnCurve,
    NotCanonical,
    SmallOrder,
}

/// The signature is not one of this message and key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidSignature;

/// Parses a public key.
pub(crate) fn parse_key(bytes: &[u8; 32]) -> Result<VerifyingKey, KeyFlaw> {
    let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyFlaw::NotOnCurve)?;
    if key.to_edwards().compress().as_bytes() != bytes {
        return Err(KeyFlaw::NotCanonical);
    }
    if key.is_weak() { Err(KeyFlaw::SmallOrder) } else { Ok(key) }
}

/// Verifies a signature under a key that was parsed here or derived from its secret key.
pub(crate) fn verify(
    key: &VerifyingKey,
    message: &[u8],
    signature: &[u8; 64],
) -> Result<(), InvalidSignature> {
    key.verify_strict(message, &Signature::from_bytes(signature)).map_err(|_| InvalidSignature)
}

/// Compiles only while `SigningKey` wipes itself, which is a feature of its crate.
const _: fn(ed25519_dalek::SigningKey) = {
    fn is_wiped(_: impl zeroize::ZeroizeOnDrop) {}
    is_wiped
};
