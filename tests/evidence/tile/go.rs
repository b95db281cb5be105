//! The static files of a log, read by Go's `golang.org/x/mod/sumdb/tlog`: it recomputes the root from the tiles, checks
//! proofs of the chain, and makes equal proofs from the tiles.

use std::fs;
use std::path::Path;

use hashloom::evidence::{Checkpoint, NoteSigner, SignedNote, Tile};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::log::{LOG, TALL};
use crate::go;

fn signer() -> NoteSigner {
    NoteSigner::from_seed(&Checkpoint::default_origin(&LOG), &[12; 32]).unwrap()
}

fn sign(checkpoint: &Checkpoint) -> String {
    SignedNote::sign(checkpoint.to_string(), &signer()).unwrap().to_string()
}

fn write(directory: &Path, path: &str, bytes: impl AsRef<[u8]>) {
    let path = directory.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// The files of a log in the layout of tlog-tiles, and proofs of the chain.
fn publish(size: u64) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    grow(directory.path(), 0, size);
    directory
}

/// Publishes a larger log in the same place.
fn grow(directory: &Path, old: u64, size: u64) {
    for tile in Tile::added(old, size) {
        write(directory, &tile.to_string(), tile.bytes(&LOG, size).unwrap());
    }
    let checkpoint = Checkpoint::of_chain(&LOG, size, Checkpoint::default_origin(&LOG)).unwrap();
    write(directory, "checkpoint", sign(&checkpoint));
    write(directory, "proofs.json", proofs(size).to_string());
}

/// The places in a log: all of a short one, otherwise both sides of ends of tiles.
fn places(size: u64) -> Vec<u64> {
    if size <= 257 {
        return (0..=size).collect();
    }
    let ends = [0, 256, 512, 768, 32_768, 65_536, 69_888, size / 2, size];
    let mut places: Vec<_> = ends.iter().flat_map(|end| [end.saturating_sub(1), *end, end + 1]).collect();
    places.sort_unstable();
    places.dedup();
    places
}

fn proofs(size: u64) -> Value {
    let inclusion = places(size).into_iter().filter(|index| *index < size);
    let inclusion: Vec<_> = inclusion.map(|index| LOG.ancestor_proof(index, size).unwrap()).collect();
    // The specification of the proofs leaves out the empty tree, and Go refuses it.
    let consistency = places(size).into_iter().filter(|old| (1..=size).contains(old)).map(|old| {
        let old_root = LOG.header_at(old).unwrap().unwrap().history_root;
        json!({ "old_root": old_root, "proof": LOG.consistency_proof(old, size).unwrap() })
    });
    json!({ "inclusion": inclusion, "consistency": consistency.collect::<Vec<_>>() })
}

/// What Go prints on success, or its error; `None` if it is not installed.
fn verdict(directory: &Path) -> Option<Result<String, String>> {
    let output = go::run(&["tiles", directory.to_str().unwrap(), &signer().verifier().to_string()], &[])?;
    let [printed, error] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    match output.status.code() {
        Some(0) => Some(Ok(printed)),
        // Any other, such as that of a panic, is no verdict.
        Some(1) => Some(Err(error)),
        code => panic!("status {code:?}: {error}"),
    }
}

#[rstest]
#[case(1, "size 1: 4 files, 0 of smaller logs, 1 inclusion proofs, 1 consistency proofs")]
#[case(2, "size 2: 4 files, 0 of smaller logs, 2 inclusion proofs, 2 consistency proofs")]
#[case(255, "size 255: 4 files, 0 of smaller logs, 255 inclusion proofs, 255 consistency proofs")]
#[case(256, "size 256: 5 files, 0 of smaller logs, 256 inclusion proofs, 256 consistency proofs")]
#[case(257, "size 257: 7 files, 0 of smaller logs, 257 inclusion proofs, 257 consistency proofs")]
#[case(1_000, "size 1000: 11 files, 0 of smaller logs, 15 inclusion proofs, 15 consistency proofs")]
#[case(TALL, "size 70000: 553 files, 0 of smaller logs, 24 inclusion proofs, 24 consistency proofs")]
fn go_finds_the_root_and_the_proofs(#[case] size: u64, #[case] expected: &str) {
    let Some(verdict) = verdict(publish(size).path()) else { return };
    assert_eq!(verdict.unwrap().trim_end(), expected);
}

