//! Why a call of a handle comes to nothing.

use core::time::Duration;

use crate::consensus::BlockError;
use crate::mempool::MempoolError;
use crate::miner::MiningThreadError;
use crate::primitives::Span;
use crate::protocol::{ConnectError, TemplateError};
use crate::transport::TransportError;

/// The node has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node has stopped")]
pub struct Stopped;

/// Why a transaction was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The mempool refuses it.
    #[error(transparent)]
    Mempool(#[from] MempoolError),
    /// Peers could not read it: one of the transport's formats cannot carry it.
    #[error("peers could not read such a transaction: {0}")]
    Unsendable(#[source] TransportError),
    /// The node has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why an address was not added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// It is no address of the node's transport.
    #[error(transparent)]
    Address(#[from] TransportError),
    /// It is added already, or there are too many.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The node was built without a transport, so it reaches nobody.
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
    /// A block with these transactions would break a rule, or the store cannot keep one.
    #[error(transparent)]
    Refused(#[from] BlockError),
    /// The block would reach nobody: it does not fit into a frame of the node's transport.
    #[error("peers could not be told of such a block: {0}")]
    Unsendable(#[source] TransportError),
    /// The clock is behind the chain: every node would refuse a block that is mined now, with a timestamp after those
    /// of the blocks before it, as too far ahead of the time.
    #[error("the clock is behind the chain: by this clock a block can be mined in {}", Span(*.retry_in))]
    ClockBehind {
        /// How long until a block can be mined, unless the clock is set.
        retry_in: Duration,
    },
    /// Too many callers wait for a block already.
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

impl From<TemplateError<TransportError>> for MineError {
    fn from(error: TemplateError<TransportError>) -> Self {
        match error {
            TemplateError::Refused(BlockError::TimestampTooLate { got, limit }) => {
                Self::ClockBehind { retry_in: got.saturating_since(limit) }
            }
            TemplateError::Refused(error) => Self::Refused(error),
            TemplateError::Unsendable(error) => Self::Unsendable(error),
        }
    }
}
