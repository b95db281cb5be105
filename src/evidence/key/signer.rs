//! Secret keys.

use core::fmt;
use core::str::FromStr;

use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

use super::encoded::{self, EncodedKey, check_key_name};
use super::{
    COSIGNATURE_V1, ED25519, KeyError, NameError, NoteSignature, NoteVerifier, cosigned_message, key_id,
};
use crate::evidence::Checkpoint;
use crate::primitives::Timestamp;

/// What the text form of a secret key begins with.
const PRIVATE: &str = "PRIVATE+KEY+";

/// A secret key that signs notes: Ed25519 as in <https://c2sp.org/signed-note>, type 1. A log signs its checkpoints
/// with one.
///
/// Parses the text form of secret keys of Go's `golang.org/x/mod/sumdb/note`,
/// `PRIVATE+KEY+name+key ID+base64(0x01 || seed)`. The secret is wiped from memory when the value is dropped, and
/// `Debug` does not print it.
#[derive(Clone)]
pub struct NoteSigner(SecretKey);

impl NoteSigner {
    /// The key of these 32 secret random bytes. Take them from the random source of the operating system. The key of a
    /// log should have the log's origin as its name.
    ///
    /// # Errors
    ///
    /// [`NameError`] if the name is not that of a key.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NameError> {
        SecretKey::new(name, ED25519, seed).map(Self)
    }

    /// The name of the key.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The public key.
    pub fn verifier(&self) -> NoteVerifier {
        self.0.verifier(ED25519)
    }

    /// The text form, with the secret. Wiped from memory when it is dropped.
    pub fn secret_key(&self) -> Zeroizing<String> {
        self.0.encode(ED25519)
    }

    /// Signs the text of a note. Whether a note can have this text, only
    /// [`SignedNote::new`](crate::evidence::SignedNote::new) checks.
    pub fn sign(&self, text: &str) -> NoteSignature {
        let signature = self.0.key.sign(text.as_bytes());
        NoteSignature::new(&self.0.name, self.0.id, &[&signature.to_bytes()])
    }
}

impl FromStr for NoteSigner {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        SecretKey::parse(text, &[ED25519]).map(Self)
    }
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteSigner({})", self.verifier())
    }
}

/// A secret key that cosigns the checkpoints of logs: `cosignature/v1` as in <https://c2sp.org/tlog-cosignature>,
/// type 4. A witness has one.
///
/// Parses `PRIVATE+KEY+name+key ID+base64(0x04 || seed)`. The secret is wiped from memory when the value is dropped,
/// and `Debug` does not print it.
#[derive(Clone)]
pub struct Cosigner(SecretKey);

impl Cosigner {
    /// The key of these 32 secret random bytes. Take them from the random source of the operating system, and no
    /// other key from the same bytes: a cosignature does not commit to the name of its key.
    ///
    /// # Errors
    ///
    /// [`NameError`] if the name is not that of a key.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NameError> {
        SecretKey::new(name, COSIGNATURE_V1, seed).map(Self)
    }

    /// The name of the key.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The public key.
    pub fn verifier(&self) -> NoteVerifier {
        self.0.verifier(COSIGNATURE_V1)
    }

    /// The text form, with the secret. Wiped from memory when it is dropped.
    pub fn secret_key(&self) -> Zeroizing<String> {
        self.0.encode(COSIGNATURE_V1)
    }

    /// Cosigns a checkpoint. A cosignature states that the checkpoint is the largest of its log that the cosigner had
    /// seen at this time, and that all of them are consistent.
    ///
    /// The time is written in whole seconds.
    pub fn cosign(&self, checkpoint: &Checkpoint, now: Timestamp) -> NoteSignature {
        let seconds = now.as_millis() / 1000;
        let signature = self.0.key.sign(cosigned_message(seconds, &checkpoint.to_string()).as_bytes());
        NoteSignature::new(&self.0.name, self.0.id, &[&seconds.to_be_bytes(), &signature.to_bytes()])
    }
}

impl FromStr for Cosigner {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        SecretKey::parse(text, &[COSIGNATURE_V1]).map(Self)
    }
}

impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cosigner({})", self.verifier())
    }
}

/// What the two kinds of secret keys share.
#[derive(Clone)]
struct SecretKey {
    name: String,
    id: u32,
    key: SigningKey,
}

impl SecretKey {
    fn new(name: &str, signature_type: u8, seed: &[u8; 32]) -> Result<Self, NameError> {
        check_key_name(name)?;
        let key = SigningKey::from_bytes(seed);
        let id = key_id(name, signature_type, key.verifying_key().as_bytes());
        Ok(Self { name: name.to_owned(), id, key })
    }

    fn parse(text: &str, expected: &'static [u8]) -> Result<Self, KeyError> {
        let encoded = EncodedKey::parse(text.strip_prefix(PRIVATE).ok_or(KeyError::NotPrivate)?, expected)?;
        let secret = Self::new(encoded.name, encoded.signature_type, &encoded.key)?;
        encoded.check_id(secret.id)?;
        Ok(secret)
    }

    fn verifier(&self, signature_type: u8) -> NoteVerifier {
        NoteVerifier::new(self.name.clone(), signature_type, self.key.verifying_key())
    }

    fn encode(&self, signature_type: u8) -> Zeroizing<String> {
        // The room for all of it, so that the string never moves and leaves a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(PRIVATE.len() + self.name.len() + 54));
        text.push_str(PRIVATE);
        // Cannot fail: a string accepts every text.
        let _ = encoded::write(&mut *text, &self.name, self.id, signature_type, self.key.as_bytes());
        text
    }
}
