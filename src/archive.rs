//! L2: archives: exporting the blocks of a chain, and importing them with all checks. The only module below
//! the node that reads and writes bytes, and only through a reader and a writer of the caller; it opens no
//! file and knows no path.
//!
//! # Format
//!
//! Version 1, frozen. Integers are big-endian. A file is a head, a record for each block, lowest first, and an end.
//!
//! | part | bytes | |
//! | --- | --- | --- |
//! | head | 8 | `89 48 4c 41 0d 0a 1a 0a`; as in PNG, a copy in text mode damages it |
//! | | 4 | format version: 1 |
//! | | 32 | hash of the genesis block |
//! | | 8 | height of the first block |
//! | | 8 | number of blocks |
//! | | 1 | length of the chain's name |
//! | | that many | the chain's name, for messages only |
//! | | 8 | checksum |
//! | record | 4 | length of the block: 1 to [`max_record_bytes`] |
//! | | that many | the block in postcard: the 180 bytes of its header, then its transactions |
//! | | 8 | checksum |
//! | end | 4 | 0 |
//! | | 8 | number of blocks |
//! | | 32 | total |
//!
//! A running SHA-256 covers the file: first it hashes the head, then for each part the hash so far and the
//! part's bytes, without its checksum. A checksum is the first 8 bytes of the running hash; the total is all
//! of it. So damage is detected in its record, records cannot be swapped, and a truncated file has no end.
//! The checksums do not protect against a forger, who can compute hashes too: forged blocks are refused by
//! the consensus rules, which apply to every block of a file as to a block from a peer. An exported file
//! never contains the genesis block, because it follows from the spec.

mod error;
mod export;
mod format;
mod import;

pub use error::{ArchivePosition, ExportError, ImportError};
pub use export::Exporter;
pub use format::{ARCHIVE_VERSION, max_record_bytes};
pub use import::Importer;

#[cfg(test)]
mod tests;
