//! The events that an application can subscribe to, and what they report.

use core::error::Error;
use core::time::Duration;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::address::{PeerAddr, PeerHost};
use super::close::CloseReason;
use super::peer::{Direction, PeerId};
use crate::chain::BlockError;
#[cfg(feature = "evidence")]
use crate::evidence::SignError;
use crate::mempool::RemovalReason;
use crate::primitives::{Block, Difficulty, Hash, Work, millis};
use crate::store::StoreError;

/// An event that an application can subscribe to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<T = String> {
    /// A block was connected to the best chain. The state already includes its transactions.
    BlockConnected {
        /// The block.
        block: Arc<Block<T>>,
        /// What connected it.
        source: BlockSource,
        /// Its difficulty.
        difficulty: Difficulty,
        /// The time between the timestamps of the block before and of this one; zero if the later block has the earlier
        /// timestamp, which the rules allow.
        interval: Duration,
    },
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
    /// A reorganisation replaced a block of the last checkpoint that this node signed. The node follows the chain with the
    /// most work, and signs no more checkpoints unless the chain contains that block again.
    #[cfg(feature = "evidence")]
    SigningStopped {
        /// How the chain differs from the signed checkpoint.
        error: SignError,
    },
    /// The chain contains the last checkpoint that this node signed again, so that it signs more.
    #[cfg(feature = "evidence")]
    SigningResumed,
    /// A search for a block began.
    MiningStarted(MiningStatus),
    /// A search for a block goes on. Emitted after ten seconds, and then at intervals that double up to ten minutes.
    MiningContinues(MiningStatus),
    /// A search for a block ended: it found one, or it was abandoned, because the tip changed or the caller cancelled it.
    MiningEnded {
        /// The search at its end.
        search: MiningStatus,
        /// The hash of the block that was found.
        found: Option<Hash>,
    },
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
        /// The wire format of the connection.
        format: &'static str,
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

/// What connected a block to the best chain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockSource {
    /// This node mined a block. In a reorganisation, the block completed the branch of all that were connected with it.
    Mined,
    /// A peer sent a block. In a reorganisation, the peer completed the branch; its other blocks may have come from others.
    Peer {
        /// The connection.
        peer: PeerId,
        /// The address of the peer.
        address: PeerAddr,
        /// The wire format of the connection.
        format: &'static str,
    },
}

/// A search for a block.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct MiningStatus {
    /// The height of the block.
    pub height: u64,
    /// Hashes tried.
    pub hashes: u64,
    /// The time since the search began, in milliseconds in JSON.
    #[serde(rename = "elapsed_ms", with = "millis")]
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub elapsed: Duration,
    /// The difficulty of the block.
    pub difficulty: Difficulty,
    /// The work of the block: how many hashes a search takes on average.
    pub work: Work,
}

impl MiningStatus {
    /// A search that has not begun.
    pub fn new(height: u64, difficulty: Difficulty, work: Work) -> Self {
        Self { height, hashes: 0, elapsed: Duration::ZERO, difficulty, work }
    }

    /// Hashes per second since the search began; 0 if no time has passed.
    pub fn hash_rate(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        if seconds > 0.0 { self.hashes as f64 / seconds } else { 0.0 }
    }

    /// How long a search takes on average at the present hash rate; `None` before there is a rate. A search has no memory: what
    /// is still to come takes as long on average, however long it has been going on.
    pub fn expected_time(&self) -> Option<Duration> {
        let rate = self.hash_rate();
        let hashes = f64::from(self.work.as_uint());
        if rate > 0.0 { Duration::try_from_secs_f64(hashes / rate).ok() } else { None }
    }
}

/// A clock that is so far behind that blocks or headers have to wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ClockBehind {
    /// How far the clock is behind the latest timestamp that has to wait for it; in JSON, in milliseconds.
    #[serde(rename = "behind_ms", with = "millis")]
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub behind: Duration,
    /// The time until the next block can be mined, by this clock; zero if mining need not wait. In JSON, in
    /// milliseconds.
    #[serde(rename = "mining_in_ms", with = "millis")]
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub mining_in: Duration,
    /// The number of peers with headers that are not imported yet, because their timestamps are too far ahead
    /// of the clock.
    pub peers: usize,
}

/// A branch with more work than this node's best chain that this node refuses for a reason that no honest
/// peer can change: the branch leaves the best chain too deep, or exceeds the limits of side branches.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedBranch {
    /// The [rule](BlockError::rule), by its stable name.
    pub rule: &'static str,
    /// Why the branch is refused.
    pub error: BlockError,
    /// The most work that a peer has on a refused branch, claimed in its `Hello` or proven by its headers.
    pub work: Work,
    /// The number of peers with a refused branch.
    pub peers: usize,
}
