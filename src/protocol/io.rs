//! What goes into the protocol and what comes out of it.

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

/// The time of a call. Timers run on `elapsed`, which never goes back; blocks are stamped with `wall`, which may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since some fixed point, such as the start of the program.
    pub elapsed: Duration,
    /// The time of day.
    pub wall: Timestamp,
}

/// One connection, for as long as it lasts. The driver gives out the numbers and never uses one twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PeerId(pub u64);

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The peer did.
    Inbound,
    /// We did.
    Outbound,
}

/// What happened on the network.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input<T = String> {
    /// A connection is open: one that a peer made, or the result of an [`Output::Dial`].
    Connected {
        /// Its number from now on.
        peer: PeerId,
        /// Who opened it.
        direction: Direction,
        /// The address that was dialled, or the one that the connection came from.
        address: PeerAddr,
    },
    /// An [`Output::Dial`] came to nothing.
    DialFailed {
        /// The address that was dialled.
        address: PeerAddr,
        /// What the transport says of it.
        error: Arc<dyn Error + Send + Sync>,
    },
    /// A connection is gone, other than by an [`Output::Close`].
    Disconnected {
        /// Which one.
        peer: PeerId,
        /// What the transport says of it.
        reason: CloseReason,
    },
    /// Bytes arrived that are no message, or that break the rules of the transport itself. The peer is at fault, and
    /// the connection may still be written to.
    Malformed {
        /// On which connection.
        peer: PeerId,
        /// What the wire format says of them.
        error: Arc<dyn Error + Send + Sync>,
    },
    /// A message arrived.
    Received {
        /// On which connection.
        peer: PeerId,
        /// The message.
        message: Message<T>,
    },
    /// The time that [`Protocol::poll_timeout`](super::Protocol::poll_timeout) named has come. Harmless when it has
    /// not.
    Timeout,
}

/// What the driver is to do, in this order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output<T = String> {
    /// Send one message to these peers. A peer whose queue is full is to be dropped, with an
    /// [`Input::Disconnected`], never waited for.
    Send {
        /// The connections.
        peers: Vec<PeerId>,
        /// The message.
        message: Message<T>,
    },
    /// Send this peer the messages of [`Protocol::next_blocks`](super::Protocol::next_blocks), each after the previous
    /// one was written: together they may take 64 blocks of memory. Later messages to the peer follow the answer.
    SendBlocks {
        /// The connection.
        peer: PeerId,
        /// The blocks.
        answer: BlocksAnswer<T>,
    },
    /// Open a connection and answer with [`Input::Connected`] or [`Input::DialFailed`].
    Dial {
        /// Where to.
        address: PeerAddr,
        /// Which network addresses the connection may lead to.
        reach: Reach,
    },
    /// Close a connection after sending what is queued for it. The protocol has forgotten it already.
    Close {
        /// Which one.
        peer: PeerId,
        /// Why; the peer was told, if it could be.
        reason: CloseReason,
    },
    /// Something that the application may want to know.
    Event(Event<T>),
}

/// What an application can subscribe to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<T = String> {
    /// A block became part of the best chain. The state holds its transactions already.
    BlockConnected(Arc<Block<T>>),
    /// A block left the best chain, because a branch with more work won. Highest first.
    BlockDisconnected(Arc<Block<T>>),
    /// The best known header moved ahead of the blocks: a synchronisation is under way.
    HeadersAdvanced {
        /// The height of the best known header.
        height: u64,
    },
    /// A transaction entered the mempool.
    TransactionAccepted {
        /// Its id.
        id: Hash,
    },
    /// Transactions left the mempool without being mined, or were in a block that left the best chain and did not become
    /// pending again. One event for all that one block, message or call removes, so that a full mempool which is emptied
    /// does not crowd out other events.
    TransactionsRemoved {
        /// Their ids, each with why it was removed. No more than were pending, and in the blocks of the
        /// [`BlockDisconnected`](Self::BlockDisconnected) before it.
        removed: Arc<[(Hash, RemovalReason)]>,
    },
    /// A transaction of a peer is refused although the peer may be honest: the application's type has a flaw that keeps
    /// the transaction from being stored, sent or applied. Peers are not asked for it again.
    TransactionRefused {
        /// Its id.
        id: Hash,
        /// What is wrong with it.
        error: Arc<dyn Error + Send + Sync>,
    },
    /// The store failed. Where it could not be written to, nothing is taken in until it works again.
    StoreFailed {
        /// What it failed with.
        error: StoreError,
    },
    /// The store can be written to again, and the chain goes on from what it has.
    StoreRecovered,
    /// The clock is so far behind that blocks or headers wait for it: either it is wrong, or that of a peer is. Said
    /// when it begins, and at most once in ten minutes.
    ClockBehind(ClockBehind),
    /// Nothing waits for the clock any more.
    ClockCaughtUp,
    /// Peers have a branch with more work than the chain of this node, which refuses it: the two do not come to the
    /// same chain. Said when it begins, and at most once in ten minutes.
    BranchRefused(RefusedBranch),
    /// No peer has such a branch any more.
    BranchRefusalEnded,
    /// A peer finished its handshake.
    PeerConnected {
        /// The connection.
        peer: PeerId,
        /// Its address.
        address: PeerAddr,
        /// Who opened it.
        direction: Direction,
        /// The software that the peer says it is.
        agent: String,
    },
    /// A connection ended, whether or not its handshake had finished.
    PeerDisconnected {
        /// The connection.
        peer: PeerId,
        /// Its address.
        address: PeerAddr,
        /// Why.
        reason: CloseReason,
    },
    /// A host is banned: it has misbehaved, or the application asked for it. Its connections end.
    HostBanned {
        /// The host.
        host: PeerHost,
        /// For how long.
        duration: Duration,
    },
    /// An address did not answer. It is dialled again, later each time.
    DialFailed {
        /// The address.
        address: PeerAddr,
        /// What the transport says of it.
        error: Arc<dyn Error + Send + Sync>,
        /// The wait before the next attempt.
        retry_in: Duration,
    },
}

