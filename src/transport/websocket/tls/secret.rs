//! The shared secret of a closed chain, and the proof of possession that peers exchange.
//!
//! A proof is an HMAC over a value that only the two ends of one TLS connection know (RFC 9266), so it is
//! worthless on another connection: a reader of the proof, even the other end, can neither replay nor relay
//! it.

use ring::hmac;

use super::error::TlsError;

/// A secret that peers share.
#[derive(Clone, Debug)]
pub struct Secret(hmac::Key);

/// The end of a connection that proves possession. The roles differ, so that an end cannot reflect the other
/// end's proof.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    Dialer,
    Listener,
}

/// The value to which a proof is bound.
pub(super) type Binding = [u8; 32];

impl Secret {
    /// The minimum length in bytes: an end that takes part in a handshake can guess secrets offline
    /// afterwards.
    pub const MIN_BYTES: usize = 16;

    /// Uses the bytes without deriving a key from them.
    ///
    /// # Errors
    ///
    /// [`TlsError::ShortSecret`].
    pub fn new(bytes: &[u8]) -> Result<Self, TlsError> {
        if bytes.len() < Self::MIN_BYTES {
            return Err(TlsError::ShortSecret { got: bytes.len() });
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }

    /// The proof of possession, in hex.
    pub(super) fn prove(&self, role: Role, binding: &Binding) -> String {
        hex::encode(hmac::sign(&self.0, &statement(role, binding)))
    }

    /// Whether the proof was made with this secret. Compares in constant time.
    pub(super) fn verifies(&self, role: Role, binding: &Binding, proof: &str) -> bool {
        hex::decode(proof).is_ok_and(|tag| hmac::verify(&self.0, &statement(role, binding), &tag).is_ok())
    }
}

fn statement(role: Role, binding: &Binding) -> Vec<u8> {
    let role: &[u8] = match role {
        Role::Dialer => b"hashloom dialer\0",
        Role::Listener => b"hashloom listener\0",
    };
    [role, binding].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_good_for_one_secret_one_end_and_one_connection() {
        let secret = Secret::new(&[7; 16]).unwrap();
        let proof = secret.prove(Role::Dialer, &[1; 32]);
        assert!(secret.verifies(Role::Dialer, &[1; 32], &proof));
        assert!(!secret.verifies(Role::Listener, &[1; 32], &proof));
        assert!(!secret.verifies(Role::Dialer, &[2; 32], &proof));
        assert!(!Secret::new(&[8; 16]).unwrap().verifies(Role::Dialer, &[1; 32], &proof));
        assert!(!secret.verifies(Role::Dialer, &[1; 32], &proof[..62]));
        assert!(!secret.verifies(Role::Dialer, &[1; 32], ""));
    }

    #[test]
    fn a_short_secret_is_refused_and_none_is_shown() {
        assert_eq!(Secret::new(b"hunter2").unwrap_err(), TlsError::ShortSecret { got: 7 });
        let shown = format!("{:?}", Secret::new(b"correct horse battery").unwrap());
        assert!(!shown.contains("horse") && !shown.contains("99, 111"), "{shown}");
    }
}
