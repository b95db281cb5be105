//! The server's side: accepts TCP connections and carries on their handshakes side by side.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, StatusCode};
use tokio_tungstenite::{accept_hdr_async_with_config, tungstenite};

use super::address::Endpoint;
use super::admission::{Places, foreign_origin};
use super::codec::{Formats, SUBPROTOCOL_HEADER, listed_names, names};
use super::config::WebSocketConfig;
use super::connection::{WsConnection, gated, limits};
use crate::primitives::Transaction;
use crate::protocol::PeerAddr;
use crate::transport::{Connection, Listener, TransportError};

/// The pause after the system refused to accept a connection, most often for want of file descriptors:
/// trying again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Starts to listen for peers that speak one of the formats.
pub(super) async fn listen<T: Transaction>(
    address: &PeerAddr,
    formats: Formats<T>,
    config: WebSocketConfig,
) -> Result<Box<dyn Listener<T>>, TransportError> {
    let endpoint = Endpoint::parse(address)?;
    let tcp = bind(address, &endpoint).await?;
    let bound =
        tcp.local_addr().map_err(|source| TransportError::Bind { address: address.clone(), source })?;
    let address = printable_addr(&format!("ws://{}:{}", endpoint.written_host, bound.port()));
    let places = Places::new(config.max_pending_handshakes_per_address);
    let handshakes = JoinSet::new();
    Ok(Box::new(WsListener { address, tcp, formats, config, places, handshakes, paused_until: None }))
}

async fn bind(address: &PeerAddr, endpoint: &Endpoint<'_>) -> Result<TcpListener, TransportError> {
    let resolved = lookup_host((endpoint.host, endpoint.port)).await;
    let resolved = resolved.map_err(|source| TransportError::Resolve { address: address.clone(), source })?;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for local in resolved {
        match TcpListener::bind(local).await {
            Ok(tcp) => return Ok(tcp),
            // Not the next one: `localhost` is two addresses, and a second node on the other would look fine
            // until a peer dials it and reaches the first.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Err(TransportError::AddressInUse { address: address.clone() });
            }
            Err(error) => last = error,
        }
    }
    Err(TransportError::Bind { address: address.clone(), source: last })
}

#[expect(clippy::expect_used, reason = "a parsed host or a socket address is printable and short")]
fn printable_addr(text: &str) -> PeerAddr {
    text.parse().expect("a valid address")
}

/// Has no task of its own: it accepts while somebody waits in [`accept`](Listener::accept), and the system's
/// queue holds further peers. Handshakes run in tasks that end with the listener.
#[derive(Debug)]
struct WsListener<T: Transaction> {
    address: PeerAddr,
    tcp: TcpListener,
    formats: Formats<T>,
    config: WebSocketConfig,
    places: Places,
    handshakes: JoinSet<Result<WsConnection<T>, TransportError>>,
    paused_until: Option<Instant>,
}

#[async_trait]
impl<T: Transaction> Listener<T> for WsListener<T> {
    fn local_addr(&self) -> &PeerAddr {
        &self.address
    }

    async fn accept(&mut self) -> Result<Box<dyn Connection<T>>, TransportError> {
        loop {
            let has_room = self.handshakes.len() < self.config.max_pending_handshakes.max(1);
            tokio::select! {
                Some(finished) = self.handshakes.join_next() => match finished {
                    Ok(Ok(connection)) => return Ok(Box::new(connection)),
                    Ok(Err(error)) => tracing::info!(%error, "refused a connection"),
                    Err(error) => tracing::error!(%error, "a handshake panicked"),
                },
                accepted = accept_tcp(&self.tcp, self.paused_until), if has_room => match accepted {
                    Ok((tcp, remote)) => self.start_handshake(tcp, remote),
                    Err(error) => {
                        tracing::warn!(%error, address = %self.address, "cannot accept a connection");
                        self.paused_until = Some(Instant::now() + ACCEPT_PAUSE);
                    }
                },
            }
        }
    }
}

