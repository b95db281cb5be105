//! Why a request fails.

use core::time::Duration;
use std::io;

use crate::api::{ErrorBody, ErrorFields};

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
    /// The code of the error, for programs; `None` if the server is no node of this crate.
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
    /// The code of the error, for programs; `None` if the server is no node of this crate.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
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
