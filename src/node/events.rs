//! Subscriptions to the events of a node.

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::protocol::Event;

/// The events of a node from the moment of subscribing, in order.
#[derive(Debug)]
pub struct Events<T = String>(broadcast::Receiver<Event<T>>);

impl<T: Clone> Events<T> {
    pub(super) const fn new(receiver: broadcast::Receiver<Event<T>>) -> Self {
        Self(receiver)
    }

    /// Waits for the next event.
    ///
    /// Cancel-safe: no event is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// [`EventError::Missed`] if the subscriber fell behind; the next call returns the oldest event that is
    /// still buffered. [`EventError::Stopped`] if the node has stopped.
    pub async fn recv(&mut self) -> Result<Event<T>, EventError> {
        self.0.recv().await.map_err(|error| match error {
            RecvError::Lagged(events) => EventError::Missed { events },
            RecvError::Closed => EventError::Stopped,
        })
    }

    /// The next event, if there is one already.
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<Option<Event<T>>, EventError> {
        match self.0.try_recv() {
            Ok(event) => Ok(Some(event)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Lagged(events)) => Err(EventError::Missed { events }),
            Err(TryRecvError::Closed) => Err(EventError::Stopped),
        }
    }
}

/// Why there is no next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// The subscriber was too slow, so the oldest events were dropped.
    #[error("{events} events were missed")]
    Missed {
        /// How many.
        events: u64,
    },
    /// The node has stopped.
    #[error("the node has stopped")]
    Stopped,
}
