//! Conversions between the types of hyper and rouille.

use std::io::Read;
use std::net::SocketAddr;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::{StatusCode, header};
use rouille::{Request, Response};

use crate::http::answer::Answer;
use crate::http::error::{ApiError, Code};

/// Converts a request, whose body is in memory, to one of rouille.
pub(super) fn to_rouille(head: &Parts, body: Bytes, remote: SocketAddr) -> Request {
    let url = head.uri.path_and_query().map_or_else(|| head.uri.to_string(), ToString::to_string);
    // The authority of an absolute URI replaces the `Host` header (RFC 9112, section 3.2.2).
    let authority = head.uri.authority();
    let mut headers: Vec<(String, String)> = head
        .headers
        .iter()
        .filter(|(name, _)| authority.is_none() || *name != header::HOST)
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    if let Some(authority) = authority {
        headers.push((header::HOST.to_string(), authority.to_string()));
    }
    Request::fake_http_from(remote, head.method.as_str(), url, headers, body.into())
}

/// Reads the response of a rouille handler to its end, which may block. Copies the body, because rouille
/// wraps even a body in memory in a reader.
pub(super) fn read(response: Response, max_bytes: usize) -> Result<Answer, ApiError> {
    let Response { status_code, headers, data, upgrade } = response;
    if upgrade.is_some() {
        return Err(ApiError::new(Code::UpgradeUnsupported, "this server does not upgrade connections"));
    }
    let (reader, size) = data.into_reader_and_size();
    // The size is a claim of the handler, so it is limited; if it is right, the vector does not reallocate.
    let mut body = Vec::with_capacity(size.unwrap_or(0).min(max_bytes));
    let beyond = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(beyond).read_to_end(&mut body).map_err(|error| {
        tracing::error!(%error, "an HTTP answer cannot be read");
        ApiError::new(Code::Internal, "the answer could not be read to its end")
    })?;
    Ok(Answer { status: status_code, headers, body })
}

/// Converts an answer to a response of hyper. Moves the body.
pub(super) fn to_hyper(answer: Answer) -> Result<hyper::Response<Full<Bytes>>, ApiError> {
    let Answer { status, headers, body } = answer;
    let mut response = hyper::Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).map_err(|_| {
        tracing::error!(status, "an HTTP handler answered with an impossible status");
        ApiError::new(Code::Internal, "the answer has an impossible status")
    })?;
    for (name, value) in headers {
        let parsed = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()));
        let (Ok(parsed_name), Ok(parsed_value)) = parsed else {
            tracing::warn!(%name, ?value, "an HTTP handler set a header that cannot be sent");
            continue;
        };
        // The server itself sets the headers of framing.
        if parsed_name != header::CONTENT_LENGTH && parsed_name != header::TRANSFER_ENCODING {
            response.headers_mut().append(parsed_name, parsed_value);
        }
    }
    Ok(response)
}

/// Serializes an answer that ends the connection, for a connection without a request.
pub(super) fn to_raw(Answer { status, headers, body }: Answer) -> Vec<u8> {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let mut head = vec![format!("HTTP/1.1 {status} {}", reason.unwrap_or_default())];
    head.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
    head.push(format!("Content-Length: {}", body.len()));
    head.push("Connection: close\r\n\r\n".to_owned());
    [head.join("\r\n").into_bytes(), body].concat()
}
