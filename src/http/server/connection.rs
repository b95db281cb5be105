//! One connection: its requests, one after the other, and its end.

use core::convert::Infallible;
use core::future::poll_fn;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::HOST;
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use rouille::Request;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task;
use tokio::time::timeout;

use super::stream::DeadlineStream;
use super::{Handler, bridge};
use crate::http::answer::Answer;
use crate::http::client::Client;
use crate::http::config::HttpConfig;
use crate::http::error::{ApiError, Code};
use crate::transport::linger::linger;

type Response = hyper::Response<Full<Bytes>>;

/// The state that all connections of a server share.
#[derive(Debug)]
pub(super) struct Service<H> {
    handler: H,
    config: HttpConfig,
    reads: Arc<Semaphore>,
    writes: Arc<Semaphore>,
}

/// Serves a connection until either side ends it.
pub(super) async fn run<H: Handler>(
    stream: TcpStream,
    remote: SocketAddr,
    service: Arc<Service<H>>,
    mut stopped: watch::Receiver<bool>,
) {
    // A failure only adds latency.
    let _ = stream.set_nodelay(true);
    let config = &service.config;
    let io = TokioIo::new(DeadlineStream::new(stream, config.write_timeout));
    let asked = AtomicBool::new(false);
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(config.head_timeout.min(LONGEST_HEAD_TIMEOUT))
        .max_buf_size(config.max_head_bytes.max(HttpConfig::MIN_HEAD_BYTES))
        .serve_connection(
            io,
            service_fn(|request| {
                asked.store(true, Ordering::Relaxed);
                Box::pin(Arc::clone(&service).respond(request, remote))
            }),
        );
    let result = tokio::select! {
        result = poll_fn(|context| connection.poll_without_shutdown(context)) => Some(result),
        _ = stopped.wait_for(|stopped| *stopped) => None,
    };
    let result = match result {
        Some(result) => result,
        // hyper would wait for a first request; a connection without one can be closed at once.
        None if !asked.load(Ordering::Relaxed) => return,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|context| connection.poll_without_shutdown(context)).await
        }
    };
    match result {
        Err(error) if !error.is_parse() => tracing::debug!(%remote, %error, "HTTP connection failed"),
        _ => linger(connection.into_parts().io.into_inner().into_inner(), &[], MAX_LINGER_BYTES).await,
    }
}

impl<H: Handler> Service<H> {
    pub(super) fn new(handler: H, config: HttpConfig) -> Self {
        let places = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self { reads: places(config.max_reads), writes: places(config.max_writes), handler, config }
    }

    async fn respond(
        self: Arc<Self>,
        request: hyper::Request<Incoming>,
        remote: SocketAddr,
    ) -> Result<Response, Infallible> {
        let answer = self.answer(request, remote).await;
        Ok(answer.unwrap_or_else(|error| bridge::to_hyper(error.into_answer()).unwrap_or_default()))
    }

    async fn answer(
        self: Arc<Self>,
        request: hyper::Request<Incoming>,
        remote: SocketAddr,
    ) -> Result<Response, ApiError> {
        let (head, body) = request.into_parts();
        check_host_count(&head)?;
        let body = self.read(body).await?;
        let request = bridge::to_rouille(&head, body, remote);
        let at_once = catch_unwind(AssertUnwindSafe(|| self.handler.answer_at_once(&request)));
        match at_once.map_err(|_| failed(remote))? {
            Some(answer) => self.send(answer),
            None => self.answer_on_thread(&head.method, request, remote).await,
        }
    }

    async fn answer_on_thread(
        self: Arc<Self>,
        method: &Method,
        request: Request,
        remote: SocketAddr,
    ) -> Result<Response, ApiError> {
        let place = self.place(method).await?;
        // Dropped with this future, which hyper drops when the connection ends.
        let (_guard, client) = Client::new();
        let handling = task::spawn_blocking(move || {
            // Moved to the thread, because the thread may outlive the connection.
            let _place = place;
            if client.is_gone() {
                return Err(ApiError::client_gone());
            }
            self.send(self.handler.answer(&request, &client, self.config.max_response_bytes)?)
        });
        handling.await.unwrap_or_else(|_| Err(failed(remote)))
    }

    fn send(&self, answer: Answer) -> Result<Response, ApiError> {
        let (got, limit) = (answer.body.len(), self.config.max_response_bytes);
        if got > limit {
            tracing::error!(got, limit, "an HTTP answer is too large");
            return Err(ApiError::new(Code::Internal, format!("the answer has more than {limit} bytes")));
        }
        bridge::to_hyper(answer)
    }

    async fn read(&self, body: Incoming) -> Result<Bytes, ApiError> {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let limit = self.config.max_body_bytes;
        // A body whose announced length exceeds the limit is refused before it is read or memory is
        // allocated.
        if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
            return Err(ApiError::body_too_large(limit));
        }
        match timeout(self.config.body_timeout, Limited::new(body, limit).collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::body_too_large(limit)),
            Ok(Err(error)) => Err(ApiError::new(Code::BadRequest, format!("the body is broken: {error}"))),
            Err(_) => {
                let limit = self.config.body_timeout;
                Err(ApiError::new(Code::RequestTimeout, format!("the body took longer than {limit:?}")))
            }
        }
    }

    /// Waits for a permit to run a request on a thread.
    async fn place(&self, method: &Method) -> Result<OwnedSemaphorePermit, ApiError> {
        let places = if matches!(*method, Method::GET | Method::HEAD) { &self.reads } else { &self.writes };
        match timeout(self.config.queue_timeout, Arc::clone(places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(ApiError::new(Code::Busy, "too many requests are under way")),
        }
    }
}

/// The answer to a request whose handler panicked. The panic hook has printed the message.
fn failed(remote: SocketAddr) -> ApiError {
    tracing::error!(%remote, "an HTTP handler panicked");
    ApiError::new(Code::Internal, "the handler of this request failed")
}

/// A request of HTTP/1.1 has exactly one `Host` (RFC 9112, section 3.2). With two, a check of one of them
/// could be bypassed by the other.
fn check_host_count(head: &Parts) -> Result<(), ApiError> {
    let count = head.headers.get_all(HOST).iter().count();
    if count == 1 || (count == 0 && head.version < Version::HTTP_11) {
        return Ok(());
    }
    Err(ApiError::new(Code::BadRequest, format!("{count} Host headers, expected one")))
}

/// The upper limit of [`HttpConfig::head_timeout`]: hyper adds the timeout to the current time, and the sum
/// must not overflow.
const LONGEST_HEAD_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// How many bytes are read and discarded after the last answer, while the client still sends.
const MAX_LINGER_BYTES: usize = 1 << 20;
