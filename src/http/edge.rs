//! What every answer has, also one that no route has written: an id that is in the log lines about its request, and
//! what lets a page of a listed origin read it.

use core::sync::atomic::{AtomicU64, Ordering};

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tracing::Span;

use super::cors;
use super::origin::Origin;
use super::response::Response;

/// The id of a request.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over from a client, in bytes.
const MAX_ID_LEN: usize = 64;

/// What the requests of a server, or of a handler, have in common.
#[derive(Debug)]
pub(super) struct Edge {
    origins: Vec<Origin>,
    /// The first part of all ids, which keeps those of one start apart from those of another.
    start: String,
    /// The number of ids that were made.
    ids: AtomicU64,
}

/// What the answer to one request needs to know of it.
#[derive(Debug)]
pub(super) struct Visit {
    id: HeaderValue,
    /// The origin of the request, if it is listed.
    origin: Option<HeaderValue>,
    /// Whether any origin is listed.
    varies: bool,
}

impl Edge {
    pub(super) fn new(origins: Vec<Origin>) -> Self {
        Self { origins, start: format!("{:08x}-", fastrand::u32(..)), ids: AtomicU64::new(0) }
    }

    /// Gives a request with these headers an id, unless its client or a server in front of this one has done so.
    pub(super) fn enter(&self, headers: &mut HeaderMap) -> Visit {
        let id = given_id(headers).unwrap_or_else(|| {
            let id = self.new_id();
            // A handler that is asked next takes over this id.
            headers.insert(X_REQUEST_ID, id.clone());
            id
        });
        Visit { id, origin: cors::listed(&self.origins, headers), varies: !self.origins.is_empty() }
    }

    fn new_id(&self) -> HeaderValue {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        let id = HeaderValue::try_from([&self.start, &*number.to_string()].concat());
        id.unwrap_or(HeaderValue::from_static("none"))
    }
}

impl Visit {
    /// The span in which the log lines about the request are. At the highest level, so that a warning has it, too.
    pub(super) fn span(&self) -> Span {
        tracing::error_span!("request", id = self.id())
    }

    pub(super) fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    /// Completes the answer.
    pub(super) fn leave(self, answer: &mut Response) {
        let headers = answer.headers_mut();
        headers.insert(X_REQUEST_ID, self.id);
        if self.varies {
            cors::vary(headers);
        }
        if let Some(origin) = self.origin {
            cors::open(origin, headers);
        }
    }
}

/// The id that the client of a request has chosen, if it is short and cannot be mistaken for another part of a log line.
fn given_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut given = headers.get_all(X_REQUEST_ID).iter();
    let (Some(id), None) = (given.next(), given.next()) else { return None };
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let bytes = id.as_bytes();
    ((1..=MAX_ID_LEN).contains(&bytes.len()) && bytes.iter().all(is_plain)).then(|| id.clone())
}
