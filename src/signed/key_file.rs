//! Secret keys as text that is encrypted with a passphrase. The file is the caller's.

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::KeypairBytes;
use pkcs8::der::pem::PemLabel as _;
use pkcs8::pkcs5::pbes2::{Kdf, Parameters};
use pkcs8::pkcs5::scrypt::Params;
use pkcs8::pkcs5::{self, EncryptionScheme};
use pkcs8::{
    EncodePrivateKey as _, EncryptedPrivateKeyInfoOwned, EncryptedPrivateKeyInfoRef, LineEnding,
    PrivateKeyInfoRef, SecretDocument,
};
use zeroize::Zeroizing;

use super::SecretKey;

// The cost of scrypt for a new file: of the choices that OWASP's Password Storage Cheat Sheet recommends, the one with the
// most memory of those within the 32 MiB that OpenSSL permits.
const LOG_N: u8 = 14;
const R: u32 = 8;
const P: u32 = 5;

/// Encrypted with a passphrase.
impl SecretKey {
    /// The random bytes for [`to_encrypted_pem`](Self::to_encrypted_pem): a salt and an initialisation vector.
    pub const PEM_RANDOM_BYTES: usize = 32;

    /// The most memory, in bytes, that a text may make [`from_encrypted_pem`](Self::from_encrypted_pem) take.
    pub const MAX_PEM_MEMORY: u64 = 256 << 20;

    /// The most calls of a hash function that a text may make [`from_encrypted_pem`](Self::from_encrypted_pem) compute.
    pub const MAX_PEM_ROUNDS: u64 = 1 << 24;

    /// The key as text, encrypted with a passphrase: PKCS #8 (RFC 5958) in PEM (RFC 7468), with scrypt (RFC 7914; N = 2^14,
    /// r = 8, p = 5) and AES-256-CBC in PBES2 (RFC 8018), which `openssl pkey` reads, too. It takes 16 MiB of memory and
    /// some hundred milliseconds, and so does each guess of who has the file and not the passphrase.
    ///
    /// `random` is from the random source of the operating system, and used once.
    ///
    /// # Errors
    ///
    /// [`KeyFileError::Encoding`], which no key and passphrase is known to cause.
    pub fn to_encrypted_pem(
        &self,
        passphrase: &[u8],
        random: &[u8; Self::PEM_RANDOM_BYTES],
    ) -> Result<String, KeyFileError> {
        let encoding = |error: &dyn core::fmt::Display| KeyFileError::Encoding { reason: error.to_string() };
        // Without the public key, as OpenSSL writes it: it computes the public key, and some readers refuse one.
        let pair = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        let plain = pair.to_pkcs8_der().map_err(|error| encoding(&error))?;
        let (salt, iv) = random.split_at(16);
        let mut vector = [0; 16];
        vector.copy_from_slice(iv);
        let cost = Params::new(LOG_N, R, P).map_err(|error| encoding(&error))?;
        let scheme =
            Parameters::generate_scrypt_aes256cbc(cost, salt, vector).map_err(|error| encoding(&error))?;
        let encrypted = scheme.encrypt(passphrase, plain.as_bytes()).map_err(|error| encoding(&error))?;
        let encrypted_data =
            pkcs8::der::asn1::OctetString::new(encrypted).map_err(|error| encoding(&error))?;
        let encryption_algorithm = scheme.into();
        let document = EncryptedPrivateKeyInfoOwned { encryption_algorithm, encrypted_data };
        let document = SecretDocument::try_from(document).map_err(|error| encoding(&error))?;
        let text = document.to_pem(EncryptedPrivateKeyInfoRef::PEM_LABEL, LineEnding::LF);
        Ok(text.map_err(|error| encoding(&error))?.to_string())
    }