/// Partial tiles stay in place and are not written again.
#[test]
fn go_follows_a_growing_log() {
    let directory = tempfile::tempdir().unwrap();
    let steps = [(1, 0), (2, 2), (255, 4), (256, 6), (257, 6), (1_000, 9), (TALL, 12)];
    let mut old = 0;
    for (size, smaller) in steps {
        grow(directory.path(), old, size);
        old = size;
        let Some(verdict) = verdict(directory.path()) else { return };
        let printed = verdict.unwrap();
        assert!(printed.contains(&format!("size {size}: ")), "{printed}");
        assert!(printed.contains(&format!(" {smaller} of smaller logs, ")), "{printed}");
    }
}

/// The size of the log of which files are spoiled.
const SIZE: u64 = 1_000;

type Edit = fn(&mut Vec<u8>);

const FLIP_FIRST: Edit = |bytes| bytes[0] ^= 0x80;
const FLIP_LAST: Edit = |bytes| *bytes.last_mut().unwrap() ^= 1;
const CUT_BYTE: Edit = |bytes| bytes.truncate(bytes.len() - 1);
const CUT_HASH: Edit = |bytes| bytes.truncate(bytes.len() - 32);
const CUT_ENTRY: Edit = |bytes| bytes.truncate(bytes.len() - 34);
const RENAME: Edit = |bytes| bytes[0] ^= 1;
const EMPTY: Edit = Vec::clear;
const REPEAT_ENTRY: Edit = |bytes| bytes.extend_from_within(..34);
const SWAP_HASHES: Edit = |bytes| bytes.rotate_left(32);

#[rstest]
#[case("tile/0/000", FLIP_FIRST, "tile/0/000 is not that of the entries")]
#[case("tile/0/001", FLIP_LAST, "tile/0/001 is not that of the entries")]
#[case("tile/0/003.p/232", FLIP_LAST, "downloaded inconsistent tile")]
#[case("tile/0/003.p/232", SWAP_HASHES, "downloaded inconsistent tile")]
#[case("tile/1/000.p/3", FLIP_FIRST, "downloaded inconsistent tile")]
#[case("tile/0/002", CUT_BYTE, "tile/0/002 is not that of the entries")]
#[case("tile/0/003.p/232", CUT_HASH, "bad result slice (tile/8/0/003.p/232 len=7392, want 7424)")]
#[case("tile/1/000.p/3", EMPTY, "bad result slice (tile/8/1/000.p/3 len=0, want 96)")]
#[case("tile/entries/000", FLIP_LAST, "tile/0/000 is not that of the entries")]
#[case("tile/entries/003.p/232", FLIP_FIRST, "tile/entries/003.p/232 ends in entry 0")]
#[case("tile/entries/003.p/232", CUT_BYTE, "tile/entries/003.p/232 ends in entry 231")]
#[case("tile/entries/003.p/232", CUT_ENTRY, "tile/entries/003.p/232 ends in entry 231")]
#[case("tile/entries/003.p/232", REPEAT_ENTRY, "tile/entries/003.p/232 has 34 bytes after its entries")]
#[case("checkpoint", RENAME, "invalid signature")]
#[case("checkpoint", CUT_BYTE, "malformed note")]
fn go_refuses_a_changed_file(#[case] path: &str, #[case] edit: Edit, #[case] error: &str) {
    let directory = publish(SIZE);
    let mut bytes = fs::read(directory.path().join(path)).unwrap();
    edit(&mut bytes);
    write(directory.path(), path, bytes);
    refused(directory.path(), error);
}

