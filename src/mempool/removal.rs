//! Why a pending transaction leaves the mempool without being mined.

use core::error::Error;
use std::sync::Arc;

use super::MempoolError;

/// Why a transaction was removed from the mempool.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemovalReason {
    /// The application asked for it.
    #[error("removed on request")]
    Requested,
    /// It does not apply without another one that was removed.
    #[error("does not apply without a transaction that was removed")]
    Dependent,
    /// No block can be mined with it.
    #[error("no block can be mined with it: {0}")]
    Unminable(#[source] Arc<dyn Error + Send + Sync>),
    /// The mempool is full, and its place was needed for a transaction of a source that holds less, or for those that a
    /// reorganisation made pending again.
    #[error("evicted from a full mempool")]
    Evicted,
    /// The application refuses it on top of the new tip.
    #[error("does not apply on top of the new tip: {0}")]
    Inapplicable(#[source] MempoolError),
    /// It was pending before a restart, and the mempool refuses it now.
    #[error("was pending before the restart, and is refused: {0}")]
    NotRestored(#[source] MempoolError),
    /// It was pending before a restart, and what the store has of it is damaged, or is no such transaction.
    #[error("was pending before the restart, and cannot be read from the store")]
    Unreadable,
}
