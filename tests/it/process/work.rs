//! The commands for a stored chain: verify, export, import, repair.

use std::fs;
use std::path::Path;

use hashloom::Hash;
use hashloom::store::{ALL_KEYS, Batch, Order, Redb, Store, Table};
use rstest::rstest;

use super::program::Start;

/// A node that has mined some blocks and was stopped.
pub(super) async fn chain_of(blocks: u64) -> Start {
    let node = Start::new("json").run().await;
    for height in 1..=blocks {
        assert_eq!(node.mine(&format!("block {height}")).await["height"], height);
    }
    node.terminate().await
}

#[tokio::test]
async fn a_chain_goes_through_a_file() {
    let start = chain_of(5).await;
    assert_eq!(start.succeeds(&["verify"]).await, "verified the blocks 0 to 5\n");
    assert_eq!(start.succeeds(&["verify", "--from", "2", "--to", "3"]).await, "verified the blocks 2 to 3\n");
    let file = start.directory().join("blocks.archive");
    let exported = start.succeeds(&["export", "blocks.archive"]).await;
    assert_eq!(exported, "exported 5 blocks up to height 5 into blocks.archive\n");

    let other = Start::new("json");
    let path = file.to_str().unwrap();
    for _ in ["anew", "again"] {
        let imported = other.succeeds(&["import", path]).await;
        let kept = "5 of 5 blocks are valid and stored, the chain ends at height 5";
        assert_eq!(imported, format!("imported {path}: {kept}\n"));
    }
    assert_eq!(other.succeeds(&["repair"]).await, "nothing is wrong: the chain ends at height 5\n");
    let (original, copy) = (start.run().await, other.run().await);
    assert_eq!(original.blocks().await, copy.blocks().await);
    assert_eq!(copy.mine("goes on").await["height"], 6);
}

#[tokio::test]
async fn an_export_replaces_a_file_only_when_told_to() {
    let start = chain_of(2).await;
    let file = start.directory().join("blocks.archive");
    fs::write(&file, "something else").unwrap();
    let error = start.fails(&["export", "blocks.archive"]).await;
    assert!(error.contains("blocks.archive exists already") && error.contains("--force"), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "something else");
    start.succeeds(&["export", "blocks.archive", "--force"]).await;
    assert!(fs::read(&file).unwrap().starts_with(b"\x89HLA"));

    let error = start.fails(&["export", "no-such-directory/blocks.archive"]).await;
    assert!(error.contains("cannot write no-such-directory/blocks.archive"), "{error}");
    // No temporary file is left.
    let names = fs::read_dir(start.directory()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["blocks.archive", "data", "log"]);
}

#[rstest]
#[case::nothing_kept(&["verify"], "holds no chain")]
#[case::nothing_to_export(&["export", "blocks.archive"], "holds no chain")]
#[case::nothing_to_repair(&["repair"], "holds no chain")]
#[case::no_archive(&["import", "blocks.archive"], "cannot read blocks.archive")]
#[case::not_an_archive(&["import", "/dev/zero"], "not an archive")]
#[case::in_memory(&["verify", "--data-dir", "/dev/null"], "holds no chain")]
#[tokio::test]
async fn nothing_to_work_on_is_one_line(#[case] arguments: &[&str], #[case] says: &str) {
    let error = Start::new("json").fails(arguments).await;
    assert!(error.contains(says), "{error}");
}

#[tokio::test]
async fn heights_that_are_not_there_are_one_line() {
    let start = chain_of(2).await;
    for (from, to, says) in
        [("3", "3", "ends at height 2"), ("0", "3", "ends at height 2"), ("2", "1", "above")]
    {
        let error = start.fails(&["verify", "--from", from, "--to", to]).await;
        assert!(error.contains(says), "{error}");
    }
}

#[tokio::test]
async fn a_damaged_file_keeps_what_comes_before_the_damage() {
    let start = chain_of(5).await;
    start.succeeds(&["export", "blocks.archive"]).await;
    let file = start.directory().join("blocks.archive");
    let mut bytes = fs::read(&file).unwrap();
    let at = records(&bytes)[3].start + 100;
    bytes[at] ^= 1;
    fs::write(&file, bytes).unwrap();
    refused_at_4(&file, "checksum does not fit record 4").await;
}

