//! The access log: one line for each answer, at a target of its own and at the level `debug`, so that it is off unless it is
//! asked for. It has neither queries nor headers, in which secrets are.

use std::net::SocketAddr;

use hyper::body::Body;
use hyper::{Method, Request};
use tokio::time::Instant;
use tracing::Level;

use crate::http::response::Response;

/// What the line about an answer has of its request.
#[derive(Debug)]
pub(super) struct Access {
    remote: SocketAddr,
    method: Method,
    path: String,
    began: Instant,
}

/// The target of the lines. The documentation of [`http`](crate::http) names it.
const TARGET: &str = "hashloom::http::access";

impl Access {
    /// Notes a request; `None` if there is no access log.
    pub(super) fn new<B>(request: &Request<B>, remote: SocketAddr) -> Option<Self> {
        tracing::enabled!(target: TARGET, Level::DEBUG).then(|| Self {
            remote,
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            began: Instant::now(),
        })
    }

    /// Writes the line.
    pub(super) fn log(self, answer: &Response, id: &str) {
        let Self { remote, method, path, began } = self;
        // The server removes the body of an answer to `HEAD`.
        let bytes = if method == Method::HEAD { 0 } else { answer.body().size_hint().lower() };
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let status = answer.status().as_u16();
        // The path in quotes and escaped: it may have characters that control a terminal.
        tracing::debug!(target: TARGET, %remote, %method, ?path, status, bytes, micros, request_id = id, "answered");
    }
}
