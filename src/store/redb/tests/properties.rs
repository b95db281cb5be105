//! Random operations, with restarts in between, have the results of a store in memory.

use core::mem;
use core::ops::Bound;

use proptest::collection::vec;
use proptest::prelude::*;

use super::disk::Disk;
use super::open;
use crate::store::{Batch, Memory, Order, Store, Table};

#[derive(Clone, Debug)]
enum Operation {
    Commit(Vec<(Table, Vec<u8>, Option<Vec<u8>>)>),
    Get(Table, Vec<u8>),
    Scan(Table, Bound<Vec<u8>>, Bound<Vec<u8>>, Order, usize),
    /// The process closes the store, or is killed.
    Restart {
        is_killed: bool,
    },
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_store_on_disk_answers_like_one_in_memory(operations in vec(operation(), 1..60)) {
        let disk = Disk::default();
        let mut store = open(&disk).unwrap();
        let mut memory = Memory::new();
        for operation in operations {
            match operation {
                Operation::Commit(changes) => {
                    let mut batch = Batch::new();
                    for (table, key, value) in changes {
                        match value {
                            Some(value) => batch.put(table, key, value),
                            None => batch.delete(table, key),
                        }
                    }
                    prop_assert_eq!(store.commit(&batch), memory.commit(&batch));
                }
                Operation::Get(table, key) => {
                    prop_assert_eq!(store.get(table, &key), memory.get(table, &key));
                }
                Operation::Scan(table, start, end, order, limit) => {
                    let keys = (start.as_ref().map(|key| &key[..]), end.as_ref().map(|key| &key[..]));
                    prop_assert_eq!(
                        store.scan(table, keys, order, limit),
                        memory.scan(table, keys, order, limit)
                    );
                }
                Operation::Restart { is_killed } => {
                    if is_killed {
                        mem::forget(store);
                    } else {
                        drop(store);
                    }
                    store = open(&disk).unwrap();
                }
            }
        }
    }
}

fn operation() -> impl Strategy<Value = Operation> {
    let change = (table(), key(), proptest::option::weighted(0.7, value()));
    let order = prop_oneof![Just(Order::Ascending), Just(Order::Descending)];
    let limit = prop_oneof![0_usize..8, Just(usize::MAX)];
    prop_oneof![
        4 => vec(change, 0..12).prop_map(Operation::Commit),
        3 => (table(), key()).prop_map(|(table, key)| Operation::Get(table, key)),
        4 => (table(), bound(), bound(), order, limit)
            .prop_map(|(table, start, end, order, limit)| Operation::Scan(table, start, end, order, limit)),
        1 => any::<bool>().prop_map(|is_killed| Operation::Restart { is_killed }),
    ]
}

fn table() -> impl Strategy<Value = Table> {
    proptest::sample::select(&Table::ALL[..3])
}

/// Keys from a small set, so that operations meet existing keys.
fn key() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0_u8), Just(1), Just(0xff)], 0..4)
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![6 => vec(any::<u8>(), 0..40), 1 => (any::<u8>(), 0_usize..9_000).prop_map(|(byte, len)| vec![byte; len])]
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![key().prop_map(Bound::Included), key().prop_map(Bound::Excluded), Just(Bound::Unbounded)]
}
