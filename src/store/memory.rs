//! The store that keeps everything in memory.

use core::ops::RangeBounds;
use std::collections::BTreeMap;

use foldhash::fast::FixedState;

use super::key::{Key, Value};
use super::{Batch, Entries, Keys, Order, Store, StoreError, Table, is_empty};

/// A store in memory. It is not durable: its content ends with the process. Everything else that [`Store`]
/// requires holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    tables: BTreeMap<Table, BTreeMap<Key, Value>>,
    heights: Unordered,
}

/// The table of heights. Its keys are block hashes, which are looked up all the time and hardly ever listed.
/// A hash map costs a constant number of memory accesses per block; in an ordered map the number would grow
/// with the length of the chain.
///
/// The hasher has no secret key. A peer can choose a key only by mining a block, which costs the work of a
/// block.
#[expect(clippy::disallowed_types, reason = "sorted wherever it is listed")]
type Unordered = std::collections::HashMap<Key, Value, FixedState>;

impl Memory {
    /// An empty store.
    pub const fn new() -> Self {
        Self { tables: BTreeMap::new(), heights: Unordered::with_hasher(FixedState::with_seed(0)) }
    }
}

impl Store for Memory {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(match table {
            Table::Heights => self.heights.get(key),
            _ => self.tables.get(&table).and_then(|entries| entries.get(key)),
        }
        .map(|value| value.to_vec()))
    }

    fn scan(&self, table: Table, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError> {
        if is_empty(keys) {
            return Ok(Vec::new());
        }
        if table == Table::Heights {
            // The hash map has no order, so the matching entries are sorted.
            let is_asked_for = |key: &Key| RangeBounds::<[u8]>::contains::<[u8]>(&keys, key);
            let mut entries: Vec<_> = self.heights.iter().filter(|(key, _)| is_asked_for(key)).collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            return Ok(first(entries.into_iter(), order, limit));
        }
        let entries = self.tables.get(&table);
        Ok(entries.map_or_else(Vec::new, |entries| first(entries.range::<[u8], _>(keys), order, limit)))
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        for (table, key, value) in batch.entries() {
            let value = value.cloned();
            match (table, value) {
                (Table::Heights, Some(value)) => self.heights.insert(key.clone(), value),
                (Table::Heights, None) => self.heights.remove(&**key),
                (_, Some(value)) => self.tables.entry(table).or_default().insert(key.clone(), value),
                (_, None) => self.tables.get_mut(&table).and_then(|entries| entries.remove(&**key)),
            };
        }
        Ok(())
    }

    fn is_in_memory(&self) -> bool {
        true
    }
}

/// The first `limit` of these entries in this order. `entries` must be in ascending order.
fn first<'a>(
    entries: impl DoubleEndedIterator<Item = (&'a Key, &'a Value)>,
    order: Order,
    limit: usize,
) -> Entries {
    let entries = entries.map(|(key, value)| (key.to_vec(), value.to_vec()));
    match order {
        Order::Ascending => entries.take(limit).collect(),
        Order::Descending => entries.rev().take(limit).collect(),
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
