//! Where a transaction is in the best chain: the index, which a chain keeps if its config asks for it, and
//! the look-up.

use super::Blockchain;
use super::chain_store::Covered;
use super::error::{FindError, OpenError};
use crate::primitives::{Hash, Transaction, transaction_id};
use crate::store::{StoreError, Table};

/// The number of transactions after which the building of the index commits: some 400 KB of changes.
const BUILT_AT_ONCE: usize = 4_096;

/// The place of a transaction in the best chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransactionPlace {
    /// The hash of the block.
    pub block: Hash,
    /// The height of the block.
    pub height: u64,
    /// The number of transactions before it in the block.
    pub index: usize,
}

impl<T: Transaction> Blockchain<T> {
    /// Where the transaction with this id is in the best chain; the lowest place if it occurs in several. `None`
    /// if no block from [`indexed_from`](Self::indexed_from) on has it. Takes a logarithmic number of reads.
    ///
    /// # Errors
    ///
    /// [`FindError::NotIndexed`] if the config does not [ask for the
    /// index](super::ChainConfig::index_transactions), and [`FindError::Store`].
    pub fn find_transaction(&self, id: &Hash) -> Result<Option<TransactionPlace>, FindError> {
        if self.indexed_from().is_none() {
            return Err(FindError::NotIndexed);
        }
        let Some((height, place)) = self.store.place_of(id)? else { return Ok(None) };
        let damaged = |problem| StoreError::damaged(Table::Transactions, id, problem);
        let row = self.store.row(height)?.ok_or_else(|| damaged("leads above the tip"))?;
        let index = usize::try_from(place).map_err(|_| damaged("leads beyond a block"))?;
        // A pruned body is not there to compare with.
        if let Some(block) = self.kept_block(&row)? {
            let transaction = block.data().get(index).ok_or_else(|| damaged("leads beyond a block"))?;
            if transaction_id(transaction) != Ok(*id) {
                return Err(damaged("leads to another transaction").into());
            }
        }
        Ok(Some(TransactionPlace { block: row.hash, height, index }))
    }

    /// The lowest height whose transactions the index has: 0, or higher if bodies were pruned before the index was
    /// built. `None` without an index.
    pub const fn indexed_from(&self) -> Option<u64> {
        self.checkpoints.indexed_from
    }

    /// Checks that the index has the transactions of the block of the best chain at this height.
    pub(super) fn check_indexed(&self, height: u64, ids: &[Hash]) -> Result<(), StoreError> {
        for (place, id) in (0..).zip(ids) {
            if !self.store.has_place(id, height, place)? {
                return Err(StoreError::damaged(Table::Transactions, id, "is missing"));
            }
        }
        Ok(())
    }

    /// Brings the index up to the tip. Rebuilds it if a program without it has replaced a block that it covers, or
    /// pruned one that it lacks.
    pub(super) fn build_index(&mut self) -> Result<(), OpenError> {
        self.checkpoints.indexed_from = None;
        if !self.config.index_transactions {
            return Ok(());
        }
        let tip = self.height();
        let first_body = self.first_body();
        let covered = self.store.covered()?.filter(|covered| covered.height + 1 >= first_body);
        let (first, next) = match covered {
            Some(covered) if self.store.is_best_at(covered.height, &covered.hash)? => {
                (covered.first, covered.height + 1)
            }
            _ => {
                self.store.clear_transactions()?;
                (first_body, first_body)
            }
        };
        let mut changes = 0;
        for height in next..=tip {
            let damaged = |error| OpenError::Damaged { height, error };
            let row = self.store.row_below_tip(height).map_err(damaged)?;
            if let Some(block) = self.kept_block(&row).map_err(damaged)? {
                // An imported block always has an encoding.
                let ids = block.digest().map(|digest| digest.ids).unwrap_or_default();
                self.store.put_transactions(height, &ids);
                changes += ids.len();
            }
            if height == tip || changes >= BUILT_AT_ONCE {
                self.store.put_covered(&Covered { first, height, hash: row.hash });
                self.store.commit()?;
                changes = 0;
            }
        }
        self.checkpoints.indexed_from = Some(first);
        Ok(())
    }

    /// Adds the change of the best chain to the uncommitted changes of the index.
    pub(super) fn update_index(&mut self) {
        let Self { checkpoints, outcome, store, .. } = self;
        let Some(first) = checkpoints.indexed_from else { return };
        if outcome.disconnected.is_empty() && outcome.connected.is_empty() {
            return;
        }
        for block in &outcome.disconnected {
            let ids = block.digest().map(|digest| digest.ids).unwrap_or_default();
            store.delete_transactions(block.height(), &ids);
        }
        for block in &outcome.connected {
            store.put_transactions(block.height(), &block.ids());
        }
        let (height, hash) = (store.tip().header.height, store.tip().hash);
        store.put_covered(&Covered { first, height, hash });
    }
}
