//! A summary of a node's state.

use core::time::Duration;

use serde::Serialize;

use super::shared::Shared;
use crate::primitives::{CompactTarget, Difficulty, Hash, Timestamp, Transaction, Work, serialize_millis};
#[cfg(feature = "evidence")]
use crate::protocol::SigningStatus;
use crate::protocol::{ClockBehind, PeerAddr, Protocol, RefusedBranch};

/// The state of a node at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The name of the chain.
    pub chain: String,
    /// The hash of its genesis block.
    pub genesis: Hash,
    /// The height of the last block.
    pub height: u64,
    /// The hash of the last block.
    pub tip: Hash,
    /// The timestamp of the last block.
    pub timestamp: Timestamp,
    /// The work of the chain.
    pub work: Work,
    /// The target of the next block.
    pub next_target: CompactTarget,
    /// The difficulty of the next block.
    pub next_difficulty: Difficulty,
    /// The height of the header with the most work; above `height` while blocks are being fetched.
    pub header_height: u64,
    /// The number of pending transactions.
    pub pending: usize,
    /// The number of peers that have completed the handshake.
    pub peers: usize,
    /// Addresses that are being dialled, or are due to be dialled later.
    pub unconnected: Vec<PeerAddr>,
    /// The address at which the node accepts connections.
    pub listen: Option<PeerAddr>,
    /// The lowest height from which on the node has the body of every block; above 0 if the node has pruned
    /// bodies.
    pub first_body: u64,
    /// The last error of the store, until the store works again.
    pub store_error: Option<String>,
    /// Whether imports and mining are suspended because the store cannot be written to.
    pub halted: bool,
    /// How far the clock is behind, if that delays blocks or headers.
    pub clock_behind: Option<ClockBehind>,
    /// A branch that has more work than the best chain and that this node refuses, if peers have one.
    pub refused_branch: Option<RefusedBranch>,
    /// What the node signs; `None` if it has no signer.
    #[cfg(feature = "evidence")]
    pub signing: Option<SigningStatus>,
    /// The search for a block, if one is running.
    pub mining: Option<MiningStatus>,
    /// The last error of continuous mining, until it finds a block.
    pub mining_error: Option<String>,
}

/// A search for a block.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MiningStatus {
    /// The height of the block.
    pub height: u64,
    /// Hashes tried.
    pub hashes: u64,
    /// The time since the search began, in milliseconds in JSON.
    #[serde(rename = "elapsed_ms", serialize_with = "serialize_millis")]
    pub elapsed: Duration,
}

impl MiningStatus {
    /// Hashes per second since the search began; 0 if no time has passed.
    pub fn hash_rate(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        if seconds > 0.0 { self.hashes as f64 / seconds } else { 0.0 }
    }
}

impl Status {
    pub(super) fn of<T: Transaction>(shared: &Shared<T>, protocol: &Protocol<T>) -> Self {
        let running = shared.mining.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let mining = running.map(|running| MiningStatus {
            height: running.height,
            hashes: running.threads.hashes(),
            elapsed: shared.clock.now().elapsed.saturating_sub(running.since),
        });
        let chain = protocol.chain();
        let next_target = chain.next_target();
        Self {
            chain: chain.spec().name().to_owned(),
            genesis: *chain.genesis().hash(),
            height: chain.height(),
            tip: *chain.tip().hash(),
            timestamp: chain.tip().header().timestamp,
            work: chain.work(),
            next_target,
            next_difficulty: chain.difficulty(next_target),
            header_height: chain.best_header().1.height,
            pending: protocol.mempool().len(),
            peers: protocol.peer_count(),
            unconnected: protocol.unconnected().cloned().collect(),
            listen: shared.listen.clone(),
            first_body: chain.first_body(),
            store_error: protocol.store_error().map(ToString::to_string),
            halted: protocol.is_halted(),
            clock_behind: protocol.clock_behind(shared.clock.now().wall),
            refused_branch: protocol.refused_branch(),
            #[cfg(feature = "evidence")]
            signing: protocol.signing(),
            mining,
            mining_error: shared
                .mining_error
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .clone(),
        }
    }
}
