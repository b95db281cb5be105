//! A test suite for implementations of [`Store`]. Call [`suite`] from a test, and also [`suite_durable`] for
//! a store whose data outlives its value:
//!
//! ```
//! use hashloom::store::Memory;
//! use hashloom::testing::store::suite;
//!
//! suite(Memory::new);
//!
//! # #[cfg(feature = "redb")] {
//! use hashloom::store::Redb;
//! use hashloom::testing::store::suite_durable;
//!
//! let directory = tempfile::tempdir().unwrap();
//! suite_durable(|| Redb::open(directory.path()).unwrap());
//! # }
//! ```
//!
//! [`Faulty`] is a store that fails on request, for tests of code that uses a store.

#![expect(clippy::expect_used, reason = "a failed check panics, as every assertion does")]

mod faulty;
mod model;

use core::ops::{Bound, RangeBounds};
use std::thread;

use fastrand::Rng;

pub use self::faulty::{Failure, Faulty};
pub(crate) use self::model::{Model, pattern, random_batch};
use crate::store::{ALL_KEYS, Batch, Entries, Keys, Order, Store, Table};

/// Runs every check. `make` returns a new empty store at each call.
///
/// # Panics
///
/// If the store fails a check.
pub fn suite<S: Store>(mut make: impl FnMut() -> S) {
    nothing_is_in_a_new_store(&make());
    what_is_committed_is_seen(make());
    the_last_change_to_a_key_counts(make());
    a_missing_key_can_be_deleted(make());
    an_empty_batch_changes_nothing(make());
    tables_do_not_share_keys(make());
    any_bytes_are_a_key_or_a_value(make());
    large_values_are_kept(make());
    many_entries_are_kept(make());
    keys_come_in_their_order(make());
    a_range_has_the_keys_within_it(make());
    a_limit_cuts_off_the_rest(make());
    threads_read_at_the_same_time(make());
    random_changes_give_what_a_map_gives(make());
}

/// Checks that committed data is present after the store is reopened. `open` opens the same location at each
/// call. The location must be empty at the first call, and the previous store is dropped before each call.
///
/// # Panics
///
/// If the store fails a check.
pub fn suite_durable<S: Store>(mut open: impl FnMut() -> S) {
    const ROUNDS: u64 = 12;
    let mut model = Model::default();
    for round in 0..ROUNDS {
        let context = format!("opened for the {round}. time");
        let mut store = open();
        model.assert_equals(&store, &context);
        let mut rng = Rng::with_seed(round);
        for _ in 0..rng.usize(..4) {
            model.commit(&mut store, &random_batch(&mut rng, &model), &context);
        }
        model.commit(&mut store, &put(Table::Blocks, round.to_be_bytes(), pattern(1 << 20)), &context);
        model.commit(&mut store, &delete(Table::Blocks, round.wrapping_sub(2).to_be_bytes()), &context);
    }
    model.assert_equals(&open(), "opened at last");
}

fn nothing_is_in_a_new_store(store: &impl Store) {
    for table in Table::ALL {
        assert_eq!(store.get(table, b"key").expect("reading works"), None, "{table:?} is empty");
    }
    Model::default().assert_equals(store, "new");
}

fn what_is_committed_is_seen(mut store: impl Store) {
    let mut model = Model::default();
    for value in [&b"first"[..], b"second", b"", b"third, and longer than those before"] {
        model.commit(&mut store, &put(Table::Meta, b"key", value), "a value that changes");
    }
    model.commit(&mut store, &put(Table::Meta, b"another", b"value"), "a second key");
    model.commit(&mut store, &delete(Table::Meta, b"key"), "a key that goes");
    model.commit(&mut store, &put(Table::Meta, b"key", b"again"), "a key that comes back");
}

fn the_last_change_to_a_key_counts(mut store: impl Store) {
    let mut batch = Batch::new();
    batch.put(Table::Meta, *b"put twice", *b"1");
    batch.put(Table::Meta, *b"put twice", *b"2");
    batch.put(Table::Meta, *b"put and deleted", *b"1");
    batch.delete(Table::Meta, *b"put and deleted");
    batch.delete(Table::Meta, *b"deleted and put");
    batch.put(Table::Meta, *b"deleted and put", *b"1");
    store.commit(&batch).expect("committing works");
    for (key, expected) in
        [(&b"put twice"[..], Some(*b"2")), (b"put and deleted", None), (b"deleted and put", Some(*b"1"))]
    {
        let found = store.get(Table::Meta, key).expect("reading works");
        assert_eq!(found.as_deref(), expected.as_ref().map(|value| &value[..]), "{key:?}");
    }
}

