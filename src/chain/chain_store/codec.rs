//! The values of the store as bytes. Frozen by golden files: a change is a new format version.
//!
//! Integers are big-endian. All but blocks, which are checked by their own hashes, end in a checksum.

use core::any::type_name;
use core::fmt::Display;

use crate::primitives::U256;
use postcard::ser_flavors::Size;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::primitives::application::guarded;
use crate::primitives::serde_form::SerdeFlaw;
use crate::primitives::{Block, Hash, Header, Transaction, Work};
use crate::store::{CHECKSUM_LEN, Cause, StoreError, Table, seal, unseal};

use super::super::entry::{BestEntry, ChainEntry};

/// The length of an entry: a header, the work, the arrival number, and the size of the block.
const ENTRY_LEN: usize = Header::LEN + 32 + 8 + 8;

impl BestEntry {
    /// The value of the row, without its checksum.
    pub(super) fn to_unsealed_bytes(&self) -> Vec<u8> {
        let mut bytes = self.entry.to_plain_bytes();
        for hash in &self.subtrees {
            bytes.extend(hash.as_bytes());
        }
        bytes
    }

    pub(super) fn from_bytes(height: u64, bytes: &[u8]) -> Result<Self, StoreError> {
        let damaged = |reason| StoreError::damaged(Table::Chain, height, reason);
        let bytes =
            unseal(Table::Chain, &height.to_be_bytes(), bytes).ok_or_else(|| damaged(BAD_CHECKSUM))?;
        let (fixed, subtrees) = bytes.split_at_checked(ENTRY_LEN).ok_or_else(|| damaged(BAD_LENGTH))?;
        let entry = ChainEntry::from_plain_bytes(fixed).ok_or_else(|| damaged(BAD_LENGTH))?;
        let (subtrees, rest) = subtrees.as_chunks::<{ Hash::LEN }>();
        let expected = (height + 1).trailing_zeros() as usize;
        if !rest.is_empty() || subtrees.len() != expected || entry.header.height != height {
            return Err(damaged("is of another height"));
        }
        let subtrees = subtrees.iter().map(|bytes| Hash::from_bytes(*bytes)).collect();
        Ok(Self { entry, subtrees })
    }
}

impl ChainEntry {
    /// The value of a side branch block.
    pub(super) fn to_branch_bytes(&self) -> Vec<u8> {
        seal(Table::Branches, self.hash.as_bytes(), self.to_plain_bytes())
    }

    /// The entry of the side branch block with this hash, unless it is damaged.
    pub(super) fn from_branch_bytes(hash: &Hash, bytes: &[u8]) -> Option<Self> {
        let entry = Self::from_plain_bytes(unseal(Table::Branches, hash.as_bytes(), bytes)?)?;
        (entry.hash == *hash).then_some(entry)
    }

    fn to_plain_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ENTRY_LEN + CHECKSUM_LEN);
        bytes.extend(self.header.to_bytes());
        bytes.extend(self.work.as_uint().to_be_bytes::<32>());
        bytes.extend(self.seen.to_be_bytes());
        bytes.extend((self.size as u64).to_be_bytes());
        bytes
    }

    /// The entry in these bytes. Its hash is not among them, and is computed from the header.
    fn from_plain_bytes(bytes: &[u8]) -> Option<Self> {
        let (header, rest) = bytes.split_first_chunk()?;
        let (work, rest) = rest.split_first_chunk::<32>()?;
        let (seen, rest) = rest.split_first_chunk()?;
        let size = u64::from_be_bytes(rest.try_into().ok()?);
        let header = Header::from_bytes(header);
        Some(Self {
            hash: header.hash(),
            header,
            work: Work::from_uint(U256::from_be_bytes(*work)),
            seen: u64::from_be_bytes(*seen),
            size: usize::try_from(size).ok()?,
        })
    }
}

/// The keys of blocks are ordered by height, so a growing chain appends and pruning deletes a front.
pub(super) fn block_key(height: u64, hash: &Hash) -> [u8; 8 + Hash::LEN] {
    let mut key = [0; 8 + Hash::LEN];
    key[..8].copy_from_slice(&height.to_be_bytes());
    key[8..].copy_from_slice(hash.as_bytes());
    key
}

pub(super) fn height_of_key(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.try_into().ok()?))
}

pub(in super::super) fn heights_to_bytes(heights: &[u64]) -> Vec<u8> {
    heights.iter().flat_map(|height| height.to_be_bytes()).collect()
}

pub(in super::super) fn heights_from_bytes(bytes: &[u8]) -> Option<Vec<u64>> {
    let (heights, rest) = bytes.as_chunks();
    rest.is_empty().then(|| heights.iter().map(|bytes| u64::from_be_bytes(*bytes)).collect())
}

/// The bytes of a stored block beyond its canonical size: the number of its transactions.
const MAX_COUNT_LEN: usize = 10;

/// The bytes of a block, its serde form in postcard, if they decode to an equal block. `size` is an estimate
/// of their number.
pub(super) fn block_bytes<T: Transaction>(block: &Block<T>, size: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size.saturating_add(MAX_COUNT_LEN));
    // A header in postcard is its own bytes.
    bytes.extend(block.header().to_bytes());
    let written = guarded("Serialize::serialize", || postcard::to_extend(block.data(), bytes));
    let bytes = written.ok()?.ok()?;
    let is_same = guarded("Deserialize::deserialize", || reads_back(&bytes, block.data()));
    is_same.unwrap_or(false).then_some(bytes)
}

