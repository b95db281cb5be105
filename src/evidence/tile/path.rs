//! The paths of tiles: their text form.

use core::fmt;
use core::str::FromStr;

use super::Tile;

/// The name of the level of entries.
const ENTRIES: &str = "entries";

/// What an element of an index counts to. Each has three digits, and all but the last have the prefix `x`.
const ELEMENT: u64 = 1000;

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tile/")?;
        match self.level {
            Some(level) => write!(f, "{level}/")?,
            None => write!(f, "{ENTRIES}/")?,
        }
        let mut unit = 1;
        while self.index / unit >= ELEMENT {
            unit *= ELEMENT;
        }
        while unit > 1 {
            write!(f, "x{:03}/", self.index / unit % ELEMENT)?;
            unit /= ELEMENT;
        }
        write!(f, "{:03}", self.index % ELEMENT)?;
        if self.width < Self::FULL_WIDTH {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl FromStr for Tile {
    type Err = TilePathError;

    fn from_str(path: &str) -> Result<Self, TilePathError> {
        if path.len() > Self::MAX_PATH {
            return Err(TilePathError::Length { got: path.len(), limit: Self::MAX_PATH });
        }
        let rest =
            path.strip_prefix("tile/").ok_or_else(|| TilePathError::Prefix { got: path.to_owned() })?;
        let (level, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let level = match level {
            ENTRIES => None,
            level => match decimal(level).filter(|level| *level <= u16::from(Self::MAX_LEVEL)) {
                #[expect(clippy::cast_possible_truncation, reason = "at most `MAX_LEVEL`")]
                Some(number) => Some(number as u8),
                None => return Err(TilePathError::Level { got: level.to_owned() }),
            },
        };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => {
                let is_partial = |width: &u16| (1..Self::FULL_WIDTH).contains(width);
                let number = decimal(width).filter(is_partial);
                (index, number.ok_or_else(|| TilePathError::Width { got: width.to_owned() })?)
            }
            None => (rest, Self::FULL_WIDTH),
        };
        Ok(Self { level, index: parse_index(index)?, width })
    }
}

/// A number of at most three decimal digits without leading zeros.
fn decimal(text: &str) -> Option<u16> {
    let is_canonical = text.len() == 1 || !text.starts_with('0');
    if !is_canonical || text.len() > 3 { None } else { digits(text) }
}

/// The number of these decimal digits, of which there must be few.
fn digits(text: &str) -> Option<u16> {
    // `parse` alone would accept a sign.
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn parse_index(text: &str) -> Result<u64, TilePathError> {
    let malformed = || TilePathError::Index { got: text.to_owned() };
    let (leading, last) = text.rsplit_once('/').map_or((None, text), |(leading, last)| (Some(leading), last));
    let mut index = 0_u64;
    for element in leading
        .into_iter()
        .flat_map(|leading| leading.split('/'))
        .map(|element| element.strip_prefix('x'))
        .chain([Some(last)])
    {
        let element = element.filter(|element| element.len() == 3).and_then(digits).ok_or_else(malformed)?;
        let next = index.checked_mul(ELEMENT).and_then(|index| index.checked_add(element.into()));
        index = next.ok_or_else(|| TilePathError::IndexTooLarge { got: text.to_owned() })?;
    }
    // A leading element of zeros would be a second path of the same tile.
    if text.starts_with("x000") { Err(malformed()) } else { Ok(index) }
}

/// Why a text is not the path of a tile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TilePathError {
    /// The path is longer than that of any tile.
    #[error("a path of {got} bytes, that of a tile has at most {limit}")]
    Length {
        /// The length in bytes.
        got: usize,
        /// The most that is accepted.
        limit: usize,
    },
    /// The path does not begin with `tile/`.
    #[error("{got:?} does not begin with \"tile/\"")]
    Prefix {
        /// The path.
        got: String,
    },
    /// The level is neither `entries` nor a decimal number up to [`Tile::MAX_LEVEL`] without leading zeros.
    #[error("{got:?} is no level: expected \"entries\" or a number from 0 to {}", Tile::MAX_LEVEL)]
    Level {
        /// The level.
        got: String,
    },
    /// The index is not in elements of three digits, all but the last with the prefix `x`, or has more elements
    /// than it needs.
    #[error("{got:?} is no index of a tile: expected elements of three digits, as in \"x001/x234/067\"")]
    Index {
        /// The index.
        got: String,
    },
    /// The index does not fit in 64 bits.
    #[error("the index {got:?} is more than 2^64 - 1")]
    IndexTooLarge {
        /// The index.
        got: String,
    },
    /// The width of a partial tile is not a decimal number from 1 to 255 without leading zeros.
    #[error("{got:?} is no width of a partial tile: expected a number from 1 to 255")]
    Width {
        /// The width.
        got: String,
    },
}
