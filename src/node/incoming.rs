//! What the tasks of connections report to the driver.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::inbox::Inbox;
use crate::primitives::Transaction;
use crate::protocol::{Direction, Input, PeerAddr};
use crate::store::StoreError;
use crate::transport::Connection;
use crate::wire::WireError;

/// What happened on a connection. Events that need nothing from the driver are an [`Input`] of the protocol
/// already.
#[derive(Debug)]
pub(super) enum Incoming<T: Transaction> {
    /// A connection, which has no number yet.
    Opened {
        direction: Direction,
        address: PeerAddr,
        connection: Box<dyn Connection<T>>,
        /// Limits the number of inbound connections; `None` for an outbound one.
        place: Option<OwnedSemaphorePermit>,
    },
    /// Something is in the inbox of a peer.
    Received(Arc<Inbox<T>>),
    Input(Input<T>),
    /// A block that a peer requested could not be read.
    ReadFailed(StoreError),
    /// A message could not be encoded for a peer. The connection stays open.
    Unsendable(WireError),
}
