//! Why a request fails.

use core::time::Duration;
use std::io;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};

use crate::api::{ErrorBody, ErrorCode, ErrorFields};

/// Why a request fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The host has no address, or no connection to it can be opened.
    #[error("cannot connect to {host}: {error}")]
    Connect {
        /// The host and the port.
        host: String,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The answer is not complete in time.
    #[error("no answer from {host} within {limit:?}")]
    Timeout {
        /// The host and the port.
        host: String,
        /// The limit.
        limit: Duration,
    },
    /// The connection broke, or the answer is not HTTP.
    #[error("the exchange with {host} failed: {error}")]
    Http {
        /// The host and the port.
        host: String,
        /// Why.
        #[source]
        error: hyper::Error,
    },
    /// The body of the answer exceeds the limit.
    #[error("an answer of more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The value to post has no JSON form.
    #[error("the request cannot be written: {0}")]
    Request(#[source] serde_json::Error),
    /// The path of the request has characters that a path may not have.
    #[error("{path:?} is not a path")]
    Path {
        /// The path.
        path: String,
    },
    /// The server refuses the request.
    #[error(transparent)]
    Refused(#[from] ApiError),
    /// The body of the answer is not what was asked for.
    #[error("the answer is not what was asked for: {problem}")]
    Unexpected {
        /// What is wrong with it.
        problem: String,
    },
}

/// The answer to a request that a server refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("status {status}: {message}")]
#[non_exhaustive]
pub struct ApiError {
    /// The status of HTTP.
    pub status: u16,
    /// The code of the error, as the server wrote it; `None` if the server is no node of this crate.
    pub code: Option<String>,
    /// The message of a node, for people, or the begin of the body.
    pub message: String,
}

/// A text is not a token that a header can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token is empty or has a character that a header cannot have")]
#[non_exhaustive]
pub struct TokenError;

/// The most characters of a body that is not an error of a node and is shown as a message.
const MAX_MESSAGE_CHARS: usize = 200;

impl ApiError {
    /// The code of the error; `None` if there is none, or one that this version of the crate does not know.
    pub fn code(&self) -> Option<ErrorCode> {
        let text: StrDeserializer<'_, ValueError> = self.code.as_deref()?.into_deserializer();
        ErrorCode::deserialize(text).ok()
    }

    pub(super) fn of(status: u16, body: &[u8]) -> Self {
        if let Ok(ErrorBody { error: ErrorFields { code, message } }) = serde_json::from_slice(body) {
            return Self { status, code: Some(code), message };
        }
        let text = String::from_utf8_lossy(body);
        let message = text.trim().chars().take(MAX_MESSAGE_CHARS);
        let message = message.map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self { status, code: None, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_a_newer_node_stays_a_text() {
        let of = |code: &str| {
            ApiError::of(503, format!(r#"{{"error": {{"code": "{code}", "message": "no"}}}}"#).as_bytes())
        };
        let (known, newer) = (of("store_failed"), of("out_of_tea"));
        assert_eq!(
            (known.code(), known.code.as_deref()),
            (Some(ErrorCode::StoreFailed), Some("store_failed"))
        );
        assert_eq!((newer.code(), newer.code.as_deref()), (None, Some("out_of_tea")));
        let other = ApiError::of(502, b"Bad\nGateway");
        assert_eq!((other.code(), other.code, &*other.message), (None, None, "Bad Gateway"));
    }
}
