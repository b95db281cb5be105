//! The tree of a log of which some tiles are known, for a client that fetches those that a proof needs.

use std::collections::BTreeMap;

use super::{LEVEL_BITS, Tile, count};
use crate::primitives::Hash;
use crate::primitives::merkle::{self, ConsistencyProof, ProofError, Subtrees};

/// The tree of a log of a certain size, as far as its tiles are known.
///
/// It computes proofs, and names a tile that is missing: fetch that one, [add](Self::add) it, and try again, until
/// nothing is missing. The tiles are not trusted: what they show counts if the proof verifies against signed roots.
///
/// ```
/// use hashloom::evidence::{Tile, TileTree, TileTreeError};
/// use hashloom::{Blockchain, ChainSpec, Timestamp};
///
/// let mut chain: Blockchain = Blockchain::new(ChainSpec::default());
/// let now = Timestamp::from_millis(1_767_225_700_000);
/// for text in ["one", "two", "three"] {
///     let block = chain.template(vec![text.to_owned()], now)?.mine()?;
///     let _ = chain.import(block.into(), now)?;
/// }
/// let mut tree = TileTree::new(3);
/// let proof = loop {
///     match tree.prove_consistency(2, 3) {
///         // A client asks the log for this tile.
///         Err(TileTreeError::Missing { tile }) => tree.add(tile, &tile.bytes(&chain, 3)?)?,
///         proof => break proof?,
///     }
/// };
/// assert_eq!(proof, chain.consistency_proof(2, 3)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TileTree {
    size: u64,
    /// The hashes of the known tiles, by level and index.
    tiles: BTreeMap<(u8, u64), Vec<Hash>>,
}

/// Why a [`TileTree`] has no proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TileTreeError {
    /// The proof needs a tile that is not known.
    #[error("{tile} is missing")]
    Missing {
        /// The tile.
        tile: Tile,
    },
    /// The tile has no hashes, but entries.
    #[error("{tile} has entries, expected hashes")]
    Entries {
        /// The tile.
        tile: Tile,
    },
    /// The tile has too few or too many bytes.
    #[error("{tile} of {got} bytes, expected {expected}")]
    Length {
        /// The tile.
        tile: Tile,
        /// The number of bytes.
        got: usize,
        /// The number of bytes of a tile of this width.
        expected: usize,
    },
    /// There is no such proof.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl TileTree {
    /// The tree of a log of this size, of which no tile is known.
    pub const fn new(size: u64) -> Self {
        Self { size, tiles: BTreeMap::new() }
    }

    /// Adds the bytes of a tile of hashes. It replaces a known one of the same level and index. A tree keeps all tiles
    /// that it is given, 8 KiB each.
    ///
    /// # Errors
    ///
    /// [`TileTreeError::Entries`] and [`TileTreeError::Length`].
    pub fn add(&mut self, tile: Tile, bytes: &[u8]) -> Result<(), TileTreeError> {
        let level = tile.level().ok_or(TileTreeError::Entries { tile })?;
        let (hashes, rest) = bytes.as_chunks();
        if hashes.len() != usize::from(tile.width()) || !rest.is_empty() {
            let expected = usize::from(tile.width()) * Hash::LEN;
            return Err(TileTreeError::Length { tile, got: bytes.len(), expected });
        }
        let hashes = hashes.iter().map(|hash| Hash::from_bytes(*hash)).collect();
        self.tiles.insert((level, tile.index()), hashes);
        Ok(())
    }

    /// Proves that the log of `new_size` entries extends that of `old_size`.
    ///
    /// # Errors
    ///
    /// [`TileTreeError::Missing`] and [`TileTreeError::Proof`].
    pub fn prove_consistency(&self, old_size: u64, new_size: u64) -> Result<ConsistencyProof, TileTreeError> {
        Subtrees::prove_consistency(self, old_size, new_size)
    }

    /// The root over the first `size` entries, as the tiles have it.
    ///
    /// # Errors
    ///
    /// [`TileTreeError::Missing`], and [`TileTreeError::Proof`] if the log has fewer entries.
    pub fn root(&self, size: u64) -> Result<Hash, TileTreeError> {
        self.root_over(size)
    }
}

impl Subtrees for TileTree {
    type Error = TileTreeError;

    fn size(&self) -> u64 {
        self.size
    }

    fn subtree(&self, level: usize, index: u64) -> Result<Hash, TileTreeError> {
        // A level of tiles stands for eight of the tree; the rest is hashed within a tile, which has whole subtrees.
        #[expect(clippy::cast_possible_truncation, reason = "a tree has at most 64 levels")]
        let tile_level = (level / LEVEL_BITS) as u8;
        let within = level % LEVEL_BITS;
        let full = u64::from(Tile::FULL_WIDTH);
        let first = index << within;
        let (tile_index, start) = (first / full, first % full);
        #[expect(clippy::cast_possible_truncation, reason = "at most the full width")]
        let width = (count(Some(tile_level), self.size) - tile_index * full).min(full) as u16;
        let tile = Tile { level: Some(tile_level), index: tile_index, width };
        let hashes = self.tiles.get(&(tile_level, tile_index)).and_then(|hashes| {
            let start = usize::try_from(start).ok()?;
            hashes.get(start..start + (1 << within))
        });
        Ok(merkle::root(hashes.ok_or(TileTreeError::Missing { tile })?))
    }
}
