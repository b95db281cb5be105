//! The trait that a wire format implements, and the frames that it deals in.

use core::fmt::Debug;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::error::{FrameKind, WireError};
use crate::primitives::Transaction;
use crate::protocol::{Message, MessageKind, limits};

/// A wire format.
///
/// Whatever it encodes it must decode to an equal value, and it must refuse a frame that holds anything after
/// the message. It may not take memory out of proportion to the frame: a length inside is a claim until the
/// bytes are there. A [`Hello`](Message::Hello) has to fit into [`limits::MAX_HELLO_BYTES`].
///
/// A format of your own needs a name, [`encode`](Self::encode) and [`decode`](Self::decode). One that also tells the
/// [`kind`](Self::kind) of a frame holds peers to the limits of [`limits::max_frame_bytes`]. The public suites
/// `hashloom::testing::wire::suite` and `memory_suite` (feature `test-utils`) check all of that.
pub trait WireFormat: Debug + Send + Sync + 'static {
    /// The name under which peers agree on the format: a WebSocket subprotocol (RFC 6455, section 1.9). Another
    /// layout needs another name.
    const SUBPROTOCOL: &'static str;

    /// Writes a message.
    ///
    /// # Errors
    ///
    /// [`WireError::Encode`], for a value that the format cannot express.
    fn encode<M: Serialize>(&self, message: &M) -> Result<Frame, WireError>;

    /// Reads a message.
    ///
    /// # Errors
    ///
    /// [`WireError::FrameKind`] and [`WireError::Decode`].
    fn decode<M: DeserializeOwned>(&self, frame: &Frame) -> Result<M, WireError>;

    /// The kind of message that a frame claims to hold, by its first bytes alone: what it may cost depends on that.
    ///
    /// Provided: `None`, which says that the format cannot tell before it has read the message. Then the
    /// transport's own limit is the only one.
    ///
    /// # Errors
    ///
    /// [`WireError::FrameKind`], and [`WireError::UnknownKind`] for what names no kind.
    fn kind(&self, frame: &Frame) -> Result<Option<MessageKind>, WireError> {
        let _ = frame;
        Ok(None)
    }

    /// Holds a frame to the limit of its kind, without parsing what is in it.
    ///
    /// # Errors
    ///
    /// [`WireError::OverLimit`], and those of [`kind`](Self::kind).
    fn check_size(&self, frame: &Frame) -> Result<(), WireError> {
        let Some(kind) = self.kind(frame)? else { return Ok(()) };
        let got = frame.as_bytes().len();
        match limits::max_frame_bytes(kind) {
            Some(limit) if got > limit => Err(WireError::OverLimit { kind, got, limit }),
            _ => Ok(()),
        }
    }

    /// Reads what a peer sent: a message that keeps the limit of its kind.
    ///
    /// # Errors
    ///
    /// Those of [`check_size`](Self::check_size), before anything is parsed, and of [`decode`](Self::decode).
    fn decode_message<T: Transaction>(&self, frame: &Frame) -> Result<Message<T>, WireError> {
        self.check_size(frame)?;
        self.decode(frame)
    }
}

/// One encoded message. Cheap to clone: the clones share their bytes.
/// Made from a `String`, for formats that people read, or from a `Vec<u8>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(pub(crate) Payload);

/// The library's types, which stay out of the public interface.
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

    /// The bytes, of whichever kind.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Payload::Text(text) => text.as_bytes(),
            Payload::Binary(bytes) => bytes,
        }
    }

    /// The kind.
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
