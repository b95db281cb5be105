//! How the fuzzer changes what is good: a field of a header, the notes of a block, bytes.

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
    /// A bit of one of the four hashes.
    Flip {
        /// Which hash.
        field: u8,
        /// Which bit.
        bit: u8,
    },
    /// A timestamp this many seconds from the old one.
    Later(i16),
    /// Any timestamp.
    Timestamp(u64),
    /// Any target.
    Target(u32),
    /// One mantissa beside the old target.
    Harder(u8),
    /// Any nonce.
    Nonce(u64),
    /// Another miner, so that the hash is another one.
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
    /// Whether the proof of work is done again afterwards.
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

/// One of the fixture's blocks, or something like it.
#[derive(Clone, Debug, Arbitrary)]
pub struct SomeBlock {
    index: u8,
    /// What is changed; mostly nothing.
    change: Option<Change>,
}

#[derive(Clone, Debug, Arbitrary)]
enum Change {
    Header(Edits),
    /// Other notes under the same header.
    Notes(Vec<u8>),
    /// Other notes, and a header that commits to them.
    Committed(Vec<u8>, Edits),
}

impl SomeBlock {
    /// The block.
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

/// A note for each number. One of them is refused, one too large for a block, and one of them is in a block
/// already.
pub fn notes(numbers: &[u8]) -> Vec<Note> {
    numbers.iter().take(64).copied().map(note).collect()
}

/// The note of a number.
pub fn note(number: u8) -> Note {
    Note(match number {
        0 => fixture::REFUSED.to_owned(),
        1 => "x".repeat(2_048),
        2 => "main 1".to_owned(),
        _ => format!("note {number}"),
    })
}

/// The item that an index of any size stands for.
pub fn pick<T>(items: &[T], index: u8) -> &T {
    &items[usize::from(index) % items.len()]
}
