//! A secret that all peers of a closed chain have, and how one proves to the other that it has it.
//!
//! A proof is an HMAC over what only the two ends of this very TLS connection know (RFC 9266), so it is worth nothing
//! on another connection: whoever gets to read it, even as the other end, can neither replay nor pass it on.

use ring::hmac;

use super::error::TlsError;

/// A secret that peers share.
#[derive(Clone, Debug)]
pub struct Secret(hmac::Key);

/// Which end of a connection proves something. No end can give the other's proof back to it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    Dialer,
    Listener,
}

/// What a proof is bound to.
pub(super) type Binding = [u8; 32];

impl Secret {
    /// The least bytes of a secret: an end that takes part in a handshake can try guesses at home afterwards.
    pub const MIN_BYTES: usize = 16;

    /// Takes the bytes as they are.
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

    /// The proof in hex.
    pub(super) fn prove(&self, role: Role, binding: &Binding) -> String {
        hex::encode(hmac::sign(&self.0, &statement(role, binding)))
    }

    /// Whether somebody with the secret made this proof. Takes as long for one that is nearly right as for any other.
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
