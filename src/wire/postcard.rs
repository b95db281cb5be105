//! postcard in binary frames.
//!
//! The layout is that of postcard 1: integers of more than a byte take as few bytes as they need (LEB128, signed ones
//! zigzag-encoded first), an enum variant and a length are such integers, nothing is padded or named. Small
//! messages are smallest in it. Unlike bincode as it is set up here, a padded integer is read too, so two encodings
//! may mean one message.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::WireError;
use super::format::{Frame, WireFormat};
use crate::primitives::serde_form::SerdeFlaw;
use crate::protocol::MessageKind;

/// postcard. Hashes and headers are their raw bytes.
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
}

/// What the format can do with no value of a type.
fn unsupported(error: &postcard::Error) -> Option<WireError> {
    let flaw = SerdeFlaw::of_postcard(error)?;
    Some(WireError::UnsupportedType { format: Postcard::SUBPROTOCOL, problem: flaw.to_string() })
}
