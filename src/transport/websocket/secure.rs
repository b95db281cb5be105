//! Between the socket and WebSocket: encrypts a connection if the scheme of its address demands TLS. If the
//! ends disagree about TLS, both of them receive an error that says so.

use tungstenite::http::StatusCode;

use super::address::Endpoint;
use super::config::WebSocketConfig;
use super::socket::{Io, MAX_LINGER_BYTES, Socket};
use super::tls::Session;
use crate::protocol::PeerAddr;
use crate::transport::TransportError;
use crate::transport::linger::linger;

/// The first byte of a TLS connection: the record type of a handshake.
const TLS_HANDSHAKE: u8 = 22;

/// The answer to TLS at a port without TLS. A TLS client reports it as an error, and it is readable.
const NO_TLS_HERE: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// The answer to plain HTTP at a port with TLS (RFC 9110, section 15.5.22).
const ONLY_TLS_HERE: &[u8] =
    b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: TLS/1.3\r\nConnection: Upgrade, close\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 39\r\n\r\n\
    this port speaks TLS only: dial wss://\n";

/// A stream that is ready for the WebSocket handshake.
#[derive(Debug)]
pub(super) struct Secured {
    pub(super) stream: Box<dyn Io>,
    /// For an encrypted connection, the proofs that the ends exchange in the WebSocket handshake.
    pub(super) session: Option<Session>,
}

impl Secured {
    fn plain(socket: Box<dyn Socket>) -> Self {
        Self { stream: socket, session: None }
    }
}

/// The refusal of a dialer: the response to it and the error for the log.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) reason: &'static str,
    pub(super) error: TransportError,
}

/// The dialling side.
pub(super) async fn dial(
    address: &PeerAddr,
    endpoint: &Endpoint<'_>,
    socket: Box<dyn Socket>,
    config: &WebSocketConfig,
) -> Result<Secured, TransportError> {
    let Some(tls) = config.tls().filter(|_| endpoint.is_tls) else {
        return Ok(Secured::plain(socket));
    };
    let (stream, session) = tls.dial(address, endpoint.host, socket).await?;
    Ok(Secured { stream, session: Some(session) })
}

/// The listening side.
pub(super) async fn accept(
    remote: &PeerAddr,
    is_tls: bool,
    mut socket: Box<dyn Socket>,
    config: &WebSocketConfig,
) -> Result<Secured, TransportError> {
    let first = socket.first_byte().await.map_err(TransportError::Io)?;
    let speaks_tls = first == Some(TLS_HANDSHAKE);
    let Some(tls) = config.tls().filter(|_| is_tls) else {
        if speaks_tls {
            linger(socket, NO_TLS_HERE, MAX_LINGER_BYTES).await;
            return Err(TransportError::UnexpectedTls { address: remote.clone() });
        }
        return Ok(Secured::plain(socket));
    };
    if first.is_some() && !speaks_tls {
        linger(socket, ONLY_TLS_HERE, MAX_LINGER_BYTES).await;
        return Err(tls.not_spoken(remote));
    }
    let (stream, session) = tls.accept(remote, socket).await?;
    Ok(Secured { stream, session: Some(session) })
}
