//! One connection: its requests, one after the other, and its end.

use core::convert::Infallible;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::Poll;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::HOST;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Version};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use super::Handler;
use super::access::Access;
use super::rate::Rate;
use super::requests::{AnswerBody, Requests, Underway};
use super::stream::DeadlineStream;
use crate::http::config::HttpConfig;
use crate::http::edge::Edge;
use crate::http::error::{ApiError, Code};
use crate::http::guard;
use crate::http::response::{Response, ResponseBody};
use crate::transport::linger::linger;

/// What all connections of a server share.
pub(super) struct Service<H> {
    handler: H,
    config: HttpConfig,
    edge: Edge,
    rate: Option<Rate>,
    /// Whether the server has been told to stop.
    stopped: watch::Receiver<bool>,
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
    let service = &*service;
    let config = &service.config;
    let requests = Arc::new(Requests::new());
    let io = TokioIo::new(DeadlineStream::new(stream, config.write_timeout, Arc::clone(&requests)));
    let mut connection = http1::Builder::new()
        .max_buf_size(config.max_head_bytes.max(HttpConfig::MIN_HEAD_BYTES))
        .serve_connection(
            io,
            service_fn(|request| Box::pin(service.respond(request, remote, requests.begin()))),
        );
    let result = tokio::select! {
        // First, so that a head that is there is never too late.
        biased;
        result = poll_fn(|context| connection.poll_without_shutdown(context)) => Some(result),
        () = requests.overdue(config.head_timeout) => {
            tracing::debug!(%remote, "HTTP connection closed, because the head of a request took too long");
            return;
        }
        _ = stopped.wait_for(|stopped| *stopped) => None,
    };
    let result = match result {
        Some(result) => result,
        // hyper would wait for a first request; a connection without one can be closed at once.
        None if requests.is_new() => return,
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
    pub(super) fn new(handler: H, config: HttpConfig, edge: Edge, stopped: watch::Receiver<bool>) -> Self {
        let rate = config.requests_per_second.map(|limit| Rate::new(limit, config.request_burst));
        Self { handler, config, edge, rate, stopped }
    }

    async fn respond(
        &self,
        mut request: Request<Incoming>,
        remote: SocketAddr,
        underway: Underway,
    ) -> Result<hyper::Response<AnswerBody>, Infallible> {
        let access = Access::new(&request, remote);
        let visit = self.edge.enter(request.headers_mut());
        // Pinned before it is wrapped: a future is copied wherever it is moved, and this one is large.
        let answer = pin!(self.answer(request, remote)).instrument(visit.span()).await;
        let mut response = answer.unwrap_or_else(ApiError::into_response);
        if let Some(access) = access {
            access.log(&response, visit.id());
        }
        visit.leave(&mut response);
        Ok(response.map(|body| AnswerBody { body, _underway: underway }))
    }

    async fn answer(&self, request: Request<Incoming>, remote: SocketAddr) -> Result<Response, ApiError> {
        if let Some(rate) = &self.rate {
            rate.take(remote.ip(), Instant::now()).map_err(ApiError::too_many_requests)?;
        }
        check_host_count(&request)?;
        let (head, body) = request.into_parts();
        let bytes = if body.is_end_stream() { Bytes::new() } else { Box::pin(self.read(body)).await? };
        let mut request = Request::from_parts(head, bytes);
        guard::adopt_authority(&mut request);
        let answer = catch_panic(pin!(self.handler.answer(request, remote))).await;
        let mut response = answer.unwrap_or_else(|| {
            tracing::error!(%remote, "an HTTP handler panicked");
            Err(ApiError::new(Code::Internal, "the handler of this request failed"))
        })?;
        if let ResponseBody::Events(events) = response.body_mut() {
            events.end_with(self.stopped.clone());
        }
        let (got, limit) = (response.body().size_hint().lower(), self.config.max_response_bytes);
        if got > u64::try_from(limit).unwrap_or(u64::MAX) {
            tracing::error!(got, limit, "an HTTP answer is too large");
            return Err(ApiError::new(Code::Internal, format!("the answer has more than {limit} bytes")));
        }
        Ok(response)
    }

    async fn read(&self, body: Incoming) -> Result<Bytes, ApiError> {
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
}

/// The output of a future; `None` if it panics. The panic hook has printed the message.
async fn catch_panic<R>(mut future: Pin<&mut impl Future<Output = R>>) -> Option<R> {
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        polled.map_or(Poll::Ready(None), |poll| poll.map(Some))
    })
    .await
}

/// A request of HTTP/1.1 has exactly one `Host` (RFC 9112, section 3.2). With two, a check of one of them
/// could be bypassed by the other.
fn check_host_count(request: &Request<Incoming>) -> Result<(), ApiError> {
    let count = request.headers().get_all(HOST).iter().count();
    if count == 1 || (count == 0 && request.version() < Version::HTTP_11) {
        return Ok(());
    }
    Err(ApiError::new(Code::BadRequest, format!("{count} Host headers, expected one")))
}

/// How many bytes are read and discarded after the last answer, while the client still sends.
const MAX_LINGER_BYTES: usize = 1 << 20;
