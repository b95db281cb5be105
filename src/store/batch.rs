//! Changes that are made together.

use std::collections::BTreeMap;

use super::Table;

/// Changes to a [`Store`](super::Store) that are made all at once or not at all. Of several changes to one key
/// the last counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    changes: BTreeMap<Table, BTreeMap<Vec<u8>, Option<Vec<u8>>>>,
}

impl Batch {
    /// No changes.
    pub const fn new() -> Self {
        Self { changes: BTreeMap::new() }
    }

    /// Sets the value of a key.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.changes.entry(table).or_default().insert(key.into(), Some(value.into()));
    }

    /// Removes a key, if it is there.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.changes.entry(table).or_default().insert(key.into(), None);
    }

    /// What the batch makes of a key: its new value, or `Some(None)` where the key is removed; `None` where the
    /// batch leaves it as it is.
    pub fn get(&self, table: Table, key: &[u8]) -> Option<Option<&[u8]>> {
        self.changes.get(&table)?.get(key).map(Option::as_deref)
    }

    /// The changes by table and key: the new value, or `None` where the key is removed.
    pub fn iter(&self) -> impl Iterator<Item = (Table, &[u8], Option<&[u8]>)> {
        self.changes.iter().flat_map(|(table, changes)| {
            changes.iter().map(|(key, value)| (*table, &key[..], value.as_deref()))
        })
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}
