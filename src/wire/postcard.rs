//! postcard in binary frames.
//!
//! The layout is that of postcard 1: integers of more than one byte take as few bytes as they need (LEB128,
//! signed ones zigzag-encoded first); enum variants and lengths are such integers; there is no padding and
//! there are no names. Small messages are smallest in this format. The library also decodes an integer that
//! is padded to more bytes than it needs. Here such a message is refused, so that every message has exactly
//! one encoding.

use postcard::ser_flavors::Size;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::WireError;
use super::format::{Frame, WireFormat};
use crate::primitives::Transaction;
use crate::primitives::serde_form::SerdeFlaw;
use crate::protocol::{Message, MessageKind};

/// postcard. Hashes and headers are their raw bytes.
///
/// [`decode_message`](WireFormat::decode_message), for messages of peers, refuses a message whose size
/// changes when it is encoded again, because its integers are padded. [`decode`](WireFormat::decode), which
/// also decodes types that cannot be encoded, accepts padding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Postcard;

impl WireFormat for Postcard {
    const SUBPROTOCOL: &'static str = "hashloom.v1.postcard";

    fn encode<M: Serialize>(&self, message: &M) -> Result<Frame, WireError> {
        match postcard::to_allocvec(message) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) => Err(unsupported(&error).unwrap_or_else(|| WireError::Encode {
                format: Self::SUBPROTOCOL,
                source: error.to_string().into(),
            })),
        }
    }

    fn decode<M: DeserializeOwned>(&self, frame: &Frame) -> Result<M, WireError> {
        let bytes = frame.as_binary(Self::SUBPROTOCOL)?;
        match postcard::take_from_bytes(bytes) {
            Ok((message, [])) => Ok(message),
            Ok((_, rest)) => {
                let trailing = format_args!("{} bytes remaining", rest.len());
                Err(WireError::decode(Self::SUBPROTOCOL, &trailing))
            }
            Err(error) => {
                Err(unsupported(&error).unwrap_or_else(|| WireError::decode(Self::SUBPROTOCOL, &error)))
            }
        }
    }

    fn kind(&self, frame: &Frame) -> Result<Option<MessageKind>, WireError> {
        let bytes = frame.as_binary(Self::SUBPROTOCOL)?;
        let number: Option<u32> = postcard::take_from_bytes(bytes).ok().map(|(number, _)| number);
        number.and_then(MessageKind::from_number).map(Some).ok_or_else(|| {
            let got = number.map_or_else(|| "the frame is too short".to_owned(), |number| number.to_string());
            WireError::unknown_kind(Self::SUBPROTOCOL, &got)
        })
    }

    fn decode_message<T: Transaction>(&self, frame: &Frame) -> Result<Message<T>, WireError> {
        self.check_size(frame)?;
        let message = self.decode(frame)?;
        let got = frame.as_bytes().len();
        // Comparing the sizes detects all padding. Comparing the bytes would refuse valid messages, because
        // the order of an application's `HashMap` may differ.
        match postcard::serialize_with_flavor(&message, Size::default()) {
            Ok(expected) if expected == got => Ok(message),
            Ok(expected) => {
                let padded = format_args!("{got} bytes, and {expected} when it is written again");
                Err(WireError::decode(Self::SUBPROTOCOL, &padded))
            }
            Err(error) => Err(WireError::decode(Self::SUBPROTOCOL, &error)),
        }
    }
}

/// The error for a type that the format does not support, whatever its value.
fn unsupported(error: &postcard::Error) -> Option<WireError> {
    let flaw = SerdeFlaw::of_postcard(error)?;
    Some(WireError::UnsupportedType { format: Postcard::SUBPROTOCOL, problem: flaw.to_string() })
}
