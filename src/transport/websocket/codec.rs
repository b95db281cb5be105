//! A wire format with its type erased, so that one listener can serve several formats.

use core::fmt::Debug;
use std::sync::Arc;

use tungstenite::http::HeaderMap;

use super::super::outgoing::Outgoing;
use crate::primitives::Transaction;
use crate::primitives::application::guarded;
use crate::primitives::serde_form::SerdeFlaw;
use crate::protocol::Message;
use crate::wire::{Frame, WireError, WireFormat};

/// The formats of one end in order of preference; never empty.
pub(super) type Formats<T> = Arc<[Arc<dyn Codec<T>>]>;

/// [`WireFormat`] for the messages of one chain.
pub(super) trait Codec<T: Transaction>: Debug + Send + Sync {
    fn subprotocol(&self) -> &'static str;

    /// Encodes a message. Fails if the frame exceeds the limit of the message's kind.
    fn encode(&self, message: &Outgoing<T>) -> Result<Frame, WireError>;

    /// Checks that a message can be encoded as a frame within `max_bytes` and the limit of its kind, and that
    /// the frame decodes to an equal message.
    fn check(&self, message: &Outgoing<T>, max_bytes: usize) -> Result<(), WireError>;

    /// Decodes the message of a frame. Fails if the frame exceeds the limit of the message's kind.
    fn decode(&self, frame: &Frame) -> Result<Message<T>, WireError>;
}

impl<T: Transaction, F: WireFormat> Codec<T> for F {
    fn subprotocol(&self) -> &'static str {
        F::SUBPROTOCOL
    }

    fn encode(&self, message: &Outgoing<T>) -> Result<Frame, WireError> {
        let frame = guarded("Serialize::serialize", || message.frame(self)).unwrap_or_else(|panic| {
            Err(WireError::Encode { format: F::SUBPROTOCOL, source: panic.into() })
        })?;
        self.check_size(&frame)?;
        Ok(frame)
    }

    fn check(&self, message: &Outgoing<T>, max_bytes: usize) -> Result<(), WireError> {
        let frame = Codec::<T>::encode(self, message)?;
        check_len(&frame, max_bytes)?;
        let changed = |problem: String| WireError::Changed { format: F::SUBPROTOCOL, problem };
        let flaw = || SerdeFlaw::of_read(message.message());
        match Codec::<T>::decode(self, &frame) {
            Ok(read) if read == *message.message() => Ok(()),
            Ok(_) => Err(changed(flaw().to_string())),
            Err(error @ WireError::UnsupportedType { .. }) => Err(error),
            Err(error) => Err(changed(format!("{error}; {}", flaw()))),
        }
    }

    fn decode(&self, frame: &Frame) -> Result<Message<T>, WireError> {
        guarded("Deserialize::deserialize", || self.decode_message(frame))
            .unwrap_or_else(|panic| Err(WireError::decode(F::SUBPROTOCOL, &panic)))
    }
}

/// Checks the size of a frame against the limit of the transport.
pub(super) fn check_len(frame: &Frame, limit: usize) -> Result<(), WireError> {
    let got = frame.as_bytes().len();
    if got > limit { Err(WireError::TooLarge { got, limit }) } else { Ok(()) }
}

/// The header that negotiates the format (RFC 6455, section 11.3.4).
pub(super) const SUBPROTOCOL_HEADER: &str = "Sec-WebSocket-Protocol";

/// How many subprotocols of a peer are read.
const MAX_NAMES: usize = 16;

/// The subprotocols that a peer's headers list.
pub(super) fn listed_names(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(SUBPROTOCOL_HEADER).into_iter().filter_map(|line| line.to_str().ok());
    let names = lines.flat_map(|line| line.split(',')).map(str::trim).filter(|name| !name.is_empty());
    names.take(MAX_NAMES).map(ToOwned::to_owned).collect()
}

/// The subprotocols of the formats.
pub(super) fn names<T: Transaction>(formats: &[Arc<dyn Codec<T>>]) -> Vec<String> {
    formats.iter().map(|format| format.subprotocol().to_owned()).collect()
}
