//! The inputs and outputs of the protocol.

use core::error::Error;
use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use serde::Serialize;

use super::address::PeerAddr;
use super::clock::ClockBehind;
use super::discovery::Reach;
use super::host::PeerHost;
use super::message::Message;
use super::refusal::RefusedBranch;
use super::serve::BlocksAnswer;
use crate::consensus::BlockError;
use crate::mempool::RemovalReason;
use crate::primitives::{Block, Hash, Span, Timestamp};
use crate::store::StoreError;

/// The time of a call. Deadlines use `elapsed`, which is monotonic; block timestamps use `wall`, which may be
/// set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The monotonic time since some fixed point, such as the start of the program.
    pub elapsed: Duration,
    /// The time of day.
    pub wall: Timestamp,
}

/// The number of one connection. The driver assigns the numbers and never reuses one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PeerId(pub u64);

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Which side opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The peer opened the connection.
    Inbound,
    /// This node opened the connection.
    Outbound,
}

/// A network event or a timeout, which the driver passes to the protocol.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input<T = String> {
    /// A connection is open: one that a peer opened, or the result of an [`Output::Dial`].
    Connected {
        /// The number that the driver assigned to the connection.
        peer: PeerId,
        /// Which side opened the connection.
        direction: Direction,
        /// The address that was dialled, or the remote address of an inbound connection.
        address: PeerAddr,
    },
    /// An [`Output::Dial`] failed.
    DialFailed {
        /// The address that was dialled.
        address: PeerAddr,
        /// The error of the transport.
        error: Arc<dyn Error + Send + Sync>,
    },
    /// A connection ended for any reason other than an [`Output::Close`].
    Disconnected {
        /// The connection.
        peer: PeerId,
        /// The reason that the transport gives.
        reason: CloseReason,
    },
    /// Bytes arrived that are not a valid message or that violate the rules of the transport. The peer is at
    /// fault, and the connection may still be writable.
    Malformed {
        /// The connection.
        peer: PeerId,
        /// The error of the wire format.
        error: Arc<dyn Error + Send + Sync>,
    },
    /// A message arrived.
    Received {
        /// The connection.
        peer: PeerId,
        /// The message.
        message: Message<T>,
    },
    /// The deadline of [`Protocol::poll_timeout`](super::Protocol::poll_timeout) has passed. An early timeout
    /// is harmless.
    Timeout,
}

/// What the driver must do, in the order of the outputs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output<T = String> {
    /// Send one message to these peers. The driver must never wait for a peer whose queue is full: it drops
    /// the connection and reports an [`Input::Disconnected`].
    Send {
        /// The connections.
        peers: Vec<PeerId>,
        /// The message.
        message: Message<T>,
    },
    /// Send this peer the messages of [`Protocol::next_blocks`](super::Protocol::next_blocks), reading each
    /// one after the previous one was written, because together they may hold 64 blocks in memory. Later
    /// messages to this peer must follow the answer.
    SendBlocks {
        /// The connection.
        peer: PeerId,
        /// The blocks.
        answer: BlocksAnswer<T>,
    },
    /// Open a connection and answer with [`Input::Connected`] or [`Input::DialFailed`].
    Dial {
        /// The address to dial.
        address: PeerAddr,
        /// Which network addresses the connection may lead to.
        reach: Reach,
    },
    /// Close a connection after the queued messages are sent. The protocol has already removed the peer.
    Close {
        /// The connection.
        peer: PeerId,
        /// The reason. If the protocol sent the peer a `Bye`, that message precedes this output.
        reason: CloseReason,
    },
    /// Report an event to the application.
    Event(Event<T>),
}

/// An event that an application can subscribe to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<T = String> {
    /// A block was connected to the best chain. The state already includes its transactions.
    BlockConnected(Arc<Block<T>>),
    /// A block was disconnected from the best chain by a reorganisation to a branch with more work. Blocks
    /// are disconnected in descending height.
    BlockDisconnected(Arc<Block<T>>),
    /// The best known header moved ahead of the tip: a synchronisation is in progress.
    HeadersAdvanced {
        /// The height of the best known header.
        height: u64,
    },
    /// A transaction entered the mempool.
    TransactionAccepted {
        /// The id of the transaction.
        id: Hash,
    },
    /// Transactions left the mempool without being mined, or were in a block that was disconnected and did
    /// not become pending again. One block, message or call causes at most one such event for all the
    /// transactions that it removes, so that emptying a full mempool does not crowd out other events.
    TransactionsRemoved {
        /// The id of each transaction and the reason for its removal. At most as many as were pending and in
        /// the blocks of the preceding [`BlockDisconnected`](Self::BlockDisconnected) events.
        removed: Arc<[(Hash, RemovalReason)]>,
    },
    /// A peer's transaction was refused although the peer may be honest: a flaw in the application's
    /// transaction type prevents the transaction from being stored, sent or applied. It is not requested from
    /// peers again.
    TransactionRefused {
        /// The id of the transaction.
        id: Hash,
        /// The error that the flaw has caused.
        error: Arc<dyn Error + Send + Sync>,
    },
    /// The store failed. After a failed write, nothing is imported until the store works again.
    StoreFailed {
        /// The error.
        error: StoreError,
    },
    /// The store is writable again, and the chain continues from its contents.
    StoreRecovered,
    /// The clock is so far behind that blocks or headers have to wait for it: either this clock is wrong or a
    /// peer's is. Emitted when the condition begins, at most once in ten minutes.
    ClockBehind(ClockBehind),
    /// No block or header has to wait for the clock any more.
    ClockCaughtUp,
    /// Peers have a branch with more work than this node's best chain, and this node refuses the branch, so
    /// the peers and this node do not converge. Emitted when the condition begins, at most once in ten
    /// minutes.
    BranchRefused(RefusedBranch),
    /// No peer has a refused branch with more work any more.
    BranchRefusalEnded,
    /// A peer completed the handshake.
    PeerConnected {
        /// The connection.
        peer: PeerId,
        /// The address of the peer.
        address: PeerAddr,
        /// Which side opened the connection.
        direction: Direction,
        /// The software name and version that the peer claims.
        agent: String,
    },
    /// A connection ended, whether or not its handshake was completed.
    PeerDisconnected {
        /// The connection.
        peer: PeerId,
        /// The address of the peer.
        address: PeerAddr,
        /// Why the connection ended.
        reason: CloseReason,
    },
    /// A host was banned, for misbehaviour or on request of the application. Its connections are closed.
    HostBanned {
        /// The host.
        host: PeerHost,
        /// The duration of the ban.
        duration: Duration,
    },
    /// Dialling an address failed. The address is dialled again, after a wait that grows with each failure.
    DialFailed {
        /// The address.
        address: PeerAddr,
        /// The error of the transport.
        error: Arc<dyn Error + Send + Sync>,
        /// The wait before the next attempt.
        retry_in: Duration,
    },
}

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
    InvalidTransaction(#[source] crate::EncodeError),
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
    #[error("gave way to another peer")]
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
