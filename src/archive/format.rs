//! The bytes of an archive: constants, the head, and the running hash. Reads and writes nothing.

use crate::consensus::ChainSpec;
use crate::primitives::Hash;

/// The version of the archive format that is written, and the newest that is read.
pub const ARCHIVE_VERSION: u32 = 1;

/// The first bytes of every archive.
pub(super) const MAGIC: [u8; 8] = [0x89, b'H', b'L', b'A', b'\r', b'\n', 0x1a, b'\n'];

/// The length of a checksum in bytes.
pub(super) const CHECKSUM_LEN: usize = 8;

/// The length of the head between the format version and the name.
pub(super) const FACTS_LEN: usize = 32 + 8 + 8 + 1;

/// The longest block in an archive of such a chain in bytes: twice `max_block_bytes`, and 4 KiB.
///
/// What stands in a record is the serde form. It has at most 4 bytes more than the canonical size where
/// [`Transaction::encode`](crate::Transaction::encode) is the provided one; the rest is for types with more
/// compact canonical bytes of their own.
pub const fn max_record_bytes(spec: &ChainSpec) -> usize {
    2 * spec.max_block_bytes() + (4 << 10)
}

/// The state of an export or an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Blocks,
    Ended,
    /// After an error, which no step can continue from.
    Failed,
}

/// The fields of the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) genesis: Hash,
    pub(super) first: u64,
    pub(super) count: u64,
    /// At most 255 bytes.
    pub(super) name: String,
}

impl Head {
    /// The head without its checksum.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(ARCHIVE_VERSION.to_be_bytes());
        bytes.extend(self.genesis.as_bytes());
        bytes.extend(self.first.to_be_bytes());
        bytes.extend(self.count.to_be_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "names are shorter than 256 bytes")]
        bytes.push(self.name.len() as u8);
        bytes.extend(self.name.as_bytes());
        bytes
    }

    /// The head with these fields and this name. Any input decodes to a head; invalid UTF-8 in the name is
    /// replaced.
    pub(super) fn from_parts(facts: &[u8; FACTS_LEN], name: &[u8]) -> Self {
        let integer = |at: usize| facts[at..at + 8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let mut genesis = [0; 32];
        genesis.copy_from_slice(&facts[..32]);
        Self {
            genesis: Hash::from_bytes(genesis),
            first: integer(32),
            count: integer(40),
            name: String::from_utf8_lossy(name).into_owned(),
        }
    }
}

/// The running hash of an archive.
#[derive(Clone, Debug)]
pub(super) struct RunningHash(Hash);

impl RunningHash {
    /// The hash after the head.
    pub(super) fn of_head(bytes: &[u8]) -> Self {
        Self(Hash::digest(bytes))
    }

    /// Hashes the next part, given in pieces.
    pub(super) fn extend(&mut self, first: &[u8], second: &[u8]) {
        self.0 = Hash::digest_parts(&[self.0.as_bytes(), first, second]);
    }

    pub(super) fn checksum(&self) -> [u8; CHECKSUM_LEN] {
        let mut checksum = [0; CHECKSUM_LEN];
        checksum.copy_from_slice(&self.0.as_bytes()[..CHECKSUM_LEN]);
        checksum
    }

    pub(super) const fn total(&self) -> &Hash {
        &self.0
    }
}
