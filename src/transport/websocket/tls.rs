//! TLS for `wss://`: the identity of this node, which peers it trusts, and which it admits. Independent of
//! WebSocket and of the messages.

mod builder;
mod error;
mod fingerprint;
mod problem;
mod secret;
mod session;

use std::io;
use std::sync::Arc;

pub use builder::TlsBuilder;
pub use error::{TlsError, TlsPart, TlsProblem};
pub use fingerprint::Fingerprint;
pub use secret::Secret;
pub(super) use session::Session;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::socket::{Io, MAX_LINGER_BYTES, Socket};
use crate::protocol::{HostError, PeerAddr};
use crate::transport::linger::linger;
use crate::transport::{AddressProblem, TransportError};

/// The TLS settings of a node. Cheap to clone; two values are equal if one is a clone of the other.
///
/// Only TLS 1.3 is supported, and sessions are never resumed, so that every connection is checked in full.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Settings>);

#[derive(Debug)]
struct Settings {
    /// `None` without an identity; the node cannot listen then.
    server: Option<Arc<ServerConfig>>,
    client: Arc<ClientConfig>,
    /// Whether peers must present a certificate of their own.
    asks_for_certificates: bool,
    /// The only certificates that peers may have; empty for no restriction.
    allowed: Vec<Fingerprint>,
    secret: Option<Secret>,
}

impl Tls {
    /// Starts without an identity and without trusted certificates.
    pub fn builder() -> TlsBuilder {
        TlsBuilder::default()
    }

    /// Whether peers must authenticate, by a certificate of their own or by a secret. A node that requires it
    /// neither dials nor serves `ws://`, because plain connections cannot be authenticated.
    pub fn is_closed(&self) -> bool {
        self.0.asks_for_certificates || self.0.secret.is_some()
    }

    /// Checks that there are a certificate and a key to listen with.
    pub(super) fn check_identity(&self, address: &PeerAddr) -> Result<(), TransportError> {
        if self.0.server.is_some() { Ok(()) } else { Err(failed(address, TlsProblem::NoIdentity)) }
    }

    /// The error for a peer that does not speak TLS.
    #[expect(clippy::unused_self, reason = "said only where there is TLS")]
    pub(super) fn not_spoken(&self, remote: &PeerAddr) -> TransportError {
        failed(remote, TlsProblem::NotTls)
    }

    /// The dialling side of a handshake.
    pub(super) async fn dial(
        &self,
        address: &PeerAddr,
        host: &str,
        socket: Box<dyn Socket>,
    ) -> Result<(Box<dyn Io>, Session), TransportError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| TransportError::BadAddress {
            address: address.clone(),
            problem: AddressProblem::Host(HostError::Label),
        })?;
        let failed = |problem| failed(address, problem);
        let connector = TlsConnector::from(Arc::clone(&self.0.client));
        let stream =
            connector.connect(name, socket).await.map_err(|error| failed(TlsProblem::of_handshake(error)))?;
        let (_, connection) = stream.get_ref();
        let session = Session::new(self, connection.peer_certificates(), |binding, label| {
            connection.export_keying_material(binding, label, None)
        })
        .map_err(failed)?;
        session.check_certificate().map_err(failed)?;
        Ok((Box::new(stream), session))
    }

    /// The listening side of a handshake. A peer with a valid certificate that is not allowed gets a session
    /// as well, so that it can be refused with a reason.
    pub(super) async fn accept(
        &self,
        remote: &PeerAddr,
        socket: Box<dyn Socket>,
    ) -> Result<(Box<dyn Io>, Session), TransportError> {
        let failed = |problem| failed(remote, problem);
        let server = self.0.server.clone().ok_or_else(|| failed(TlsProblem::NoIdentity))?;
        let stream = match TlsAcceptor::from(server).accept(socket).into_fallible().await {
            Ok(stream) => stream,
            Err((error, socket)) => {
                // The alert to the peer is written already. The peer may have sent more than was read.
                linger(socket, &[], MAX_LINGER_BYTES).await;
                return Err(failed(TlsProblem::of_handshake(error)));
            }
        };
        let (_, connection) = stream.get_ref();
        let session = Session::new(self, connection.peer_certificates(), |binding, label| {
            connection.export_keying_material(binding, label, None)
        })
        .map_err(failed)?;
        Ok((Box::new(stream), session))
    }
}

/// The TLS problem that made an operation fail; `None` if the cause is not TLS.
pub(super) fn cause(address: &PeerAddr, error: &io::Error) -> Option<TransportError> {
    TlsProblem::of(error).map(|problem| failed(address, problem))
}

fn failed(address: &PeerAddr, problem: TlsProblem) -> TransportError {
    TransportError::Tls { address: address.clone(), problem }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Tls {}
