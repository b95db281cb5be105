//! The disk of a simulated node, which survives a crash.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::{Batch, Entries, Keys, Memory, Order, Store, StoreError, Table};

/// A store that stays readable after the chain that owns it was dropped.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    contents: Arc<Mutex<Memory>>,
}

impl Disk {
    /// Returns a copy of the contents that the owner of this disk cannot write to.
    pub(super) fn copy(&self) -> Self {
        Self { contents: Arc::new(Mutex::new(self.contents().clone())) }
    }

    fn contents(&self) -> MutexGuard<'_, Memory> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Disk {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.contents().get(table, key)
    }

    fn scan(&self, table: Table, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError> {
        self.contents().scan(table, keys, order, limit)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.contents().commit(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_what_a_store_has_to() {
        crate::testing::store::suite(Disk::default);
    }
}
