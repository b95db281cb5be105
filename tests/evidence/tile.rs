//! Tiles: their paths, their bytes beside a plain recomputation, and which of them a log consists of.

mod go;
mod log;
mod paths;
mod reads;

use std::collections::BTreeSet;

use hashloom::Hash;
use hashloom::chain::ProveError;
use hashloom::evidence::{Tile, TileError};
use hashloom::primitives::merkle::{self, ProofError};
use rstest::rstest;

use log::{LOG, TALL, entries};

fn tile(path: &str) -> Tile {
    path.parse().unwrap()
}

fn added(old: u64, new: u64) -> Vec<String> {
    Tile::added(old, new).map(|tile| tile.to_string()).collect()
}

/// The bytes of a tile from the hashes of all blocks.
fn plain(tile: Tile, entries: &[Hash]) -> Vec<u8> {
    let (first, width) = (usize::try_from(tile.index()).unwrap() * 256, usize::from(tile.width()));
    let Some(level) = tile.level() else {
        let entry = |hash: &Hash| [&[0, 32], hash.as_bytes().as_slice()].concat();
        return entries[first..first + width].iter().flat_map(entry).collect();
    };
    let run = 256_usize.pow(level.into());
    let root = |run: &[Hash]| {
        merkle::root(&run.iter().map(|hash| merkle::leaf_hash(hash.as_bytes())).collect::<Vec<_>>())
    };
    let hashes = entries[first * run..(first + width) * run].chunks(run).map(root);
    hashes.flat_map(|hash| *hash.as_bytes()).collect()
}

#[rstest]
#[case(1)]
#[case(2)]
#[case(255)]
#[case(256)]
#[case(257)]
#[case(1_000)]
#[case(65_535)]
#[case(65_536)]
#[case(65_537)]
#[case(TALL)]
fn tiles_are_those_of_a_plain_recomputation_and_lead_to_the_root(#[case] size: u64) {
    let entries = entries(size);
    for tile in Tile::added(0, size) {
        assert!(tile.bytes(&LOG, size).unwrap() == plain(tile, &entries), "{tile} of {size}");
    }
    let header = LOG.header_at(size).unwrap().unwrap();
    assert_eq!(root_of_tiles(size), header.history_root, "{size}");
}

/// The root of a log, from the bytes of its partial tiles alone: each hash that no wider tile covers is a perfect
/// subtree at the right end.
fn root_of_tiles(size: u64) -> Hash {
    let mut right_to_left = Vec::new();
    for tile in Tile::added(0, size).filter(|tile| tile.level().is_some() && tile.width() < 256) {
        let bytes = tile.bytes(&LOG, size).unwrap();
        let hashes: Vec<_> = bytes.as_chunks().0.iter().map(|hash| Hash::from_bytes(*hash)).collect();
        let mut rest = hashes.as_slice();
        while !rest.is_empty() {
            let (left, peak) = rest.split_at(rest.len() - (1 << rest.len().trailing_zeros()));
            right_to_left.push(merkle::root(peak));
            rest = left;
        }
    }
    right_to_left.into_iter().reduce(|right, left| merkle::node_hash(&left, &right)).unwrap()
}

/// A server may be asked for the partial tile of any size for which there was a checkpoint.
#[rstest]
#[case("tile/0/000", 256)]
#[case("tile/entries/000", 256)]
#[case("tile/1/000", 65_536)]
#[case("tile/1/001.p/17", TALL)]
fn a_partial_tile_of_an_earlier_size_begins_a_later_one(#[case] widest: &str, #[case] size: u64) {
    let widest = tile(widest);
    let bytes = widest.bytes(&LOG, size).unwrap();
    let each = bytes.len() / usize::from(widest.width());
    let stem = widest.to_string();
    let stem = stem.split(".p/").next().unwrap();
    for width in 1..widest.width() {
        let partial = tile(&format!("{stem}.p/{width}")).bytes(&LOG, size).unwrap();
        assert!(partial == bytes[..usize::from(width) * each], "{width}");
    }
}

