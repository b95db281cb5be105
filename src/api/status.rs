//! The node: its status, its health, the state of the application, and its peers.

use serde::{Deserialize, Serialize};

use crate::primitives::{CompactTarget, Difficulty, Hash, Timestamp, Work};
#[cfg(feature = "evidence")]
use crate::protocol::SigningStatus;
use crate::protocol::{self, ClockBehind, MiningStatus, PeerAddr};

/// The state of a node at one moment: `GET /status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

/// A branch with more work than the node's best chain that the node refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct RefusedBranch {
    /// The [rule](crate::BlockError::rule), by its stable name.
    pub rule: String,
    /// Why the branch is refused, for people.
    pub error: String,
    /// The most work that a peer has on a refused branch, claimed in its `Hello` or proven by its headers.
    pub work: Work,
    /// The number of peers with a refused branch.
    pub peers: usize,
}

impl From<protocol::RefusedBranch> for RefusedBranch {
    fn from(refused: protocol::RefusedBranch) -> Self {
        let protocol::RefusedBranch { rule, error, work, peers } = refused;
        Self { rule: rule.to_owned(), error: error.to_string(), work, peers }
    }
}

/// Whether the node does its work: `GET /health`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Health {
    /// In one word.
    pub status: HealthStatus,
}

/// How well a node is that does its work. One that does not answers with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HealthStatus {
    /// It has all blocks that it knows of.
    Ok,
    /// It is fetching blocks.
    Behind,
}

/// The application's state after the last block: `GET /state`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct StateView<S> {
    /// The height of the block.
    pub height: u64,
    /// The hash of the block.
    pub block: Hash,
    /// The state.
    pub state: S,
}

/// What shows which value the application's state has at a key after the last block, or that it has none: `GET
/// /state/{key}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct StateProof {
    /// The height of the block.
    pub height: u64,
    /// The hash of the block, whose header has the state root.
    pub block: Hash,
    /// The bytes of the proof, which the application defines; in lower-case hex in JSON.
    #[serde(with = "bytes")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^([0-9a-f]{2})*$"))]
    pub proof: Vec<u8>,
}

/// Bytes as hex.
mod bytes {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The answer to `POST /peers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Dialling {
    /// The address that is dialled from now on.
    pub address: PeerAddr,
}
