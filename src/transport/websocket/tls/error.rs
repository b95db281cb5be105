//! What can be wrong with the settings of TLS, and with a handshake.

use core::fmt;
use std::io;

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

use super::fingerprint::Fingerprint;
use super::problem;
use super::secret::Secret;

/// Why settings of TLS cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A text is no PEM.
    #[error("the {part} cannot be read as PEM: {problem}")]
    BadPem {
        /// Which of the texts.
        part: TlsPart,
        /// What is wrong in it.
        problem: String,
    },
    /// A text in PEM has no certificate in it.
    #[error("the {part} holds no certificate, expected PEM with BEGIN CERTIFICATE")]
    NoCertificate {
        /// Which of the texts.
        part: TlsPart,
    },
    /// A text in PEM has no private key in it.
    #[error("no private key, expected PEM with BEGIN PRIVATE KEY")]
    NoKey,
    /// A certificate cannot be used.
    #[error("the {part} holds a certificate that cannot be used: {problem}")]
    BadCertificate {
        /// Which of the texts.
        part: TlsPart,
        /// What is wrong with it.
        problem: String,
    },
    /// The key cannot be used.
    #[error("the private key cannot be used: {problem}")]
    BadKey {
        /// What is wrong with it.
        problem: String,
    },
    /// The key is that of another certificate.
    #[error("the private key does not belong to the first certificate of the chain")]
    KeyMismatch,
    /// Somebody's certificate is to be checked, and nobody is trusted to have signed it.
    #[error("no certificate is trusted, expected the one that signs those of the peers")]
    NothingTrusted,
    /// Too easy to guess.
    #[error("the secret has {got} bytes, at least {} are needed", Secret::MIN_BYTES)]
    ShortSecret {
        /// The length in bytes.
        got: usize,
    },
    /// Not the SHA-256 of a certificate.
    #[error("{got:?} is no fingerprint, expected the SHA-256 of a certificate in hex")]
    BadFingerprint {
        /// The text.
        got: String,
    },
}

/// One of the texts that settings are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsPart {
    /// The certificates that this node shows.
    Chain,
    /// The private key of the first of them.
    Key,
    /// The certificates that are trusted.
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

/// What is wrong with a peer, or with this node in the eyes of a peer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsProblem {
    /// The peer speaks something else.
    #[error("the peer does not speak TLS")]
    NotTls,
    /// This node cannot serve anybody.
    #[error("there is no certificate and no key to listen with")]
    NoIdentity,
    /// The peer does not say who it is.
    #[error("the peer shows no certificate")]
    NoCertificate,
    /// The chain of signatures ends with a stranger.
    #[error("nobody who is trusted here has signed the peer's certificate")]
    UnknownIssuer,
    /// The time of the certificate is over.
    #[error("the peer's certificate has expired")]
    Expired,
    /// The time of the certificate is to come, or the clock of this machine is behind.
    #[error("the peer's certificate is not valid yet")]
    NotYetValid,
    /// The certificate is for other names.
    #[error("the peer's certificate is not for the host that was dialled")]
    WrongName,
    /// Whatever else is wrong with a certificate.
    #[error("the peer's certificate is not good: {0}")]
    BadCertificate(String),
    /// The certificate is good, and not one of those that are let in.
    #[error("the peer's certificate is not among those that are allowed, its fingerprint is {fingerprint}")]
    NotAllowed {
        /// Of its certificate.
        fingerprint: Fingerprint,
    },
    /// The peer does not take ours.
    #[error("the peer does not accept the certificate of this node, or asks for one: {alert}")]
    Refused {
        /// What it says.
        alert: String,
    },
    /// The peer does not have the shared secret.
    #[error("the peer does not prove that it has the shared secret")]
    NoProof,
    /// Everything else, as the TLS library or the system has it.
    #[error("{}", problem::of_io(.0))]
    Failed(#[source] io::Error),
}

impl TlsProblem {
    /// What ended a handshake.
    pub(super) fn of_handshake(error: io::Error) -> Self {
        Self::of(&error).unwrap_or(Self::Failed(error))
    }

    /// What TLS has against a connection, where it is TLS that an operation on it failed for.
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
