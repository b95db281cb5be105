//! Responses: JSON in memory, cache control, and answers to conditional requests (RFC 9110, section 13, and
//! RFC 9111).

use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll};

use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::StatusCode;

use super::event_stream::EventStream;
use super::header::{lossy, text};

/// A response of this server.
pub(super) type Response = hyper::Response<ResponseBody>;

/// The body of a response.
#[derive(Debug)]
pub(super) enum ResponseBody {
    /// Bytes in memory.
    Full(Full<Bytes>),
    /// Events, for as long as the client reads them.
    Events(EventStream),
}

impl Default for ResponseBody {
    fn default() -> Self {
        Self::Full(Full::default())
    }
}

impl<B: Into<Bytes>> From<B> for ResponseBody {
    fn from(bytes: B) -> Self {
        Self::Full(Full::new(bytes.into()))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Full(body) => Pin::new(body).poll_frame(context),
            Self::Events(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(body) => body.is_end_stream(),
            Self::Events(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(body) => body.size_hint(),
            Self::Events(_) => SizeHint::default(),
        }
    }
}

/// A JSON response that must not be sniffed for another type nor, unless the caller changes that, cached.
pub(super) fn json_body(status: StatusCode, body: impl Into<Bytes>) -> Response {
    json_for(status, body, const { HeaderValue::from_static("no-store") })
}

/// A JSON response with this `Cache-Control`.
fn json_for(status: StatusCode, body: impl Into<Bytes>, cache_control: HeaderValue) -> Response {
    let mut response = Response::new(ResponseBody::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, const { HeaderValue::from_static("application/json") });
    headers.insert(CACHE_CONTROL, cache_control);
    headers.insert(X_CONTENT_TYPE_OPTIONS, const { HeaderValue::from_static("nosniff") });
    response
}

/// A response of plain text that must not be cached.
#[cfg(any(feature = "evidence", feature = "metrics"))]
pub(super) fn plain(status: StatusCode, text: String, media_type: &'static str) -> Response {
    of_type(json_body(status, text.into_bytes()), media_type)
}

/// Sets the media type of a body.
pub(super) fn of_type(mut response: Response, media_type: &'static str) -> Response {
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// A response without a body, after a successful request.
pub(super) fn no_content() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Sets a header. The value is ASCII without control characters, so it is always valid.
pub(super) fn with_header(
    mut response: Response,
    name: HeaderName,
    value: impl TryInto<HeaderValue>,
) -> Response {
    if let Ok(value) = value.try_into() {
        response.headers_mut().insert(name, value);
    }
    response
}

/// How long a response may be cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// Without limit: a block by its hash.
    Immutable,
    /// Until the chain changes: the cache revalidates at each use, and receives no body if nothing has
    /// changed.
    Revalidated,
}

impl Lifetime {
    const fn cache_control(self) -> HeaderValue {
        match self {
            // One year, the usual maximum; `immutable` is RFC 8246.
            Self::Immutable => const { HeaderValue::from_static("max-age=31536000, immutable") },
            Self::Revalidated => const { HeaderValue::from_static("no-cache") },
        }
    }
}

/// Makes an entity tag of printable ASCII without quotes and commas (RFC 9110, section 8.8.3).
#[expect(clippy::expect_used, reason = "every caller has printable ASCII")]
pub(super) fn entity_tag(text: &str) -> HeaderValue {
    HeaderValue::try_from(["\"", text, "\""].concat()).expect("printable ASCII")
}

/// A JSON response with an entity tag that identifies the bytes of the body, or a 304 if the client of the request has the tag.
pub(super) fn cacheable<B: Into<Bytes>, E>(
    request: &HeaderMap,
    tag: HeaderValue,
    lifetime: Lifetime,
    body: impl FnOnce() -> Result<B, E>,
) -> Result<Response, E> {
    let cache_control = lifetime.cache_control();
    let mut response = if text(request, &IF_NONE_MATCH).is_some_and(|known| is_known(&known, &lossy(&tag))) {
        let mut response = json_for(StatusCode::NOT_MODIFIED, Bytes::new(), cache_control);
        // A 304 has no body, and its `Content-Type` would replace the cached one.
        response.headers_mut().remove(CONTENT_TYPE);
        response
    } else {
        json_for(StatusCode::OK, body()?, cache_control)
    };
    response.headers_mut().insert(ETAG, tag);
    Ok(response)
}

/// Whether the tag is in an `If-None-Match`, by weak comparison (RFC 9110, section 13.1.2).
fn is_known(known: &str, tag: &str) -> bool {
    let mut tags = known.split(',').map(str::trim);
    known.trim() == "*" || tags.any(|text| text.strip_prefix("W/").unwrap_or(text) == tag)
}

#[cfg(test)]
mod tests {
    use super::is_known;
    use rstest::rstest;

    #[rstest]
    #[case("\"abc\"", true)]
    #[case(" W/\"abc\" ", true)]
    #[case("\"x\", \"abc\"", true)]
    #[case("\"x\",W/\"abc\",\"y\"", true)]
    #[case("*", true)]
    #[case("", false)]
    #[case("abc", false)]
    #[case("\"abc", false)]
    #[case("\"abcd\"", false)]
    #[case("w/\"abc\"", false)]
    #[case("\"*\"", false)]
    fn tags_are_compared_weakly(#[case] known: &str, #[case] expected: bool) {
        assert_eq!(is_known(known, "\"abc\""), expected);
    }
}
