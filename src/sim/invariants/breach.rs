//! The ways in which an invariant can be broken: one variant for each, with the found and the expected
//! values.

use core::time::Duration;

use crate::primitives::{Hash, Timestamp, Work};
use crate::protocol::{CloseReason, PeerHost, PeerId};

/// How an invariant was broken.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Breach {
    /// The best chain has less work than before.
    #[error("the best chain's work fell from {before} to {after}")]
    WorkFell {
        /// The work before the step.
        before: Work,
        /// The work after the step.
        after: Work,
    },
    /// The height is not that of the tip, or a block does not extend the block before it.
    #[error("block {hash} at height {height} does not stand on {parent}")]
    NotContiguous {
        /// The block.
        hash: Hash,
        /// Its height.
        height: u64,
        /// The expected parent.
        parent: Hash,
    },
    /// The events do not lead to the tip.
    #[error("the events lead to {told}, the chain to {tip}")]
    EventsDiffer {
        /// The block to which the events lead.
        told: Hash,
        /// The tip.
        tip: Hash,
    },
    /// A message was sent over a closed connection, or a connection was closed twice.
    #[error("{output} for {peer}, which is closed")]
    ClosedPeer {
        /// The connection.
        peer: PeerId,
        /// The kind of the output.
        output: &'static str,
    },
    /// The next deadline has already passed after a timeout was processed.
    #[error("the deadline {deadline:?} has passed at {now:?}, after a timeout")]
    DeadlineStands {
        /// The deadline.
        deadline: Duration,
        /// The time.
        now: Duration,
    },
    /// An honest node was disconnected for misbehaviour that no honest node shows.
    #[error("closed honest node {remote} for misbehaviour: {reason}")]
    HonestBlamed {
        /// The honest node.
        remote: usize,
        /// The reason for closing the connection.
        reason: CloseReason,
    },
    /// One step had more outputs than allowed.
    #[error("{got} outputs in one step, at most {limit} are allowed")]
    TooManyOutputs {
        /// The number of outputs.
        got: usize,
        /// The limit.
        limit: usize,
    },
    /// The state does not equal a replay of the blocks.
    #[error("the state at height {height} is not what the blocks add up to")]
    StateDiffers {
        /// The height of the tip.
        height: u64,
    },
    /// A block of the best chain cannot be read.
    #[error("the chain cannot be read: {error}")]
    Unreadable {
        /// The error of the store.
        error: crate::StoreError,
    },
    /// The chain does not pass its own verification.
    #[error("the chain does not verify: {error}")]
    Verify {
        /// The error of the verification.
        error: String,
    },
    /// A node cannot be started from its store.
    #[error("a kept chain cannot be opened: {error}")]
    Open {
        /// The error of the chain.
        error: String,
    },
    /// A node refuses a block that it mined.
    #[error("a node's own block was refused: {error}")]
    OwnBlock {
        /// The error.
        error: String,
    },
    /// The honest nodes did not agree on a tip in time.
    #[error("{tips} different tips after {waited:?}")]
    NoAgreement {
        /// The number of different tips.
        tips: usize,
        /// The time limit.
        waited: Duration,
    },
    /// A node switched to a branch that has no more work than its best chain.
    #[error("tip {before} gave way to {after}, which has the same work")]
    TieLost {
        /// The tip before the step.
        before: Hash,
        /// The tip after the step.
        after: Hash,
    },
    /// The work of the best chain is not the sum of the work of its blocks.
    #[error("the chain says that it has work {got}, and its blocks add up to {expected}")]
    WorkDiffers {
        /// The work that the chain reports.
        got: Work,
        /// The sum of the work of its blocks.
        expected: Work,
    },
    /// The best known header does not meet its target.
    #[error("the hash of header {hash} is above its target")]
    FreeHeader {
        /// The header.
        hash: Hash,
    },
    /// A block was connected whose timestamp is too far ahead of the clock.
    #[error("block {hash} of {got} was taken, when the limit was {limit}")]
    FromTheFuture {
        /// The block.
        hash: Hash,
        /// Its timestamp.
        got: Timestamp,
        /// The latest timestamp that the node's clock has permitted so far.
        limit: Timestamp,
    },
    /// A transaction was accepted and is neither pending nor mined any more.
    #[error("transaction {id} was accepted, and is neither pending nor mined")]
    TransactionLost {
        /// The transaction.
        id: Hash,
    },
    /// A transaction is on the best chain twice.
    #[error("transaction {id} is mined twice")]
    MinedTwice {
        /// The transaction.
        id: Hash,
    },
    /// A request has timed out, and the peer is still connected.
    #[error("{peer} has not answered {kind} since {since:?}")]
    RequestStands {
        /// The connection.
        peer: PeerId,
        /// The kind of the request.
        kind: &'static str,
        /// When the request was sent, or its deadline last extended.
        since: Duration,
    },
    /// A peer was disconnected for a request timeout although it had answered, or its time had not run out.
    #[error("{peer} was closed for {kind}, which it had answered or had time for")]
    Impatient {
        /// The connection.
        peer: PeerId,
        /// The kind of the request.
        kind: &'static str,
    },
    /// A block was requested from two peers at the same time.
    #[error("block {hash} was asked of {second}, while {first} had not answered")]
    AskedTwice {
        /// The block.
        hash: Hash,
        /// The peer that was asked first.
        first: PeerId,
        /// The peer that was asked second.
        second: PeerId,
    },
    /// A peer was sent the announcement or the offer of something that it already knows.
    #[error("{peer} was told of {hash} in {kind}, and knew that")]
    ToldTwice {
        /// The connection.
        peer: PeerId,
        /// The block or transaction.
        hash: Hash,
        /// The kind of the message.
        kind: &'static str,
    },
    /// A connection is open although no message has arrived for too long.
    #[error("nothing was heard from {peer} for {silent_for:?}")]
    SilentPeer {
        /// The connection.
        peer: PeerId,
        /// The time since the last message.
        silent_for: Duration,
    },
    /// A node has a connection to itself.
    #[error("the node is its own peer, {peer}")]
    OwnPeer {
        /// The connection.
        peer: PeerId,
    },
    /// A peer completed the handshake although its host is banned.
    #[error("{host} was let in as {peer}, and is banned")]
    BannedPeer {
        /// The host.
        host: PeerHost,
        /// The connection.
        peer: PeerId,
    },
    /// A node stores more items of a kind than allowed.
    #[error("{got} {what} are kept, at most {limit} are allowed")]
    TooMuchKept {
        /// The kind of the items.
        what: &'static str,
        /// The number of items.
        got: usize,
        /// The limit.
        limit: usize,
    },
    /// The honest nodes did not agree on the pending transactions in time.
    #[error("the pending transactions differ after {waited:?}")]
    PoolsDiffer {
        /// The time limit.
        waited: Duration,
    },
    /// A rule that this crate does not define.
    #[error("{rule}: {detail}")]
    Other {
        /// The name of the rule.
        rule: &'static str,
        /// The details of the violation.
        detail: String,
    },
}

