//! The server: accepts connections, counts them, stops. Runs any rouille handler; knows nothing of chains.

mod bridge;
mod connection;
mod slots;
mod stream;

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rouille::{Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time;

use super::answer::Answer;
use super::client::Client;
use super::config::HttpConfig;
use super::error::{ApiError, Code};
use crate::transport::throttle::Throttle;
use connection::Service;
use slots::Slots;

/// Serves `routes`, which may be any rouille handler, on connections from `listener`.
///
/// The handler runs on tokio's blocking threads, every request on one. A panic in it becomes a 500. The body of an
/// answer is read to its end before it is sent; [`Response::upgrade`] becomes a 501. For the routes of a node alone,
/// [`serve_node`](super::serve_node) is faster.
///
/// # Errors
///
/// What the operating system says where the listener has no local address.
///
/// # Panics
///
/// Outside of a tokio runtime with its I/O and time drivers.
pub fn serve<F>(listener: TcpListener, routes: F, config: HttpConfig) -> io::Result<HttpServer>
where
    F: Fn(&Request) -> Response + Send + Sync + 'static,
{
    start(listener, Rouille(routes), config)
}

/// What a server runs.
pub(super) trait Handler: Send + Sync + 'static {
    /// The answer, if it is at hand. Asked first, on the task of the connection, where nothing may wait: `None` is
    /// the answer of whoever would have to.
    fn answer_at_once(&self, request: &Request) -> Option<Answer>;

    /// The answer, whatever it takes. Asked on a thread that may block; what takes long ends early if the client is
    /// gone.
    ///
    /// # Errors
    ///
    /// [`ApiError`], where there is none, or none with at most `max_bytes` of body.
    fn answer(&self, request: &Request, client: &Client, max_bytes: usize) -> Result<Answer, ApiError>;
}

/// A handler of which nothing is known.
struct Rouille<F>(F);

impl<F> Handler for Rouille<F>
where
    F: Fn(&Request) -> Response + Send + Sync + 'static,
{
    fn answer_at_once(&self, _: &Request) -> Option<Answer> {
        None
    }

    fn answer(&self, request: &Request, _: &Client, max_bytes: usize) -> Result<Answer, ApiError> {
        bridge::read(self.0(request), max_bytes)
    }
}

/// Serves any handler; otherwise as [`serve`].
pub(super) fn start<H: Handler>(
    listener: TcpListener,
    handler: H,
    config: HttpConfig,
) -> io::Result<HttpServer> {
    let local_addr = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let acceptor = Acceptor {
        listener,
        slots: Slots::new(config.max_connections, config.max_connections_per_address),
        shutdown_timeout: config.shutdown_timeout,
        service: Arc::new(Service::new(handler, config)),
        stopped,
    };
    Ok(HttpServer { local_addr, stop, acceptor: tokio::spawn(acceptor.run()) })
}

/// A running server. Dropping it stops it at once and cuts off the requests under way;
/// [`shutdown`](Self::shutdown) lets them finish.
#[derive(Debug)]
#[must_use = "dropping the server stops it"]
pub struct HttpServer {
    local_addr: SocketAddr,
    stop: watch::Sender<bool>,
    acceptor: JoinHandle<()>,
}

impl HttpServer {
    /// The address that the server listens on, with the port that the system chose where 0 was asked for.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Waits until the server has ended by itself, which it only does when something in it panics.
    ///
    /// Cancel safe.
    pub async fn closed(&mut self) {
        if !self.acceptor.is_finished()
            && let Err(error) = (&mut self.acceptor).await
        {
            tracing::error!(%error, "the HTTP server ended early");
        }
    }

    /// Stops accepting, closes idle connections, and waits for the requests under way, for at most
    /// [`HttpConfig::shutdown_timeout`]; then cuts off what is left. A handler that blocks goes on with its
    /// thread until it returns, but nobody hears its answer.
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

/// The task behind an [`HttpServer`]. Owns every connection, so its end is theirs.
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
                    self.admit(stream, remote, &mut connections);
                }
                Err(error) if is_about_one_connection(&error) => {}
                Err(error) => {
                    // Out of file descriptors or memory: the connection stays in the queue of the system, so
                    // trying again at once would spin.
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
            turn_away(stream);
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

/// Answers 503 without waiting for a request, and closes. As far as the socket takes it at once: nothing is
/// kept for a connection that has no place.
fn turn_away(stream: TcpStream) {
    let Ok(mut stream) = stream.into_std() else { return };
    let error = ApiError::new(Code::Busy, "too many connections");
    let answer = bridge::to_raw(error.into_answer());
    let _ = io::Write::write_all(&mut stream, &answer);
    let _ = stream.shutdown(std::net::Shutdown::Write);
}

/// The client gave up while its connection was in the queue.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// The first pause after a failure to accept; doubles with each further one.
const MIN_BACKOFF: Duration = Duration::from_millis(10);
/// The longest pause between attempts to accept.
const MAX_BACKOFF: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Has its answers at hand, except for one path; panics on another.
    struct AtHand;

    impl Handler for AtHand {
        fn answer_at_once(&self, request: &Request) -> Option<Answer> {
            match request.raw_url() {
                "/panic" => panic!("asked for"),
                "/thread" => None,
                url => Some(Answer::json(200, url.as_bytes().to_vec())),
            }
        }

        fn answer(&self, _: &Request, _: &Client, _: usize) -> Result<Answer, ApiError> {
            Ok(Answer::json(200, b"on a thread".to_vec()))
        }
    }

    #[tokio::test]
    async fn what_is_at_hand_needs_no_place_and_keeps_to_the_limits() {
        let config = HttpConfig::default()
            .with_max_reads(0)
            .with_queue_timeout(Duration::from_millis(1))
            .with_max_response_bytes(9);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = start(listener, AtHand, config).unwrap();
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
