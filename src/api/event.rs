//! What happens on a node: the events of `GET /events`.

use core::fmt::Display;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::RefusedBranch;
use crate::primitives::{Address, Block, Difficulty, Hash, Timestamp, Transaction};
use crate::protocol::{BlockSource, ClockBehind, Direction, Event, MiningStatus, PeerAddr, PeerHost, PeerId};

/// An event of a node, without the transactions of blocks. Its size is bounded: it names few ids, and texts are short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum NodeEvent {
    /// The first event for a client that does not continue after an earlier one.
    Open {
        /// The height on which the events after this one build.
        height: u64,
        /// The hash of the block at that height.
        tip: Hash,
    },
    /// Events that the client cannot have any more.
    Missed {
        /// Their number; `None` if it is not known, because the node was restarted.
        events: Option<u64>,
    },
    /// A block was connected to the best chain.
    BlockConnected {
        /// The block.
        #[serde(flatten)]
        block: BlockSummary,
        /// Its difficulty.
        difficulty: Difficulty,
        /// The time between the timestamps of the block before and of this one, in milliseconds.
        interval_ms: u64,
        /// What connected it.
        source: BlockOrigin,
    },
    /// A block was disconnected from the best chain.
    BlockDisconnected(BlockSummary),
    /// The best known header moved ahead of the tip.
    HeadersAdvanced {
        /// Its height.
        height: u64,
    },
    /// A transaction entered the mempool.
    TransactionAccepted {
        /// Its id.
        id: Hash,
    },
    /// A peer's transaction was refused because of a flaw in the application's transaction type.
    TransactionRefused {
        /// Its id.
        id: Hash,
        /// The error that the flaw has caused.
        reason: String,
    },
    /// Transactions left the mempool without being mined.
    TransactionsRemoved {
        /// How many.
        count: usize,
        /// The first 100 of them.
        removed: Vec<RemovedTransaction>,
    },
    /// A search for a block began.
    MiningStarted(MiningReport),
    /// A search for a block goes on.
    MiningContinues(MiningReport),
    /// A search for a block ended.
    MiningEnded {
        /// The search at its end.
        #[serde(flatten)]
        search: MiningReport,
        /// The hash of the block, if one was found.
        found: Option<Hash>,
    },
    /// The store failed.
    StoreFailed {
        /// The error.
        reason: String,
    },
    /// The store works again.
    StoreRecovered,
    /// Blocks or headers have to wait for the clock.
    ClockBehind(ClockBehind),
    /// None has to wait for the clock any more.
    ClockCaughtUp,
    /// Peers have a branch with more work, which the node refuses.
    BranchRefused(RefusedBranch),
    /// No peer has such a branch any more.
    BranchRefusalEnded,
    /// The node signs no more checkpoints.
    SigningStopped {
        /// How the chain differs from the signed checkpoint.
        reason: String,
    },
    /// The node signs checkpoints again.
    SigningResumed,
    /// A peer completed the handshake.
    PeerConnected {
        /// The connection.
        peer: PeerId,
        /// The address of the peer.
        address: PeerAddr,
        /// Which side opened the connection.
        direction: Direction,
        /// The software that the peer claims.
        agent: String,
        /// The wire format of the connection.
        format: String,
    },
    /// A connection ended.
    PeerDisconnected {
        /// The connection.
        peer: PeerId,
        /// The address of the peer.
        address: PeerAddr,
        /// Why it ended.
        reason: String,
    },
    /// A host was banned.
    HostBanned {
        /// The host.
        host: PeerHost,
        /// The duration of the ban, in seconds.
        seconds: u64,
    },
    /// An address could not be dialled.
    DialFailed {
        /// The address.
        address: PeerAddr,
        /// The error of the transport.
        reason: String,
        /// The time until the next attempt, in milliseconds.
        retry_in_ms: u64,
    },
    /// An event of a type that this version of the crate does not know. No node sends it.
    #[serde(other)]
    Unknown,
}

