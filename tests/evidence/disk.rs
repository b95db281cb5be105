//! A store that outlives its chain, can be copied, and can be full.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use hashloom::store::{Batch, Cause, Entries, Keys, Memory, Order, Table};
use hashloom::{Store, StoreError};

#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    content: Arc<Mutex<Memory>>,
    is_full: Arc<AtomicBool>,
}

impl Disk {
    pub(crate) fn of(content: Memory) -> Self {
        Self { content: Arc::new(Mutex::new(content)), is_full: Arc::default() }
    }

    pub(crate) fn copy(&self) -> Memory {
        self.content.lock().unwrap().clone()
    }

    /// Flips a bit of a value in the table of single values.
    pub(crate) fn flip_meta(&self, key: &[u8]) {
        let mut content = self.content.lock().unwrap();
        let mut value = content.get(Table::Meta, key).unwrap().unwrap();
        value[20] ^= 1;
        let mut batch = Batch::new();
        batch.put(Table::Meta, key, value);
        content.commit(&batch).unwrap();
    }

    pub(crate) fn fail(&self, fails: bool) {
        self.is_full.store(fails, Ordering::Relaxed);
    }
}

pub(crate) fn full() -> StoreError {
    StoreError::Full(Cause::new("no space is left"))
}

impl Store for Disk {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.content.lock().unwrap().get(table, key)
    }

    fn scan(&self, table: Table, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError> {
        self.content.lock().unwrap().scan(table, keys, order, limit)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err(full());
        }
        self.content.lock().unwrap().commit(batch)
    }
}
