//! Between hyper's values and rouille's.

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

/// A rouille request with the whole body in memory.
pub(super) fn to_rouille(head: &Parts, body: Bytes, remote: SocketAddr) -> Request {
    let url = head.uri.path_and_query().map_or_else(|| head.uri.to_string(), ToString::to_string);
    // The authority of an absolute URI replaces the host: RFC 9112, section 3.2.2.
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

/// Reads the answer of a rouille handler to its end, so call it where blocking is allowed. Copies it: rouille has even
/// a body that is in memory behind a reader.
pub(super) fn read(response: Response, max_bytes: usize) -> Result<Answer, ApiError> {
    let Response { status_code, headers, data, upgrade } = response;
    if upgrade.is_some() {
        return Err(ApiError::new(Code::UpgradeUnsupported, "this server does not upgrade connections"));
    }
    let (reader, size) = data.into_reader_and_size();
    // The size is what the handler says. It is not believed, but where it is true, the body does not move as it grows.
    let mut body = Vec::with_capacity(size.unwrap_or(0).min(max_bytes));
    let beyond = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(beyond).read_to_end(&mut body).map_err(|error| {
        tracing::error!(%error, "an HTTP answer cannot be read");
        ApiError::new(Code::Internal, "the answer could not be read to its end")
    })?;
    Ok(Answer { status: status_code, headers, body })
}

/// The answer as hyper sends it. Moves the body.
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
        // Framing is the server's own business.
        if parsed_name != header::CONTENT_LENGTH && parsed_name != header::TRANSFER_ENCODING {
            response.headers_mut().append(parsed_name, parsed_value);
        }
    }
    Ok(response)
}

/// The bytes of an answer after which the connection ends, for where there is no request to answer yet.
pub(super) fn to_raw(Answer { status, headers, body }: Answer) -> Vec<u8> {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let mut head = vec![format!("HTTP/1.1 {status} {}", reason.unwrap_or_default())];
    head.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
    head.push(format!("Content-Length: {}", body.len()));
    head.push("Connection: close\r\n\r\n".to_owned());
    [head.join("\r\n").into_bytes(), body].concat()
}
