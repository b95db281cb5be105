//! Tests of a store in a directory: created, reopened, locked, and replaced by files of other kinds.

use std::fs;
use std::path::Path;

use rstest::rstest;
use sha2::{Digest, Sha256};
use tempfile::tempdir;

use crate::store::{ALL_KEYS, Batch, Order, Redb, Store, StoreError, Table};
use crate::testing::store::{suite, suite_durable};

#[test]
fn a_store_does_what_a_store_has_to() {
    let directory = tempdir().unwrap();
    let mut number = 0;
    suite(|| {
        number += 1;
        Redb::open(directory.path().join(number.to_string())).unwrap()
    });
}

#[test]
fn a_store_does_so_with_hardly_any_cache() {
    let directory = tempdir().unwrap();
    let mut number = 0;
    suite(|| {
        number += 1;
        Redb::open_with_cache(directory.path().join(number.to_string()), 0).unwrap()
    });
}

#[test]
fn a_store_is_durable() {
    let directory = tempdir().unwrap();
    suite_durable(|| Redb::open(directory.path()).unwrap());
}

#[test]
fn a_store_is_there_again_after_it_was_closed() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("a").join("b");
    let mut store = Redb::open(&path).unwrap();
    store.commit(&peers(["one", "two"])).unwrap();
    drop(store);

    let mut store = Redb::open(&path).unwrap();
    assert_eq!(names(&store), ["one", "two"]);
    store.commit(&peers(["three"])).unwrap();
    drop(store);
    assert_eq!(names(&Redb::open(&path).unwrap()), ["one", "three", "two"]);
    let files: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["chain.redb"]);
}

#[test]
fn a_store_belongs_to_one_at_a_time() {
    let directory = tempdir().unwrap();
    let mut store = Redb::open(directory.path()).unwrap();
    let path = directory.path().join("chain.redb");
    let refused = Redb::open(directory.path()).unwrap_err();
    assert_eq!(refused, StoreError::InUseHere { path: path.clone() });
    let says =
        "is in use by this process: shut down the node that has it, or drop the store that was opened before";
    assert_eq!(refused.to_string(), format!("{} {says}", path.display()));
    store.commit(&peers(["one"])).unwrap();
    drop(store);
    assert_eq!(names(&Redb::open(directory.path()).unwrap()), ["one"]);
}

#[test]
fn a_directory_that_cannot_be_one_is_named() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let error = Redb::open(&file).unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error:?}");
    let says = format!("cannot read or write: {}: it is a file, not a directory", file.display());
    assert_eq!(error.to_string(), says);
}

#[rstest]
#[case::text(b"not a store\n".to_vec())]
#[case::one_byte(vec![b'r'])]
#[case::a_long_text(b"not a store\n".repeat(10_000))]
#[case::zeros_with_something_among_them({ let mut bytes = vec![0; 1 << 20]; bytes[500_000] = 1; bytes })]
#[case::zeros_beyond_any_beginning(vec![0; 9 << 20])]
fn a_file_of_another_kind_is_refused_and_left_alone(#[case] bytes: Vec<u8>) {
    let directory = tempdir().unwrap();
    let path = directory.path().join("chain.redb");
    fs::write(&path, &bytes).unwrap();
    assert_refused_as_damaged(&path, "it is not the store of a chain");
    assert!(fs::read(&path).unwrap() == bytes, "the file is as it was");
}

#[test]
fn an_older_format_of_redb_is_refused_by_name() {
    let directory = tempdir().unwrap();
    drop(Redb::open(directory.path()).unwrap());
    let path = directory.path().join("chain.redb");
    let mut bytes = fs::read(&path).unwrap();
    // The format version of each of redb's two commit slots.
    bytes[8192 + 64] = 2;
    bytes[8192 + 192] = 2;
    fs::write(&path, &bytes).unwrap();
    assert_refused_as_damaged(&path, "file is version 2");
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let directory = tempdir().unwrap();
    drop(Redb::open(directory.path()).unwrap());
    let path = directory.path().join("chain.redb");
    let mut bytes = fs::read(&path).unwrap();
    // The head ends with the first eight bytes of the SHA-256 of its first twelve, which end with the
    // version.
    bytes[..20].copy_from_slice(b"\x89HLS\r\n\x1a\n\0\0\0\x02XXXXXXXX");
    let digest = Sha256::digest(&bytes[..12]);
    bytes[12..20].copy_from_slice(&digest[..8]);
    fs::write(&path, &bytes).unwrap();
    let refused = Redb::open(directory.path()).unwrap_err();
    assert_eq!(refused, StoreError::NewerFormat { path, got: 2, known: 1 });
}

#[test]
fn a_store_that_is_whole_needs_no_repair() {
    let directory = tempdir().unwrap();
    let mut store = Redb::open(directory.path()).unwrap();
    store.commit(&peers(["one", "two"])).unwrap();
    drop(store);
    let store = Redb::open_for_repair(directory.path()).unwrap();
    assert_eq!(names(&store), ["one", "two"]);
    assert!(!directory.path().join("chain.redb.new").exists());
    drop(store);
    assert_eq!(names(&Redb::open(directory.path()).unwrap()), ["one", "two"]);
}

