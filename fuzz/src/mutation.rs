//! Mutations of valid input: fields of a header, the notes of a block, bytes.

use std::sync::Arc;

use arbitrary::Arbitrary;
use hashloom::{Address, Block, CompactTarget, Hash, Header, Timestamp};

use crate::fixture::{self, Note};

/// Another value for a field of a header.
#[derive(Clone, Debug, Arbitrary)]
pub enum Edit {
    /// Any version.
    Version(u32),
    /// Any height.
    Height(u64),
    /// The hash of one of the fixture's blocks.
    Parent(u8),
    /// A flipped bit in one of the four hashes.
    Flip {
        /// The number of the hash.
        field: u8,
        /// The number of the bit.
        bit: u8,
    },
    /// A timestamp this many seconds after the old one, or before it.
    Later(i16),
    /// Any timestamp.
    Timestamp(u64),
    /// Any target.
    Target(u32),
    /// A target whose compact form is this much less than the old one.
    Harder(u8),
    /// Any nonce.
    Nonce(u64),
    /// Another miner, which changes the hash.
    Miner(u8),
}

impl Edit {
    fn apply(&self, header: &mut Header) {
        match *self {
            Self::Version(version) => header.version = version,
            Self::Height(height) => header.height = height,
            Self::Parent(index) => header.previous_hash = *pick(fixture::blocks(), index).hash(),
            Self::Flip { field, bit } => {
                let hash = match field % 4 {
                    0 => &mut header.previous_hash,
                    1 => &mut header.merkle_root,
                    2 => &mut header.history_root,
                    _ => &mut header.state_root,
                };
                let mut bytes = *hash.as_bytes();
                bytes[usize::from(bit / 8)] ^= 1 << (bit % 8);
                *hash = Hash::from_bytes(bytes);
            }
            Self::Later(seconds) => {
                let millis = header.timestamp.as_millis().saturating_add_signed(i64::from(seconds) * 1_000);
                header.timestamp = Timestamp::from_millis(millis);
            }
            Self::Timestamp(millis) => header.timestamp = Timestamp::from_millis(millis),
            Self::Target(bits) => header.target = CompactTarget::from_bits(bits),
            Self::Harder(by) => {
                header.target = CompactTarget::from_bits(header.target.to_bits().wrapping_sub(by.into()));
            }
            Self::Nonce(nonce) => header.nonce = nonce,
            Self::Miner(miner) => header.miner = Address::from_bytes([miner; Address::LEN]),
        }
    }
}

/// A header with some edits.
#[derive(Clone, Debug, Arbitrary)]
pub struct Edits {
    edits: Vec<Edit>,
    /// Whether the header is mined again after the edits.
    seal: bool,
}

impl Edits {
    /// The edited header.
    pub fn of(&self, mut header: Header) -> Header {
        for edit in self.edits.iter().take(4) {
            edit.apply(&mut header);
        }
        if self.seal { fixture::sealed(header) } else { header }
    }
}

/// A block of the fixture, possibly mutated.
#[derive(Clone, Debug, Arbitrary)]
pub struct SomeBlock {
    index: u8,
    /// The mutation; none in most cases.
    change: Option<Change>,
}

#[derive(Clone, Debug, Arbitrary)]
enum Change {
    Header(Edits),
    /// Other notes with an unchanged header.
    Notes(Vec<u8>),
    /// Other notes, and a header that commits to them.
    Committed(Vec<u8>, Edits),
}

impl SomeBlock {
    /// The mutated block.
    pub fn build(&self) -> Arc<Block<Note>> {
        let block = pick(fixture::blocks(), self.index);
        match &self.change {
            None => Arc::clone(block),
            Some(Change::Header(edits)) => {
                Arc::new(Block::new(edits.of(*block.header()), block.data().to_vec()))
            }
            Some(Change::Notes(notes)) => Arc::new(Block::new(*block.header(), self::notes(notes))),
            Some(Change::Committed(notes, edits)) => {
                let with_root = fixture::block(*block.header(), self::notes(notes));
                Arc::new(Block::new(edits.of(*with_root.header()), self::notes(notes)))
            }
        }
    }
}

/// A note for each number. One of the possible notes is refused, one is too large for a block, and one is
/// already in a block.
pub fn notes(numbers: &[u8]) -> Vec<Note> {
    numbers.iter().take(64).copied().map(note).collect()
}

/// The note for a number.
pub fn note(number: u8) -> Note {
    Note(match number {
        0 => fixture::REFUSED.to_owned(),
        1 => "x".repeat(2_048),
        2 => "main 1".to_owned(),
        _ => format!("note {number}"),
    })
}

/// The item for an index of any size.
pub fn pick<T>(items: &[T], index: u8) -> &T {
    &items[usize::from(index) % items.len()]
}