#[tokio::test]
async fn a_forged_file_keeps_what_comes_before_the_forgery() {
    let start = chain_of(5).await;
    start.succeeds(&["export", "blocks.archive"]).await;
    let file = start.directory().join("blocks.archive");
    let mut bytes = fs::read(&file).unwrap();
    let forged = records(&bytes)[3].clone();
    // The last byte of the last transaction, `block 4`.
    assert_eq!(&bytes[forged.end - 15..forged.end - 8], b"block 4");
    bytes[forged.end - 9] = b'9';
    seal(&mut bytes);
    fs::write(&file, bytes).unwrap();
    refused_at_4(&file, "block 4 in record 4 at byte").await;
    refused_at_4(&file, "merkle root is ").await;
}

/// Imports a file whose fourth block of five is invalid, and verifies that the blocks before it were kept.
async fn refused_at_4(file: &Path, says: &str) {
    let start = Start::new("json");
    let error = start.fails(&["import", file.to_str().unwrap()]).await;
    assert!(error.contains(says), "{error}");
    assert!(error.contains("3 of 5 blocks are valid and stored, the chain ends at height 3"), "{error}");
    assert_eq!(start.succeeds(&["verify"]).await, "verified the blocks 0 to 3\n");
}

#[tokio::test]
async fn a_damaged_chain_is_named_and_repaired() {
    let start = chain_of(5).await;
    {
        let mut store = Redb::open(start.data()).unwrap();
        let entries = store.scan(Table::Blocks, ALL_KEYS, Order::Ascending, usize::MAX).unwrap();
        let (key, mut block) =
            entries.into_iter().find(|(key, _)| key.starts_with(&3_u64.to_be_bytes())).unwrap();
        *block.last_mut().unwrap() ^= 1;
        let mut batch = Batch::new();
        batch.put(Table::Blocks, key, block);
        store.commit(&batch).unwrap();
    }
    let error = start.fails(&["verify"]).await;
    assert!(error.contains("block 3: ") && error.contains("the blocks 0 to 2 are good"), "{error}");
    let error = start.fails(&["export", "blocks.archive"]).await;
    assert!(error.contains("blocks.archive: ") && error.contains("blocks 3 "), "{error}");
    assert!(!start.directory().join("blocks.archive").exists());

    let repaired = start.succeeds(&["repair"]).await;
    let lines: Vec<_> = repaired.lines().collect();
    assert!(lines[0].starts_with("dropped the last 3 blocks: block 3: "), "{repaired}");
    assert_eq!(lines[1..], ["repaired: the chain ends at height 2"]);
    assert_eq!(start.succeeds(&["verify"]).await, "verified the blocks 0 to 2\n");
    let node = start.run().await;
    assert_eq!(node.mine("goes on").await["height"], 3);
}

/// The byte ranges of the records of an archive, in the format of `docs/architecture.md`.
fn records(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut at = head_len(bytes) + 8;
    let mut records = Vec::new();
    loop {
        let len = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        if len == 0 {
            return records;
        }
        records.push(at..at + 4 + len + 8);
        at += 4 + len + 8;
    }
}

fn head_len(bytes: &[u8]) -> usize {
    61 + usize::from(bytes[60])
}

/// Recomputes all checksums, as a forger can.
fn seal(bytes: &mut [u8]) {
    let mut running = Hash::digest(&bytes[..head_len(bytes)]);
    for record in records(bytes) {
        let end = record.end - 8;
        running = Hash::digest(&[running.as_bytes(), &bytes[record.start..end]].concat());
        bytes[end..record.end].copy_from_slice(&running.as_bytes()[..8]);
    }
    let end = bytes.len() - 44;
    let total = Hash::digest(&[running.as_bytes(), &bytes[end..end + 12]].concat());
    bytes[end + 12..].copy_from_slice(total.as_bytes());
}
