//! The values of the store as bytes. Frozen by golden files: a change is a new format version.
//!
//! Integers are big-endian. All but blocks, which are checked by their own hashes, end in a checksum.
//!
//! Rows of the best chain and blocks begin with their version. Those of version 1 have none; their first byte is
//! that of a header, which is zero.

use core::any::type_name;
use core::fmt::Display;
use std::borrow::Cow;

use crate::primitives::U256;
use postcard::ser_flavors::Size;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::primitives::application::guarded;
use crate::primitives::serde_form::SerdeFlaw;
use crate::primitives::{Block, Hash, Header, Transaction, Work, transactions};
use crate::store::{CHECKSUM_LEN, Cause, StoreError, Table, seal, unseal};

use super::super::entry::{BestEntry, ChainEntry};

/// The length of an entry: a header, the work, the arrival number, and the size of the block.
const ENTRY_LEN: usize = Header::LEN + 32 + 8 + 8;

/// The first byte of a row or a block of format version 2.
const V2: u8 = 2;

impl BestEntry {
    /// The value of the row, without its checksum.
    pub(super) fn to_unsealed_bytes(&self) -> Vec<u8> {
        let mut bytes = self.entry.to_plain_bytes();
        bytes.reserve_exact(self.subtrees.len() * Hash::LEN);
        for hash in &self.subtrees {
            bytes.extend(hash.as_bytes());
        }
        pack(&bytes)
    }

    /// The header in the value of a row, whose checksum may be wrong.
    pub(super) fn header_in(bytes: &[u8]) -> Option<Header> {
        let (bytes, _) = bytes.split_last_chunk::<CHECKSUM_LEN>()?;
        unpack(bytes)?.first_chunk().map(Header::from_bytes)
    }

    pub(super) fn from_bytes(height: u64, bytes: &[u8]) -> Result<Self, StoreError> {
        let damaged = |reason| StoreError::damaged(Table::Chain, height, reason);
        let bytes =
            unseal(Table::Chain, &height.to_be_bytes(), bytes).ok_or_else(|| damaged(BAD_CHECKSUM))?;
        let bytes = unpack(bytes).ok_or_else(|| damaged(BAD_LENGTH))?;
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

/// How many words of a row have their bits in one byte.
const GROUP: usize = 8;

/// A row without its words of four bytes that are zero, which are a third of most rows: the version, the number of
/// subtrees, and for each eight words a byte with a bit for each that is not zero, the lowest for the first word,
/// followed by those words.
fn pack(row: &[u8]) -> Vec<u8> {
    let words = row.as_chunks::<4>().0;
    let mut packed = vec![0; 2 + row.len() + words.len().div_ceil(GROUP)];
    let subtrees = row.len().saturating_sub(ENTRY_LEN) / Hash::LEN;
    #[expect(clippy::cast_possible_truncation, reason = "a block completes at most 64 subtrees")]
    packed[..2].copy_from_slice(&[V2, subtrees as u8]);
    let mut end = 2;
    for group in words.chunks(GROUP) {
        let bits = end;
        end += 1;
        for (index, word) in group.iter().enumerate() {
            // Without a branch: what follows a word that is zero overwrites it.
            packed[end..end + word.len()].copy_from_slice(word);
            let is_kept = *word != [0; 4];
            packed[bits] |= u8::from(is_kept) << index;
            end += usize::from(is_kept) * word.len();
        }
    }
    packed.truncate(end);
    packed
}

/// Undoes [`pack`]. A row of format version 1 is not packed.
fn unpack(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some((&V2, packed)) = bytes.split_first() else { return Some(Cow::Borrowed(bytes)) };
    let (subtrees, mut packed) = packed.split_first()?;
    let mut row = vec![0; ENTRY_LEN + usize::from(*subtrees) * Hash::LEN];
    for group in row.as_chunks_mut::<4>().0.chunks_mut(GROUP) {
        let (bits, rest) = packed.split_first()?;
        packed = rest;
        for (_, word) in group.iter_mut().enumerate().filter(|(index, _)| bits >> index & 1 == 1) {
            let (found, rest) = packed.split_first_chunk()?;
            (*word, packed) = (*found, rest);
        }
    }
    packed.is_empty().then_some(Cow::Owned(row))
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

/// The bytes of a stored block besides its transactions: the version, and the number of transactions.
const MAX_HEAD_LEN: usize = 11;

/// The transactions of a stored block. Its header is in its row.
#[derive(Deserialize)]
#[serde(bound = "T: Transaction")]
struct Body<T>(#[serde(deserialize_with = "transactions")] Vec<T>);

/// The bytes of a block, its transactions in postcard, if they decode to equal ones. `size` is the block's
/// canonical size, by which their number is estimated.
pub(super) fn block_bytes<T: Transaction>(block: &Block<T>, size: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size.saturating_sub(Header::LEN).saturating_add(MAX_HEAD_LEN));
    bytes.push(V2);
    let written = guarded("Serialize::serialize", || postcard::to_extend(block.data(), bytes));
    let bytes = written.ok()?.ok()?;
    let is_same = guarded("Deserialize::deserialize", || reads_back(&bytes, block.data()));
    is_same.unwrap_or(false).then_some(bytes)
}

/// Whether these are the transactions in the bytes of a block. Reads one at a time, as a list of them is
/// read, and keeps none.
fn reads_back<T: Transaction>(bytes: &[u8], data: &[T]) -> bool {
    let Some(body) = bytes.get(1..) else { return false };
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

/// The stored block of this header, and its canonical size. `hash` is that of the header. Verifies the Merkle root.
pub(super) fn read_block<T: Transaction>(
    header: &Header,
    hash: &Hash,
    bytes: &[u8],
) -> Result<(Block<T>, usize), StoreError> {
    let damaged =
        |reason| StoreError::damaged(Table::Blocks, format_args!("{} {hash}", header.height), reason);
    let read = guarded("Deserialize::deserialize", || match bytes.split_first() {
        Some((&V2, body)) => postcard::take_from_bytes(body)
            .map(|(Body(data), rest)| (Block::with_hash(*header, *hash, data), rest)),
        // Version 1 has the header, too.
        _ => postcard::take_from_bytes::<Block<T>>(bytes),
    });
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
    use proptest::prelude::*;

    /// The row of a block at height 3, which completes two subtrees, as in format version 1 and with a good checksum
    /// whatever is in it.
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

    proptest! {
        #[test]
        fn a_row_is_read_as_it_was_written(
            bytes in prop::collection::vec(prop_oneof![Just(0), any::<u8>()], Header::LEN),
            work: u8,
            subtrees in 0_u32..6,
        ) {
            let mut header = Header::from_bytes(bytes.as_slice().try_into().unwrap());
            header.height = (1 << subtrees) - 1;
            let (hash, work) = (header.hash(), Work::from_uint(U256::from(work)));
            let entry = ChainEntry { hash, header, work, seen: 1, size: 180 };
            let row = BestEntry { entry, subtrees: (0..subtrees as usize).map(|_| hash).collect() };
            let read = |bytes| {
                let sealed = seal(Table::Chain, &header.height.to_be_bytes(), bytes);
                (BestEntry::header_in(&sealed), BestEntry::from_bytes(header.height, &sealed))
            };
            let bytes = row.to_unsealed_bytes();
            prop_assert_eq!(read(bytes.clone()), (Some(header), Ok(row)));
            prop_assert!(read(bytes[..bytes.len() - 1].to_vec()).1.is_err());
            prop_assert!(read([&bytes[..], &[0]].concat()).1.is_err());
        }
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
