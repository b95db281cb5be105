//! JSON in text frames, for peers that people want to watch or to write in another language.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::WireError;
use super::format::{Frame, WireFormat};

/// JSON. Hashes are hex, headers have named fields, floats keep their exact value. Nesting beyond 128 levels
/// is refused.
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
        serde_json::from_str(text).map_err(|error| WireError::decode(Self::SUBPROTOCOL, &error))
    }
}
