//! JSON in text frames, which people can read and other languages can write.

mod terse;

use serde::Serialize;
use serde::de::DeserializeOwned;

use terse::Terse;

use super::error::WireError;
use super::format::{Frame, WireFormat};
use crate::protocol::MessageKind;

/// JSON. Hashes are hex, headers have named fields, floats keep their exact value. Nesting deeper than 128
/// levels is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json;

impl WireFormat for Json {
    const SUBPROTOCOL: &'static str = "hashloom.v1.json";

    fn encode<M: Serialize>(&self, message: &M) -> Result<Frame, WireError> {
        match serde_json::to_string(message) {
            Ok(text) => Ok(text.into()),
            Err(error) => Err(WireError::Encode { format: Self::SUBPROTOCOL, source: error.into() }),
        }
    }

    fn decode<M: DeserializeOwned>(&self, frame: &Frame) -> Result<M, WireError> {
        let text = frame.as_text(Self::SUBPROTOCOL)?;
        let mut json = serde_json::Deserializer::from_str(text);
        let message = M::deserialize(Terse(&mut json)).and_then(|message| json.end().map(|()| message));
        message.map_err(|error| WireError::decode(Self::SUBPROTOCOL, &error))
    }

    /// Reads the first name of an object, or a single string. Escapes in the name are not supported.
    fn kind(&self, frame: &Frame) -> Result<Option<MessageKind>, WireError> {
        let text = frame.as_text(Self::SUBPROTOCOL)?;
        match first_name(text).and_then(MessageKind::from_name) {
            Some(kind) => Ok(Some(kind)),
            None => Err(WireError::unknown_kind(Self::SUBPROTOCOL, text)),
        }
    }
}

/// The string at the start of a value, or the first name of an object.
fn first_name(text: &str) -> Option<&str> {
    let text = text.trim_start_matches(WHITESPACE);
    let text = text.strip_prefix('{').map_or(text, |inside| inside.trim_start_matches(WHITESPACE));
    text.strip_prefix('"')?.split_once('"').map(|(name, _)| name)
}

/// The characters that JSON permits between two tokens.
const WHITESPACE: [char; 4] = [' ', '\t', '\n', '\r'];

#[cfg(test)]
mod tests;
