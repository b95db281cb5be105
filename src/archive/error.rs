//! Errors of exports and imports.

use core::fmt;
use std::io;

use super::format::ARCHIVE_VERSION;
use crate::consensus::BlockError;
use crate::primitives::{EncodeError, Hash};
use crate::store::StoreError;

/// Why an export failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The writer failed.
    #[error("writing failed: {0}")]
    Io(#[from] io::Error),
    /// The store of the chain failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain has pruned the bodies of its older blocks.
    #[error("block {height} was pruned, blocks are kept from height {kept_from} on")]
    Pruned {
        /// The height of the first block to export.
        height: u64,
        /// The lowest height that can be exported.
        kept_from: u64,
    },
    /// A block of this transaction type has no serde form in postcard.
    #[error("block {height} has {error}")]
    Encode {
        /// Its height.
        height: u64,
        /// Why not.
        #[source]
        error: EncodeError,
    },
    /// The serde form of a block is so much longer than its canonical bytes that no import would accept it.
    #[error("block {height} has {got} bytes in an archive, expected at most {limit}")]
    RecordLength {
        /// Its height.
        height: u64,
        /// Bytes of its serde form in postcard.
        got: usize,
        /// [`max_record_bytes`](crate::max_record_bytes).
        limit: usize,
    },
    /// A block that was written left the best chain since the last step. Export again.
    #[error("block {height} left the best chain while it was exported")]
    Reorganised {
        /// The height up to which the old branch was written.
        height: u64,
    },
    /// The export failed before, so the archive cannot be continued.
    #[error("the export has failed before")]
    Failed,
}

/// A position in an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchivePosition {
    /// 0 for the head, from 1 for the blocks, and the number after the last block's for the end.
    pub record: u64,
    /// Bytes of the file before this record.
    pub offset: u64,
}

impl fmt::Display for ArchivePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} at byte {}", self.record, self.offset)
    }
}

/// Why an import failed. Blocks before the error stay in the chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The reader failed.
    #[error("reading failed: {0}")]
    Io(#[from] io::Error),
    /// The store of the chain failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file is no archive, or a copy in text mode damaged it.
    #[error("not an archive of a chain: it begins with {}", hex::encode(.got))]
    Magic {
        /// Its first bytes.
        got: [u8; 8],
    },
    /// The archive has a format version that this crate does not support; a newer one may.
    #[error("archive has format version {got}, expected {ARCHIVE_VERSION}")]
    Version {
        /// Its version.
        got: u32,
    },
    /// The archive is of another chain.
    #[error("archive is of the chain {name:?} with genesis {got}, expected {expected}")]
    OtherChain {
        /// The name of its chain.
        name: String,
        /// The hash of that chain's genesis block.
        got: Hash,
        /// The hash of our genesis block.
        expected: Hash,
    },
    /// The archive is truncated, or is still being written.
    #[error("archive is cut off in {at}")]
    Truncated {
        /// The record that is incomplete.
        at: ArchivePosition,
    },
    /// A checksum does not match: the archive is damaged.
    #[error("checksum does not fit {at}")]
    Checksum {
        /// Where the damage is.
        at: ArchivePosition,
    },
    /// A record is longer than any block of the chain may be: the archive is damaged or forged.
    #[error("{at} has {got} bytes, expected at most {limit}")]
    RecordLength {
        /// The record.
        at: ArchivePosition,
        /// The length that it claims, in bytes.
        got: usize,
        /// [`max_record_bytes`](crate::max_record_bytes).
        limit: usize,
    },
    /// The archive has fewer or more records than its head claims: it is damaged or forged.
    #[error("{at} contradicts the head, which says that there are {expected} blocks")]
    Count {
        /// The end that comes too early, or the record in its place, or the end with another number.
        at: ArchivePosition,
        /// The number of blocks that the head claims.
        expected: u64,
    },
    /// A record holds no block of this transaction type.
    #[error("{at} is not a block: {error}")]
    Decode {
        /// The record.
        at: ArchivePosition,
        /// Why not.
        #[source]
        error: Box<dyn core::error::Error + Send + Sync>,
    },
    /// A record holds a block and trailing bytes.
    #[error("{at} has {got} bytes after its block, expected none")]
    RecordTail {
        /// The record.
        at: ArchivePosition,
        /// How many.
        got: usize,
    },
    /// There are bytes after the end of the archive.
    #[error("archive goes on after its end at byte {offset}")]
    TrailingBytes {
        /// Bytes of the file up to its end.
        offset: u64,
    },
    /// The archive begins above the tip, or on a branch that the chain does not know.
    #[error(
        "block {height} in {at} stands on {missing}, which is not known; import the blocks before it first"
    )]
    MissingParent {
        /// The block's record.
        at: ArchivePosition,
        /// Its height.
        height: u64,
        /// The hash of the nearest ancestor that is missing.
        missing: Hash,
    },
    /// A block breaks a rule, or a limit of the side branches is reached.
    #[error("block {height} in {at}: {error}")]
    Block {
        /// The block's record.
        at: ArchivePosition,
        /// The height that its place in the archive gives it.
        height: u64,
        /// The rule.
        #[source]
        error: BlockError,
    },
    /// The import failed before. Blocks that are in the chain are skipped, so a new import may start over.
    #[error("the import has failed before")]
    Failed,
}
