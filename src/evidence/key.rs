//! The keys of signed notes, and their signatures.
//!
//! A key has a name and an ID of 32 bits, which say which key a signature line is from. Two types of signatures are
//! known here, both of them Ed25519:
//!
//! - type 1, which signs the text of a note: [`NoteSigner`];
//! - type 4, `cosignature/v1`, which signs a time and the text of a checkpoint: [`Cosigner`].
//!
//! [`NoteVerifier`] verifies either. Nothing here makes random bytes or reads a clock: the seed of a secret key and the
//! time of a cosignature are arguments.

mod encoded;
mod error;
mod signature;
mod signer;
mod verifier;

pub use error::{KeyError, NameError, SignatureLineError};
pub use signature::NoteSignature;
pub use signer::{Cosigner, NoteSigner};
pub use verifier::NoteVerifier;

use crate::primitives::Hash;

/// The most bytes in the name of a key that this crate signs or verifies with, as in the ML-DSA-44 cosignatures of
/// <https://c2sp.org/tlog-cosignature>. Names of unknown keys are only bounded by the length of their note.
pub const MAX_KEY_NAME_BYTES: usize = 255;

/// The type of an Ed25519 signature of a note.
const ED25519: u8 = 1;
/// The type of a timestamped Ed25519 cosignature.
const COSIGNATURE_V1: u8 = 4;

/// The first four bytes of `SHA-256(name || 0x0A || signature type || public key)`.
fn key_id(name: &str, signature_type: u8, public_key: &[u8]) -> u32 {
    let hash = Hash::digest_parts(&[name.as_bytes(), b"\n", &[signature_type], public_key]);
    let [a, b, c, d, ..] = *hash.as_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// What a cosignature of this time signs: two lines, and the text of the checkpoint.
fn cosigned_message(seconds: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

/// Checks the grammar of a key's name, which `signed-note` has under "Format".
fn check_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    match name.chars().find(|&got| got == '+' || got.is_whitespace() || got < ' ') {
        None => Ok(()),
        Some('+') => Err(NameError::Plus),
        Some(got) if got.is_whitespace() => Err(NameError::Space { got }),
        Some(got) => Err(NameError::ControlCharacter { got }),
    }
}