/// What an event says of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BlockSummary {
    /// The height.
    pub height: u64,
    /// The hash.
    pub hash: Hash,
    /// The hash of the block before.
    pub previous_hash: Hash,
    /// The time at which the block was made, as its miner claims.
    pub timestamp: Timestamp,
    /// The address of the miner.
    pub miner: Address,
    /// The number of transactions.
    pub transactions: usize,
}

/// What connected a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum BlockOrigin {
    /// The node mined it.
    Mined,
    /// A peer sent it.
    Peer {
        /// The connection.
        peer: PeerId,
        /// The address of the peer.
        address: PeerAddr,
        /// The wire format of the connection.
        format: String,
    },
}

/// A transaction that left the mempool without being mined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RemovedTransaction {
    /// Its id.
    pub id: Hash,
    /// Why it was removed.
    pub reason: String,
}

/// A search for a block, and its speed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MiningReport {
    /// The search.
    #[serde(flatten)]
    pub status: MiningStatus,
    /// Hashes per second since it began.
    pub hashes_per_second: f64,
    /// How long a search takes on average at this rate, in milliseconds; `None` before there is a rate.
    pub expected_ms: Option<u64>,
}

/// The number of removed transactions that one event names; the rest are counted.
const MAX_REMOVED: usize = 100;

/// The largest text of an error, in characters.
const MAX_REASON_CHARS: usize = 256;

impl<T: Transaction> From<&Event<T>> for NodeEvent {
    fn from(event: &Event<T>) -> Self {
        match event {
            Event::BlockConnected { block, source, difficulty, interval } => Self::BlockConnected {
                block: BlockSummary::of(block),
                difficulty: *difficulty,
                interval_ms: millis(*interval),
                source: match source {
                    BlockSource::Mined => BlockOrigin::Mined,
                    BlockSource::Peer { peer, address, format } => BlockOrigin::Peer {
                        peer: *peer,
                        address: address.clone(),
                        format: (*format).to_owned(),
                    },
                },
            },
            Event::BlockDisconnected(block) => Self::BlockDisconnected(BlockSummary::of(block)),
            Event::HeadersAdvanced { height } => Self::HeadersAdvanced { height: *height },
            Event::TransactionAccepted { id } => Self::TransactionAccepted { id: *id },
            Event::TransactionRefused { id, error } => {
                Self::TransactionRefused { id: *id, reason: reason(error) }
            }
            Event::TransactionsRemoved { removed } => {
                let named = removed.iter().take(MAX_REMOVED);
                let named =
                    named.map(|(id, why)| RemovedTransaction { id: *id, reason: reason(why) }).collect();
                Self::TransactionsRemoved { count: removed.len(), removed: named }
            }
            Event::MiningStarted(search) => Self::MiningStarted(MiningReport::of(search)),
            Event::MiningContinues(search) => Self::MiningContinues(MiningReport::of(search)),
            Event::MiningEnded { search, found } => {
                Self::MiningEnded { search: MiningReport::of(search), found: *found }
            }
            Event::StoreFailed { error } => Self::StoreFailed { reason: reason(error) },
            Event::StoreRecovered => Self::StoreRecovered,
            Event::ClockBehind(clock) => Self::ClockBehind(*clock),
            Event::ClockCaughtUp => Self::ClockCaughtUp,
            Event::BranchRefused(refused) => Self::BranchRefused(refused.clone().into()),
            Event::BranchRefusalEnded => Self::BranchRefusalEnded,
            #[cfg(feature = "evidence")]
            Event::SigningStopped { error } => Self::SigningStopped { reason: reason(error) },
            #[cfg(feature = "evidence")]
            Event::SigningResumed => Self::SigningResumed,
            Event::PeerConnected { peer, address, direction, agent, format } => Self::PeerConnected {
                peer: *peer,
                address: address.clone(),
                direction: *direction,
                agent: agent.clone(),
                format: (*format).to_owned(),
            },
            Event::PeerDisconnected { peer, address, reason: why } => {
                Self::PeerDisconnected { peer: *peer, address: address.clone(), reason: reason(why) }
            }
            Event::HostBanned { host, duration } => {
                Self::HostBanned { host: host.clone(), seconds: duration.as_secs() }
            }
            Event::DialFailed { address, error, retry_in } => Self::DialFailed {
                address: address.clone(),
                reason: reason(error),
                retry_in_ms: millis(*retry_in),
            },
        }
    }
}

