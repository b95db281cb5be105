//! The paths of tiles: the vectors of tlog-tiles and of Go's tests of tiles, and each rule of the grammar.

use hashloom::evidence::{Tile, TilePathError};
use rstest::rstest;

/// Level, index, width and path.
#[rstest]
// The examples of tlog-tiles.
#[case(Some(0), 1_234_067, 256, "tile/0/x001/x234/067")]
#[case(Some(0), 273, 112, "tile/0/273.p/112")]
#[case(Some(1), 1, 17, "tile/1/001.p/17")]
#[case(Some(2), 0, 1, "tile/2/000.p/1")]
// Those of golang.org/x/mod/sumdb/tlog, without the height of the tiles.
#[case(Some(0), 1, 256, "tile/0/001")]
#[case(Some(0), 1, 5, "tile/0/001.p/5")]
#[case(Some(5), 123_456_078, 256, "tile/5/x123/x456/078")]
#[case(Some(5), 123_456_078, 2, "tile/5/x123/x456/078.p/2")]
#[case(Some(0), 3_057_500, 256, "tile/0/x003/x057/500")]
#[case(None, 3_057_500, 256, "tile/entries/x003/x057/500")]
// The ends of each range.
#[case(None, 0, 256, "tile/entries/000")]
#[case(None, 0, 1, "tile/entries/000.p/1")]
#[case(Some(63), 999, 255, "tile/63/999.p/255")]
#[case(Some(10), 1_000, 10, "tile/10/x001/000.p/10")]
#[case(Some(9), 999_999, 99, "tile/9/x999/999.p/99")]
#[case(Some(9), 1_000_000, 100, "tile/9/x001/x000/000.p/100")]
#[case(None, u64::MAX, 255, "tile/entries/x018/x446/x744/x073/x709/x551/615.p/255")]
fn a_path_is_read_and_written(
    #[case] level: Option<u8>,
    #[case] index: u64,
    #[case] width: u16,
    #[case] path: &str,
) {
    let tile: Tile = path.parse().unwrap();
    assert_eq!((tile.level(), tile.index(), tile.width()), (level, index, width));
    assert_eq!(tile.to_string(), path);
    assert!(path.len() <= Tile::MAX_PATH);
}

fn refusal(path: &str) -> TilePathError {
    path.parse::<Tile>().unwrap_err()
}

#[rstest]
#[case("")]
#[case("tile")]
#[case("/tile/0/000")]
#[case("Tile/0/000")]
#[case(" tile/0/000")]
#[case("checkpoint")]
fn a_path_begins_with_tile(#[case] path: &str) {
    assert_eq!(refusal(path), TilePathError::Prefix { got: path.to_owned() });
}

#[rstest]
#[case("tile/", "")]
#[case("tile//000", "")]
#[case("tile/64/000", "64")]
#[case("tile/256/000", "256")]
#[case("tile/65536/000", "65536")]
#[case("tile/-1/000", "-1")]
#[case("tile/+1/000", "+1")]
#[case("tile/00/000", "00")]
#[case("tile/01/000", "01")]
#[case("tile/0x1/000", "0x1")]
#[case("tile/ 1/000", " 1")]
#[case("tile/١/000", "١")]
#[case("tile/data/000", "data")]
#[case("tile/Entries/000", "Entries")]
#[case("tile/entriess/000", "entriess")]
// With the height of the tiles, as the checksum database of Go has them.
#[case("tile/8.p/0/000", "8.p")]
fn a_level_is_entries_or_a_number_up_to_63(#[case] path: &str, #[case] got: &str) {
    assert_eq!(refusal(path), TilePathError::Level { got: got.to_owned() });
}

#[rstest]
#[case("tile/0", "")]
#[case("tile/0/", "")]
#[case("tile/0/.p/1", "")]
#[case("tile/0/0", "0")]
#[case("tile/0/00", "00")]
#[case("tile/0/0000", "0000")]
#[case("tile/0/x000", "x000")]
#[case("tile/0/x001/", "x001/")]
#[case("tile/0/x001/x234", "x001/x234")]
#[case("tile/0/000/", "000/")]
#[case("tile/0/001/234", "001/234")]
#[case("tile/0/x001//234", "x001//234")]
#[case("tile/0/x000/001", "x000/001")]
#[case("tile/0/x000/x001/234", "x000/x001/234")]
#[case("tile/0/x01/234", "x01/234")]
#[case("tile/0/X001/234", "X001/234")]
#[case("tile/0/xx01/234", "xx01/234")]
#[case("tile/0/x-01/234", "x-01/234")]
#[case("tile/0/+01", "+01")]
#[case("tile/0/ 01", " 01")]
#[case("tile/0/00a", "00a")]
#[case("tile/0/000.p", "000.p")]
#[case("tile/0/000.P/1", "000.P/1")]
#[case("tile/0/000p/1", "000p/1")]
#[case("tile/8/0/000", "0/000")]
#[case("tile/0/000?x", "000?x")]
#[case("tile/0/000\n", "000\n")]
#[case("tile/0/..", "..")]
#[case("tile/0/x../../x", "x../../x")]
fn an_index_has_elements_of_three_digits(#[case] path: &str, #[case] got: &str) {
    assert_eq!(refusal(path), TilePathError::Index { got: got.to_owned() });
}

#[rstest]
#[case("x018/x446/x744/x073/x709/x551/616")]
#[case("x018/x446/x744/x073/x709/x552/000")]
#[case("x019/x000/x000/x000/x000/x000/000")]
#[case("x999/x999/x999/x999/x999/x999/999")]
fn an_index_has_64_bits(#[case] index: &str) {
    let error = TilePathError::IndexTooLarge { got: index.to_owned() };
    assert_eq!(refusal(&format!("tile/0/{index}")), error);
    assert_eq!(refusal(&format!("tile/entries/{index}.p/1")), error);
}

#[rstest]
#[case("tile/0/000.p/", "")]
#[case("tile/0/000.p/0", "0")]
#[case("tile/0/000.p/256", "256")]
#[case("tile/0/000.p/999", "999")]
#[case("tile/0/000.p/65537", "65537")]
#[case("tile/0/000.p/01", "01")]
#[case("tile/0/000.p/+1", "+1")]
#[case("tile/0/000.p/-1", "-1")]
#[case("tile/0/000.p/1 ", "1 ")]
#[case("tile/0/000.p/1/", "1/")]
#[case("tile/0/000.p/1/2", "1/2")]
#[case("tile/0/000.p/1.p/1", "1.p/1")]
fn a_partial_tile_has_1_to_255_hashes(#[case] path: &str, #[case] got: &str) {
    assert_eq!(refusal(path), TilePathError::Width { got: got.to_owned() });
}

#[test]
fn a_path_is_not_longer_than_that_of_any_tile() {
    let limit = Tile::MAX_PATH;
    let longest = "tile/entries/x018/x446/x744/x073/x709/x551/615.p/255";
    assert_eq!(longest.len(), limit);
    let longer = format!("{longest}0");
    assert_eq!(refusal(&longer), TilePathError::Length { got: limit + 1, limit });
    assert_eq!(refusal(&"x".repeat(1 << 20)), TilePathError::Length { got: 1 << 20, limit });
}