#[rstest]
#[case::before_the_first(0, "tile/0/000.p/1", 0)]
#[case::wider_than_the_log(5, "tile/0/000.p/6", 5)]
#[case::more_entries_than_the_log(5, "tile/entries/000.p/6", 5)]
#[case::full_but_one(255, "tile/0/000", 255)]
#[case::next(256, "tile/0/001.p/1", 0)]
#[case::not_completed_below(255, "tile/1/000.p/1", 0)]
#[case::not_completed_beside(511, "tile/1/000.p/2", 1)]
#[case::level_above(TALL, "tile/2/000.p/2", 1)]
#[case::level_without_hashes(TALL, "tile/3/000.p/1", 0)]
#[case::level_of_no_log(TALL, "tile/8/000.p/1", 0)]
#[case::highest_level(TALL, "tile/63/000.p/1", 0)]
#[case::largest_index(TALL, "tile/0/x018/x446/x744/x073/x709/x551/615", 0)]
fn a_tile_that_the_log_does_not_have_is_refused(
    #[case] size: u64,
    #[case] path: &str,
    #[case] available: u64,
) {
    let tile = tile(path);
    assert_eq!(tile.bytes(&LOG, size), Err(TileError::NotInLog { tile, size, available }));
}

#[test]
fn a_log_is_not_larger_than_the_chain() {
    let len = LOG.height() + 1;
    let first = tile("tile/0/000.p/1");
    assert!(first.bytes(&LOG, len).is_ok());
    for size in [len + 1, u64::MAX] {
        let error = ProveError::from(ProofError::SizeOutOfRange { size, len });
        assert_eq!(first.bytes(&LOG, size), Err(TileError::Chain(error)));
    }
}

#[rstest]
#[case(0, &[])]
#[case(1, &["tile/entries/000.p/1", "tile/0/000.p/1"])]
#[case(255, &["tile/entries/000.p/255", "tile/0/000.p/255"])]
// "Note that a tree of size 256 will be represented by a full level 0 tile and a partial level 1 tile of width 1."
#[case(256, &["tile/entries/000", "tile/0/000", "tile/1/000.p/1"])]
#[case(257, &["tile/entries/000", "tile/entries/001.p/1", "tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"])]
fn a_log_consists_of_these_tiles(#[case] size: u64, #[case] expected: &[&str]) {
    assert_eq!(added(0, size), expected);
}

/// The example of tlog-tiles: "A tree of size 70,000 will be represented by 273 full level 0 tiles, one partial level
/// 0 tile of width 112, one full level 1 tile, one partial level 1 tile of width 17, and one partial level 2 tile of
/// width 1."
#[test]
fn a_log_of_70_000_consists_of_the_tiles_of_the_specification() {
    let all = added(0, 70_000);
    let (entries, hashes): (Vec<_>, Vec<_>) = all.iter().partition(|path| path.starts_with("tile/entries/"));
    let full = (0..273).map(|index| format!("tile/0/{index:03}"));
    let rest = ["tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"];
    let expected: Vec<_> = full.chain(rest.map(str::to_owned)).collect();
    assert_eq!(hashes, expected.iter().collect::<Vec<_>>());
    assert_eq!(entries.len(), 274);
    assert_eq!(entries.last().unwrap().as_str(), "tile/entries/273.p/112");
}

#[rstest]
#[case(0, 0, &[])]
#[case(5, 5, &[])]
#[case(256, 256, &[])]
#[case(6, 5, &[])]
#[case(600, 5, &[])]
#[case(5, 6, &["tile/entries/000.p/6", "tile/0/000.p/6"])]
#[case(255, 256, &["tile/entries/000", "tile/0/000", "tile/1/000.p/1"])]
#[case(256, 258, &["tile/entries/001.p/2", "tile/0/001.p/2"])]
#[case(300, 512, &["tile/entries/001", "tile/0/001", "tile/1/000.p/2"])]
#[case(65_535, 65_536, &["tile/entries/255", "tile/0/255", "tile/1/000", "tile/2/000.p/1"])]
fn growth_adds_these_tiles(#[case] old: u64, #[case] new: u64, #[case] expected: &[&str]) {
    assert_eq!(added(old, new), expected);
}

#[test]
fn growth_adds_what_the_smaller_log_does_not_have() {
    let sizes = [0, 1, 2, 255, 256, 257, 511, 512, 1_000, 65_535, 65_536, 65_537, TALL, 200_000, 17_000_000];
    let all = |size| added(0, size).into_iter().collect::<BTreeSet<_>>();
    for (position, old) in sizes.into_iter().enumerate() {
        let before = all(old);
        for new in sizes.into_iter().skip(position) {
            let difference: BTreeSet<_> = all(new).difference(&before).cloned().collect();
            assert_eq!(added(old, new).into_iter().collect::<BTreeSet<_>>(), difference, "{old} to {new}");
        }
    }
}

#[test]
fn the_largest_log_has_tiles() {
    let last = added(u64::MAX - 1, u64::MAX);
    assert_eq!(
        last,
        ["tile/entries/x072/x057/x594/x037/x927/935.p/255", "tile/0/x072/x057/x594/x037/x927/935.p/255",]
    );
}
