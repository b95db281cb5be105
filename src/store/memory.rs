//! The store that keeps everything in memory.

mod packed;

use core::ops::RangeBounds;
use std::collections::BTreeMap;

use foldhash::fast::FixedState;

use self::packed::Packed;
use super::{Batch, Entries, Keys, Order, Store, StoreError, Table, is_empty};
use crate::primitives::Hash;

/// A store in memory. It is not durable: its content ends with the process. Everything else that [`Store`]
/// requires holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    tables: BTreeMap<Table, Packed>,
    heights: Unordered,
}

/// The entries of the table of heights that are a hash and a height, as those of a chain are. They are looked up all
/// the time and hardly ever listed. A hash map costs a constant number of memory accesses per block; in an ordered
/// map the number would grow with the length of the chain.
///
/// The hasher has no secret key. A peer can choose a key only by mining a block, which costs the work of a
/// block.
#[expect(clippy::disallowed_types, reason = "sorted wherever it is listed")]
type Unordered = std::collections::HashMap<[u8; Hash::LEN], [u8; 8], FixedState>;

impl Memory {
    /// An empty store.
    pub const fn new() -> Self {
        Self { tables: BTreeMap::new(), heights: Unordered::with_hasher(FixedState::with_seed(0)) }
    }
}

impl Store for Memory {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(height) = as_hash(table, key).and_then(|hash| self.heights.get(hash)) {
            return Ok(Some(height.to_vec()));
        }
        Ok(self.tables.get(&table).and_then(|entries| entries.get(key)).map(<[u8]>::to_vec))
    }

    fn scan(&self, table: Table, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError> {
        if is_empty(keys) {
            return Ok(Vec::new());
        }
        let entries = self.tables.get(&table).into_iter().flat_map(|entries| entries.range(keys));
        if table == Table::Heights {
            // The hash map has no order, so the matching entries are sorted.
            let heights = self.heights.iter().map(|(hash, height)| (&hash[..], &height[..]));
            let is_asked_for = |(key, _): &(&[u8], _)| RangeBounds::<[u8]>::contains(&keys, *key);
            let mut entries: Vec<_> = heights.filter(is_asked_for).chain(entries).collect();
            entries.sort_unstable();
            return Ok(first(entries.into_iter(), order, limit));
        }
        Ok(first(entries, order, limit))
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        for (table, key, value) in batch.iter() {
            if let Some(hash) = as_hash(table, key) {
                if let Some(height) = value.and_then(|value| value.try_into().ok()) {
                    self.heights.insert(*hash, height);
                    self.remove(table, key);
                    continue;
                }
                self.heights.remove(hash);
            }
            match value {
                Some(value) => self.tables.entry(table).or_default().insert(key, value),
                None => self.remove(table, key),
            }
        }
        Ok(())
    }

    fn is_in_memory(&self) -> bool {
        true
    }
}

impl Memory {
    fn remove(&mut self, table: Table, key: &[u8]) {
        if let Some(entries) = self.tables.get_mut(&table) {
            entries.remove(key);
        }
    }
}

/// The key of an entry that may be in the hash map.
fn as_hash(table: Table, key: &[u8]) -> Option<&[u8; Hash::LEN]> {
    if table == Table::Heights { key.try_into().ok() } else { None }
}

/// The first `limit` of these entries in this order. `entries` must be in ascending order.
fn first<'a>(
    entries: impl DoubleEndedIterator<Item = (&'a [u8], &'a [u8])>,
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
