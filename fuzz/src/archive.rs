//! Forged archives: any blocks and any head, with correct checksums.

use arbitrary::Arbitrary;
use hashloom::{Blockchain, Hash};

use crate::fixture::Note;
use crate::mutation::SomeBlock;

const MAGIC: [u8; 8] = *b"\x89HLA\r\n\x1a\n";
const CHECKSUM_LEN: usize = 8;

/// The content of a file, and the damage to its bytes.
#[derive(Debug, Arbitrary)]
pub struct Forgery {
    first: u8,
    records: Vec<Record>,
    /// The number of blocks that the head claims, if it differs from the real one.
    count: Option<u64>,
    /// The chain name that the head claims.
    name: String,
    /// Bytes to change: the distance from the end, and the mask.
    damage: Vec<(u16, u8)>,
    tail: Vec<u8>,
}

#[derive(Debug, Arbitrary)]
enum Record {
    Block(SomeBlock),
    Bytes(Vec<u8>),
}

impl Forgery {
    /// The bytes of the file.
    pub fn build(&self, chain: &Blockchain<Note>) -> Vec<u8> {
        let mut name = self.name.as_str();
        while name.len() > u8::MAX.into() {
            name = &name[..name.floor_char_boundary(name.len() / 2)];
        }
        let records: Vec<Vec<u8>> = self.records.iter().take(32).map(Record::bytes).collect();
        let count = self.count.unwrap_or(records.len() as u64);
        let mut file = MAGIC.to_vec();
        file.extend(hashloom::archive::ARCHIVE_VERSION.to_be_bytes());
        file.extend(chain.genesis().hash().as_bytes());
        file.extend(u64::from(self.first).to_be_bytes());
        file.extend(count.to_be_bytes());
        file.push(u8::try_from(name.len()).unwrap_or(0));
        file.extend(name.as_bytes());
        let mut running = Hash::digest(&file);
        file.extend(&running.as_bytes()[..CHECKSUM_LEN]);
        for record in records {
            let length = u32::try_from(record.len()).unwrap_or(u32::MAX).to_be_bytes();
            running = extended(running, &[&length, &record]);
            file.extend(length);
            file.extend(record);
            file.extend(&running.as_bytes()[..CHECKSUM_LEN]);
        }
        let end = [&[0; 4][..], &count.to_be_bytes()].concat();
        running = extended(running, &[&end]);
        file.extend(end);
        file.extend(running.as_bytes());
        file.extend(&self.tail);
        for (from_end, mask) in self.damage.iter().take(4) {
            if let Some(at) = file.len().checked_sub(usize::from(*from_end) + 1) {
                file[at] ^= mask;
            }
        }
        file
    }
}

impl Record {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Block(block) => postcard::to_allocvec(&*block.build()).unwrap_or_default(),
            Self::Bytes(bytes) => bytes.clone(),
        }
    }
}

fn extended(running: Hash, parts: &[&[u8]]) -> Hash {
    let mut bytes = running.as_bytes().to_vec();
    for part in parts {
        bytes.extend(*part);
    }
    Hash::digest(&bytes)
}
