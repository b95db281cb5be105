//! Builds and validates the settings of TLS.

use std::sync::Arc;

use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, Error, InconsistentKeys, RootCertStore, ServerConfig};

use super::error::{TlsError, TlsPart};
use super::{Fingerprint, Secret, Settings, Tls, problem};

/// A builder for TLS settings. Certificates and keys are PEM texts.
///
/// ```no_run
/// use hashloom::transport::{Tls, WebSocketConfig};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tls = Tls::builder()
///     .identity(std::fs::read("alice.pem")?, std::fs::read("alice.key")?)
///     .trust(std::fs::read("ca.pem")?)
///     .require_certificates()
///     .build()?;
/// let config = WebSocketConfig::default().with_tls(tls);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
#[must_use]
pub struct TlsBuilder {
    identity: Option<(Vec<u8>, Hidden)>,
    trusted: Vec<Vec<u8>>,
    asks_for_certificates: bool,
    allowed: Vec<Fingerprint>,
    secret: Option<Secret>,
}

/// Bytes that `Debug` does not print.
struct Hidden(Vec<u8>);

impl core::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("hidden")
    }
}

impl TlsBuilder {
    /// Sets the certificate chain of this node, its own certificate first, and the private key. A listener
    /// needs both; a node that only dials needs them if its peers require certificates.
    pub fn identity(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity = Some((chain.into(), Hidden(key.into())));
        self
    }

    /// Trusts these certificates, and every certificate that they have signed. The root certificates of the
    /// operating system are not trusted: the participants of a chain decide who may take part.
    pub fn trust(mut self, certificates: impl Into<Vec<u8>>) -> Self {
        self.trusted.push(certificates.into());
        self
    }

    /// Accepts only peers with a certificate of their own that is signed by a trusted one.
    pub const fn require_certificates(mut self) -> Self {
        self.asks_for_certificates = true;
        self
    }

    /// Accepts only peers with one of these certificates, inbound and outbound. The certificates must also be
    /// signed by a trusted one.
    pub fn allow(mut self, certificates: impl IntoIterator<Item = Fingerprint>) -> Self {
        self.asks_for_certificates = true;
        self.allowed.extend(certificates);
        self
    }

    /// Accepts only peers that prove possession of this secret, inbound and outbound.
    pub fn secret(mut self, secret: Secret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Validates the settings.
    ///
    /// # Errors
    ///
    /// [`TlsError`].
    pub fn build(self) -> Result<Tls, TlsError> {
        let mut roots = RootCertStore::empty();
        for text in &self.trusted {
            for certificate in certificates(TlsPart::Trusted, text)? {
                roots.add(certificate).map_err(|error| bad_certificate(TlsPart::Trusted, &error))?;
            }
        }
        if roots.is_empty() && (self.asks_for_certificates || self.identity.is_none()) {
            return Err(TlsError::NothingTrusted);
        }
        let roots = Arc::new(roots);
        let identity = match &self.identity {
            None => None,
            Some((chain, key)) => Some((certificates(TlsPart::Chain, chain)?, private_key(&key.0)?)),
        };
        let client = client(&roots, identity.as_ref())?;
        let server = match identity {
            None => None,
            Some(identity) => Some(Arc::new(server(roots, identity, self.asks_for_certificates)?)),
        };
        Ok(Tls(Arc::new(Settings {
            server,
            client: Arc::new(client),
            asks_for_certificates: self.asks_for_certificates,
            allowed: self.allowed,
            secret: self.secret,
        })))
    }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn certificates(part: TlsPart, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| TlsError::BadPem { part, problem: problem::of_pem(&error) })?;
    if found.is_empty() {
        return Err(TlsError::NoCertificate { part });
    }
    Ok(found)
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey,
        error => TlsError::BadPem { part: TlsPart::Key, problem: problem::of_pem(&error) },
    })
}

fn client(roots: &Arc<RootCertStore>, identity: Option<&Identity>) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| bad_key(&error))?
        .with_root_certificates(Arc::clone(roots));
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder
            .with_client_auth_cert(chain.clone(), key.clone_key())
            .map_err(|error| unusable_identity(&error))?,
    };
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn server(
    roots: Arc<RootCertStore>,
    (chain, key): Identity,
    asks_for_certificates: bool,
) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(default_provider());
    let verifier = if asks_for_certificates {
        WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build().map_err(
            |error| TlsError::BadCertificate { part: TlsPart::Trusted, problem: error.to_string() },
        )?
    } else {
        WebPkiClientVerifier::no_client_auth()
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| bad_key(&error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|error| unusable_identity(&error))?;
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn unusable_identity(error: &Error) -> TlsError {
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::KeyMismatch,
        Error::InvalidCertificate(_) => bad_certificate(TlsPart::Chain, error),
        error => bad_key(error),
    }
}

fn bad_certificate(part: TlsPart, error: &Error) -> TlsError {
    TlsError::BadCertificate { part, problem: problem::of_error(error) }
}

fn bad_key(error: &Error) -> TlsError {
    TlsError::BadKey { problem: problem::of_error(error) }
}
