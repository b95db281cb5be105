//! The listening side: accepts TCP connections and runs their handshakes concurrently.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tungstenite::error::ProtocolError;
use tungstenite::handshake::server::{ErrorResponse, Request, Response, write_response};
use tungstenite::http::{HeaderMap, HeaderValue, StatusCode};

use super::address::Endpoint;
use super::admission::{Places, foreign_origin};
use super::codec::{Formats, SUBPROTOCOL_HEADER, listed_names, names};
use super::config::WebSocketConfig;
use super::connection::WsConnection;
use super::secure::{self, Refusal, Secured};
use super::socket::{Acceptor, MAX_LINGER_BYTES, Socket};
use super::stream::{self, WsStream};
use crate::primitives::Transaction;
use crate::protocol::PeerAddr;
use crate::transport::linger::linger;
use crate::transport::throttle::Throttle;
use crate::transport::{Connection, Listener, TransportError};

/// The pause after the operating system failed to accept a connection, usually because no file descriptors
/// are left: an immediate retry would only use CPU time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The number of log lines per minute about refused connections: enough to see the cause, too few to fill a
/// disk.
const REFUSED_LINES: u32 = 5;

/// Starts to listen for peers that speak one of the formats.
pub(super) async fn listen<T: Transaction>(
    address: &PeerAddr,
    formats: Formats<T>,
    config: WebSocketConfig,
) -> Result<Box<dyn Listener<T>>, TransportError> {
    let endpoint = Endpoint::parse(address, &config)?;
    if let Some(tls) = config.tls().filter(|_| endpoint.is_tls) {
        tls.check_identity(address)?;
    }
    let tcp = bind(address, &endpoint, &config).await?;
    let bound =
        tcp.local_addr().map_err(|source| TransportError::Bind { address: address.clone(), source })?;
    let (scheme, host) = (endpoint.scheme(), endpoint.written_host);
    let (address, is_tls) = (printable_addr(&format!("{scheme}{host}:{}", bound.port())), endpoint.is_tls);
    let places = Places::new(config.max_pending_handshakes, config.max_pending_handshakes_per_address);
    Ok(Box::new(WsListener {
        address,
        is_tls,
        tcp,
        formats,
        config,
        places,
        handshakes: JoinSet::new(),
        paused_until: None,
        refused: Throttle::per_minute(REFUSED_LINES),
        failed: Throttle::per_minute(1),
    }))
}

