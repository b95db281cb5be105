//! The errors of TLS settings and of TLS handshakes.

use core::fmt;
use std::io;

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

use super::fingerprint::Fingerprint;
use super::problem;
use super::secret::Secret;

/// Why TLS settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A text is not valid PEM.
    #[error("the {part} cannot be read as PEM: {problem}")]
    BadPem {
        /// Which text.
        part: TlsPart,
        /// What is wrong with the text.
        problem: String,
    },
    /// A PEM text contains no certificate.
    #[error("the {part} holds no certificate, expected PEM with BEGIN CERTIFICATE")]
    NoCertificate {
        /// Which text.
        part: TlsPart,
    },
    /// A PEM text contains no private key.
    #[error("no private key, expected PEM with BEGIN PRIVATE KEY")]
    NoKey,
    /// A certificate cannot be used.
    #[error("the {part} holds a certificate that cannot be used: {problem}")]
    BadCertificate {
        /// Which text.
        part: TlsPart,
        /// What is wrong with the certificate.
        problem: String,
    },
    /// The private key cannot be used.
    #[error("the private key cannot be used: {problem}")]
    BadKey {
        /// What is wrong with the key.
        problem: String,
    },
    /// The private key belongs to another certificate.
    #[error("the private key does not belong to the first certificate of the chain")]
    KeyMismatch,
    /// Certificates of peers have to be checked, but no certificate is trusted.
    #[error("no certificate is trusted, expected the one that signs those of the peers")]
    NothingTrusted,
    /// The secret is too short, and so too easy to guess.
    #[error("the secret has {got} bytes, at least {} are needed", Secret::MIN_BYTES)]
    ShortSecret {
        /// The length in bytes.
        got: usize,
    },
    /// The text is not the SHA-256 of a certificate.
    #[error("{got:?} is no fingerprint, expected the SHA-256 of a certificate in hex")]
    BadFingerprint {
        /// The text.
        got: String,
    },
}

/// One of the PEM texts of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsPart {
    /// The certificate chain of this node.
    Chain,
    /// The private key of the chain's first certificate.
    Key,
    /// The trusted certificates.
    Trusted,
}

impl fmt::Display for TlsPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chain => "certificate chain",
            Self::Key => "private key",
            Self::Trusted => "list of trusted certificates",
        })
    }
}

/// A TLS problem with a peer, or a problem that a peer has with this node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsProblem {
    /// The peer does not speak TLS.
    #[error("the peer does not speak TLS")]
    NotTls,
    /// This node cannot listen, because it has no certificate.
    #[error("there is no certificate and no key to listen with")]
    NoIdentity,
    /// The peer presents no certificate.
    #[error("the peer shows no certificate")]
    NoCertificate,
    /// The peer's certificate is not signed by a trusted one.
    #[error("nobody who is trusted here has signed the peer's certificate")]
    UnknownIssuer,
    /// The peer's certificate has expired.
    #[error("the peer's certificate has expired")]
    Expired,
    /// The peer's certificate is not valid yet, or the clock of this machine is behind.
    #[error("the peer's certificate is not valid yet")]
    NotYetValid,
    /// The peer's certificate is for other host names.
    #[error("the peer's certificate is not for the host that was dialled")]
    WrongName,
    /// Any other problem of the peer's certificate.
    #[error("the peer's certificate is not good: {0}")]
    BadCertificate(String),
    /// The peer's certificate is valid, but not one of those that are allowed.
    #[error("the peer's certificate is not among those that are allowed, its fingerprint is {fingerprint}")]
    NotAllowed {
        /// The fingerprint of the peer's certificate.
        fingerprint: Fingerprint,
    },
    /// The peer rejects the certificate of this node, or requires one.
    #[error("the peer does not accept the certificate of this node, or asks for one: {alert}")]
    Refused {
        /// The TLS alert of the peer.
        alert: String,
    },
    /// The peer does not have the shared secret.
    #[error("the peer does not prove that it has the shared secret")]
    NoProof,
    /// Any other error of the TLS library or the operating system.
    #[error("{}", problem::of_io(.0))]
    Failed(#[source] io::Error),
}

impl TlsProblem {
    /// The problem that made a handshake fail.
    pub(super) fn of_handshake(error: io::Error) -> Self {
        Self::of(&error).unwrap_or(Self::Failed(error))
    }

    /// The TLS problem that made an operation fail; `None` if the cause is not TLS.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        let error = error.get_ref()?.downcast_ref::<Error>()?;
        Some(match error {
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::NotTls,
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::InvalidCertificate(problem) => Self::of_certificate(problem),
            Error::AlertReceived(alert) if is_about_certificates(*alert) => {
                Self::Refused { alert: problem::of_alert(*alert) }
            }
            _ => return None,
        })
    }

    fn of_certificate(problem: &CertificateError) -> Self {
        match problem {
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::WrongName
            }
            problem => Self::BadCertificate(problem::of_certificate(problem)),
        }
    }
}

const fn is_about_certificates(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::CertificateRequired
    )
}