impl BlockSummary {
    fn of<T: Transaction>(block: &Block<T>) -> Self {
        let header = block.header();
        Self {
            height: header.height,
            hash: *block.hash(),
            previous_hash: header.previous_hash,
            timestamp: header.timestamp,
            miner: header.miner,
            transactions: block.data().len(),
        }
    }
}

impl MiningReport {
    fn of(status: &MiningStatus) -> Self {
        Self {
            status: *status,
            hashes_per_second: status.hash_rate(),
            expected_ms: status.expected_time().map(millis),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

/// An error or a reason as a text of bounded length.
fn reason(why: &impl Display) -> String {
    let text = why.to_string();
    match text.char_indices().nth(MAX_REASON_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::mempool::RemovalReason;
    use crate::primitives::{Target, Work};
    use crate::{ChainSpec, Header};

    fn parsed(event: &Event<String>) -> serde_json::Value {
        let view = NodeEvent::from(event);
        let json = serde_json::to_value(&view).unwrap();
        assert_eq!(serde_json::from_value::<NodeEvent>(json.clone()).unwrap(), view);
        json
    }

    #[test]
    fn a_block_says_where_it_comes_from_and_no_transactions() {
        let genesis: Block<String> = ChainSpec::default().genesis().unwrap();
        let block =
            Arc::new(Block::new(Header { height: 7, ..*genesis.header() }, vec!["x".repeat(1_000); 3]));
        let event = |source| Event::BlockConnected {
            block: Arc::clone(&block),
            source,
            difficulty: Difficulty::new(Target::MAX, Target::MAX),
            interval: Duration::from_millis(1_500),
        };
        let address: PeerAddr = "ws://192.0.2.1:5001".parse().unwrap();
        let source = BlockSource::Peer { peer: PeerId(3), address, format: "hashloom.v1.json" };
        let header = genesis.header();
        assert_eq!(
            parsed(&event(source)),
            json!({
                "type": "block_connected",
                "height": 7,
                "hash": block.hash(),
                "previous_hash": header.previous_hash,
                "timestamp": header.timestamp,
                "miner": header.miner,
                "transactions": 3,
                "difficulty": 1.0,
                "interval_ms": 1500,
                "source": {
                    "kind": "peer",
                    "peer": 3,
                    "address": "ws://192.0.2.1:5001",
                    "format": "hashloom.v1.json",
                },
            })
        );
        assert_eq!(parsed(&event(BlockSource::Mined))["source"], json!({"kind": "mined"}));
        assert_eq!(parsed(&Event::BlockDisconnected(Arc::clone(&block)))["transactions"], 3);
    }

    #[test]
    fn a_search_has_its_speed() {
        let search = MiningStatus {
            hashes: 500,
            elapsed: Duration::from_secs(2),
            ..MiningStatus::new(9, Difficulty::new(Target::MAX, Target::MAX), Work::from(Target::MAX))
        };
        let json = parsed(&Event::MiningEnded { search, found: Some(Hash::ZERO) });
        assert_eq!(
            (&json["height"], &json["elapsed_ms"], &json["hashes_per_second"]),
            (&9.into(), &2_000.into(), &250.0.into())
        );
        assert_eq!((&json["expected_ms"], &json["found"]), (&4.into(), &"00".repeat(32).into()));
    }

    #[test]
    fn an_event_is_short_whatever_it_reports() {
        let removed = vec![(Hash::ZERO, RemovalReason::Requested); 5_000];
        let json = parsed(&Event::TransactionsRemoved { removed: removed.into() });
        assert_eq!((&json["count"], json["removed"].as_array().unwrap().len()), (&5_000.into(), MAX_REMOVED));
        let error = Arc::new(std::io::Error::other("é".repeat(9_000)));
        let json = parsed(&Event::TransactionRefused { id: Hash::ZERO, error });
        assert_eq!(json["reason"].as_str().unwrap().chars().count(), MAX_REASON_CHARS + 1);
    }
}