impl<T: Transaction> WsListener<T> {
    fn start_handshake(&mut self, tcp: TcpStream, remote: SocketAddr) {
        self.paused_until = None;
        let Some(place) = self.places.take(remote.ip()) else {
            tracing::debug!(%remote, "too many handshakes with this address");
            return;
        };
        let (formats, config) = (self.formats.clone(), self.config.clone());
        let remote = printable_addr(&format!("ws://{remote}"));
        self.handshakes.spawn(async move {
            let after = config.handshake_timeout;
            let upgraded = timeout(after, upgrade(&remote, tcp, &formats, config)).await;
            drop(place);
            match upgraded {
                Ok(result) => result,
                Err(_) => Err(TransportError::Timeout { address: remote, step: "the handshake", after }),
            }
        });
    }
}

async fn accept_tcp(tcp: &TcpListener, paused_until: Option<Instant>) -> io::Result<(TcpStream, SocketAddr)> {
    if let Some(instant) = paused_until {
        sleep_until(instant).await;
    }
    tcp.accept().await
}

/// Answers a handshake: with the first format that the peer offers among ours, or with a refusal that says
/// what there would have been.
async fn upgrade<T: Transaction>(
    remote: &PeerAddr,
    tcp: TcpStream,
    formats: &Formats<T>,
    config: WebSocketConfig,
) -> Result<WsConnection<T>, TransportError> {
    tcp.set_nodelay(true).map_err(TransportError::Io)?;
    let mut offered = Vec::new();
    let mut chosen = None;
    let mut foreign = None;
    #[expect(clippy::result_large_err, reason = "the WebSocket library's signature")]
    let negotiate = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        foreign = foreign_origin(request.headers(), &config.allowed_origins);
        if foreign.is_some() {
            let reason = "this node does not talk to web pages of this origin\n";
            return Err(refusal(StatusCode::FORBIDDEN, reason.to_owned()));
        }
        offered = listed_names(request.headers());
        chosen = offered.iter().find_map(|name| formats.iter().find(|format| format.subprotocol() == name));
        let Some(format) = chosen else {
            return Err(no_shared_format(&names(formats), &offered));
        };
        response.headers_mut().insert(SUBPROTOCOL_HEADER, HeaderValue::from_static(format.subprotocol()));
        Ok(response)
    };
    let upgraded = accept_hdr_async_with_config(gated(tcp, &config), negotiate, Some(limits(&config))).await;
    if let Some(origin) = foreign {
        return Err(TransportError::ForeignOrigin { address: remote.clone(), origin });
    }
    match (upgraded, chosen) {
        (Ok(stream), Some(codec)) => Ok(WsConnection::new(remote.clone(), stream, codec.clone(), config)),
        (Ok(_) | Err(tungstenite::Error::Http(_)), None) => Err(TransportError::NoSharedFormat {
            address: remote.clone(),
            ours: names(formats),
            theirs: offered,
        }),
        (Err(source), _) => Err(TransportError::Handshake { address: remote.clone(), source: source.into() }),
    }
}

/// The names of our formats also go where a client finds them without reading the text, as
/// `Sec-WebSocket-Version` does in the answer to an unknown version (RFC 6455, section 4.4).
fn no_shared_format(ours: &[String], offered: &[String]) -> ErrorResponse {
    let offered = if offered.is_empty() { "none".to_owned() } else { offered.join(", ") };
    let ours = ours.join(", ");
    let body = format!("no wire format in common: this node speaks {ours}, you offered {offered}\n");
    let mut response = refusal(StatusCode::BAD_REQUEST, body);
    if let Ok(ours) = HeaderValue::from_str(&ours) {
        response.headers_mut().insert(SUBPROTOCOL_HEADER, ours);
    }
    response
}

fn refusal(status: StatusCode, body: String) -> ErrorResponse {
    let mut response = ErrorResponse::new(None);
    *response.status_mut() = status;
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert("Connection", HeaderValue::from_static("close"));
    headers.insert("Content-Type", HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert("Content-Length", body.len().into());
    *response.body_mut() = Some(body);
    response
}
