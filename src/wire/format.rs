//! The trait of wire formats, and their frames.

use core::fmt::Debug;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tungstenite::Utf8Bytes;

use super::error::{FrameKind, WireError};
use crate::primitives::Transaction;
use crate::protocol::{Message, MessageKind};

/// A wire format.
///
/// A format must decode every value that it encodes to an equal value, and must refuse a frame with trailing
/// bytes after the message. Its memory must stay proportional to the frame: a length field is only a claim
/// until the bytes have been read. A [`Hello`](Message::Hello) must fit into
/// [`limits::MAX_HELLO_BYTES`](crate::protocol::limits::MAX_HELLO_BYTES).
///
/// A custom format needs a name, [`encode`](Self::encode) and [`decode`](Self::decode). If it also implements
/// [`kind`](Self::kind), the limits of [`MessageKind::max_frame_bytes`] are enforced. The public test suites
/// `hashloom::testing::wire::suite` and `memory_suite` (feature `test-utils`) check these requirements.
pub trait WireFormat: Debug + Send + Sync + 'static {
    /// The name by which peers negotiate the format: a WebSocket subprotocol (RFC 6455, section 1.9). A
    /// different layout needs a different name.
    const SUBPROTOCOL: &'static str;

    /// Encodes a message.
    ///
    /// # Errors
    ///
    /// [`WireError::Encode`], for a value that the format cannot represent.
    fn encode<M: Serialize>(&self, message: &M) -> Result<Frame, WireError>;

    /// Decodes a message.
    ///
    /// # Errors
    ///
    /// [`WireError::FrameKind`] and [`WireError::Decode`].
    fn decode<M: DeserializeOwned>(&self, frame: &Frame) -> Result<M, WireError>;

    /// The kind of message that a frame claims to contain, by its first bytes alone. The size limit depends
    /// on the kind.
    ///
    /// Provided: `None`, for a format that cannot determine the kind before it has decoded the message. Then
    /// only the transport's limit applies.
    ///
    /// # Errors
    ///
    /// [`WireError::FrameKind`], and [`WireError::UnknownKind`] if the first bytes name no kind.
    fn kind(&self, frame: &Frame) -> Result<Option<MessageKind>, WireError> {
        let _ = frame;
        Ok(None)
    }

    /// Checks a frame against the limit of its kind, without decoding its content.
    ///
    /// # Errors
    ///
    /// [`WireError::OverLimit`], and those of [`kind`](Self::kind).
    fn check_size(&self, frame: &Frame) -> Result<(), WireError> {
        let Some(kind) = self.kind(frame)? else { return Ok(()) };
        let got = frame.as_bytes().len();
        match kind.max_frame_bytes() {
            Some(limit) if got > limit => Err(WireError::OverLimit { kind, got, limit }),
            _ => Ok(()),
        }
    }

    /// Decodes a message of a peer, after checking the limit of its kind.
    ///
    /// # Errors
    ///
    /// The errors of [`check_size`](Self::check_size), before any decoding, and those of
    /// [`decode`](Self::decode).
    fn decode_message<T: Transaction>(&self, frame: &Frame) -> Result<Message<T>, WireError> {
        self.check_size(frame)?;
        self.decode(frame)
    }
}

/// One encoded message. Cheap to clone: clones share their bytes. Create one from a `String` for a text
/// format, or from a `Vec<u8>` for a binary format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(pub(crate) Payload);

/// The WebSocket library's types, which are not part of the public API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    Text(Utf8Bytes),
    Binary(Bytes),
}

impl Frame {
    /// The text of a text frame, for the decoder of `format`.
    ///
    /// # Errors
    ///
    /// [`WireError::FrameKind`], for a binary frame.
    pub fn as_text(&self, format: &'static str) -> Result<&str, WireError> {
        match &self.0 {
            Payload::Text(text) => Ok(text),
            Payload::Binary(_) => Err(self.unexpected(format, FrameKind::Text)),
        }
    }

    /// The bytes of a binary frame, for the decoder of `format`.
    ///
    /// # Errors
    ///
    /// [`WireError::FrameKind`], for a text frame.
    pub fn as_binary(&self, format: &'static str) -> Result<&[u8], WireError> {
        match &self.0 {
            Payload::Binary(bytes) => Ok(bytes),
            Payload::Text(_) => Err(self.unexpected(format, FrameKind::Binary)),
        }
    }

    /// The bytes of a text frame or a binary frame.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Payload::Text(text) => text.as_bytes(),
            Payload::Binary(bytes) => bytes,
        }
    }

    /// Whether this is a text frame or a binary frame.
    pub const fn kind(&self) -> FrameKind {
        match &self.0 {
            Payload::Text(_) => FrameKind::Text,
            Payload::Binary(_) => FrameKind::Binary,
        }
    }

    const fn unexpected(&self, format: &'static str, expected: FrameKind) -> WireError {
        WireError::FrameKind { format, got: self.kind(), expected }
    }
}

impl From<String> for Frame {
    fn from(text: String) -> Self {
        Self(Payload::Text(text.into()))
    }
}

impl From<Vec<u8>> for Frame {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Payload::Binary(bytes.into()))
    }
}