/// Whether these are the transactions in the bytes of a block. Reads one at a time, as a list of them is
/// read, and keeps none.
fn reads_back<T: Transaction>(bytes: &[u8], data: &[T]) -> bool {
    let Some(body) = bytes.get(Header::LEN..) else { return false };
    // A list begins with its length.
    let Ok((len, mut rest)) = postcard::take_from_bytes::<usize>(body) else { return false };
    for transaction in data {
        match postcard::take_from_bytes::<T>(rest) {
            Ok((read, left)) if read == *transaction => rest = left,
            _ => return false,
        }
    }
    len == data.len() && rest.is_empty()
}

/// The stored block of this hash, and its canonical size. Verifies the hashes of header and body.
pub(super) fn read_block<T: Transaction>(
    height: u64,
    hash: &Hash,
    bytes: &[u8],
) -> Result<(Block<T>, usize), StoreError> {
    let damaged = |reason| StoreError::damaged(Table::Blocks, format_args!("{height} {hash}"), reason);
    let read = guarded("Deserialize::deserialize", || postcard::take_from_bytes::<Block<T>>(bytes));
    let (block, rest) = read
        .map_err(|_| damaged("makes the application's deserializer panic"))?
        .map_err(|_| damaged("is no block of this chain"))?;
    if !rest.is_empty() {
        return Err(damaged("is longer than its block"));
    }
    if block.hash() != hash {
        return Err(damaged("is another block"));
    }
    let digest = block.digest().map_err(|_| damaged("has no canonical bytes"))?;
    if digest.merkle_root() != block.header().merkle_root {
        return Err(damaged("has other transactions than its header says"));
    }
    Ok((block, digest.size))
}

pub(super) fn state_bytes<S: Serialize + DeserializeOwned>(
    height: u64,
    hash: &Hash,
    state: &S,
) -> Result<Vec<u8>, StoreError> {
    let unwritable = |cause: &dyn Display| {
        let cause = format!("the serde form of `{}` in postcard: {cause}", type_name::<S>());
        StoreError::Unwritable { what: "the state", cause: Cause::new(cause) }
    };
    let of_postcard = |error: postcard::Error| match SerdeFlaw::of_postcard(&error) {
        Some(flaw) => unwritable(&flaw),
        None => unwritable(&error),
    };
    let written = guarded("Serialize::serialize", || postcard::to_extend(state, hash.as_bytes().to_vec()));
    let bytes = written.map_err(|panic| unwritable(&panic))?.map_err(of_postcard)?;
    // Checked when the state is written, and not first by a replay from genesis at a later start.
    let written = &bytes[Hash::LEN..];
    let reads_back = guarded("Deserialize::deserialize", || match postcard::take_from_bytes::<S>(written) {
        // The bytes themselves may differ: a hash map has another order each time.
        Ok((read, [])) => {
            postcard::serialize_with_flavor(&read, Size::default()).map(|len| len == written.len())
        }
        // The value decodes to another one.
        Ok(_) | Err(postcard::Error::DeserializeUnexpectedEnd) => Ok(false),
        Err(error) => Err(error),
    });
    if !reads_back.map_err(|panic| unwritable(&panic))?.map_err(of_postcard)? {
        return Err(unwritable(&SerdeFlaw::ReadsDifferently));
    }
    Ok(seal(Table::States, &height.to_be_bytes(), bytes))
}

pub(super) fn read_state<S: DeserializeOwned>(
    height: u64,
    hash: &Hash,
    bytes: &[u8],
) -> Result<S, StoreError> {
    let damaged = |reason| StoreError::damaged(Table::States, height, reason);
    let bytes = unseal(Table::States, &height.to_be_bytes(), bytes).ok_or_else(|| damaged(BAD_CHECKSUM))?;
    let state = bytes.strip_prefix(hash.as_bytes()).ok_or_else(|| damaged("belongs to another block"))?;
    match guarded("Deserialize::deserialize", || postcard::take_from_bytes(state)) {
        Ok(Ok((state, []))) => Ok(state),
        _ => Err(damaged("is no state of this application")),
    }
}

const BAD_CHECKSUM: &str = "does not match its checksum";
const BAD_LENGTH: &str = "has a wrong length";

#[cfg(test)]
mod tests {
    use super::*;

    /// The row of a block at height 3, which completes two subtrees, with a good checksum whatever is in it.
    fn row(height: u64, subtrees: usize, rest: usize) -> Result<BestEntry, StoreError> {
        let mut header = Header::from_bytes(&[0; Header::LEN]);
        header.height = height;
        let (hash, work) = (header.hash(), Work::ZERO);
        let entry = ChainEntry { hash, header, work, seen: 1, size: 180 };
        let row = BestEntry { entry, subtrees: vec![Hash::ZERO; subtrees] };
        let mut bytes = row.to_plain_bytes();
        bytes.resize(ENTRY_LEN + subtrees * Hash::LEN + rest, 0);
        let read = BestEntry::from_bytes(3, &seal(Table::Chain, &3_u64.to_be_bytes(), bytes))?;
        assert_eq!(read, row);
        Ok(read)
    }

    #[test]
    fn a_row_is_read_at_its_own_height_and_with_its_subtrees_alone() {
        assert!(row(3, 2, 0).is_ok());
        for (height, subtrees, rest) in [(7, 2, 0), (3, 1, 0), (3, 3, 0), (3, 2, 1)] {
            let error = StoreError::damaged(Table::Chain, 3, "is of another height");
            assert_eq!(row(height, subtrees, rest), Err(error), "{height} {subtrees} {rest}");
        }
    }
}
