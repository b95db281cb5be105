//! Batches of changes to a store.

use std::collections::BTreeMap;

use super::Table;
use super::key::Key;

/// A set of changes that a [`Store`](super::Store) applies atomically. If a key is changed more than once,
/// the last change counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    changes: BTreeMap<Table, BTreeMap<Key, Option<Vec<u8>>>>,
}

impl Batch {
    /// An empty batch.
    pub const fn new() -> Self {
        Self { changes: BTreeMap::new() }
    }

    /// Sets the value of a key.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.set(table, &key.into(), value.into());
    }

    /// Removes a key, if the table contains it.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.changes.entry(table).or_default().insert(Key::from(&key.into()[..]), None);
    }

    /// [`put`](Self::put) with a borrowed key and an owned value.
    pub(crate) fn set(&mut self, table: Table, key: &[u8], value: Vec<u8>) {
        self.changes.entry(table).or_default().insert(Key::from(key), Some(value));
    }

    /// The change to a key: `Some(Some(value))` if the batch sets it, `Some(None)` if the batch removes it,
    /// and `None` if the batch does not change it.
    pub fn get(&self, table: Table, key: &[u8]) -> Option<Option<&[u8]>> {
        self.changes.get(&table)?.get(key).map(Option::as_deref)
    }

    /// The changes by table and key, with the new value, or `None` if the key is removed.
    pub fn iter(&self) -> impl Iterator<Item = (Table, &[u8], Option<&[u8]>)> {
        self.changes.iter().flat_map(|(table, changes)| {
            changes.iter().map(|(key, value)| (*table, &key[..], value.as_deref()))
        })
    }

    /// Whether the batch has no changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}
