//! Secret keys of authors, and verification under their public keys.

use core::fmt;

use ed25519_dalek::{Signer as _, SigningKey};

use super::signature::{Signature, SignatureError};
use crate::primitives::PublicKey;
use crate::primitives::ed25519::{self, KeyFlaw};

/// The secret key of an author. Wiped from memory when it is dropped; `Debug` does not print it.
#[derive(Clone)]
pub struct SecretKey(pub(super) SigningKey);

impl SecretKey {
    /// The key of these 32 secret random bytes. Take them from the random source of the operating system.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public key.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Signs a message. [`Signed::sign`](super::Signed::sign) signs a transaction; a key that signs other messages should
    /// not sign one that begins like it, with `hashloom signed v1` and a zero byte.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature::from_bytes(self.0.sign(message).to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public_key())
    }
}

impl PublicKey {
    /// Verifies a signature strictly: see the [module](super).
    ///
    /// # Errors
    ///
    /// [`SignatureError`], which says whether the key or the signature is at fault.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let key = ed25519::parse_key(self.as_bytes()).map_err(|flaw| match flaw {
            KeyFlaw::NotOnCurve => SignatureError::KeyNotOnCurve,
            KeyFlaw::NotCanonical => SignatureError::KeyNotCanonical,
            KeyFlaw::SmallOrder => SignatureError::KeySmallOrder,
        })?;
        ed25519::verify(&key, message, signature.as_bytes()).map_err(|_| SignatureError::Invalid)
    }
}