    /// Reads a key that [`to_encrypted_pem`](Self::to_encrypted_pem) wrote, or another program: an Ed25519 key in PKCS #8, with
    /// scrypt or PBKDF2 and AES in PBES2. Lines before the key are skipped, as RFC 7468 says.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`]. A text that was changed on purpose may read as another key: compare its public key, if that is
    /// known.
    pub fn from_encrypted_pem(text: &str, passphrase: &[u8]) -> Result<Self, KeyFileError> {
        let (label, document) = SecretDocument::from_pem(text)
            .map_err(|error| KeyFileError::Encoding { reason: error.to_string() })?;
        if label != EncryptedPrivateKeyInfoRef::PEM_LABEL {
            return Err(KeyFileError::Label { got: label.to_owned() });
        }
        let info = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
            .map_err(|error| KeyFileError::Encoding { reason: error.to_string() })?;
        check_cost(&info.encryption_algorithm)?;
        let mut bytes = Zeroizing::new(info.encrypted_data.as_bytes().to_vec());
        let plain = info.encryption_algorithm.decrypt_in_place(passphrase, &mut bytes);
        let plain = plain.map_err(|error| match error {
            pkcs5::Error::DecryptFailed => KeyFileError::Passphrase,
            error => KeyFileError::Scheme { reason: error.to_string() },
        })?;
        // What another passphrase decrypts to is no structure, but for one in 2^100.
        let key = PrivateKeyInfoRef::try_from(plain).map_err(|_| KeyFileError::Passphrase)?;
        let algorithm = key.algorithm.oid;
        let pair = KeypairBytes::try_from(key).and_then(|pair| SigningKey::try_from(&pair));
        pair.map(Self).map_err(|_| KeyFileError::Algorithm { got: algorithm.to_string() })
    }
}

/// Refuses what takes too much memory or time.
fn check_cost(scheme: &EncryptionScheme) -> Result<(), KeyFileError> {
    let Some(parameters) = scheme.pbes2() else {
        return Err(KeyFileError::Scheme { reason: format!("{} is not PBES2", scheme.oid()) });
    };
    let (memory, rounds) = match &parameters.kdf {
        Kdf::Scrypt(scrypt) => {
            let blocks = scrypt.cost_parameter.saturating_mul(scrypt.block_size.into());
            // A block has 128 bytes, is made of two calls of Salsa20/8 and mixed with two more.
            let rounds = blocks.saturating_mul(4).saturating_mul(scrypt.parallelization.into());
            (blocks.saturating_mul(128), rounds)
        }
        Kdf::Pbkdf2(pbkdf2) => (0, pbkdf2.iteration_count.into()),
        other => return Err(KeyFileError::Scheme { reason: format!("{} derives its key", other.oid()) }),
    };
    if memory > SecretKey::MAX_PEM_MEMORY {
        return Err(KeyFileError::Memory { got: memory });
    }
    if rounds > SecretKey::MAX_PEM_ROUNDS {
        return Err(KeyFileError::Rounds { got: rounds });
    }
    Ok(())
}

/// Why a text is no secret key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The text is not PEM, or not PKCS #8 in it, or names an encryption that has no name here.
    #[error("not an encrypted key in PEM: {reason}")]
    Encoding {
        /// What the decoder says.
        reason: String,
    },
    /// The PEM is of another kind, such as a key without encryption.
    #[error("the text is {got:?} in PEM, expected {:?}", EncryptedPrivateKeyInfoRef::PEM_LABEL)]
    Label {
        /// The label.
        got: String,
    },
    /// The key is encrypted in a way that is not supported.
    #[error("the encryption is not supported: {reason}, expected PBES2 with scrypt or PBKDF2, and AES")]
    Scheme {
        /// What is not.
        reason: String,
    },
    /// To decrypt the key takes too much memory.
    #[error("the key takes {got} bytes of memory, expected at most {}", SecretKey::MAX_PEM_MEMORY)]
    Memory {
        /// The bytes of memory.
        got: u64,
    },
    /// To decrypt the key takes too long.
    #[error("the key takes {got} rounds of hashing, expected at most {}", SecretKey::MAX_PEM_ROUNDS)]
    Rounds {
        /// The calls of the hash function.
        got: u64,
    },
    /// The passphrase is another one, or the text is damaged.
    #[error("the passphrase is wrong, or the text is damaged")]
    Passphrase,
    /// The key is not an Ed25519 key, or its two halves do not belong together.
    #[error("the key is of the algorithm {got}, or invalid, expected Ed25519 (1.3.101.112)")]
    Algorithm {
        /// The object identifier of the algorithm.
        got: String,
    },
}
