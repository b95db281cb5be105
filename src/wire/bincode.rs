//! bincode in binary frames. Only this file uses the library.
//!
//! The layout is that of bincode 1 with fixed-width little-endian integers: an enum variant is a `u32`, a
//! length a `u64`, a string its length and its bytes, without padding. Every message has exactly one
//! encoding, which the library's variable-width integers would not guarantee.

use bincode::{ErrorKind, Options};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::WireError;
use super::format::{Frame, WireFormat};
use crate::primitives::serde_form::SerdeFlaw;
use crate::protocol::MessageKind;

/// bincode 1.3 with fixed-width little-endian integers. Hashes and headers are their raw bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bincode;

impl WireFormat for Bincode {
    const SUBPROTOCOL: &'static str = "hashloom.v1.bincode";

    fn encode<M: Serialize>(&self, message: &M) -> Result<Frame, WireError> {
        // No limit is needed here: the value is in memory already, and the transport checks the size of the
        // frame.
        match options().with_no_limit().serialize(message) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) => Err(unsupported(&error)
                .unwrap_or_else(|| WireError::Encode { format: Self::SUBPROTOCOL, source: error })),
        }
    }

    fn decode<M: DeserializeOwned>(&self, frame: &Frame) -> Result<M, WireError> {
        let bytes = frame.as_binary(Self::SUBPROTOCOL)?;
        options().with_limit(bytes.len() as u64).deserialize(bytes).map_err(|error| {
            unsupported(&error).unwrap_or_else(|| WireError::decode(Self::SUBPROTOCOL, &error))
        })
    }

    fn kind(&self, frame: &Frame) -> Result<Option<MessageKind>, WireError> {
        let bytes = frame.as_binary(Self::SUBPROTOCOL)?;
        let number = bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        number.and_then(MessageKind::from_number).map(Some).ok_or_else(|| {
            let got = number.map_or_else(|| "the frame is too short".to_owned(), |number| number.to_string());
            WireError::unknown_kind(Self::SUBPROTOCOL, &got)
        })
    }
}

/// The error for a type that the format does not support, whatever its value.
fn unsupported(error: &ErrorKind) -> Option<WireError> {
    let flaw = match error {
        ErrorKind::DeserializeAnyNotSupported => SerdeFlaw::NeedsSelfDescription,
        ErrorKind::SequenceMustHaveLength => SerdeFlaw::UnknownLength,
        _ => return None,
    };
    Some(WireError::UnsupportedType { format: Bincode::SUBPROTOCOL, problem: flaw.to_string() })
}

fn options() -> impl Options {
    bincode::DefaultOptions::new().with_fixint_encoding().with_little_endian().reject_trailing_bytes()
}
