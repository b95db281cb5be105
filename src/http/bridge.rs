//! Conversions between the types of rouille and those of the `http` crate.

use std::io::Read;
use std::net::SocketAddr;

use http_body_util::BodyExt;
use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::http::{StatusCode, Uri};
use hyper::{Method, Request};

use super::error::{ApiError, Code};
use super::guard;
use super::response::Response;
use super::routes::table;

/// Converts a request of rouille, and reads the body of a `POST` up to one byte beyond `max_body_bytes`.
pub(super) fn from_rouille(
    request: &rouille::Request,
    max_body_bytes: usize,
) -> Result<Request<Bytes>, ApiError> {
    let invalid = |error: &dyn core::fmt::Display| {
        ApiError::new(Code::BadRequest, format!("the request is not valid: {error}"))
    };
    let method = Method::from_bytes(request.method().as_bytes()).map_err(|error| invalid(&error))?;
    // No route has a path that is no URI.
    let uri = request.raw_url().parse::<Uri>().map_err(|_| table::not_found())?;
    let mut builder = Request::builder().method(method).uri(uri);
    for (name, value) in request.headers() {
        builder = builder.header(name, value);
    }
    let mut body = Vec::new();
    if request.method() == "POST"
        && let Some(data) = request.data()
    {
        data.take(beyond(max_body_bytes))
            .read_to_end(&mut body)
            .map_err(|error| ApiError::new(Code::BadRequest, format!("the body cannot be read: {error}")))?;
    }
    let mut request = builder.body(Bytes::from(body)).map_err(|error| invalid(&error))?;
    guard::check_authority_too(&mut request);
    Ok(request)
}

/// Converts a request to one of rouille.
pub(super) fn to_rouille(request: Request<Bytes>, remote: SocketAddr) -> rouille::Request {
    let (head, body) = request.into_parts();
    let url = head.uri.path_and_query().map_or_else(|| head.uri.to_string(), ToString::to_string);
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    rouille::Request::fake_http_from(remote, head.method.as_str(), url, headers, body.into())
}

/// Converts the response of a rouille handler. Reads the body to its end, which may block, and copies it,
/// because rouille wraps even a body in memory in a reader.
pub(super) fn read(response: rouille::Response, max_bytes: usize) -> Result<Response, ApiError> {
    let rouille::Response { status_code, headers, data, upgrade } = response;
    if upgrade.is_some() {
        return Err(ApiError::new(Code::UpgradeUnsupported, "this server does not upgrade connections"));
    }
    let (reader, size) = data.into_reader_and_size();
    // The size is a claim of the handler, so it is limited; if it is right, the vector does not reallocate.
    let mut body = Vec::with_capacity(size.unwrap_or(0).min(max_bytes));
    reader.take(beyond(max_bytes)).read_to_end(&mut body).map_err(|error| {
        tracing::error!(%error, "an HTTP answer cannot be read");
        ApiError::new(Code::Internal, "the answer could not be read to its end")
    })?;
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status_code).map_err(|_| {
        tracing::error!(status = status_code, "an HTTP handler answered with an impossible status");
        ApiError::new(Code::Internal, "the answer has an impossible status")
    })?;
    for (name, value) in headers {
        let parsed = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()));
        let (Ok(parsed_name), Ok(parsed_value)) = parsed else {
            tracing::warn!(%name, ?value, "an HTTP handler set a header that cannot be sent");
            continue;
        };
        // The server itself sets the headers of framing.
        if parsed_name != CONTENT_LENGTH && parsed_name != TRANSFER_ENCODING {
            response.headers_mut().append(parsed_name, parsed_value);
        }
    }
    Ok(response)
}

/// Converts a response to one of rouille.
pub(super) async fn into_rouille(response: Response) -> rouille::Response {
    let (head, body) = response.into_parts();
    let Ok(body) = body.collect().await;
    let headers = head.headers.iter().map(|(name, value)| {
        (name.to_string().into(), String::from_utf8_lossy(value.as_bytes()).into_owned().into())
    });
    rouille::Response {
        status_code: head.status.as_u16(),
        headers: headers.collect(),
        data: rouille::ResponseBody::from_data(body.to_bytes()),
        upgrade: None,
    }
}

/// How many bytes to read in order to notice that there are more than `limit`.
fn beyond(limit: usize) -> u64 {
    u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1)
}
