//! A store that lasts as long as the process.

use std::collections::BTreeMap;

use super::{Batch, Entries, Keys, Order, Store, StoreError, Table, is_empty};

/// A store in memory. Durable in the sense of [`Store::commit`] it is not; everything else holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    tables: BTreeMap<Table, BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl Memory {
    /// An empty store.
    pub const fn new() -> Self {
        Self { tables: BTreeMap::new() }
    }
}

impl Store for Memory {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.tables.get(&table).and_then(|entries| entries.get(key)).cloned())
    }

    fn scan(&self, table: Table, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError> {
        let Some(entries) = self.tables.get(&table).filter(|_| !is_empty(keys)) else {
            return Ok(Vec::new());
        };
        let range = entries.range::<[u8], _>(keys).map(|(key, value)| (key.clone(), value.clone()));
        Ok(match order {
            Order::Ascending => range.take(limit).collect(),
            Order::Descending => range.rev().take(limit).collect(),
        })
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        for (table, key, value) in batch.iter() {
            let entries = self.tables.entry(table).or_default();
            match value {
                Some(value) => entries.insert(key.to_vec(), value.to_vec()),
                None => entries.remove(key),
            };
        }
        Ok(())
    }

    fn is_in_memory(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;
    use crate::testing::store::{Faulty, suite};

    #[test]
    fn does_what_a_store_has_to() {
        suite(Memory::new);
    }

    #[test]
    fn does_so_behind_a_store_that_could_fail() {
        suite(|| Faulty::new(Memory::new()));
    }
}
