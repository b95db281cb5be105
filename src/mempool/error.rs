//! Why a transaction does not become pending.

use crate::primitives::application::ApplyError;
use crate::primitives::{EncodeError, Hash, Panicked, Rejected};

/// Why a transaction is not taken into the mempool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MempoolError {
    /// An equal one is pending.
    #[error("transaction {id} is pending already")]
    AlreadyPending {
        /// The transaction's id.
        id: Hash,
    },
    /// An equal one is among the [transactions mined last](super::MempoolConfig::max_mined_ids). A record that may occur
    /// twice needs something that tells the two apart: see [`Transaction`](crate::Transaction#equal-transactions).
    #[error("transaction {id} was mined already: an equal one needs something that tells the two apart")]
    AlreadyMined {
        /// The transaction's id.
        id: Hash,
    },
    /// A peer sends what was removed lately, by [`Mempool::remove`](super::Mempool::remove) or because no block can be mined with it.
    #[error("transaction {id} was removed")]
    Removed {
        /// The transaction's id.
        id: Hash,
    },
    /// The application refuses it, on top of the chain and what is pending.
    #[error("transaction is rejected: {0}")]
    Rejected(#[from] Rejected),
    /// The application's own code panicked on it.
    #[error("transaction is refused: {0}")]
    Panicked(#[from] Panicked),
    /// It fits into no block.
    #[error("transaction has {got} bytes, expected at most {limit}")]
    TooLarge {
        /// Its canonical size in bytes.
        got: usize,
        /// What a block holds beside its header, in bytes.
        limit: usize,
    },
    /// There is no room until some are mined, nor anybody who holds more than whoever brings this one.
    #[error("mempool is full: {transactions} transactions with {bytes} bytes are pending")]
    Full {
        /// Pending transactions.
        transactions: usize,
        /// Their bytes of memory.
        bytes: usize,
    },
    /// It has no canonical bytes, or its serde form does not read back as the same value, so that no store could keep
    /// it and no peer could read it.
    #[error("transaction has {0}")]
    Encode(#[from] EncodeError),
}

impl From<ApplyError> for MempoolError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Rejected(reason) => Self::Rejected(reason),
            ApplyError::Panicked(panic) => Self::Panicked(panic),
        }
    }
}
