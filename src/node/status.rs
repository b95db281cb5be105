//! A node at a glance.

use core::time::Duration;

use serde::Serialize;

use super::Shared;
use crate::primitives::{CompactTarget, Difficulty, Hash, Timestamp, Transaction, Work};
use crate::protocol::{ClockBehind, PeerAddr, Protocol, RefusedBranch};

/// A node at one moment.
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
    /// The height of the best known header; more than `height` while blocks are being fetched.
    pub header_height: u64,
    /// Transactions that wait to be mined.
    pub pending: usize,
    /// Peers that have introduced themselves.
    pub peers: usize,
    /// Addresses that are being dialled, or waiting to be.
    pub unconnected: Vec<PeerAddr>,
    /// Where the node accepts connections.
    pub listen: Option<PeerAddr>,
    /// The lowest height from which on this node has every block; more than 0 where it prunes.
    pub first_body: u64,
    /// What the store failed with, until it works again.
    pub store_error: Option<String>,
    /// Whether nothing is taken in or mined because the store cannot be written to.
    pub halted: bool,
    /// How far the clock is behind, if blocks or headers wait for it.
    pub clock_behind: Option<ClockBehind>,
    /// A branch with more work than this chain that peers have and this node refuses, if there is one.
    pub refused_branch: Option<RefusedBranch>,
    /// What is being mined, if anything is.
    pub mining: Option<MiningStatus>,
    /// Why continuous mining fails, until it finds a block again.
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
    /// Since the search began, in milliseconds.
    #[serde(rename = "elapsed_ms", serialize_with = "millis")]
    pub elapsed: Duration,
}

impl MiningStatus {
    /// Hashes per second so far; 0 where it is too early to tell.
    pub fn hash_rate(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        if seconds > 0.0 { self.hashes as f64 / seconds } else { 0.0 }
    }
}

fn millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
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
            mining,
            mining_error: shared
                .mining_error
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .clone(),
        }
    }
}
