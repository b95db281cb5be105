//! The trait that a wire format implements, and the frames that it deals in.

use core::fmt::Debug;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::error::{FrameKind, WireError};

/// A wire format.
///
/// Whatever it encodes it must decode to an equal value, and it must refuse a frame that holds anything after
/// the message. It may not take memory out of proportion to the frame: a length inside is a claim until the
/// bytes are there.
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
