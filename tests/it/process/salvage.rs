//! A damaged or truncated file: `verify` names the lowest wrong height, and `repair` keeps the blocks below.

use std::fs;
use std::path::Path;

use hashloom::store::{ALL_KEYS, Batch, Order, Redb, Store, Table};

use super::program::Start;
use super::work::chain_of;

const BLOCKS: u64 = 6;

/// The rows of the chain table, and the entries that locate its blocks.
fn rows(data: &Path) -> Vec<Vec<u8>> {
    let store = Redb::open(data).unwrap();
    let entries = store.scan(Table::Chain, ALL_KEYS, Order::Ascending, usize::MAX).unwrap();
    entries.into_iter().map(|(_, row)| row).collect()
}

/// Flips a bit in the last byte of each occurrence.
fn damage(bytes: &mut [u8], sought: &[u8]) {
    let places: Vec<_> =
        bytes.windows(sought.len()).enumerate().filter(|(_, found)| *found == sought).collect();
    let places: Vec<_> = places.into_iter().map(|(at, _)| at + sought.len() - 1).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at] ^= 1;
    }
}

async fn assert_named(start: &Start, height: u64, what: &str) {
    let error = start.fails(&["verify"]).await;
    let names = [format!("block {height}: "), format!("damaged at height {height}: ")];
    assert!(names.iter().any(|name| error.contains(name)), "{what} {height}: {error}");
    assert_one_remedy(&error);
}

/// Checks that `verify` recommends a repair and nothing else.
#[track_caller]
fn assert_one_remedy(error: &str) {
    assert!(error.contains("repair"), "{error}");
    for other in ["restore", "remove", "the program that stored it"] {
        assert!(!error.contains(other), "{other}: {error}");
    }
}

#[tokio::test]
async fn the_first_damaged_height_is_named() {
    let start = chain_of(BLOCKS).await;
    let file = start.data().join("chain.redb");
    let rows = rows(&start.data());
    let bytes = fs::read(&file).unwrap();
    for height in 1..=BLOCKS {
        let mut damaged = bytes.clone();
        damage(&mut damaged, format!("block {height}").as_bytes());
        fs::write(&file, damaged).unwrap();
        assert_named(&start, height, "body").await;

        let mut damaged = bytes.clone();
        damage(&mut damaged, &rows[usize::try_from(height).unwrap()][..100]);
        fs::write(&file, damaged).unwrap();
        assert_named(&start, height, "header").await;

        fs::write(&file, &bytes).unwrap();
        let mut store = Redb::open(start.data()).unwrap();
        let ids = store.scan(Table::Heights, ALL_KEYS, Order::Ascending, usize::MAX).unwrap();
        let (id, _) = ids.into_iter().find(|(_, at)| *at == height.to_be_bytes()).unwrap();
        let mut batch = Batch::new();
        batch.put(Table::Heights, id, (height - 1).to_be_bytes());
        store.commit(&batch).unwrap();
        drop(store);
        assert_named(&start, height, "id").await;
    }
}

#[tokio::test]
async fn a_repair_names_no_repair() {
    let start = chain_of(BLOCKS).await;
    let file = start.data().join("chain.redb");
    let bytes = fs::read(&file).unwrap();
    let mut kept = 0;
    for len in (1..bytes.len()).step_by(bytes.len() / 24) {
        fs::write(&file, &bytes[..len]).unwrap();
        let finished = start.finish(&["repair"]).await;
        assert!(!finished.stdout.contains("a repair"), "{len}: {finished:?}");
        if finished.exit_code == Some(0) {
            let verified = start.succeeds(&["verify"]).await;
            assert!(verified.starts_with("verified the blocks 0 to "), "{len}: {verified}");
            kept += 1;
        } else {
            let error = finished.stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
            assert!(!error.contains("repair first") && !error.contains("argument repair"), "{len}: {error}");
            assert!(error.contains("restore"), "{len}: {error}");
        }
    }
    assert!(kept > 0);
}

#[tokio::test]
async fn bytes_behind_the_end_are_named_and_dropped() {
    let start = chain_of(BLOCKS).await;
    let file = start.data().join("chain.redb");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, [bytes, vec![0; 5_000]].concat()).unwrap();
    assert_eq!(
        start.finish(&["verify"]).await.stdout,
        "",
        "a chain in a damaged file is not called verified"
    );
    let error = start.fails(&["verify"]).await;
    assert!(error.contains("its end is missing, or something follows it"), "{error}");
    assert_one_remedy(&error);
    let repaired = start.succeeds(&["repair"]).await;
    assert_eq!(repaired, format!("repaired: the chain ends at height {BLOCKS}\n"));
    assert_eq!(start.succeeds(&["verify"]).await, format!("verified the blocks 0 to {BLOCKS}\n"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_that_leads_nowhere_is_named() {
    let start = Start::new("json");
    std::os::unix::fs::symlink("not-mounted/data", start.data()).unwrap();
    let error = start.fails(&[]).await;
    assert!(error.contains("data: it is a link to a place that does not exist"), "{error}");
}

#[tokio::test]
async fn a_file_in_the_place_of_the_directory_is_named() {
    let start = Start::new("json");
    fs::write(start.directory().join("f"), "").unwrap();
    for arguments in
        [&["--data-dir", "f"][..], &["verify", "--data-dir", "f"], &["import", "f", "--data-dir", "f"]]
    {
        let error = start.fails(arguments).await;
        assert!(error.contains("is a file, not a directory"), "{arguments:?}: {error}");
    }
}