impl Breach {
    /// Returns the name of the broken rule: an invariant, or a condition at the end of a run.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::WorkFell { .. } | Self::TieLost { .. } => "WorkGrows",
            Self::NotContiguous { .. } | Self::EventsDiffer { .. } => "EventsFollowTheChain",
            Self::ClosedPeer { .. } => "OpenConnections",
            Self::DeadlineStands { .. } => "DeadlinesPass",
            Self::HonestBlamed { .. } => "HonestPeersStay",
            Self::TooManyOutputs { .. } => "BoundedOutputs",
            Self::StateDiffers { .. } | Self::Unreadable { .. } | Self::WorkDiffers { .. } => "StateIsReplay",
            Self::FreeHeader { .. } => "HeadersCostWork",
            Self::FromTheFuture { .. } => "NothingIsFromTheFuture",
            Self::TransactionLost { .. } | Self::MinedTwice { .. } => "TransactionsStay",
            Self::RequestStands { .. } | Self::Impatient { .. } => "RequestsEnd",
            Self::AskedTwice { .. } => "BlocksAreAskedForOnce",
            Self::ToldTwice { .. } => "NothingIsToldTwice",
            Self::SilentPeer { .. } => "SilentPeersGo",
            Self::OwnPeer { .. } => "PeersAreOthers",
            Self::BannedPeer { .. } => "BansHold",
            Self::TooMuchKept { .. } => "MemoryIsBounded",
            Self::Verify { .. } => "verification",
            Self::Open { .. } => "restart",
            Self::OwnBlock { .. } => "mining",
            Self::NoAgreement { .. } => "agreement",
            Self::PoolsDiffer { .. } => "equal mempools",
            Self::Other { rule, .. } => rule,
        }
    }
}
