//! Why a pending transaction leaves the mempool without being mined.

use core::error::Error;
use std::sync::Arc;

use super::MempoolError;

/// Why a transaction was removed from the mempool.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemovalReason {
    /// The application removed the transaction.
    #[error("removed on request")]
    Requested,
    /// The transaction does not apply without another one that was removed.
    #[error("does not apply without a transaction that was removed")]
    Dependent,
    /// No block can be mined with the transaction.
    #[error("no block can be mined with it: {0}")]
    Unminable(#[source] Arc<dyn Error + Send + Sync>),
    /// The mempool is full, and the transaction was evicted in favour of a source that holds less, or of
    /// transactions that a reorganisation made pending again.
    #[error("evicted from a full mempool")]
    Evicted,
    /// The application refuses the transaction on top of the new tip.
    #[error("does not apply on top of the new tip: {0}")]
    Inapplicable(#[source] MempoolError),
    /// The transaction was pending before a restart, and the mempool refuses it.
    #[error("was pending before the restart, and is refused: {0}")]
    NotRestored(#[source] MempoolError),
    /// The transaction was pending before a restart, and its entry in the store is damaged or does not
    /// decode.
    #[error("was pending before the restart, and cannot be read from the store")]
    Unreadable,
}
