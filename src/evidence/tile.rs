//! The tiles of a log, as <https://c2sp.org/tlog-tiles> has them: their names, their bytes, and which tiles a log
//! consists of.

mod path;
mod tree;

use core::iter;
use core::ops::Range;

use crate::chain::{Blockchain, ProveError};
use crate::primitives::merkle::{ProofError, leaf_hashes};
use crate::primitives::{Hash, Transaction};
pub use path::TilePathError;
pub use tree::{TileTree, TileTreeError};

/// A tile of a log: up to 256 consecutive hashes of one level of its tree, or as many of its entries.
///
/// The log of a chain has the hash of the block at height *h* as entry *h*. A hash at level *l* is the root over 256
/// to the power of *l* consecutive blocks. A tile with fewer than 256 hashes is *partial*: the last one of its level
/// in a log of a certain size. No tile ever changes, it is only followed by a wider one.
///
/// The text form is the path of the tile below the prefix of the log, such as `tile/0/x001/234.p/56` or
/// `tile/entries/000`. Parsing accepts that form alone.
///
/// ```
/// use hashloom::evidence::Tile;
/// use hashloom::{Blockchain, ChainSpec, Timestamp};
///
/// let mut chain: Blockchain = Blockchain::new(ChainSpec::default());
/// let now = Timestamp::from_millis(1_767_225_700_000);
/// let block = chain.template(Vec::new(), now)?.mine()?;
/// let _ = chain.import(block.into(), now)?;
///
/// // All files of the log of a checkpoint of this size. Any web server can serve them.
/// let size = chain.height();
/// let mut files = Vec::new();
/// for tile in Tile::added(0, size) {
///     files.push((tile.to_string(), tile.bytes(&chain, size)?));
/// }
/// assert_eq!(files[0].0, "tile/entries/000.p/1");
/// assert_eq!(files[0].1[2..], *chain.genesis().hash().as_bytes());
///
/// // What a client asks for.
/// let tile: Tile = "tile/0/000.p/1".parse()?;
/// assert_eq!(tile.bytes(&chain, size)?, files[1].1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    level: Option<u8>,
    index: u64,
    width: u16,
}

impl Tile {
    /// The width of a tile that is not partial.
    pub const FULL_WIDTH: u16 = 256;

    /// The highest level that a path may have.
    pub const MAX_LEVEL: u8 = 63;

    /// The length in bytes of the longest path. A longer one is refused while parsing.
    pub const MAX_PATH: usize = "tile/entries/x018/x446/x744/x073/x709/x551/615.p/255".len();

    /// The tiles that a log of `new_size` entries has and a log of `old_size` entries does not have, with the entries
    /// first and then from the lowest level to the highest. From 0 on, these are all tiles of a log. There are none
    /// if the log does not grow.
    ///
    /// Partial tiles are those of `new_size` alone. A log must serve the partial tiles of each size for which there
    /// is a signed checkpoint, so a growing set of static files gets these tiles before each new checkpoint.
    pub fn added(old_size: u64, new_size: u64) -> impl Iterator<Item = Self> {
        iter::once(None).chain((0..LEVELS).map(Some)).flat_map(move |level| {
            let [old, new] = [old_size, new_size].map(|size| count(level, size));
            let full = u64::from(Self::FULL_WIDTH);
            let (old_full, new_full) = (old / full, new / full);
            let completed =
                (old_full..new_full).map(move |index| Self { level, index, width: Self::FULL_WIDTH });
            #[expect(clippy::cast_possible_truncation, reason = "below `FULL_WIDTH`")]
            let partial = Self { level, index: new_full, width: (new % full) as u16 };
            completed.chain((new > old && partial.width > 0).then_some(partial))
        })
    }

    /// The level of the hashes; `None` for a tile of entries.
    pub const fn level(&self) -> Option<u8> {
        self.level
    }