#[test]
fn a_damaged_store_is_replaced_by_what_can_be_read() {
    let directory = tempdir().unwrap();
    let mut store = Redb::open(directory.path()).unwrap();
    let mut batch = peers(["one", "two"]);
    batch.put(Table::Blocks, *b"block", vec![7; 20_000]);
    store.commit(&batch).unwrap();
    drop(store);
    let path = directory.path().join("chain.redb");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(2).position(|pair| pair == [7, 7]).unwrap();
    bytes[at + 9_000] = 8;
    fs::write(&path, &bytes).unwrap();
    // A leftover of an earlier repair.
    fs::write(directory.path().join("chain.redb.new"), &bytes).unwrap();

    let store = Redb::open(directory.path()).unwrap();
    assert!(matches!(store.get(Table::Blocks, b"block"), Err(StoreError::Damaged(_))));
    assert_eq!(names(&store), ["one", "two"], "the rest can be read");
    drop(store);

    let mut store = Redb::open_for_repair(directory.path()).unwrap();
    assert_eq!(Redb::open(directory.path()).unwrap_err(), StoreError::InUseHere { path });
    store.commit(&peers(["three"])).unwrap();
    drop(store);
    let store = Redb::open(directory.path()).unwrap();
    assert_eq!(names(&store), ["one", "three", "two"]);
    let mut expected = vec![7; 20_000];
    expected[9_000] = 8;
    assert!(store.get(Table::Blocks, b"block").unwrap() == Some(expected), "as it was in the file");
    assert!(!directory.path().join("chain.redb.new").exists());
}

#[test]
fn a_store_with_bytes_behind_its_end_is_repaired() {
    for extra in [1, 5_000, 2 * 4_096, 3 << 20] {
        let directory = tempdir().unwrap();
        let mut store = Redb::open(directory.path()).unwrap();
        store.commit(&peers(["one", "two"])).unwrap();
        drop(store);
        let path = directory.path().join("chain.redb");
        let mut bytes = fs::read(&path).unwrap();
        bytes.resize(bytes.len() + extra, 7);
        fs::write(&path, &bytes).unwrap();
        if let Err(error) = Redb::open(directory.path()) {
            assert!(matches!(error, StoreError::Damaged(_)), "{extra}: {error}");
            assert!(!error.to_string().contains("its end is missing;"), "{extra}: {error}");
        }
        assert_eq!(names(&Redb::open_for_repair(directory.path()).unwrap()), ["one", "two"], "{extra}");
        assert_eq!(names(&Redb::open(directory.path()).unwrap()), ["one", "two"], "{extra}");
    }
}

#[test]
fn a_file_of_another_kind_cannot_be_repaired() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("chain.redb");
    fs::write(&path, vec![1; 100_000]).unwrap();
    let error = Redb::open_for_repair(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");
    assert_eq!(fs::read(&path).unwrap(), vec![1; 100_000]);
    assert!(!directory.path().join("chain.redb.new").exists());
}

#[rstest]
#[case::never_written_to(0)]
#[case::without_a_head(8192)]
#[case::of_its_first_length(1 << 20)]
fn a_file_whose_creation_was_cut_short_is_created_afresh(#[case] len: u64) {
    let directory = tempdir().unwrap();
    let path = directory.path().join("chain.redb");
    fs::File::create(&path).unwrap().set_len(len).unwrap();
    let mut store = Redb::open(directory.path()).unwrap();
    store.commit(&peers(["one"])).unwrap();
    drop(store);
    assert_eq!(names(&Redb::open(directory.path()).unwrap()), ["one"]);
}

fn assert_refused_as_damaged(path: &Path, reason: &str) {
    let error = Redb::open(path.parent().unwrap()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()) && text.contains(reason), "{text}");
}

fn peers<const N: usize>(names: [&str; N]) -> Batch {
    let mut batch = Batch::new();
    for name in names {
        batch.put(Table::Peers, name, []);
    }
    batch
}

fn names(store: &Redb) -> Vec<String> {
    let entries = store.scan(Table::Peers, ALL_KEYS, Order::Ascending, usize::MAX).unwrap();
    entries.into_iter().map(|(name, _)| String::from_utf8(name).unwrap()).collect()
}

/// `cp` writes into the file that exists, whatever its lock.
#[cfg(unix)]
#[rstest]
#[case::an_earlier_state(|file: &Path, copy: &Path| { fs::copy(copy, file).unwrap(); })]
#[case::nothing(|file: &Path, _: &Path| fs::File::options().write(true).open(file).unwrap().set_len(0).unwrap())]
#[case::half_a_file(|file: &Path, copy: &Path| fs::write(file, &fs::read(copy).unwrap()[..20_000]).unwrap())]
fn what_another_program_has_written_is_left_as_it_is(#[case] write: fn(&Path, &Path)) {
    let directory = tempdir().unwrap();
    let (file, copy) = (directory.path().join("data/chain.redb"), directory.path().join("copy"));
    let mut store = Redb::open(directory.path().join("data")).unwrap();
    store.commit(&peers(["in the copy"])).unwrap();
    fs::copy(&file, &copy).unwrap();
    store.commit(&peers(["after the copy"])).unwrap();
    store.check_place().unwrap();
    write(&file, &copy);
    let left = fs::read(&file).unwrap();

    let changed = StoreError::Changed { path: file.clone() };
    assert_eq!(store.commit(&peers(["lost"])), Err(changed.clone()));
    assert_eq!(store.check_place(), Err(changed.clone()));
    assert_eq!(store.commit(&peers(["lost"])), Err(changed));
    drop(store);
    assert!(fs::read(&file).unwrap() == left);
}
