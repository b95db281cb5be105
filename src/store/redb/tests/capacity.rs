//! The disk is full from every possible moment of a run: reads continue, and commits work again when there is
//! free space.

use std::io::ErrorKind;
use std::path::Path;

use rstest::rstest;

use super::disk::{Disk, Refusal};
use super::{contents, open, workload};
use crate::store::redb::Redb;
use crate::store::redb::checked::SECTOR;
use crate::store::{Batch, Store, StoreError, Table};
use crate::testing::store::{Model, pattern};

const SEED: u64 = 2;
const BATCHES: usize = 8;

#[rstest]
#[case::once(1, ErrorKind::StorageFull)]
#[case::for_a_while(3, ErrorKind::QuotaExceeded)]
#[case::until_there_is_room(usize::MAX, ErrorKind::StorageFull)]
#[case::until_the_disk_is_mended(usize::MAX, ErrorKind::Other)]
fn a_refusal_at_any_moment_costs_nothing(#[case] refusals: usize, #[case] kind: ErrorKind) {
    let (batches, states) = workload(SEED, BATCHES);
    let undisturbed = Disk::default();
    let mut store = open(&undisturbed).unwrap();
    for batch in &batches {
        store.commit(batch).unwrap();
    }
    drop(store);
    assert!(undisturbed.count() > 100, "{} operations", undisturbed.count());

    let mut failures = 0;
    for moment in 0..undisturbed.count() {
        let numbers = moment..moment.saturating_add(refusals);
        let disk = Disk::default();
        disk.refuse(Some(Refusal { numbers, kind, growth_only: false }));
        failures += run(&disk, &batches, &states, &format!("seed {SEED}, {kind:?} at operation {moment}"));
    }
    // All but the last few operations, which belong to the close.
    assert!(failures > undisturbed.count() / 2, "{failures} failures");
}

/// Commits all batches, and heals the disk whenever a commit fails. Returns the number of failures.
fn run(disk: &Disk, batches: &[Batch], states: &[Model], context: &str) -> usize {
    let mut failures = 0;
    let mut store = open(disk).unwrap_or_else(|error| {
        assert!(matches!(error, StoreError::Full(_) | StoreError::Io(_)), "{context}: {error}");
        failures += 1;
        disk.refuse(None);
        open(disk).unwrap()
    });
    for (number, batch) in batches.iter().enumerate() {
        let context = format!("{context}, batch {number}");
        while let Err(error) = store.commit(batch) {
            assert!(matches!(error, StoreError::Full(_) | StoreError::Io(_)), "{context}: {error}");
            states[number].assert_equals(&store, &context);
            failures += 1;
            // Read while the disk still refuses writes or refuses everything, and again after it was healed.
            if failures % 2 == 0 {
                disk.refuse(None);
            }
        }
        assert!(contents(&store).unwrap() == states[number + 1], "{context}");
    }
    drop(store);
    disk.refuse(None);
    let store = open(disk).unwrap();
    assert!(contents(&store).unwrap() == states[batches.len()], "{context}, opened again");
    failures
}

#[test]
fn a_file_that_may_not_grow_takes_what_fits() {
    let disk = Disk::default();
    let mut store = open(&disk).unwrap();
    let mut model = Model::default();
    let mut batch = Batch::new();
    batch.put(Table::Blocks, *b"makes the file grow", pattern(500_000));
    store.commit(&batch).unwrap();
    model.apply(&batch);
    disk.refuse(Some(Refusal { numbers: 0..usize::MAX, kind: ErrorKind::FileTooLarge, growth_only: true }));
    let mut number = 0_u64;
    let batch = loop {
        let mut batch = Batch::new();
        batch.put(Table::Blocks, number.to_be_bytes(), pattern(50_000));
        match store.commit(&batch) {
            Ok(()) => model.apply(&batch),
            Err(error) => {
                assert!(matches!(error, StoreError::Full(_)), "{error}");
                break batch;
            }
        }
        number += 1;
    };
    assert!(number > 3, "{number} batches fit into {} bytes", disk.bytes().len());
    model.assert_equals(&store, "full");

    // A smaller batch may still fit.
    let mut small = Batch::new();
    small.put(Table::Peers, *b"small", *b"value");
    store.commit(&small).unwrap();
    model.apply(&small);
    model.assert_equals(&store, "with a small batch");

    disk.refuse(None);
    store.commit(&batch).unwrap();
    model.apply(&batch);
    drop(store);
    model.assert_equals(&open(&disk).unwrap(), "opened again");
}

#[test]
fn a_full_disk_is_opened_to_be_read() {
    let (batches, _) = workload(SEED, BATCHES);
    let disk = Disk::default();
    let mut store = open(&disk).unwrap();
    for batch in &batches[1..] {
        store.commit(batch).unwrap();
    }
    let committed = contents(&store).unwrap();
    drop(store);
    disk.refuse(Some(Refusal { numbers: 0..usize::MAX, kind: ErrorKind::StorageFull, growth_only: false }));
    let before = disk.bytes();
    let mut store = open(&disk).unwrap();
    committed.assert_equals(&store, "opened on a full disk");
    for _ in 0..3 {
        let error = store.commit(&batches[0]).unwrap_err();
        assert!(matches!(error, StoreError::Full(_)), "{error}");
        assert!(error.to_string().contains("the/disk"), "the error names the file: {error}");
        committed.assert_equals(&store, "refused on a full disk");
    }
    drop(store);
    let (before, after) = (&before[3 * SECTOR..], &disk.bytes()[3 * SECTOR..]);
    assert!(after == before, "nothing behind the header was touched");
    disk.refuse(None);
    let mut store = open(&disk).unwrap();
    store.commit(&batches[0]).unwrap();
    let mut model = committed;
    model.apply(&batches[0]);
    drop(store);
    model.assert_equals(&open(&disk).unwrap(), "opened again with room");
}

#[test]
fn a_disk_that_cannot_be_read_for_a_while_costs_nothing() {
    let (batches, states) = workload(SEED, BATCHES);
    let disk = Disk::default();
    let mut store = Redb::with_backend(Path::new("the/disk"), disk.clone(), 0).unwrap();
    store.commit(&batches[0]).unwrap();
    for (number, batch) in batches.iter().enumerate().skip(1) {
        disk.refuse_reads(Some(ErrorKind::TimedOut));
        for _ in 0..3 {
            assert!(matches!(contents(&store), Err(StoreError::Io(_))), "{:?}", contents(&store).err());
        }
        if number % 2 == 0 {
            let refused = store.commit(batch);
            assert!(matches!(refused, Err(StoreError::Io(_))), "{refused:?}");
        }
        disk.refuse_reads(None);
        if number % 3 == 0 {
            states[number].assert_equals(&store, "read again");
        }
        store.commit(batch).unwrap();
    }
    states[batches.len()].assert_equals(&store, "at the end");
}
