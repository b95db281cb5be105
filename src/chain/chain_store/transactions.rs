//! The index from the ids of transactions to their places in the best chain.

use core::ops::Bound;

use super::ChainStore;
use crate::primitives::{Hash, Transaction};
use crate::store::{ALL_KEYS, Order, StoreError, Table, seal, unseal};

/// The blocks that the index covers: those of the best chain from one height up to one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chain) struct Covered {
    /// The lowest height.
    pub(in crate::chain) first: u64,
    /// The height of the last block.
    pub(in crate::chain) height: u64,
    /// The hash of the last block.
    pub(in crate::chain) hash: Hash,
}

/// The entry that says what the index covers.
const COVERED: &[u8] = b"covered";

/// The most keys that one step of [`ChainStore::clear_transactions`] deletes.
const CLEARED_AT_ONCE: usize = 4_096;

impl<T: Transaction> ChainStore<T> {
    /// What the index covers; `None` if there is no index, or if this entry is damaged.
    pub(in crate::chain) fn covered(&self) -> Result<Option<Covered>, StoreError> {
        let value = self.get(Table::Transactions, COVERED)?;
        Ok(value.and_then(|value| Covered::from_bytes(unseal(Table::Transactions, COVERED, &value)?)))
    }

    pub(in crate::chain) fn put_covered(&mut self, covered: &Covered) {
        let value = seal(Table::Transactions, COVERED, covered.to_bytes());
        self.batch.set(Table::Transactions, COVERED, value);
    }

    /// Adds the transactions of a block to the index.
    pub(in crate::chain) fn put_transactions(&mut self, height: u64, ids: &[Hash]) {
        for (place, id) in (0..).zip(ids) {
            self.batch.set(Table::Transactions, &key(id, height, place), Vec::new());
        }
    }

    /// Removes the transactions of a block from the index.
    pub(in crate::chain) fn delete_transactions(&mut self, height: u64, ids: &[Hash]) {
        for (place, id) in (0..).zip(ids) {
            self.batch.delete(Table::Transactions, key(id, height, place));
        }
    }

    /// The lowest place of a transaction in the committed index: the height of the block, and the number of
    /// transactions before it in the block.
    pub(in crate::chain) fn place_of(&self, id: &Hash) -> Result<Option<(u64, u32)>, StoreError> {
        let (first, last) = (key(id, 0, 0), key(id, u64::MAX, u32::MAX));
        let keys = (Bound::Included(&first[..]), Bound::Included(&last[..]));
        let found = self.store.scan(Table::Transactions, keys, Order::Ascending, 1)?;
        let Some((key, _)) = found.first() else { return Ok(None) };
        let place = key.get(Hash::LEN..).and_then(|place| {
            let (height, place) = place.split_first_chunk()?;
            Some((u64::from_be_bytes(*height), u32::from_be_bytes(place.try_into().ok()?)))
        });
        place.map(Some).ok_or_else(|| StoreError::damaged(Table::Transactions, id, "has no place"))
    }

    /// Whether the index has this place of a transaction.
    pub(in crate::chain) fn has_place(&self, id: &Hash, height: u64, place: u32) -> Result<bool, StoreError> {
        Ok(self.get(Table::Transactions, &key(id, height, place))?.is_some())
    }

    /// Deletes the index, in steps; what it covers first, so that a partly deleted index is not used.
    pub(in crate::chain) fn clear_transactions(&mut self) -> Result<(), StoreError> {
        self.batch.delete(Table::Transactions, COVERED);
        self.commit()?;
        loop {
            let entries =
                self.store.scan(Table::Transactions, ALL_KEYS, Order::Ascending, CLEARED_AT_ONCE)?;
            if entries.is_empty() {
                return Ok(());
            }
            for (key, _) in entries {
                self.batch.delete(Table::Transactions, key);
            }
            self.commit()?;
        }
    }
}

impl Covered {
    fn to_bytes(self) -> Vec<u8> {
        [&self.first.to_be_bytes()[..], &self.height.to_be_bytes(), self.hash.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (first, rest) = bytes.split_first_chunk()?;
        let (height, hash) = rest.split_first_chunk()?;
        Some(Self {
            first: u64::from_be_bytes(*first),
            height: u64::from_be_bytes(*height),
            hash: Hash::from_bytes(hash.try_into().ok()?),
        })
    }
}

/// The key of a place. All of it is in the key, so that a transaction that occurs twice has two entries, the
/// lowest place first.
fn key(id: &Hash, height: u64, place: u32) -> [u8; Hash::LEN + 12] {
    let mut key = [0; Hash::LEN + 12];
    let (start, rest) = key.split_at_mut(Hash::LEN);
    start.copy_from_slice(id.as_bytes());
    let (middle, end) = rest.split_at_mut(8);
    middle.copy_from_slice(&height.to_be_bytes());
    end.copy_from_slice(&place.to_be_bytes());
    key
}
