//! How an invariant was broken: one variant per way, with what was found and what should have been.

use core::time::Duration;

use crate::primitives::{Hash, Timestamp, Work};
use crate::protocol::{CloseReason, PeerHost, PeerId};

/// How a rule was broken.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Breach {
    /// The best chain has less work than before.
    #[error("the best chain's work fell from {before} to {after}")]
    WorkFell {
        /// The work before the step.
        before: Work,
        /// And after it.
        after: Work,
    },
    /// The height is not that of the tip, or a block does not stand on the one before it.
    #[error("block {hash} at height {height} does not stand on {parent}")]
    NotContiguous {
        /// The block.
        hash: Hash,
        /// Its height.
        height: u64,
        /// The block that it should stand on.
        parent: Hash,
    },
    /// The events did not lead to the tip.
    #[error("the events lead to {told}, the chain to {tip}")]
    EventsDiffer {
        /// Where the events lead.
        told: Hash,
        /// The tip.
        tip: Hash,
    },
    /// Something was sent over a connection that is closed, or it was closed twice.
    #[error("{output} for {peer}, which is closed")]
    ClosedPeer {
        /// The connection.
        peer: PeerId,
        /// What was to be done.
        output: &'static str,
    },
    /// After a timeout, the next deadline has passed already.
    #[error("the deadline {deadline:?} has passed at {now:?}, after a timeout")]
    DeadlineStands {
        /// The deadline.
        deadline: Duration,
        /// The time.
        now: Duration,
    },
    /// An honest node was closed for what no honest node does.
    #[error("closed honest node {remote} for misbehaviour: {reason}")]
    HonestBlamed {
        /// The node.
        remote: usize,
        /// Why it was closed.
        reason: CloseReason,
    },
    /// One step had more outputs than it may.
    #[error("{got} outputs in one step, at most {limit} are allowed")]
    TooManyOutputs {
        /// How many.
        got: usize,
        /// The limit.
        limit: usize,
    },
    /// The state is not what the blocks add up to.
    #[error("the state at height {height} is not what the blocks add up to")]
    StateDiffers {
        /// The height of the tip.
        height: u64,
    },
    /// A block of the best chain cannot be read.
    #[error("the chain cannot be read: {error}")]
    Unreadable {
        /// What the store says.
        error: crate::StoreError,
    },
    /// The chain does not pass its own check.
    #[error("the chain does not verify: {error}")]
    Verify {
        /// What the check says.
        error: String,
    },
    /// A node cannot be started with what it had in its store.
    #[error("a kept chain cannot be opened: {error}")]
    Open {
        /// What the chain says.
        error: String,
    },
    /// A node refuses the block that it mined itself.
    #[error("a node's own block was refused: {error}")]
    OwnBlock {
        /// The rule.
        error: String,
    },
    /// The honest nodes have come to no agreement.
    #[error("{tips} different tips after {waited:?}")]
    NoAgreement {
        /// How many tips there are.
        tips: usize,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The best chain was given up for one that has no more work.
    #[error("tip {before} gave way to {after}, which has the same work")]
    TieLost {
        /// The tip before the step.
        before: Hash,
        /// And after it.
        after: Hash,
    },
    /// The work of the best chain is not the sum of that of its blocks.
    #[error("the chain says that it has work {got}, and its blocks add up to {expected}")]
    WorkDiffers {
        /// What the chain says.
        got: Work,
        /// What its blocks add up to.
        expected: Work,
    },
    /// The best known header cost no work.
    #[error("the hash of header {hash} is above its target")]
    FreeHeader {
        /// The header.
        hash: Hash,
    },
    /// A block was taken whose time had not come.
    #[error("block {hash} of {got} was taken, when the limit was {limit}")]
    FromTheFuture {
        /// The block.
        hash: Hash,
        /// Its timestamp.
        got: Timestamp,
        /// The latest that the node's clock allowed so far.
        limit: Timestamp,
    },
    /// A transaction is neither pending nor mined any longer.
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
    /// A request was waited for longer than its time, and the peer still is there.
    #[error("{peer} has not answered {kind} since {since:?}")]
    RequestStands {
        /// The connection.
        peer: PeerId,
        /// What was asked for.
        kind: &'static str,
        /// Since when.
        since: Duration,
    },
    /// A peer was closed for not answering that had answered, or whose time was not over.
    #[error("{peer} was closed for {kind}, which it had answered or had time for")]
    Impatient {
        /// The connection.
        peer: PeerId,
        /// What it was to have been asked for.
        kind: &'static str,
    },
    /// A block was asked of two peers at the same time.
    #[error("block {hash} was asked of {second}, while {first} had not answered")]
    AskedTwice {
        /// The block.
        hash: Hash,
        /// The peer that was asked first.
        first: PeerId,
        /// The peer that was asked second.
        second: PeerId,
    },
    /// A peer was told of what it had, or had been told of.
    #[error("{peer} was told of {hash} in {kind}, and knew that")]
    ToldTwice {
        /// The connection.
        peer: PeerId,
        /// The block or transaction.
        hash: Hash,
        /// In which message.
        kind: &'static str,
    },
    /// Nothing was heard over a connection for so long that it should have been closed.
    #[error("nothing was heard from {peer} for {silent_for:?}")]
    SilentPeer {
        /// The connection.
        peer: PeerId,
        /// For how long.
        silent_for: Duration,
    },
    /// A node has itself as a peer.
    #[error("the node is its own peer, {peer}")]
    OwnPeer {
        /// The connection.
        peer: PeerId,
    },
    /// A peer was let in whose host is banned.
    #[error("{host} was let in as {peer}, and is banned")]
    BannedPeer {
        /// The host.
        host: PeerHost,
        /// The connection.
        peer: PeerId,
    },
    /// A node keeps more of something than it may.
    #[error("{got} {what} are kept, at most {limit} are allowed")]
    TooMuchKept {
        /// Of what.
        what: &'static str,
        /// How many.
        got: usize,
        /// The limit.
        limit: usize,
    },
    /// The honest nodes do not have the same transactions pending.
    #[error("the pending transactions differ after {waited:?}")]
    PoolsDiffer {
        /// How long it was waited for.
        waited: Duration,
    },
    /// A rule that this crate does not know.
    #[error("{rule}: {detail}")]
    Other {
        /// Its name.
        rule: &'static str,
        /// What it found.
        detail: String,
    },
}

impl Breach {
    /// The rule that was broken: the name of the invariant, or of what must hold at the end of a run.
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
