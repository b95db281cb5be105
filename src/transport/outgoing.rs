//! A message to any number of peers, encoded at most once per wire format.

use std::sync::Arc;
#[cfg(feature = "websocket")]
use std::sync::{Mutex, PoisonError};

use crate::primitives::Transaction;
use crate::protocol::Message;
#[cfg(feature = "websocket")]
use crate::wire::{Frame, WireError, WireFormat};

/// A message to send. Cheap to clone; the clones share the message and its encodings.
#[derive(Clone, Debug)]
pub struct Outgoing<T = String>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    message: Message<T>,
    /// The encodings by subprotocol: at most one per wire format of the process.
    #[cfg(feature = "websocket")]
    frames: Mutex<Vec<(&'static str, Frame)>>,
}

impl<T: Transaction> Outgoing<T> {
    /// A message that is not encoded yet.
    pub fn new(message: Message<T>) -> Self {
        Self(Arc::new(Shared {
            message,
            #[cfg(feature = "websocket")]
            frames: Mutex::default(),
        }))
    }

    /// The message.
    pub fn message(&self) -> &Message<T> {
        &self.0.message
    }

    /// The message; cloned only if there are other clones of this value.
    pub fn into_message(self) -> Message<T> {
        match Arc::try_unwrap(self.0) {
            Ok(shared) => shared.message,
            Err(shared) => shared.message.clone(),
        }
    }

    /// The message in a wire format. The first call encodes it, later calls share the result. A format is
    /// identified by its [`SUBPROTOCOL`](WireFormat::SUBPROTOCOL).
    ///
    /// # Errors
    ///
    /// The errors of [`WireFormat::encode`].
    #[cfg(feature = "websocket")]
    pub fn frame<F: WireFormat>(&self, format: &F) -> Result<Frame, WireError> {
        // The lock is held while encoding, so that other threads wait instead of encoding the message again.
        let mut frames = self.0.frames.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, frame)) = frames.iter().find(|(name, _)| *name == F::SUBPROTOCOL) {
            return Ok(frame.clone());
        }
        let frame = format.encode(&self.0.message)?;
        frames.push((F::SUBPROTOCOL, frame.clone()));
        Ok(frame)
    }
}

impl<T: Transaction> From<Message<T>> for Outgoing<T> {
    fn from(message: Message<T>) -> Self {
        Self::new(message)
    }
}

#[cfg(all(test, feature = "ws-json"))]
mod tests {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::wire::Json;

    /// JSON that counts how many messages it encodes.
    #[derive(Debug, Default)]
    struct Counting(AtomicUsize);

    impl WireFormat for Counting {
        const SUBPROTOCOL: &'static str = "counting";

        fn encode<M: Serialize>(&self, message: &M) -> Result<Frame, WireError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Json.encode(message)
        }

        fn decode<M: DeserializeOwned>(&self, frame: &Frame) -> Result<M, WireError> {
            Json.decode(frame)
        }
    }

    #[test]
    fn clones_share_one_encoding_per_format() {
        let format = Counting::default();
        let message = Outgoing::<String>::new(Message::Ping(1));
        let expected = Frame::from(r#"{"ping":1}"#.to_owned());
        assert_eq!(message.clone().frame(&format).unwrap(), expected);
        assert_eq!(message.frame(&format).unwrap(), expected);
        assert_eq!(message.frame(&Json).unwrap(), expected);
        assert_eq!(format.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn the_message_comes_back_whether_or_not_it_is_shared() {
        let message = Outgoing::<String>::new(Message::Ping(1));
        assert_eq!(message.clone().into_message(), Message::Ping(1));
        assert_eq!(message.into_message(), Message::Ping(1));
    }
}
