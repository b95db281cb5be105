//! Errors of a submission to the mempool.

use crate::primitives::application::ApplyError;
use crate::primitives::{EncodeError, Hash, Panicked, Rejected};

/// Why the mempool refuses a transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MempoolError {
    /// An equal transaction is pending.
    #[error("transaction {id} is pending already")]
    AlreadyPending {
        /// The transaction's id.
        id: Hash,
    },
    /// An equal transaction was [mined recently](super::MempoolConfig::max_mined_ids). Transactions of a type
    /// that may occur more than once need a field that differs: see
    /// [`Transaction`](crate::Transaction#equal-transactions).
    #[error("transaction {id} was mined already: an equal one needs something that tells the two apart")]
    AlreadyMined {
        /// The transaction's id.
        id: Hash,
    },
    /// A peer sent a transaction that was recently removed, by [`Mempool::remove`](super::Mempool::remove) or
    /// because no block can be mined with it.
    #[error("transaction {id} was removed")]
    Removed {
        /// The transaction's id.
        id: Hash,
    },
    /// The application refuses the transaction whatever the chain is: [`check`](crate::Transaction::check).
    #[error("transaction is invalid: {0}")]
    Invalid(#[source] Rejected),
    /// The application refuses the transaction on top of the chain and the pending transactions.
    #[error("transaction is rejected: {0}")]
    Rejected(#[from] Rejected),
    /// The application's code panicked on the transaction.
    #[error("transaction is refused: {0}")]
    Panicked(#[from] Panicked),
    /// The transaction is too large for any block.
    #[error("transaction has {got} bytes, expected at most {limit}")]
    TooLarge {
        /// The canonical size of the transaction in bytes.
        got: usize,
        /// The largest size of a transaction in bytes: that of a block without its header.
        limit: usize,
    },
    /// The mempool is full, and nothing may be evicted in favour of this transaction.
    #[error("mempool is full: {transactions} transactions with {bytes} bytes are pending")]
    Full {
        /// The number of pending transactions.
        transactions: usize,
        /// The bytes of memory of the pending transactions.
        bytes: usize,
    },
    /// The transaction has no canonical bytes, or its serde form does not read back as the same value, so
    /// that neither the store nor a peer could decode it.
    #[error("transaction has {0}")]
    Encode(#[from] EncodeError),
}

impl MempoolError {
    pub(super) fn of_check(error: ApplyError) -> Self {
        match error {
            ApplyError::Rejected(reason) => Self::Invalid(reason),
            ApplyError::Panicked(panic) => Self::Panicked(panic),
        }
    }
}

impl From<ApplyError> for MempoolError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Rejected(reason) => Self::Rejected(reason),
            ApplyError::Panicked(panic) => Self::Panicked(panic),
        }
    }
}