async fn bind(
    address: &PeerAddr,
    endpoint: &Endpoint<'_>,
    config: &WebSocketConfig,
) -> Result<Acceptor, TransportError> {
    let resolved = config.network.resolve(endpoint.host, endpoint.port).await;
    let resolved = resolved.map_err(|source| TransportError::Resolve { address: address.clone(), source })?;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for local in resolved {
        match config.network.bind(local).await {
            Ok(tcp) => return Ok(tcp),
            // The next address is not tried: `localhost` resolves to two addresses, and a second node on the
            // other one would seem to work until a peer dials it and reaches the first node.
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

/// The listener has no task of its own: it accepts while the caller awaits [`accept`](Listener::accept), and
/// further peers wait in the operating system's backlog. Handshakes run in tasks that end with the listener.
#[derive(Debug)]
struct WsListener<T: Transaction> {
    address: PeerAddr,
    is_tls: bool,
    tcp: Acceptor,
    formats: Formats<T>,
    config: WebSocketConfig,
    places: Places,
    handshakes: JoinSet<Result<WsConnection<T>, TransportError>>,
    paused_until: Option<Instant>,
    /// Throttles log lines about refused connections.
    refused: Throttle,
    /// Throttles log lines about connections that the operating system fails to accept.
    failed: Throttle,
}

#[async_trait]
impl<T: Transaction> Listener<T> for WsListener<T> {
    fn local_addr(&self) -> &PeerAddr {
        &self.address
    }

    async fn accept(&mut self) -> Result<Box<dyn Connection<T>>, TransportError> {
        loop {
            // In a fixed order, so that a simulation is repeatable.
            tokio::select! {
                biased;
                Some(finished) = self.handshakes.join_next() => match finished {
                    Ok(Ok(connection)) => return Ok(Box::new(connection)),
                    Ok(Err(error)) => {
                        if let Some(skipped) = self.refused.admit() {
                            tracing::info!(%error, skipped, "refused a connection");
                        }
                    }
                    // A newer handshake replaced this one.
                    Err(error) if error.is_cancelled() => {}
                    Err(error) => tracing::error!(%error, "a handshake panicked"),
                },
                accepted = accept_tcp(&self.tcp, self.paused_until) => match accepted {
                    Ok((socket, remote)) => self.start_handshake(socket, remote),
                    Err(error) => {
                        if let Some(skipped) = self.failed.admit() {
                            tracing::warn!(%error, skipped, address = %self.address, "cannot accept a connection");
                        }
                        self.paused_until = Some(Instant::now() + ACCEPT_PAUSE);
                    }
                },
            }
        }
    }
}

impl<T: Transaction> WsListener<T> {
    fn start_handshake(&mut self, socket: Box<dyn Socket>, remote: SocketAddr) {
        self.paused_until = None;
        let ip = remote.ip();
        let (formats, config) = (self.formats.clone(), self.config.clone());
        let is_tls = self.is_tls;
        let remote = printable_addr(&format!("{}://{remote}", if is_tls { "wss" } else { "ws" }));
        let handshake = self.handshakes.spawn(async move {
            let after = config.handshake_timeout;
            let upgraded = timeout(after, async {
                let secured = secure::accept(&remote, is_tls, socket, &config).await?;
                upgrade(&remote, secured, &formats, config).await
            });
            match upgraded.await {
                Ok(result) => result,
                Err(_) => Err(TransportError::Timeout { address: remote, step: "the handshake", after }),
            }
        });
        self.places.take(ip, handshake);
    }
}

async fn accept_tcp(
    tcp: &Acceptor,
    paused_until: Option<Instant>,
) -> io::Result<(Box<dyn Socket>, SocketAddr)> {
    if let Some(instant) = paused_until {
        sleep_until(instant).await;
    }
    tcp.accept().await
}

/// Answers a WebSocket handshake: with the first offered format that this node supports, or with a refusal
/// that lists the supported formats.
async fn upgrade<T: Transaction>(
    remote: &PeerAddr,
    secured: Secured,
    formats: &Formats<T>,
    config: WebSocketConfig,
) -> Result<WsConnection<T>, TransportError> {
    let Secured { mut stream, session } = secured;
    let mut offered = Vec::new();
    let mut chosen = None;
    let mut foreign = None;
    let mut refused = None;
    #[expect(clippy::result_large_err, reason = "the WebSocket library's signature")]
    let negotiate = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        foreign = foreign_origin(request.headers(), &config.allowed_origins);
        if foreign.is_some() {
            let reason = "this node does not talk to web pages of this origin\n";
            return Err(refusal(StatusCode::FORBIDDEN, reason.to_owned()));
        }
        if let Some(Err(refusal)) =
            session.as_ref().map(|session| session.check_request(remote, request.headers()))
        {
            let Refusal { status, reason, error } = *refusal;
            refused = Some(error);
            return Err(unwelcome(status, reason));
        }
        offered = listed_names(request.headers());
        chosen = offered.iter().find_map(|name| formats.iter().find(|format| format.subprotocol() == name));
        let Some(format) = chosen else {
            return Err(no_shared_format(&names(formats), &offered));
        };
        response.headers_mut().insert(SUBPROTOCOL_HEADER, HeaderValue::from_static(format.subprotocol()));
        if let Some(session) = &session {
            session.sign_answer(response.headers_mut());
        }
        Ok(response)
    };
    let upgraded = stream::accept(&mut stream, negotiate, &config).await;
    if let Some(origin) = foreign {
        return Err(TransportError::ForeignOrigin { address: remote.clone(), origin });
    }
    if let Some(error) = refused {
        return Err(error);
    }
    match (upgraded, chosen) {
        (Ok(()), Some(codec)) => {
            let stream = WsStream::accepted(stream, &config);
            Ok(WsConnection::new(remote.clone(), stream, codec.clone(), config))
        }
        (Ok(()) | Err(tungstenite::Error::Http(_)), None) => Err(TransportError::NoSharedFormat {
            address: remote.clone(),
            ours: names(formats),
            theirs: offered,
        }),
        (Err(source), _) => {
            if let Some(answer) = no_websocket(&source, config.http_hint.as_deref()) {
                linger(stream, &answer, MAX_LINGER_BYTES).await;
            }
            Err(TransportError::Handshake { address: remote.clone(), source: source.into() })
        }
    }
}

/// The answer to a request that is not a WebSocket handshake, usually of an HTTP client that mistakes the
/// port for one of HTTP (RFC 6455, sections 4.2.1, 4.2.2 and 4.4). `None` if the connection is lost.
fn no_websocket(error: &tungstenite::Error, http_hint: Option<&str>) -> Option<Vec<u8>> {
    let status = match error {
        tungstenite::Error::Io(_) | tungstenite::Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            return None;
        }
        tungstenite::Error::Protocol(
            ProtocolError::MissingConnectionUpgradeHeader
            | ProtocolError::MissingUpgradeWebSocketHeader
            | ProtocolError::MissingSecWebSocketVersionHeader,
        ) => StatusCode::UPGRADE_REQUIRED,
        _ => StatusCode::BAD_REQUEST,
    };
    let hint = http_hint.map(|hint| format!("; {hint}")).unwrap_or_default();
    let mut response = refusal(status, format!("this port is for peers, which speak WebSocket{hint}\n"));
    let headers = response.headers_mut();
    headers.insert("Sec-WebSocket-Version", HeaderValue::from_static("13"));
    if status == StatusCode::UPGRADE_REQUIRED {
        headers.insert("Upgrade", HeaderValue::from_static("websocket"));
        headers.insert("Connection", HeaderValue::from_static("Upgrade, close"));
    }
    let mut answer = Vec::new();
    // Writing to a vector does not fail, and the headers are text.
    write_response(&mut answer, &response).ok()?;
    answer.extend_from_slice(response.body().as_deref().unwrap_or_default().as_bytes());
    Some(answer)
}

/// Refuses a peer without a common format. A header lists this node's formats, so that a client does not have
/// to parse the text; `Sec-WebSocket-Version` works like that in the answer to an unknown version (RFC 6455,
/// section 4.4).
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

/// Refuses a peer that failed to authenticate. A status of 401 names the scheme by which the peer could
/// authenticate (RFC 9110, section 15.5.2).
fn unwelcome(status: StatusCode, reason: &str) -> ErrorResponse {
    let mut response = refusal(status, reason.to_owned());
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert("WWW-Authenticate", HeaderValue::from_static("Hashloom"));
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
