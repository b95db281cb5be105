//! Lets pages of listed origins use the API: the CORS protocol of <https://fetch.spec.whatwg.org/#http-cors-protocol>.

use hyper::Method;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap,
    HeaderValue, ORIGIN, VARY,
};

use super::origin::Origin;
use super::response::{Response, no_content, with_header};

/// The methods of all routes.
const METHODS: &str = "GET, HEAD, POST, DELETE";

/// What a page may send besides what every page may: the type of a JSON body, and the token.
const REQUEST_HEADERS: &str = "authorization, content-type";

/// What a page may read besides what every page may.
const RESPONSE_HEADERS: &str = "etag, link, location, retry-after, x-request-id, x-total-count";

/// For how many seconds the browser need not ask again.
const MAX_AGE: u64 = 600;

/// The origin of a request, if it is listed.
pub(super) fn listed(origins: &[Origin], headers: &HeaderMap) -> Option<HeaderValue> {
    if origins.is_empty() {
        return None;
    }
    let origin = headers.get(ORIGIN)?;
    origins.iter().any(|listed| listed.as_str().as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

/// Whether the browser asks if a page may send a request.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a preflight request from an origin that may change something. It is the same for all paths: the request
/// itself is told what is wrong with its path or its method, in a form that the page can read.
pub(super) fn preflight() -> Response {
    let response = with_header(no_content(), ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    let response = with_header(response, ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
    with_header(response, ACCESS_CONTROL_MAX_AGE, MAX_AGE)
}

/// Lets a page of a listed origin read an answer. Without `Access-Control-Allow-Credentials`: the API has no cookies.
pub(super) fn open(origin: HeaderValue, answer: &mut HeaderMap) {
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(RESPONSE_HEADERS));
}

/// Says to caches that an answer depends on the origin, also one to a request without it.
pub(super) fn vary(answer: &mut HeaderMap) {
    answer.append(VARY, HeaderValue::from_static("origin"));
}
