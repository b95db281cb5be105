//! Why a message does not become a frame or a frame a message.

use core::error::Error;
use core::fmt;

use crate::protocol::{MessageKind, printable};

/// What is wrong between a message and its frame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The format cannot express the message.
    #[error("cannot encode as {format}: {source}")]
    Encode {
        /// The format's subprotocol.
        format: &'static str,
        /// What the format's library says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The frame holds no message, or more than one.
    #[error("not a message in {format}: {source}")]
    Decode {
        /// The format's subprotocol.
        format: &'static str,
        /// What the format's library says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The format cannot write or read the application's type, whatever its value. No peer is at fault.
    #[error("{format} cannot carry the application's transactions: {problem}")]
    UnsupportedType {
        /// The format's subprotocol.
        format: &'static str,
        /// What the format cannot do, and what in the type is likely to be the cause.
        problem: String,
    },
    /// The format writes the message and reads something else.
    #[error("{format} does not keep the message: {problem}")]
    Changed {
        /// The format's subprotocol.
        format: &'static str,
        /// What is likely to be the cause.
        problem: String,
    },
    /// A text frame where the format has binary ones, or the other way round.
    #[error("{format} uses {expected} frames, got a {got} frame")]
    FrameKind {
        /// The format's subprotocol.
        format: &'static str,
        /// The kind that arrived.
        got: FrameKind,
        /// The kind that the format uses.
        expected: FrameKind,
    },
    /// A text frame that is not UTF-8.
    #[error("a text frame is not UTF-8")]
    NotUtf8,
    /// The frame begins as no message does. The rest of it was not looked at.
    #[error("no kind of message in {format}: {got}")]
    UnknownKind {
        /// The format's subprotocol.
        format: &'static str,
        /// What stands where the kind belongs.
        got: String,
    },
    /// More bytes than a message of this kind may have. It was not parsed.
    #[error("a {kind} has {got} bytes, at most {limit} are allowed")]
    OverLimit {
        /// The kind of message.
        kind: MessageKind,
        /// The size in bytes.
        got: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// More bytes than one frame may have.
    #[error("a frame has {got} bytes, at most {limit} are allowed")]
    TooLarge {
        /// The size in bytes.
        got: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

/// The most bytes of a library's message that an error keeps.
pub(super) const MAX_DETAIL_BYTES: usize = 256;

/// How much is shown of what stands where a kind belongs: more than the longest name has.
const MAX_KIND_BYTES: usize = 24;

impl WireError {
    /// A [`Decode`](Self::Decode) with what a format's library says, cut and without control characters:
    /// libraries quote what they read, which is the peer's text, and errors end up in logs.
    pub fn decode(format: &'static str, error: &impl fmt::Display) -> Self {
        Self::Decode { format, source: printable(&error.to_string(), MAX_DETAIL_BYTES).into() }
    }

    /// An [`UnknownKind`](Self::UnknownKind) with what stands where the kind belongs, which is the peer's text too.
    pub fn unknown_kind(format: &'static str, got: &str) -> Self {
        Self::UnknownKind { format, got: printable(got, MAX_KIND_BYTES) }
    }
}

/// The two kinds of frames that WebSocket has.
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
