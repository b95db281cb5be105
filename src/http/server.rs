//! The server: accepts, counts and closes connections. Runs any rouille handler, and knows nothing of chains.

mod access;
mod connection;
mod rate;
mod requests;
mod slots;
mod stream;

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use hyper::Request;
use hyper::body::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time;

use super::bridge;
use super::config::HttpConfig;
use super::edge::Edge;
use super::error::{ApiError, Code, RETRY_AFTER_SECONDS};
use super::response::Response;
use super::threads::Threads;
use crate::transport::throttle::Throttle;
use connection::Service;
use slots::Slots;

/// Serves `routes`, which may be any rouille handler, on connections from `listener`.
///
/// The handler runs on tokio's blocking threads, one thread per request. A panic in the handler becomes a
/// 500. A response body is read to its end before it is sent; [`upgrade`](rouille::Response::upgrade) becomes
/// a 501. For the routes of a node, [`serve_node`](super::serve_node) is faster.
///
/// # Errors
///
/// The operating system's error if the listener has no local address.
///
/// # Panics
///
/// Outside a tokio runtime, and in one without its I/O and time drivers.
pub fn serve<F>(listener: TcpListener, routes: F, config: HttpConfig) -> io::Result<HttpServer>
where
    F: Fn(&rouille::Request) -> rouille::Response + Send + Sync + 'static,
{
    let state = Arc::new((routes, Threads::pool(&config)));
    let max_bytes = config.max_response_bytes;
    start(listener, config, Edge::new(Vec::new()), move |request, remote| {
        let state = Arc::clone(&state);
        async move {
            let permit = state.1.admit(request.method()).await?;
            let call = move || bridge::read(state.0(&bridge::to_rouille(request, remote)), max_bytes);
            permit.run(call).await
        }
    })
}

/// What answers the requests of a server: an async function.
trait Handler: Send + Sync + 'static {
    /// Answers one request from a client at this address. Must not block. The future is dropped when the
    /// connection ends.
    fn answer(
        &self,
        request: Request<Bytes>,
        remote: SocketAddr,
    ) -> impl Future<Output = Result<Response, ApiError>> + Send;
}

impl<H, F> Handler for H
where
    H: Fn(Request<Bytes>, SocketAddr) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response, ApiError>> + Send,
{
    fn answer(
        &self,
        request: Request<Bytes>,
        remote: SocketAddr,
    ) -> impl Future<Output = Result<Response, ApiError>> + Send {
        self(request, remote)
    }
}

/// Like [`serve`], for any [`Handler`].
pub(super) fn start<F>(
    listener: TcpListener,
    config: HttpConfig,
    edge: Edge,
    handler: impl Fn(Request<Bytes>, SocketAddr) -> F + Send + Sync + 'static,
) -> io::Result<HttpServer>
where
    F: Future<Output = Result<Response, ApiError>> + Send + 'static,
{
    let local_addr = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let acceptor = Acceptor {
        listener,
        slots: Slots::new(config.max_connections, config.max_connections_per_address),
        shutdown_timeout: config.shutdown_timeout,
        service: Arc::new(Service::new(handler, config, edge, stopped.clone())),
        stopped,
    };
    Ok(HttpServer { local_addr, stop, acceptor: tokio::spawn(acceptor.run()) })
}

/// A running server. Dropping it stops it at once and aborts the requests in progress;
/// [`shutdown`](Self::shutdown) lets them finish.
#[derive(Debug)]
#[must_use = "dropping the server stops it"]
pub struct HttpServer {
    local_addr: SocketAddr,
    stop: watch::Sender<bool>,
    acceptor: JoinHandle<()>,
}

impl HttpServer {
    /// The address at which the server listens. If port 0 was configured, the address has the port that was
    /// assigned.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Waits until the server has ended by itself, which happens only if its task panics.
    ///
    /// Cancel safe.
    pub async fn closed(&mut self) {
        if !self.acceptor.is_finished()
            && let Err(error) = (&mut self.acceptor).await
        {
            tracing::error!(%error, "the HTTP server ended early");
        }
    }

