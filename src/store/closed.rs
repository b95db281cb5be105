//! The store of a node that has ended.

use super::{Batch, Entries, Keys, Order, Store, StoreError, Table};

/// Replaces a store that was closed. Every read and every commit fails with [`StoreError::Closed`].
#[derive(Debug)]
pub(crate) struct Closed;

impl Store for Closed {
    fn get(&self, _: Table, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Err(StoreError::Closed)
    }

    fn scan(&self, _: Table, _: Keys<'_>, _: Order, _: usize) -> Result<Entries, StoreError> {
        Err(StoreError::Closed)
    }

    fn commit(&mut self, _: &Batch) -> Result<(), StoreError> {
        Err(StoreError::Closed)
    }

    fn is_in_memory(&self) -> bool {
        true
    }
}
