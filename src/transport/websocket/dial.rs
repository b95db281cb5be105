//! The dialling side of a handshake.

use core::net::SocketAddr;
use std::io;

use tokio::time::timeout;
use tungstenite::Error;
use tungstenite::client::IntoClientRequest;
use tungstenite::error::{ProtocolError, SubProtocolError};
use tungstenite::handshake::client::Request;
use tungstenite::http::{HeaderMap, HeaderValue, StatusCode, Uri};

use super::address::Endpoint;
use super::codec::{Formats, SUBPROTOCOL_HEADER, listed_names, names};
use super::config::WebSocketConfig;
use super::connection::WsConnection;
use super::secure::{self, Secured};
use super::socket::Socket;
use super::stream::WsStream;
use super::tls;
use crate::primitives::Transaction;
use crate::protocol::{PeerAddr, Reach};
use crate::transport::{Connection, TransportError};

/// How many network addresses of one host are tried.
const MAX_ATTEMPTS: usize = 8;

/// How many bytes of a refusal are kept for the log.
const MAX_REFUSAL_BYTES: usize = 512;

/// Connects and negotiates one of the formats.
pub(super) async fn dial<T: Transaction>(
    address: &PeerAddr,
    reach: Reach,
    formats: Formats<T>,
    config: &WebSocketConfig,
) -> Result<Box<dyn Connection<T>>, TransportError> {
    let (endpoint, uri) = Endpoint::of_peer(address, config)?;
    let request = request(address, uri, &names(&formats))?;
    let attempt = async {
        let socket = connect(address, &endpoint, reach, config).await?;
        let secured = secure::dial(address, &endpoint, socket, config).await?;
        upgrade(address, secured, request, &formats, config).await
    };
    timeout(config.handshake_timeout, attempt).await.unwrap_or_else(|_| {
        let (address, after) = (address.clone(), config.handshake_timeout);
        Err(TransportError::Timeout { address, step: "the handshake", after })
    })
}

fn request(address: &PeerAddr, uri: Uri, ours: &[String]) -> Result<Request, TransportError> {
    let failed =
        |source: Error| TransportError::Handshake { address: address.clone(), source: source.into() };
    let mut request = uri.into_client_request().map_err(failed)?;
    let offer = HeaderValue::from_str(&ours.join(", ")).map_err(|error| failed(error.into()))?;
    request.headers_mut().insert(SUBPROTOCOL_HEADER, offer);
    Ok(request)
}

/// Connects by TCP to the first permitted address of the host that answers.
async fn connect(
    address: &PeerAddr,
    endpoint: &Endpoint<'_>,
    reach: Reach,
    config: &WebSocketConfig,
) -> Result<Box<dyn Socket>, TransportError> {
    let resolved = config.network.resolve(endpoint.host, endpoint.port).await;
    let mut resolved =
        resolved.map_err(|source| TransportError::Resolve { address: address.clone(), source })?;
    let first = resolved.first().map(SocketAddr::ip);
    resolved.retain(|remote| reach.permits(remote.ip()));
    if let (Some(resolved), true) = (first, resolved.is_empty()) {
        return Err(TransportError::OutOfReach { address: address.clone(), resolved });
    }
    resolved.truncate(MAX_ATTEMPTS);
    // Each attempt gets an equal share of the time, so that an address that drops packets does not prevent
    // attempts at the others, and one share is reserved for the handshake.
    let share = config.handshake_timeout / u32::try_from(resolved.len() + 1).unwrap_or(u32::MAX);
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for remote in resolved {
        match timeout(share, config.network.connect(remote)).await {
            Ok(Ok(socket)) => return Ok(socket),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(TransportError::Connect { address: address.clone(), source: last })
}

async fn upgrade<T: Transaction>(
    address: &PeerAddr,
    secured: Secured,
    mut request: Request,
    formats: &Formats<T>,
    config: &WebSocketConfig,
) -> Result<Box<dyn Connection<T>>, TransportError> {
    let Secured { stream, session } = secured;
    if let Some(session) = &session {
        session.sign_request(request.headers_mut());
    }
    let refused = |theirs| no_shared_format(address, formats, theirs);
    let (stream, response) = match WsStream::dial(stream, request, config).await {
        Ok(upgraded) => upgraded,
        Err(Error::Http(response)) => {
            let theirs = listed_names(response.headers());
            if !theirs.is_empty() {
                return Err(refused(theirs));
            }
            if response.status() == StatusCode::UPGRADE_REQUIRED && asks_for_tls(response.headers()) {
                return Err(TransportError::TlsRequired { address: address.clone() });
            }
            return Err(TransportError::Refused {
                address: address.clone(),
                status: response.status().as_u16(),
                body: printable(response.body().as_deref().unwrap_or_default()),
            });
        }
        Err(Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(
            SubProtocolError::NoSubProtocol,
        ))) => {
            return Err(refused(Vec::new()));
        }
        Err(error) => return Err(failed_handshake(address, error)),
    };
    if let Some(session) = &session {
        session.check_answer(address, response.headers())?;
    }
    let chosen = listed_names(response.headers());
    let codec = formats.iter().find(|format| chosen.iter().any(|name| name == format.subprotocol()));
    let codec = codec.cloned().ok_or_else(|| refused(chosen))?;
    Ok(Box::new(WsConnection::new(address.clone(), stream, codec, config.clone())))
}

/// Whether a server asks for TLS, and not for another version of WebSocket.
fn asks_for_tls(headers: &HeaderMap) -> bool {
    headers.get_all("Upgrade").iter().any(|upgrade| upgrade.as_bytes().starts_with(b"TLS/"))
}

/// Converts an error of the handshake. A peer that requires certificates checks this node's certificate only
/// after this side has finished the TLS handshake, so a rejection appears here.
fn failed_handshake(address: &PeerAddr, error: Error) -> TransportError {
    let cause = if let Error::Io(error) = &error { tls::cause(address, error) } else { None };
    cause.unwrap_or_else(|| TransportError::Handshake { address: address.clone(), source: error.into() })
}

fn no_shared_format<T: Transaction>(
    address: &PeerAddr,
    formats: &Formats<T>,
    theirs: Vec<String>,
) -> TransportError {
    TransportError::NoSharedFormat { address: address.clone(), ours: names(formats), theirs }
}

/// The beginning of a server's response, made printable for the log.
fn printable(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(MAX_REFUSAL_BYTES)]);
    text.trim().replace(|c: char| c.is_control(), " ")
}
