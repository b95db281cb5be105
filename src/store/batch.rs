//! Changes that are made together.

use std::collections::BTreeMap;

use super::Table;
use super::key::{Key, Value};

/// Changes to a [`Store`](super::Store) that are made all at once or not at all. Of several changes to one key
/// the last counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    changes: BTreeMap<Table, BTreeMap<Key, Option<Value>>>,
}

impl Batch {
    /// No changes.
    pub const fn new() -> Self {
        Self { changes: BTreeMap::new() }
    }

    /// Sets the value of a key.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.changes
            .entry(table)
            .or_default()
            .insert(Key::from(&key.into()[..]), Some(Value::new(value.into())));
    }

    /// Removes a key, if it is there.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.changes.entry(table).or_default().insert(Key::from(&key.into()[..]), None);
    }

    /// [`put`](Self::put) of a value that is there already, under a borrowed key.
    pub(crate) fn set(&mut self, table: Table, key: &[u8], value: Vec<u8>) {
        self.changes.entry(table).or_default().insert(Key::from(key), Some(Value::new(value)));
    }

    /// What the batch makes of a key: its new value, or `Some(None)` where the key is removed; `None` where the
    /// batch leaves it as it is.
    pub fn get(&self, table: Table, key: &[u8]) -> Option<Option<&[u8]>> {
        self.changes.get(&table)?.get(key).map(|value| value.as_ref().map(|value| &value[..]))
    }

    /// The changes by table and key: the new value, or `None` where the key is removed.
    pub fn iter(&self) -> impl Iterator<Item = (Table, &[u8], Option<&[u8]>)> {
        self.entries().map(|(table, key, value)| (table, &key[..], value.map(|value| &value[..])))
    }

    /// The changes as they are kept, by table and key.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Table, &Key, Option<&Value>)> {
        self.changes
            .iter()
            .flat_map(|(table, changes)| changes.iter().map(|(key, value)| (*table, key, value.as_ref())))
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}
