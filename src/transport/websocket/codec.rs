//! A wire format with its type erased, so that one listener can serve several.

use core::fmt::Debug;
use std::sync::Arc;

use tokio_tungstenite::tungstenite::http::HeaderMap;

use super::super::outgoing::Outgoing;
use crate::primitives::Transaction;
use crate::primitives::application::guarded;
use crate::primitives::serde_form::SerdeFlaw;
use crate::protocol::Message;
use crate::wire::{Frame, WireError, WireFormat};

/// The formats of one end, the preferred one first; never empty.
pub(super) type Formats<T> = Arc<[Arc<dyn Codec<T>>]>;

/// [`WireFormat`] for the messages of one chain.
pub(super) trait Codec<T: Transaction>: Debug + Send + Sync {
    fn subprotocol(&self) -> &'static str;

    /// The frame of a message that keeps the limit of its kind.
    fn encode(&self, message: &Outgoing<T>) -> Result<Frame, WireError>;

    /// Checks that a message becomes a frame which keeps the limit of its kind and `max_bytes`, and which reads back as an
    /// equal message.
    fn check(&self, message: &Outgoing<T>, max_bytes: usize) -> Result<(), WireError>;

    /// The message of a frame that keeps the limit of its kind.
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

/// Holds a frame to the limit of the transport.
pub(super) fn check_len(frame: &Frame, limit: usize) -> Result<(), WireError> {
    let got = frame.as_bytes().len();
    if got > limit { Err(WireError::TooLarge { got, limit }) } else { Ok(()) }
}

/// The header in which the two ends agree on a format (RFC 6455, section 11.3.4).
pub(super) const SUBPROTOCOL_HEADER: &str = "Sec-WebSocket-Protocol";

/// Subprotocols of a peer that are looked at.
const MAX_NAMES: usize = 16;

/// The names that a peer's headers list.
pub(super) fn listed_names(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(SUBPROTOCOL_HEADER).into_iter().filter_map(|line| line.to_str().ok());
    let names = lines.flat_map(|line| line.split(',')).map(str::trim).filter(|name| !name.is_empty());
    names.take(MAX_NAMES).map(ToOwned::to_owned).collect()
}

/// The names of the formats.
pub(super) fn names<T: Transaction>(formats: &[Arc<dyn Codec<T>>]) -> Vec<String> {
    formats.iter().map(|format| format.subprotocol().to_owned()).collect()
}