/// Why a connection ended.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer keeps another chain, or the same by other rules.
    #[error(
        "wrong chain: the peer's genesis is {got}, expected {expected}; name, block interval or another rule differs"
    )]
    WrongGenesis {
        /// The peer's genesis hash.
        got: Hash,
        /// Ours.
        expected: Hash,
    },
    /// The peer speaks another version of the protocol.
    #[error("wrong protocol version: {got}, expected {expected}")]
    WrongProtocol {
        /// The peer's version.
        got: u32,
        /// Ours.
        expected: u32,
    },
    /// The connection leads back to this node.
    #[error("connected to itself")]
    SelfConnection,
    /// Another connection to the same node is open already.
    #[error("already connected to this peer")]
    AlreadyConnected,
    /// Something came before the `Hello`.
    #[error("expected hello first, got {got}")]
    ExpectedHello {
        /// The kind of message.
        got: &'static str,
    },
    /// A second `Hello` came.
    #[error("unexpected second hello")]
    SecondHello,
    /// A text in a message is longer than allowed.
    #[error("{field} has {got} bytes, at most {limit} are allowed")]
    TextTooLong {
        /// Which text.
        field: &'static str,
        /// Its length in bytes.
        got: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A message holds more items than allowed.
    #[error("{kind} has {got} items, at most {limit} are allowed")]
    TooManyItems {
        /// The kind of message.
        kind: &'static str,
        /// How many items.
        got: usize,
        /// The limit.
        limit: usize,
    },
    /// The peer answered what nobody asked.
    #[error("unsolicited {kind}")]
    Unsolicited {
        /// The kind of message.
        kind: &'static str,
    },
    /// Headers in one message do not follow each other.
    #[error("headers do not follow each other at height {height}")]
    BrokenHeaders {
        /// The height of the first header that does not follow.
        height: u64,
    },
    /// The peer's headers do not connect to the chain that it was asked about.
    #[error("headers start at an unknown parent {parent}")]
    UnconnectedHeaders {
        /// The missing parent.
        parent: Hash,
    },
    /// A header or a block breaks a rule.
    #[error("block {hash} refused: {error}")]
    InvalidBlock {
        /// The block's hash.
        hash: Hash,
        /// The rule.
        #[source]
        error: BlockError,
    },
    /// A transaction that the peer sent cannot stand on any chain.
    #[error("transaction refused: {0}")]
    InvalidTransaction(#[source] crate::EncodeError),
    /// Bytes that are no message of the connection's format.
    #[error("malformed message: {0}")]
    Malformed(#[source] Arc<dyn Error + Send + Sync>),
    /// A message arrived that this node can read from no peer in the connection's format, because the application's
    /// type has no form in it.
    #[error("unreadable message: {0}")]
    Unreadable(#[source] Arc<dyn Error + Send + Sync>),
    /// The peer did not say hello in time.
    #[error("no hello within {} s", .0.as_secs())]
    HandshakeTimeout(Duration),
    /// The peer did not answer in time.
    #[error("no answer to {kind} within {} s", .after.as_secs())]
    RequestTimeout {
        /// What was asked.
        kind: &'static str,
        /// How long it was waited for.
        after: Duration,
    },
    /// No more connections of this kind are taken.
    #[error("too many peers: {limit} are connected already")]
    TooManyPeers {
        /// The limit.
        limit: usize,
    },
    /// No more connections from one host are taken.
    #[error("too many connections from one host: {limit} are open already")]
    TooManyFromHost {
        /// The limit.
        limit: usize,
    },
    /// The connection gave way to a new one, because there were too many, and others were of more use.
    #[error("gave way to another peer")]
    Evicted,
    /// The peer's host is banned.
    #[error("banned for another {}", Span(*.remaining))]
    Banned {
        /// For how long yet.
        remaining: Duration,
    },
    /// The peer reads too slowly: its queue is full.
    #[error("peer reads too slowly: messages of {limit} bytes of memory are waiting for it")]
    QueueFull {
        /// The size of the queue, in bytes of memory.
        limit: usize,
    },
    /// The peer did not read what was written to it in time.
    #[error("peer did not read within {} s", .0.as_secs())]
    WriteTimeout(Duration),
    /// The peer said goodbye.
    #[error("peer closed the connection: {reason}")]
    Bye {
        /// The peer's reason.
        reason: String,
    },
    /// The connection ended without a goodbye.
    #[error("connection ended")]
    Ended,
    /// The transport failed.
    #[error("connection lost: {0}")]
    Lost(#[source] Arc<dyn Error + Send + Sync>),
    /// The application asked for it.
    #[error("disconnected on request")]
    Requested,
    /// The node is shutting down.
    #[error("node is shutting down")]
    Shutdown,
}