    /// The index among the tiles of the level, from 0.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The number of hashes or entries, from 1 to [`FULL_WIDTH`](Self::FULL_WIDTH). Fewer than that make a partial
    /// tile.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// The bytes of the tile in the log of the first `size` blocks of the best chain: 32 for each hash, or for each
    /// entry its length in two bytes, big-endian, and the 32 bytes of the block's hash.
    ///
    /// A partial tile has these bytes in every larger log, too, so a tile that is narrower than that of `size` is not
    /// refused. `size` should be that of a signed checkpoint: blocks above it can still be replaced.
    ///
    /// Costs a read of the store for each hash, unless it is among the last two thousand blocks, whatever the level.
    ///
    /// # Errors
    ///
    /// [`TileError::NotInLog`] if a log of this size does not have the tile, or not in this width.
    /// [`TileError::Chain`] with [`ProofError::SizeOutOfRange`] if the best chain has fewer than `size` blocks, and
    /// with the error of the store if that fails.
    pub fn bytes<T: Transaction>(&self, chain: &Blockchain<T>, size: u64) -> Result<Vec<u8>, TileError> {
        let len = chain.height() + 1;
        if size > len {
            return Err(ProveError::from(ProofError::SizeOutOfRange { size, len }).into());
        }
        let (full, hashes) = (u64::from(Self::FULL_WIDTH), count(self.level, size));
        let available = if self.index > hashes / full { 0 } else { (hashes - self.index * full).min(full) };
        if u64::from(self.width) > available {
            return Err(TileError::NotInLog { tile: *self, size, available });
        }

        let first = self.index * full;
        let indices = first..first + u64::from(self.width);
        let (prefix, hashes): (&[u8], Vec<Hash>) = match self.level {
            None => (&ENTRY_PREFIX, entries(chain, indices)?),
            // The chain keeps no hashes of single leaves. They are computed together, which is faster than one by one.
            Some(0) => (&[], leaf_hashes(&entries(chain, indices)?)),
            Some(level) => {
                let root = |index| chain.history_subtree(usize::from(level) * LEVEL_BITS, index);
                (&[], indices.map(root).collect::<Result<_, _>>()?)
            }
        };
        let mut bytes = Vec::with_capacity(hashes.len() * (prefix.len() + Hash::LEN));
        for hash in &hashes {
            bytes.extend_from_slice(prefix);
            bytes.extend_from_slice(hash.as_bytes());
        }
        Ok(bytes)
    }
}

/// The entries of the log of a chain at these indices.
fn entries<T: Transaction>(chain: &Blockchain<T>, indices: Range<u64>) -> Result<Vec<Hash>, ProveError> {
    indices.map(|index| chain.history_entry(index).map_err(ProveError::from)).collect()
}

/// Why there are no bytes of a tile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TileError {
    /// A log of this size does not have the tile, or not in this width.
    #[error("a log of {size} entries has no {tile}, only {available} hashes of it")]
    NotInLog {
        /// The tile.
        tile: Tile,
        /// The size of the log.
        size: u64,
        /// The number of hashes that a log of this size has of the tile.
        available: u64,
    },
    /// The best chain has fewer blocks than the log, or its store fails.
    #[error(transparent)]
    Chain(#[from] ProveError),
}

/// The number of levels of the tree that a level of tiles stands for: a tile has 2 to this power of hashes.
const LEVEL_BITS: usize = 8;

/// The number of levels of tiles that the largest log has, one of 2^64 - 1 entries.
const LEVELS: u8 = 8;

/// The length of an entry, which precedes each: that of a hash.
const ENTRY_PREFIX: [u8; 2] = 32_u16.to_be_bytes();

/// The number of hashes at a level, or of entries, in a log of this size.
fn count(level: Option<u8>, size: u64) -> u64 {
    let bits = usize::from(level.unwrap_or(0)) * LEVEL_BITS;
    u32::try_from(bits).ok().and_then(|bits| size.checked_shr(bits)).unwrap_or(0)
}
