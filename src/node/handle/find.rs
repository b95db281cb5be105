//! What has become of a transaction.

use std::sync::Arc;

use super::NodeHandle;
use crate::chain::{FindError, TransactionPlace};
use crate::primitives::{Block, Hash, Transaction};

/// What has become of a transaction.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TransactionStatus<T = String> {
    /// It waits to be mined.
    Pending(T),
    /// It is in a block of the best chain.
    Mined {
        /// Its place in the chain.
        place: TransactionPlace,
        /// The depth of the block: 1 at the tip.
        depth: u64,
        /// The block; `None` if its body was pruned.
        block: Option<Arc<Block<T>>>,
    },
    /// It left the mempool without being mined. It may come back, from a peer or from the application.
    Dropped {
        /// Why, for people.
        reason: String,
    },
    /// It is not pending, in no block of the index, and not among the last
    /// [1,000](crate::protocol::limits::MAX_DROPPED_TRANSACTIONS) that were dropped since the start of the node.
    Unknown,
}

impl<T: Transaction> NodeHandle<T> {
    /// What has become of a transaction, as of one moment.
    ///
    /// # Errors
    ///
    /// [`FindError::NotIndexed`] if the transaction is neither pending nor among the last that were dropped, and the
    /// chain [keeps no index](crate::ChainConfig::index_transactions); [`FindError::Store`].
    pub fn find(&self, id: &Hash) -> Result<TransactionStatus<T>, FindError> {
        let found = self.try_find(id);
        if let Err(FindError::Store(error)) = &found {
            self.report_read_failure(error);
        }
        found
    }

    fn try_find(&self, id: &Hash) -> Result<TransactionStatus<T>, FindError> {
        let protocol = self.shared.read();
        if let Some(transaction) = protocol.mempool().transaction(id) {
            return Ok(TransactionStatus::Pending(transaction.clone()));
        }
        let chain = protocol.chain();
        let dropped =
            protocol.drop_reason(id).map(|reason| TransactionStatus::Dropped { reason: reason.to_owned() });
        match chain.find_transaction(id) {
            Ok(Some(place)) => Ok(TransactionStatus::Mined {
                depth: chain.height() - place.height + 1,
                block: chain.block_at(place.height)?,
                place,
            }),
            Ok(None) => Ok(dropped.unwrap_or(TransactionStatus::Unknown)),
            Err(FindError::NotIndexed) => dropped.ok_or(FindError::NotIndexed),
            Err(error) => Err(error),
        }
    }
}
