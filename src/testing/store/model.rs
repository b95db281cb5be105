//! The reference model of a store, with which the suite compares implementations.

use std::collections::BTreeMap;

use fastrand::Rng;

use crate::store::{ALL_KEYS, Batch, Entries, Order, Store, Table};

/// The entries of all tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model {
    entries: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
}

impl Model {
    #[cfg(all(test, feature = "redb"))]
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Option<&[u8]> {
        self.entries.get(&(table, key.to_vec())).map(Vec::as_slice)
    }

    /// The number of entries.
    #[cfg(all(test, feature = "redb"))]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The number of entries that another model has, too.
    #[cfg(all(test, feature = "redb"))]
    pub(crate) fn shared_with(&self, other: &Self) -> usize {
        self.entries.iter().filter(|(key, value)| other.entries.get(key) == Some(value)).count()
    }

    pub(crate) fn apply(&mut self, batch: &Batch) {
        for (table, key, value) in batch.iter() {
            let key = (table, key.to_vec());
            match value {
                Some(value) => self.entries.insert(key, value.to_vec()),
                None => self.entries.remove(&key),
            };
        }
    }

    /// Commits a batch to the store and to the model, and compares the two.
    pub(super) fn commit(&mut self, store: &mut impl Store, batch: &Batch, context: &str) {
        if let Err(error) = store.commit(batch) {
            panic!("{context}: a commit fails: {error}");
        }
        self.apply(batch);
        self.assert_equals(store, context);
    }

    /// Compares a store with the model entry by entry, with every way to read the store.
    pub(crate) fn assert_equals(&self, store: &impl Store, context: &str) {
        for table in Table::ALL {
            let mut expected = self.table(table);
            for (order, name) in [(Order::Ascending, "ascending"), (Order::Descending, "descending")] {
                let found = store.scan(table, ALL_KEYS, order, usize::MAX);
                let found = found.unwrap_or_else(|error| panic!("{context}: a scan fails: {error}"));
                assert_same(&found, &expected, &format!("{context}: {table:?}, {name}"));
                expected.reverse();
            }
            let values = expected.iter().map(|(key, value)| (key, Some(value)));
            for (key, expected) in values.chain([(&b"a key that nobody uses".to_vec(), None)]) {
                let found = store.get(table, key);
                let found =
                    found.unwrap_or_else(|error| panic!("{context}: {key:?} cannot be read: {error}"));
                assert!(found.as_ref() == expected, "{context}: {table:?} {key:?} has another value");
            }
        }
    }

    fn table(&self, table: Table) -> Entries {
        let entries = self.entries.iter().filter(|((of, _), _)| *of == table);
        entries.map(|((_, key), value)| (key.clone(), value.clone())).collect()
    }

    /// A key of the model, or a random key.
    fn some_key(&self, rng: &mut Rng) -> (Table, Vec<u8>) {
        if rng.bool() && !self.entries.is_empty() {
            let key = self.entries.keys().nth(rng.usize(..self.entries.len()));
            return key.cloned().expect("a number below the length");
        }
        let key = (0..rng.usize(..24)).map(|_| rng.u8(..)).collect();
        (*rng.choice(&Table::ALL).expect("there are tables"), key)
    }
}

/// Some changes, most of them small, to keys of the model and to new keys.
pub(crate) fn random_batch(rng: &mut Rng, model: &Model) -> Batch {
    let mut batch = Batch::new();
    for _ in 0..rng.usize(1..20) {
        let (table, key) = model.some_key(rng);
        match rng.u8(..16) {
            0..4 => batch.delete(table, key),
            4 => batch.put(table, key, pattern(rng.usize(..20_000))),
            _ => batch.put(table, key, pattern(rng.usize(..100))),
        }
    }
    batch
}

/// Pseudo-random bytes of this length.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    let mut rng = Rng::with_seed(len as u64);
    (0..len).map(|_| rng.u8(..)).collect()
}

/// Compares without printing values, which can be megabytes.
fn assert_same(found: &Entries, expected: &Entries, context: &str) {
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found.0, expected.0, "{context}: the {place}. key");
        assert!(found.1 == expected.1, "{context}: {:?} has another value", found.0);
    }
    assert_eq!(found.len(), expected.len(), "{context}: the number of entries");
}