    /// Stops accepting, closes idle connections, and waits for the requests in progress, for at most
    /// [`HttpConfig::shutdown_timeout`]; then aborts the rest. A blocked handler keeps its thread until it
    /// returns, and its answer is discarded.
    ///
    /// Not cancel safe: dropping the future stops the server at once.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        self.closed().await;
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

/// The task of an [`HttpServer`]. It owns all connections, so they end with it.
struct Acceptor<H> {
    listener: TcpListener,
    slots: Slots,
    shutdown_timeout: Duration,
    service: Arc<Service<H>>,
    stopped: watch::Receiver<bool>,
}

impl<H: Handler> Acceptor<H> {
    async fn run(mut self) {
        let mut connections = JoinSet::new();
        let mut backoff = MIN_BACKOFF;
        let mut failed = Throttle::per_minute(1);
        let mut dateless = Throttle::per_minute(1);
        loop {
            let accepted = tokio::select! {
                // An error means that the server was dropped.
                _ = self.stopped.wait_for(|stopped| *stopped) => break,
                Some(_) = connections.join_next() => continue,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, remote)) => {
                    backoff = MIN_BACKOFF;
                    if has_date(now()) {
                        self.admit(stream, remote, &mut connections);
                        continue;
                    }
                    if let Some(skipped) = dateless.admit() {
                        tracing::error!(skipped, "no HTTP request is answered: {NO_DATE}");
                    }
                    turn_away(stream, &ApiError::new(Code::ClockBehind, NO_DATE));
                }
                Err(error) if is_about_one_connection(&error) => {}
                Err(error) => {
                    // No file descriptors or memory left: the connection stays in the operating system's
                    // backlog, so an immediate retry would spin.
                    if let Some(skipped) = failed.admit() {
                        tracing::warn!(%error, ?backoff, skipped, "cannot accept HTTP connections");
                    }
                    let _ = time::timeout(backoff, self.stopped.wait_for(|stopped| *stopped)).await;
                    backoff = (backoff * 2).min(MAX_BACKOFF);
                }
            }
        }
        drop(self.listener);
        let finished = async { while connections.join_next().await.is_some() {} };
        if time::timeout(self.shutdown_timeout, finished).await.is_err() {
            tracing::warn!(connections = connections.len(), "HTTP requests cut off by the shutdown");
        }
    }

    fn admit(&self, stream: TcpStream, remote: SocketAddr, connections: &mut JoinSet<()>) {
        let Some(slot) = self.slots.take(remote.ip()) else {
            tracing::debug!(%remote, "too many HTTP connections");
            turn_away(stream, &ApiError::new(Code::Busy, "too many connections"));
            return;
        };
        let service = Arc::clone(&self.service);
        let stopped = self.stopped.clone();
        connections.spawn(async move {
            connection::run(stream, remote, service, stopped).await;
            drop(slot);
        });
    }
}

/// Sends a 503 without reading a request, and closes the connection. The answer is sent only as far as the
/// socket buffer accepts it at once, so that no memory is held for an excess connection.
fn turn_away(stream: TcpStream, error: &ApiError) {
    let Ok(mut stream) = stream.into_std() else { return };
    let _ = io::Write::write_all(&mut stream, &raw(error));
    let _ = stream.shutdown(std::net::Shutdown::Write);
}

/// Serializes a 503 that ends the connection, without hyper, which would wait for a request.
fn raw(error: &ApiError) -> Vec<u8> {
    let body = error.to_json();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nRetry-After: {RETRY_AFTER_SECONDS}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body].concat()
}

#[expect(clippy::disallowed_methods, reason = "a server says the time of its answers")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Whether an answer can say this time (RFC 9110, section 5.6.7). hyper panics at any other.
fn has_date(time: SystemTime) -> bool {
    let years = Duration::from_secs(253_402_300_800);
    time.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|since_1970| since_1970 < years)
}

const NO_DATE: &str =
    "the clock of this machine is before 1970 or after 9999, which an answer cannot have as its date";

/// Whether the client closed its connection while it was in the backlog.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// The first pause after a failed accept; doubled after each further failure.
const MIN_BACKOFF: Duration = Duration::from_millis(10);
/// The longest pause after a failed accept.
const MAX_BACKOFF: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use hyper::http::StatusCode;
    use rstest::rstest;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::response::json_body;
    use super::*;

    #[rstest]
    #[case(SystemTime::UNIX_EPOCH - Duration::from_nanos(1), false)]
    #[case(SystemTime::UNIX_EPOCH, true)]
    #[case(SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800) - Duration::from_nanos(1), true)]
    #[case(SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800), false)]
    fn a_date_is_of_the_years_1970_to_9999(#[case] time: SystemTime, #[case] expected: bool) {
        assert_eq!(has_date(time), expected);
    }

    #[tokio::test]
    async fn what_is_at_hand_needs_no_place_and_keeps_to_the_limits() {
        let config = HttpConfig::default()
            .with_max_reads(0)
            .with_queue_timeout(Duration::from_millis(1))
            .with_max_response_bytes(9);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let threads = Arc::new(Threads::pool(&config));
        // Answers on the task, except for one path; panics for another.
        let server = start(listener, config, Edge::new(Vec::new()), move |request, _| {
            let threads = Arc::clone(&threads);
            Box::pin(async move {
                let path = request.uri().path().to_owned();
                match path.as_str() {
                    "/panic" => panic!("asked for"),
                    "/thread" => threads.admit(request.method()).await?.run(|| {}).await,
                    _ => {}
                }
                Ok(json_body(StatusCode::OK, path.into_bytes()))
            })
        });
        let server = server.unwrap();
        for (path, status, end) in [
            ("/at-once", 200, "\r\n\r\n/at-once"),
            ("/too-large", 500, "the answer has more than 9 bytes\"}}"),
            ("/panic", 500, "the handler of this request failed\"}}"),
            ("/thread", 503, "too many requests are under way\"}}"),
            ("/at-once", 200, "\r\n\r\n/at-once"),
        ] {
            let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.ends_with(end), "{answer}");
        }
    }
}
