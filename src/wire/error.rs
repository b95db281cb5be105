//! The errors of encoding and decoding.

use core::error::Error;
use core::fmt;

use crate::protocol::{MessageKind, printable};

/// Why a message cannot be encoded, or a frame not decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The format cannot represent the message.
    #[error("cannot encode as {format}: {source}")]
    Encode {
        /// The format's subprotocol.
        format: &'static str,
        /// The error of the format's library.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The frame does not contain exactly one message.
    #[error("not a message in {format}: {source}")]
    Decode {
        /// The format's subprotocol.
        format: &'static str,
        /// The error of the format's library.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The format does not support the application's type, whatever its value. No peer is at fault.
    #[error("{format} cannot carry the application's transactions: {problem}")]
    UnsupportedType {
        /// The format's subprotocol.
        format: &'static str,
        /// What the format does not support, and the likely cause in the type.
        problem: String,
    },
    /// The format decodes its own encoding of the message to a different message.
    #[error("{format} does not keep the message: {problem}")]
    Changed {
        /// The format's subprotocol.
        format: &'static str,
        /// The likely cause.
        problem: String,
    },
    /// A text frame in a binary format, or a binary frame in a text format.
    #[error("{format} uses {expected} frames, got a {got} frame")]
    FrameKind {
        /// The format's subprotocol.
        format: &'static str,
        /// The kind of the received frame.
        got: FrameKind,
        /// The kind that the format uses.
        expected: FrameKind,
    },
    /// A text frame that is not UTF-8.
    #[error("a text frame is not UTF-8")]
    NotUtf8,
    /// The first bytes of the frame name no kind of message. The rest of the frame was not read.
    #[error("no kind of message in {format}: {got}")]
    UnknownKind {
        /// The format's subprotocol.
        format: &'static str,
        /// The bytes in place of the kind, made printable.
        got: String,
    },
    /// The frame exceeds the limit of its kind of message. The frame was not decoded.
    #[error("a {kind} has {got} bytes, at most {limit} are allowed")]
    OverLimit {
        /// The kind of message.
        kind: MessageKind,
        /// The size in bytes.
        got: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The frame exceeds the limit for any frame.
    #[error("a frame has {got} bytes, at most {limit} are allowed")]
    TooLarge {
        /// The size in bytes.
        got: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

/// The maximum length in bytes of a library's error text that is kept.
pub(super) const MAX_DETAIL_BYTES: usize = 256;

/// The maximum length in bytes of an unknown kind that is kept: more than the longest name of a kind.
const MAX_KIND_BYTES: usize = 24;

impl WireError {
    /// A [`Decode`](Self::Decode) with the error of a format's library, truncated and without control
    /// characters: libraries quote their input, which comes from the peer, and errors are logged.
    pub fn decode(format: &'static str, error: &impl fmt::Display) -> Self {
        Self::Decode { format, source: printable(&error.to_string(), MAX_DETAIL_BYTES).into() }
    }

    /// An [`UnknownKind`](Self::UnknownKind) with the bytes in place of the kind, made printable, because
    /// they come from the peer.
    pub fn unknown_kind(format: &'static str, got: &str) -> Self {
        Self::UnknownKind { format, got: printable(got, MAX_KIND_BYTES) }
    }
}

/// The two kinds of WebSocket frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

impl fmt::Display for FrameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Text => "text",
            Self::Binary => "binary",
        })
    }
}
