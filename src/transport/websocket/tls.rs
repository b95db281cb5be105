//! TLS for `wss://`: who this node is, whom it trusts, and whom it lets in. Decides about connections, and knows
//! neither WebSocket nor what is said over it.

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

use super::socket::{Io, Socket, part_with};
use crate::protocol::{HostError, PeerAddr};
use crate::transport::{AddressProblem, TransportError};

/// How a node speaks TLS with its peers. Cheap to clone; two are equal when one is a clone of the other.
///
/// Only TLS 1.3 is spoken, and no session is ever resumed, so that every connection is checked in full.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Settings>);

#[derive(Debug)]
struct Settings {
    /// Where there is no identity, nobody can be served.
    server: Option<Arc<ServerConfig>>,
    client: Arc<ClientConfig>,
    /// Whether peers have to show a certificate of their own.
    asks_for_certificates: bool,
    /// The only certificates that peers may have; any where this is empty.
    allowed: Vec<Fingerprint>,
    secret: Option<Secret>,
}

impl Tls {
    /// Starts from nothing: no identity, nobody trusted.
    pub fn builder() -> TlsBuilder {
        TlsBuilder::default()
    }

    /// Whether peers have to be known: by a certificate of their own or by a secret. Such a node neither dials nor
    /// serves `ws://`, over which nobody could prove anything.
    pub fn is_closed(&self) -> bool {
        self.0.asks_for_certificates || self.0.secret.is_some()
    }

    /// Whether there is a certificate and a key to serve peers with.
    pub(super) fn check_identity(&self, address: &PeerAddr) -> Result<(), TransportError> {
        if self.0.server.is_some() { Ok(()) } else { Err(failed(address, TlsProblem::NoIdentity)) }
    }

    /// What is wrong with a peer that speaks something else.
    #[expect(clippy::unused_self, reason = "said only where there is TLS")]
    pub(super) fn not_spoken(&self, remote: &PeerAddr) -> TransportError {
        failed(remote, TlsProblem::NotTls)
    }

    /// The client's side of a handshake.
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

    /// The server's side of a handshake. A peer whose certificate is good and not allowed gets its session all the
    /// same, so that it can be told.
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
                // What it is told is written already; it may have said more than was read.
                part_with(socket, &[]).await;
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

/// What TLS has against a peer, where it is TLS that an operation failed for.
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
