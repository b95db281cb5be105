//! Tests of stores that are opened read-only.

use std::fs;
use std::mem;
use std::path::Path;
use std::time::SystemTime;

use tempfile::tempdir;

use super::workload;
use crate::store::{Redb, Store, StoreError};

const SEED: u64 = 5;

/// Everything that a read-only opening must not change: names, bytes, and the modification time.
fn picture(directory: &Path) -> (Vec<String>, Vec<u8>, SystemTime) {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap()).collect();
    let file = directory.join("chain.redb");
    (names, fs::read(&file).unwrap(), fs::metadata(&file).unwrap().modified().unwrap())
}

#[test]
fn a_store_is_read_and_nothing_is_written() {
    let (batches, states) = workload(SEED, 20);
    for (name, is_killed) in [("closed", false), ("killed", true)] {
        let directory = tempdir().unwrap();
        let (mut store, copy) = (Redb::open(directory.path()).unwrap(), tempdir().unwrap());
        for batch in &batches {
            store.commit(batch).unwrap();
        }
        if !is_killed {
            drop(mem::replace(&mut store, Redb::open(tempdir().unwrap().path()).unwrap()));
        }
        fs::copy(directory.path().join("chain.redb"), copy.path().join("chain.redb")).unwrap();
        drop(store);

        let before = picture(copy.path());
        for is_checked in [true, false] {
            let open = |at| if is_checked { Redb::open_read_only(at) } else { Redb::open_unchecked(at) };
            let mut store = open(copy.path()).unwrap();
            let another = Redb::open_read_only(copy.path()).unwrap();
            assert!(super::contents(&store).unwrap() == *states.last().unwrap(), "{name}");
            let path = copy.path().join("chain.redb");
            assert_eq!(store.commit(&batches[0]), Err(StoreError::ReadOnly { path: path.clone() }), "{name}");
            assert!(super::contents(&store).unwrap() == *states.last().unwrap(), "{name}, after a refusal");
            assert_eq!(Redb::open(copy.path()).unwrap_err(), StoreError::InUseHere { path }, "{name}");
            drop((store, another));
        }
        assert!(picture(copy.path()) == before, "{name}");
        drop(Redb::open(copy.path()).unwrap());
    }
}

#[test]
fn a_store_that_may_be_written_to_is_not_read_beside_it() {
    let directory = tempdir().unwrap();
    let store = Redb::open(directory.path()).unwrap();
    let path = directory.path().join("chain.redb");
    assert_eq!(Redb::open_read_only(directory.path()).unwrap_err(), StoreError::InUseHere { path });
    drop(store);
    drop(Redb::open_read_only(directory.path()).unwrap());
}

#[test]
fn nothing_is_created_or_begun() {
    let directory = tempdir().unwrap();
    let error = Redb::open_read_only(directory.path().join("missing")).unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error}");
    assert!(!directory.path().join("missing").exists());

    let path = directory.path().join("chain.redb");
    for len in [0, 8192, 1 << 20] {
        fs::write(&path, vec![0; len]).unwrap();
        let error = Redb::open_read_only(directory.path()).unwrap_err();
        assert!(error.to_string().ends_with("nothing was stored in it yet"), "{error}");
        assert!(fs::read(&path).unwrap() == vec![0; len]);
    }
}
