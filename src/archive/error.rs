//! Why an export or an import comes to its end too early.

use core::fmt;
use std::io;

use super::format::ARCHIVE_VERSION;
use crate::consensus::BlockError;
use crate::primitives::{EncodeError, Hash};
use crate::store::StoreError;

/// Why no archive could be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The writer failed.
    #[error("writing failed: {0}")]
    Io(#[from] io::Error),
    /// The store of the chain failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain has removed the bodies of its older blocks.
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
    /// The serde form of a block is so much longer than its canonical bytes that no import would take it.
    #[error("block {height} has {got} bytes in an archive, expected at most {limit}")]
    RecordLength {
        /// Its height.
        height: u64,
        /// Bytes of its serde form in postcard.
        got: usize,
        /// [`max_record_bytes`](crate::max_record_bytes).
        limit: usize,
    },
    /// Since the last step, a block that was written left the best chain. Export again.
    #[error("block {height} left the best chain while it was exported")]
    Reorganised {
        /// The height up to which the old branch was written.
        height: u64,
    },
    /// It has failed before, so what was written cannot be continued.
    #[error("the export has failed before")]
    Failed,
}

/// Where in an archive something stands.
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

/// Why an archive was not imported to its end. What came before stays in the chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The reader failed.
    #[error("reading failed: {0}")]
    Io(#[from] io::Error),
    /// The store of the chain failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is no archive, or a copy in text mode damaged it.
    #[error("not an archive of a chain: it begins with {}", hex::encode(.got))]
    Magic {
        /// Its first bytes.
        got: [u8; 8],
    },
    /// It is written in a version that this software does not know; a newer one may.
    #[error("archive has format version {got}, expected {ARCHIVE_VERSION}")]
    Version {
        /// Its version.
        got: u32,
    },
    /// It is an archive of another chain.
    #[error("archive is of the chain {name:?} with genesis {got}, expected {expected}")]
    OtherChain {
        /// The name of its chain.
        name: String,
        /// The hash of that chain's genesis block.
        got: Hash,
        /// The hash of our genesis block.
        expected: Hash,
    },
    /// It ends before its end: it was cut off, or is still being written.
    #[error("archive is cut off in {at}")]
    Truncated {
        /// What is not whole.
        at: ArchivePosition,
    },
    /// It is damaged.
    #[error("checksum does not fit {at}")]
    Checksum {
        /// Where the damage is.
        at: ArchivePosition,
    },
    /// A record is longer than any block of the chain: damage, or malice.
    #[error("{at} has {got} bytes, expected at most {limit}")]
    RecordLength {
        /// The record.
        at: ArchivePosition,
        /// The length that it claims, in bytes.
        got: usize,
        /// [`max_record_bytes`](crate::max_record_bytes).
        limit: usize,
    },
    /// It has fewer or more records than it promises: damage, or malice.
    #[error("{at} contradicts the head, which says that there are {expected} blocks")]
    Count {
        /// The end that comes too early, or the record in its place, or the end with another number.
        at: ArchivePosition,
        /// The number of blocks that the head promises.
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
    /// A record holds a block and something after it.
    #[error("{at} has {got} bytes after its block, expected none")]
    RecordTail {
        /// The record.
        at: ArchivePosition,
        /// How many.
        got: usize,
    },
    /// There is something after the end.
    #[error("archive goes on after its end at byte {offset}")]
    TrailingBytes {
        /// Bytes of the file up to its end.
        offset: u64,
    },
    /// The archive begins higher than the chain reaches, or on a branch that the chain does not know.
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
    /// A block breaks a rule, or finds no room beside the best chain.
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
    /// It has failed before. Blocks that are in the chain are skipped, so another import may begin anew.
    #[error("the import has failed before")]
    Failed,
}
