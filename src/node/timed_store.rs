//! A store that measures the commits of another one.

use std::sync::Arc;

use tokio::time::Instant;

use super::counts::Counts;
use crate::store::{Batch, Entries, Keys, Order, Store, StoreError, Table};

/// A store that counts its failed commits, and how long the others take.
#[derive(Debug)]
pub(super) struct TimedStore {
    store: Box<dyn Store>,
    counts: Arc<Counts>,
}

impl TimedStore {
    pub(super) fn new(store: Box<dyn Store>, counts: Arc<Counts>) -> Self {
        Self { store, counts }
    }
}

impl Store for TimedStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(table, key)
    }

    fn scan(&self, table: Table, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError> {
        self.store.scan(table, keys, order, limit)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let started = Instant::now();
        let result = self.store.commit(batch);
        match &result {
            Ok(()) => self.counts.commits.observe(started.elapsed().as_secs_f64()),
            Err(_) => {
                self.counts.failed_commits.inc();
            }
        }
        result
    }

    fn check_place(&self) -> Result<(), StoreError> {
        self.store.check_place()
    }

    fn is_in_memory(&self) -> bool {
        self.store.is_in_memory()
    }
}
