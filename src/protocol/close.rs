//! Why a connection ended, and what that says of the peer.

use core::error::Error;
use core::time::Duration;
use std::sync::Arc;

use super::limits;
use crate::chain::BlockError;
use crate::primitives::{Hash, Rejected, Span};

/// Why a connection ended.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer has another genesis block: another chain, or a chain with this name and other rules.
    #[error(
        "wrong chain: the peer's genesis is {got}, expected {expected}; name, block interval or another rule differs"
    )]
    WrongGenesis {
        /// The genesis hash of the peer.
        got: Hash,
        /// The genesis hash of this node.
        expected: Hash,
    },
    /// The peer speaks another version of the protocol.
    #[error("wrong protocol version: {got}, expected {expected}")]
    WrongProtocol {
        /// The version of the peer.
        got: u32,
        /// The version of this node.
        expected: u32,
    },
    /// The connection is one from this node to itself.
    #[error("connected to itself")]
    SelfConnection,
    /// Another connection to the node of this peer is already open.
    #[error("already connected to this peer")]
    AlreadyConnected,
    /// The first message was not a `Hello`.
    #[error("expected hello first, got {got}")]
    ExpectedHello {
        /// The kind of the message.
        got: &'static str,
    },
    /// A second `Hello` arrived.
    #[error("unexpected second hello")]
    SecondHello,
    /// A text in a message exceeds its limit.
    #[error("{field} has {got} bytes, at most {limit} are allowed")]
    TextTooLong {
        /// The name of the field.
        field: &'static str,
        /// The length in bytes.
        got: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A message has more items than its limit allows.
    #[error("{kind} has {got} items, at most {limit} are allowed")]
    TooManyItems {
        /// The kind of the message.
        kind: &'static str,
        /// The number of items.
        got: usize,
        /// The limit.
        limit: usize,
    },
    /// The peer sent an answer without an outstanding request for it, or an unrequested message that this
    /// node does not accept.
    #[error("unsolicited {kind}")]
    Unsolicited {
        /// The kind of the message.
        kind: &'static str,
    },
    /// The headers in one message are not consecutive.
    #[error("headers do not follow each other at height {height}")]
    BrokenHeaders {
        /// The height of the first header whose parent is not the header before it.
        height: u64,
    },
    /// The peer's headers do not extend a block that this node knows.
    #[error("headers start at an unknown parent {parent}")]
    UnconnectedHeaders {
        /// The unknown parent.
        parent: Hash,
    },
    /// A header or a block breaks a consensus rule.
    #[error("block {hash} refused: {error}")]
    InvalidBlock {
        /// The hash of the block.
        hash: Hash,
        /// The rule.
        #[source]
        error: BlockError,
    },
    /// A transaction from the peer cannot be part of any chain, because it has no canonical encoding.
    #[error("transaction refused: {0}")]
    InvalidTransaction(#[source] crate::primitives::EncodeError),
    /// The application refuses a transaction from the peer whatever the chain is, because of its signature for example:
    /// [`Transaction::check`](crate::Transaction::check).
    #[error("transaction {id} refused: {reason}")]
    RefusedTransaction {
        /// The id of the transaction.
        id: Hash,
        /// The application's reason.
        #[source]
        reason: Rejected,
    },
    /// The peer sent bytes that are not a message in the format of the connection.
    #[error("malformed message: {0}")]
    Malformed(#[source] Arc<dyn Error + Send + Sync>),
    /// A message that this node cannot decode from any peer in the format of the connection, because the
    /// application's type has no representation in that format.
    #[error("unreadable message: {0}")]
    Unreadable(#[source] Arc<dyn Error + Send + Sync>),
    /// The peer did not send its `Hello` in time.
    #[error("no hello within {} s", .0.as_secs())]
    HandshakeTimeout(Duration),
    /// The peer did not answer a request in time.
    #[error("no answer to {kind} within {} s", .after.as_secs())]
    RequestTimeout {
        /// The kind of the request.
        kind: &'static str,
        /// The timeout.
        after: Duration,
    },
    /// The limit on inbound connections is reached, and none of them is evicted.
    #[error("too many peers: {limit} are connected already")]
    TooManyPeers {
        /// The limit.
        limit: usize,
    },
    /// The limit on inbound connections from one host is reached.
    #[error("too many connections from one host: {limit} are open already")]
    TooManyFromHost {
        /// The limit.
        limit: usize,
    },
    /// The connection was evicted in favour of a new inbound one, because all slots were taken and other
    /// peers were more useful.
    #[error("evicted in favour of another peer")]
    Evicted,
    /// The peer's host is banned.
    #[error("banned for another {}", Span(*.remaining))]
    Banned {
        /// The remaining duration of the ban.
        remaining: Duration,
    },
    /// The peer reads too slowly: its send queue is full.
    #[error("peer reads too slowly: messages of {limit} bytes of memory are waiting for it")]
    QueueFull {
        /// The limit of the queue, in bytes of memory.
        limit: usize,
    },
    /// The peer did not read written data in time.
    #[error("peer did not read within {} s", .0.as_secs())]
    WriteTimeout(Duration),
    /// The peer sent a `Bye`.
    #[error("peer closed the connection: {reason}")]
    Bye {
        /// The reason that the peer gave.
        reason: String,
    },
    /// The connection ended without a `Bye`.
    #[error("connection ended")]
    Ended,
    /// The transport failed.
    #[error("connection lost: {0}")]
    Lost(#[source] Arc<dyn Error + Send + Sync>),
    /// The application requested the disconnection.
    #[error("disconnected on request")]
    Requested,
    /// The node is shutting down.
    #[error("node is shutting down")]
    Shutdown,
}

impl CloseReason {
    /// Returns the points that a connection which ended for this reason adds to the score of its host; a host
    /// is banned at [`limits::BAN_SCORE`]. Behaviour that the rules of this crate permit costs nothing:
    /// slowness, another chain, a full queue and an old version are not penalised.
    pub fn penalty(&self) -> u32 {
        match self {
            // An invalid block or header: either cheap to make, which no honest node does, or made with work
            // to deceive.
            Self::InvalidBlock { .. } | Self::BrokenHeaders { .. } => limits::BAN_SCORE,
            // What a broken program, or one with another protocol, may send.
            Self::Malformed(_)
            | Self::ExpectedHello { .. }
            | Self::SecondHello
            | Self::TextTooLong { .. }
            | Self::TooManyItems { .. }
            | Self::Unsolicited { .. }
            | Self::UnconnectedHeaders { .. }
            | Self::InvalidTransaction(_)
            | Self::RefusedTransaction { .. } => limits::BAN_SCORE / 5,
            _ => 0,
        }
    }
}
