//! The errors of a handle's calls.

use core::time::Duration;

use crate::chain::BlockError;
use crate::consensus::RuleError;
#[cfg(feature = "evidence")]
use crate::evidence::{SignError, WitnessError};
use crate::mempool::MempoolError;
use crate::miner::MiningThreadError;
use crate::primitives::Span;
use crate::protocol::{ConnectError, TemplateError};
use crate::transport::TransportError;

/// The node has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node has stopped")]
pub struct Stopped;

/// Why a transaction was not submitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The mempool refuses the transaction.
    #[error(transparent)]
    Mempool(#[from] MempoolError),
    /// Peers could not read the transaction: one of the transport's formats cannot encode it.
    #[error("peers could not read this transaction: {0}")]
    Unsendable(#[source] TransportError),
    /// The node has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why an address was not added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The node's transport cannot dial the address.
    #[error(transparent)]
    Address(#[from] TransportError),
    /// The address is added already, its host is banned, or too many addresses are added.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The node was built without a transport, so it has no peers.
    #[error("the node has no transport to reach peers with")]
    NoTransport,
    /// The node has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why no block was mined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MineError {
    /// A block with these transactions would break a consensus rule, or the store cannot write it.
    #[error(transparent)]
    Refused(#[from] BlockError),
    /// No peer could receive the block: the transport cannot encode it in one of its frames.
    #[error("peers could not read this block: {0}")]
    Unsendable(#[source] TransportError),
    /// The clock is behind the chain. A block's timestamp must be later than the median of the 11 blocks
    /// before it, and every node with this clock would refuse such a timestamp as too far in the future.
    #[error("the clock is behind the chain: by this clock a block can be mined in {}", Span(*.retry_in))]
    ClockBehind {
        /// How long until a block can be mined, unless the clock is set.
        retry_in: Duration,
    },
    /// Too many mining requests are queued already.
    #[error("too many mining requests: {limit} are waiting already")]
    Busy {
        /// The limit.
        limit: usize,
    },
    /// The mining threads could not be started.
    #[error(transparent)]
    Threads(#[from] MiningThreadError),
    /// The node has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why a node has no signed checkpoint.
#[cfg(feature = "evidence")]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignCheckpointError {
    /// The node was built without a signer.
    #[error("the node signs no checkpoints")]
    NoSigner,
    /// No checkpoint can be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The node has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why a node does not cosign a checkpoint.
#[cfg(feature = "evidence")]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CosignError {
    /// The node was built without a witness.
    #[error("the node is no witness")]
    NoWitness,
    /// The witness refuses the request.
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// The node has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl From<TemplateError<TransportError>> for MineError {
    fn from(error: TemplateError<TransportError>) -> Self {
        match error {
            TemplateError::Refused(BlockError::Rule(RuleError::TimestampTooLate { got, limit })) => {
                Self::ClockBehind { retry_in: got.saturating_since(limit) }
            }
            TemplateError::Refused(error) => Self::Refused(error),
            TemplateError::Unsendable(error) => Self::Unsendable(error),
        }
    }
}