fn a_missing_key_can_be_deleted(mut store: impl Store) {
    let mut model = Model::default();
    model.commit(&mut store, &delete(Table::Meta, b"key"), "in a table without entries");
    model.commit(&mut store, &put(Table::Meta, b"a key", b"1"), "beside another");
    model.commit(&mut store, &delete(Table::Chain, b"key"), "in another table");
}

fn an_empty_batch_changes_nothing(mut store: impl Store) {
    let mut model = Model::default();
    model.commit(&mut store, &Batch::new(), "in a new store");
    model.commit(&mut store, &put(Table::Meta, b"key", b"1"), "an entry");
    model.commit(&mut store, &Batch::new(), "in a store with an entry");
}

fn tables_do_not_share_keys(mut store: impl Store) {
    let mut model = Model::default();
    let mut batch = Batch::new();
    for table in Table::ALL {
        batch.put(table, *b"key", table.name());
    }
    model.commit(&mut store, &batch, "one key in all tables");
    for table in Table::ALL {
        model.commit(&mut store, &delete(table, b"key"), "gone from one table");
    }
}

fn any_bytes_are_a_key_or_a_value(mut store: impl Store) {
    let mut model = Model::default();
    let mut batch = Batch::new();
    for byte in 0..=u8::MAX {
        for key in [vec![byte], vec![byte, 0], vec![byte, 0xff], vec![0, byte], vec![0xff, 0xff, byte]] {
            batch.put(Table::Heights, key.clone(), key);
        }
    }
    batch.put(Table::Heights, [], *b"the empty key");
    batch.put(Table::Heights, *b"an empty value", []);
    batch.put(Table::Heights, "\u{e9} \n\0\r\n".as_bytes(), "\u{e9} \n\0\r\n".as_bytes());
    batch.put(Table::Heights, [7; 200], [7; 200]);
    model.commit(&mut store, &batch, "keys of any bytes");
    model.commit(&mut store, &delete(Table::Heights, []), "without the empty key");
    model.commit(&mut store, &delete(Table::Heights, [0]), "without a zero");
}

fn large_values_are_kept(mut store: impl Store) {
    let mut model = Model::default();
    let mut batch = Batch::new();
    for len in [1_usize, 255, 256, 4_095, 4_096, 4_097, 65_535, 65_537, 1 << 20, (5 << 20) + 1] {
        batch.put(Table::Blocks, len.to_be_bytes(), pattern(len));
    }
    model.commit(&mut store, &batch, "large values");
    model.commit(&mut store, &put(Table::Blocks, b"x", pattern(16 << 20)), "a value of 16 MiB");
    model.commit(&mut store, &put(Table::Blocks, b"x", b"small"), "a large value made small");
    model.commit(
        &mut store,
        &delete(Table::Blocks, ((5_usize << 20) + 1).to_be_bytes()),
        "a large value gone",
    );
}

fn many_entries_are_kept(mut store: impl Store) {
    const COUNT: u64 = 20_000;
    let mut model = Model::default();
    let mut batch = Batch::new();
    for number in 0..COUNT {
        // Inserted in another order than that of the keys.
        let number = number * 7_919 % COUNT;
        batch.put(Table::Chain, number.to_be_bytes(), (number * 3).to_be_bytes());
    }
    model.commit(&mut store, &batch, "many entries");
    let mut batch = Batch::new();
    for number in (0..COUNT).step_by(3) {
        batch.delete(Table::Chain, number.to_be_bytes());
    }
    model.commit(&mut store, &batch, "a third of them gone");
}

fn keys_come_in_their_order(mut store: impl Store) {
    let sorted: [&[u8]; 11] =
        [b"", &[0], &[0, 0], &[0, 1], &[0, 0xff], &[1], b"Z", b"a", b"aa", &[0x80], &[0xff, 0xff]];
    let mut rng = Rng::with_seed(1);
    let mut shuffled = sorted;
    rng.shuffle(&mut shuffled);
    for keys in shuffled.chunks(3) {
        commit_keys(&mut store, keys);
    }
    let mut expected: Vec<_> = sorted.iter().map(|key| (key.to_vec(), key.to_vec())).collect();
    assert_eq!(scan(&store, ALL_KEYS, Order::Ascending, usize::MAX), expected);
    expected.reverse();
    assert_eq!(scan(&store, ALL_KEYS, Order::Descending, usize::MAX), expected);
}

