//! What the tasks of connections report to the driver.

use core::error::Error;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::primitives::{Hash, Transaction};
use crate::protocol::{CloseReason, Direction, Message, PeerAddr, PeerId};
use crate::store::StoreError;
use crate::transport::{Connection, TransportError};
use crate::wire::WireError;

/// The id of a transaction, and the reason why it cannot be sent.
pub(super) type Unsendable = (Hash, Arc<TransportError>);

/// Inputs from the tasks of connections.
#[derive(Debug)]
pub(super) enum Incoming<T: Transaction> {
    Opened {
        direction: Direction,
        address: PeerAddr,
        connection: Box<dyn Connection<T>>,
        /// Limits the number of inbound connections; `None` for an outbound one.
        place: Option<OwnedSemaphorePermit>,
    },
    DialFailed {
        address: PeerAddr,
        error: Arc<dyn Error + Send + Sync>,
    },
    Received {
        peer: PeerId,
        message: Message<T>,
        /// The transactions that no other peer could be sent; they are removed from the message.
        unsendable: Vec<Unsendable>,
        /// Dropping this permit lets the connection read the peer's next message.
        turn: OwnedSemaphorePermit,
    },
    Malformed {
        peer: PeerId,
        error: Arc<dyn Error + Send + Sync>,
    },
    /// A block that a peer requested could not be read.
    ReadFailed(StoreError),
    /// A message could not be encoded for a peer. The connection stays open.
    Unsendable {
        error: Arc<WireError>,
    },
    Ended {
        peer: PeerId,
        reason: CloseReason,
    },
}
