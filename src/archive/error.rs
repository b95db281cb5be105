//! Errors of exports and imports.

use core::fmt;
use std::io;

use super::format::ARCHIVE_VERSION;
use crate::chain::BlockError;
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
        /// The height of the next block to export.
        height: u64,
        /// The lowest height that can be exported.
        kept_from: u64,
    },
    /// A block cannot be written in postcard.
    #[error("block {height} has {error}")]
    Encode {
        /// The height of the block.
        height: u64,
        /// The reason.
        #[source]
        error: EncodeError,
    },
    /// The serde form of a block is so much longer than its canonical bytes that no import would accept it.
    #[error("block {height} has {got} bytes in an archive, expected at most {limit}")]
    RecordLength {
        /// The height of the block.
        height: u64,
        /// The length of the block's serde form in postcard, in bytes.
        got: usize,
        /// [`max_record_bytes`](crate::archive::max_record_bytes).
        limit: usize,
    },
    /// A reorganisation disconnected blocks that the archive contains, or the block that its first block
    /// extends. Export again.
    #[error("block {height} left the best chain while it was exported")]
    Reorganised {
        /// The height of the last block written so far, or of the parent of the first block if none was
        /// written.
        height: u64,
    },
    /// An earlier step of this export failed, so the archive cannot be continued.
    #[error("the export has failed before")]
    Failed,
}

/// A position in an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchivePosition {
    /// The number of the record: 0 for the head, 1 and up for the blocks, and one more than the last block
    /// for the end.
    pub record: u64,
    /// The offset of the record in the file, in bytes.
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
    /// The file is not an archive, or was damaged by a transfer in text mode.
    #[error("not an archive of a chain: it begins with {}", hex::encode(.got))]
    Magic {
        /// The first bytes of the file.
        got: [u8; 8],
    },
    /// The archive has a format version that this crate does not support; a newer one may.
    #[error("archive has format version {got}, expected {ARCHIVE_VERSION}")]
    Version {
        /// The version of the archive.
        got: u32,
    },
    /// The archive is of another chain.
    #[error("archive is of the chain {name:?} with genesis {got}, expected {expected}")]
    OtherChain {
        /// The name of the archive's chain.
        name: String,
        /// The genesis hash of the archive's chain.
        got: Hash,
        /// The genesis hash of the importing chain.
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
        /// The record before the checksum; the damage is in that record or its checksum.
        at: ArchivePosition,
    },
    /// A record is longer than any block of the chain may be: the archive is damaged or forged.
    #[error("{at} has {got} bytes, expected at most {limit}")]
    RecordLength {
        /// The record.
        at: ArchivePosition,
        /// The length that the record claims, in bytes.
        got: usize,
        /// [`max_record_bytes`](crate::archive::max_record_bytes).
        limit: usize,
    },
    /// The archive has fewer or more records than its head claims: it is damaged or forged.
    #[error("{at} contradicts the head, which says that there are {expected} blocks")]
    Count {
        /// The record that contradicts the head: an end that comes too early, a block after the last one, or
        /// an end with another number of blocks.
        at: ArchivePosition,
        /// The number of blocks that the head claims.
        expected: u64,
    },
    /// A record holds no block of this transaction type.
    #[error("{at} is not a block: {error}")]
    Decode {
        /// The record.
        at: ArchivePosition,
        /// The reason.
        #[source]
        error: Box<dyn core::error::Error + Send + Sync>,
    },
    /// A record holds a block and trailing bytes.
    #[error("{at} has {got} bytes after its block, expected none")]
    RecordTail {
        /// The record.
        at: ArchivePosition,
        /// The number of trailing bytes.
        got: usize,
    },
    /// There are bytes after the end of the archive.
    #[error("archive continues after its end at byte {offset}")]
    TrailingBytes {
        /// The offset of the first byte after the end of the archive.
        offset: u64,
    },
    /// A block has an unknown parent: the archive begins above the tip, or on a branch that the chain does
    /// not have.
    #[error(
        "block {height} in {at} stands on {missing}, which is not known; import the blocks before it first"
    )]
    MissingParent {
        /// The block's record.
        at: ArchivePosition,
        /// The block's height.
        height: u64,
        /// The hash of the nearest ancestor that is missing.
        missing: Hash,
    },
    /// A block breaks a rule, or a limit of the side branches is reached.
    #[error("block {height} in {at}: {error}")]
    Block {
        /// The block's record.
        at: ArchivePosition,
        /// The block's height by its position in the archive.
        height: u64,
        /// The rule that the block breaks, or the limit.
        #[source]
        error: BlockError,
    },
    /// An earlier step of this import failed. A new import skips blocks that are in the chain, so it may
    /// start over.
    #[error("the import has failed before")]
    Failed,
}