fn a_range_has_the_keys_within_it(mut store: impl Store) {
    let present: [&[u8]; 6] = [b"", b"b", b"bb", b"d", b"f", &[0xff, 0xff]];
    let places: [&[u8]; 13] = [
        b"",
        &[0],
        b"a",
        b"b",
        &[b'b', 0],
        b"bb",
        b"c",
        b"d",
        b"e",
        b"f",
        b"g",
        &[0xff],
        &[0xff, 0xff, 0xff],
    ];
    commit_keys(&mut store, &present);
    let bounds = || {
        let bounds = places.iter().flat_map(|place| [Bound::Included(*place), Bound::Excluded(*place)]);
        bounds.chain([Bound::Unbounded])
    };
    for keys in bounds().flat_map(|start| bounds().map(move |end| (start, end))) {
        let within = present.iter().filter(|key| RangeBounds::<[u8]>::contains(&keys, **key));
        let mut expected: Vec<_> = within.map(|key| (key.to_vec(), key.to_vec())).collect();
        assert_eq!(scan(&store, keys, Order::Ascending, usize::MAX), expected, "{keys:?}");
        assert_eq!(scan(&store, keys, Order::Ascending, 1), expected[..expected.len().min(1)], "{keys:?}");
        expected.reverse();
        assert_eq!(scan(&store, keys, Order::Descending, usize::MAX), expected, "{keys:?}");
        assert_eq!(scan(&store, keys, Order::Descending, 2), expected[..expected.len().min(2)], "{keys:?}");
    }
}

fn a_limit_cuts_off_the_rest(mut store: impl Store) {
    const COUNT: u16 = 1_000;
    let key = |number: u16| number.to_be_bytes().to_vec();
    let all: Vec<_> = (0..COUNT).map(key).collect();
    commit_keys(&mut store, &all);
    let (start, end) = (key(10), key(900));
    let keys = (Bound::Excluded(&start[..]), Bound::Included(&end[..]));
    let ascending: Vec<_> = (11..=900).map(|number| (key(number), key(number))).collect();
    let descending: Vec<_> = ascending.iter().rev().cloned().collect();
    for limit in [0, 1, 2, 63, 64, 65, 889, 890, 891, usize::MAX] {
        let kept = limit.min(ascending.len());
        assert_eq!(scan(&store, keys, Order::Ascending, limit), ascending[..kept], "limit {limit}");
        assert_eq!(scan(&store, keys, Order::Descending, limit), descending[..kept], "limit {limit}");
    }
}

fn threads_read_at_the_same_time(mut store: impl Store) {
    const THREADS: u64 = 4;
    let mut model = Model::default();
    let mut rng = Rng::with_seed(2);
    for _ in 0..4 {
        model.commit(&mut store, &random_batch(&mut rng, &model), "before threads read");
        thread::scope(|scope| {
            for reader in 0..THREADS {
                let (store, model) = (&store, &model);
                scope.spawn(move || {
                    for _ in 0..25 {
                        model.assert_equals(store, &format!("reader {reader}"));
                    }
                });
            }
        });
    }
}

fn random_changes_give_what_a_map_gives(mut store: impl Store) {
    const SEED: u64 = 3;
    let mut model = Model::default();
    let mut rng = Rng::with_seed(SEED);
    for step in 0..200 {
        let batch = random_batch(&mut rng, &model);
        model.commit(&mut store, &batch, &format!("seed {SEED}, step {step}"));
    }
}

fn scan(store: &impl Store, keys: Keys<'_>, order: Order, limit: usize) -> Entries {
    store.scan(Table::Peers, keys, order, limit).expect("scanning works")
}

/// Commits keys to the table that [`scan`] reads, each with itself as its value.
fn commit_keys(store: &mut impl Store, keys: &[impl AsRef<[u8]>]) {
    let mut batch = Batch::new();
    for key in keys {
        batch.put(Table::Peers, key.as_ref(), key.as_ref());
    }
    store.commit(&batch).expect("committing works");
}

fn put(table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Batch {
    let mut batch = Batch::new();
    batch.put(table, key, value);
    batch
}

fn delete(table: Table, key: impl Into<Vec<u8>>) -> Batch {
    let mut batch = Batch::new();
    batch.delete(table, key);
    batch
}
