//! L2: a chain in a file: exporting blocks, and importing them with all checks. The one place below the node
//! that reads and writes bytes, and only through a reader and a writer that the caller brings; it opens no file
//! and knows no path.
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
//! A running SHA-256 goes through the file: over the head at first, then for each part over the hash so far and
//! the part's bytes, without its checksum. A checksum is the first 8 bytes of the running hash, the total is all
//! of it. So damage is noticed in the record that it is in, records cannot be swapped, and a file that was cut
//! off has no end. That is no protection from a forger, who can compute hashes too: forged blocks are refused by
//! the rules of the chain, which every block of a file has to follow like a stranger's. The genesis block is
//! never in a file that is written, as it follows from the spec.

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
