//! The checks after a TLS handshake: which certificate the peer has and, in the headers of the WebSocket
//! handshake, whether it has the secret.

use std::io;

use tokio_rustls::rustls::Error;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tungstenite::http::header::{AUTHORIZATION, HeaderName};
use tungstenite::http::{HeaderMap, HeaderValue, StatusCode};

use super::super::secure::Refusal;
use super::Tls;
use super::error::TlsProblem;
use super::fingerprint::Fingerprint;
use super::secret::{Binding, Role};
use crate::protocol::PeerAddr;
use crate::transport::TransportError;

/// The label of the value that TLS exports for this connection alone (RFC 9266, section 4).
const BINDING_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// The header with the dialer's proof (RFC 9110, section 11.6.2), and the prefix of the proof.
const REQUEST: (HeaderName, &str) = (AUTHORIZATION, "Hashloom proof=");

/// The header with the listener's proof (RFC 7615), and the prefix of the proof.
const ANSWER: (HeaderName, &str) = (HeaderName::from_static("authentication-info"), "proof=");

/// The authentication state of a TLS connection.
#[derive(Debug)]
pub(in super::super) struct Session {
    tls: Tls,
    /// The fingerprint of the peer's certificate, if it presented one.
    fingerprint: Option<Fingerprint>,
    binding: Binding,
}

impl Session {
    pub(super) fn new(
        tls: &Tls,
        certificates: Option<&[CertificateDer<'_>]>,
        export: impl FnOnce(Binding, &[u8]) -> Result<Binding, Error>,
    ) -> Result<Self, TlsProblem> {
        let binding =
            export([0; 32], BINDING_LABEL).map_err(|error| TlsProblem::Failed(io::Error::other(error)))?;
        let fingerprint = certificates.and_then(|chain| chain.first()).map(|der| Fingerprint::of(der));
        Ok(Self { tls: tls.clone(), fingerprint, binding })
    }

    /// Checks that the peer's certificate is one of the allowed ones, if only some are allowed.
    pub(super) fn check_certificate(&self) -> Result<(), TlsProblem> {
        let allowed = &self.tls.0.allowed;
        match self.fingerprint {
            _ if allowed.is_empty() => Ok(()),
            Some(fingerprint) if allowed.contains(&fingerprint) => Ok(()),
            Some(fingerprint) => Err(TlsProblem::NotAllowed { fingerprint }),
            None => Err(TlsProblem::NoCertificate),
        }
    }

    /// Adds the dialer's proof of the secret to the request, if there is a secret.
    pub(in super::super) fn sign_request(&self, headers: &mut HeaderMap) {
        self.sign(Role::Dialer, REQUEST, headers);
    }

    /// Decides whether the listener admits the dialer.
    pub(in super::super) fn check_request(
        &self,
        remote: &PeerAddr,
        headers: &HeaderMap,
    ) -> Result<(), Box<Refusal>> {
        let refused = |status, reason, problem| {
            let error = TransportError::Tls { address: remote.clone(), problem };
            Box::new(Refusal { status, reason, error })
        };
        self.check_certificate().map_err(|problem| {
            let reason = "this node does not take peers with your certificate\n";
            refused(StatusCode::FORBIDDEN, reason, problem)
        })?;
        self.check(Role::Dialer, REQUEST, headers).map_err(|problem| {
            let reason = "this node takes peers only that prove to have its secret\n";
            refused(StatusCode::UNAUTHORIZED, reason, problem)
        })
    }

    /// Adds the listener's proof of the secret to the response, if there is a secret.
    pub(in super::super) fn sign_answer(&self, headers: &mut HeaderMap) {
        self.sign(Role::Listener, ANSWER, headers);
    }

    /// Decides whether the dialer accepts the listener.
    pub(in super::super) fn check_answer(
        &self,
        address: &PeerAddr,
        headers: &HeaderMap,
    ) -> Result<(), TransportError> {
        self.check(Role::Listener, ANSWER, headers)
            .map_err(|problem| TransportError::Tls { address: address.clone(), problem })
    }

    fn sign(&self, role: Role, (name, prefix): (HeaderName, &str), headers: &mut HeaderMap) {
        let Some(secret) = &self.tls.0.secret else { return };
        let proof = secret.prove(role, &self.binding);
        if let Ok(value) = HeaderValue::from_str(&format!("{prefix}{proof}")) {
            headers.insert(name, value);
        }
    }

    fn check(
        &self,
        role: Role,
        (name, prefix): (HeaderName, &str),
        headers: &HeaderMap,
    ) -> Result<(), TlsProblem> {
        let Some(secret) = &self.tls.0.secret else { return Ok(()) };
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        let proof = value.and_then(|value| value.strip_prefix(prefix));
        let is_proved = proof.is_some_and(|proof| secret.verifies(role, &self.binding, proof));
        if is_proved { Ok(()) } else { Err(TlsProblem::NoProof) }
    }
}
