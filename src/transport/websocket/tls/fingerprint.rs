//! The fingerprint of a certificate.

use core::fmt;
use core::str::FromStr;

use sha2::{Digest, Sha256};

use super::error::TlsError;

/// The SHA-256 of a certificate in DER, as `openssl x509 -noout -fingerprint -sha256` prints it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }
}

impl FromStr for Fingerprint {
    type Err = TlsError;

    /// Parses 64 hex digits, with or without colons between the bytes.
    fn from_str(text: &str) -> Result<Self, TlsError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.replace(':', ""), &mut bytes)
            .map_err(|_| TlsError::BadFingerprint { got: text.to_owned() })?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read() {
        let fingerprint = Fingerprint::of(b"abc");
        let plain = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(fingerprint.to_string(), plain);
        let bytes: Vec<_> = plain.as_bytes().chunks(2).map(|hex| String::from_utf8_lossy(hex)).collect();
        assert_eq!(bytes.join(":").to_uppercase().parse(), Ok(fingerprint));
        assert_eq!(plain.parse(), Ok(fingerprint));
        assert_eq!(
            plain[2..].parse::<Fingerprint>(),
            Err(TlsError::BadFingerprint { got: plain[2..].into() })
        );
    }
}