#[rstest]
#[case("tile/0/000", "tile/0/001", "tile/0/000 is not that of the entries")]
#[case("tile/entries/001", "tile/entries/002", "tile/0/001 is not that of the entries")]
#[case("tile/0/002", "tile/0/003.p/232", "bad result slice (tile/8/0/003.p/232 len=8192, want 7424)")]
fn go_refuses_swapped_files(#[case] one: &str, #[case] other: &str, #[case] error: &str) {
    let directory = publish(SIZE);
    let [one, other] = [one, other].map(|path| directory.path().join(path));
    let aside = directory.path().join("aside");
    fs::rename(&one, &aside).unwrap();
    fs::rename(&other, &one).unwrap();
    fs::rename(&aside, &other).unwrap();
    refused(directory.path(), error);
}

#[rstest]
#[case("tile/0/002")]
#[case("tile/entries/003.p/232")]
#[case("tile/1/000.p/3")]
#[case("checkpoint")]
fn go_misses_a_file(#[case] path: &str) {
    let directory = publish(SIZE);
    fs::remove_file(directory.path().join(path)).unwrap();
    refused(directory.path(), "no such file");
}

#[rstest]
#[case("tile/0/003.p/233", "is no tile of a log of this size or a smaller one")]
#[case("tile/entries/004.p/1", "is no tile of a log of this size or a smaller one")]
#[case("tile/2/000.p/1", "is no tile of a log of this size or a smaller one")]
#[case("tile/0/003.p/231", "is not that of the entries")]
#[case("tile/entries/000.p/1", "is not that of the entries")]
#[case("tile/0/3", "is no tile")]
fn go_refuses_another_file(#[case] path: &str, #[case] error: &str) {
    let directory = publish(SIZE);
    write(directory.path(), path, [0; 34]);
    refused(directory.path(), &format!("{path} {error}"));
}

/// Signed by the right key, but not the head of this log.
#[rstest]
#[case::smaller(999, 1_000, "no such file")]
#[case::root_of_a_smaller_log(1_000, 999, "downloaded inconsistent tile")]
#[case::larger(1_001, 1_001, "no such file")]
fn go_refuses_another_checkpoint(#[case] size: u64, #[case] root_of: u64, #[case] error: &str) {
    let directory = publish(SIZE);
    let root = LOG.header_at(root_of).unwrap().unwrap().history_root;
    let checkpoint = Checkpoint::new(Checkpoint::default_origin(&LOG), size, root).unwrap();
    write(directory.path(), "checkpoint", sign(&checkpoint));
    refused(directory.path(), error);
}

#[rstest]
#[case("/inclusion/3/path/0", "inclusion of 256 in 1000: invalid transparency proof")]
#[case("/inclusion/3/path/9", "inclusion of 256 in 1000: invalid transparency proof")]
#[case("/consistency/2/proof/path/0", "consistency of 256 with 1000: invalid transparency proof")]
#[case("/consistency/2/proof/path/1", "consistency of 256 with 1000: invalid transparency proof")]
#[case("/consistency/2/old_root", "consistency of 256 with 1000: invalid transparency proof")]
fn go_refuses_a_changed_proof(#[case] hash: &str, #[case] error: &str) {
    let directory = publish(SIZE);
    let mut proofs = proofs(SIZE);
    let hash = proofs.pointer_mut(hash).unwrap();
    let digits = hash.as_str().unwrap();
    let other = if digits.starts_with('0') { '1' } else { '0' };
    *hash = Value::String(format!("{other}{}", &digits[1..]));
    write(directory.path(), "proofs.json", proofs.to_string());
    refused(directory.path(), error);
}

fn refused(directory: &Path, error: &str) {
    let Some(verdict) = verdict(directory) else { return };
    let got = verdict.unwrap_err();
    assert!(got.contains(error), "{got}");
}
