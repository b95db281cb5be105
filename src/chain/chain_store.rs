//! The chain's typed access to its store: rows of the best chain, blocks, branches, states. Collects changes
//! in a batch until they are committed, and already answers reads with them. Checks every value that it
//! reads.

mod bodies;
mod codec;
#[cfg(test)]
#[path = "tests/invariants/chain_store.rs"]
mod invariants;
mod repair;
mod transactions;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::consensus::check;
use crate::consensus::headers::history_leaf;
use crate::primitives::application::check_serde_form;
use crate::primitives::merkle::Subtrees;
use crate::primitives::{Block, EncodeError, Hash, Header, Transaction};
use crate::store::{ALL_KEYS, Batch, Order, Store, StoreError, Table, seal, seal_all, unseal};

use super::entry::{BestEntry, ChainEntry};
use super::error::{ApplyError, OpenError, ProveError};
use super::format::FORMAT_VERSION;
use bodies::Bodies;
pub(super) use codec::heights_to_bytes;
#[cfg(test)]
pub(super) use invariants::Aside;
pub(super) use transactions::Covered;

/// A chain's store, with its uncommitted changes and a cache.
#[derive(Debug)]
pub(super) struct ChainStore<T: Transaction> {
    store: Box<dyn Store>,
    /// The uncommitted changes.
    batch: Batch,
    /// The last rows of the best chain, without a gap. Empty only before they are loaded.
    recent: VecDeque<Arc<BestEntry>>,
    /// The last rows whose values are not in the batch yet, because their checksums are computed together. All of
    /// them are among the recent ones, so that no look-up misses them.
    unsealed: Vec<Arc<BestEntry>>,
    bodies: Bodies<T>,
}

/// A block and its canonical size in bytes.
pub(super) type Measured<T> = (Arc<Block<T>>, usize);

/// The number of rows at the end of the best chain that are cached, under 400 bytes each: twice what the
/// longest retargeting average reads.
pub(super) const RECENT_ROWS: usize = 2_048;

/// How many rows are sealed together.
const SEALED_AT_ONCE: usize = 64;

impl<T: Transaction> ChainStore<T> {
    pub(super) fn new(store: Box<dyn Store>, max_cached_bytes: usize) -> Self {
        let bodies = Bodies::new(max_cached_bytes);
        Self { store, batch: Batch::new(), recent: VecDeque::new(), unsealed: Vec::new(), bodies }
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Replaces the store by one that fails, drops the cache, and returns the store.
    #[cfg(feature = "node")]
    pub(super) fn close(&mut self) -> Box<dyn Store> {
        self.batch = Batch::new();
        self.unsealed.clear();
        self.bodies.clear();
        core::mem::replace(&mut self.store, Box::new(crate::store::Closed))
    }

    /// Commits the changes.
    pub(super) fn commit(&mut self) -> Result<(), StoreError> {
        self.seal_rows();
        if !self.batch.is_empty() {
            self.store.commit(&self.batch)?;
            self.batch = Batch::new();
        }
        Ok(())
    }

    /// Commits changes that do not concern the chain, at once.
    pub(super) fn commit_aside(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.store.commit(batch)
    }

    /// Removes and returns the uncommitted changes, so that reads see only committed data.
    pub(super) fn take_changes(&mut self) -> (Batch, VecDeque<Arc<BestEntry>>) {
        self.seal_rows();
        (core::mem::take(&mut self.batch), core::mem::take(&mut self.recent))
    }

    /// Undoes [`take_changes`](Self::take_changes).
    pub(super) fn restore_changes(&mut self, (batch, recent): (Batch, VecDeque<Arc<BestEntry>>)) {
        self.batch = batch;
        self.recent = recent;
    }

    /// The last row of the best chain.
    pub(super) fn tip(&self) -> &Arc<BestEntry> {
        #[expect(clippy::expect_used, reason = "loading a chain loads its tip, and no change leaves none")]
        self.recent.back().expect("the best chain has a tip")
    }

    /// The row of the best chain at this height.
    pub(super) fn row(&self, height: u64) -> Result<Option<Arc<BestEntry>>, StoreError> {
        let first = self.recent.front().map(|row| row.header.height);
        match first.and_then(|first| height.checked_sub(first)) {
            Some(index) => Ok(usize::try_from(index).ok().and_then(|index| self.recent.get(index)).cloned()),
            None => self.load_row(height),
        }
    }

    /// Whether the look-up of the [row](Self::row) at this height takes no read of the store.
    #[cfg(feature = "http")]
    pub(super) fn is_recent(&self, height: u64) -> bool {
        self.recent.front().is_some_and(|first| height >= first.header.height)
    }

    /// The row of the best chain at this height, which must not be above the tip.
    pub(super) fn row_below_tip(&self, height: u64) -> Result<Arc<BestEntry>, StoreError> {
        self.row(height)?.ok_or_else(|| missing_row(height))
    }

    /// The row of the best chain with this hash. `hint` is a height at which the row is looked for first: for
    /// a recent block that takes no read of the store.
    pub(super) fn row_of(
        &self,
        hash: &Hash,
        hint: Option<u64>,
    ) -> Result<Option<Arc<BestEntry>>, StoreError> {
        if let Some(height) = hint
            && let Some(row) = self.row(height)?.filter(|row| row.hash == *hash)
        {
            return Ok(Some(row));
        }
        if let Some(tip) = self.recent.back().filter(|tip| tip.hash == *hash) {
            return Ok(Some(Arc::clone(tip)));
        }
        let Some(value) = self.get(Table::Heights, hash.as_bytes())? else { return Ok(None) };
        let row = codec::height_of_key(&value).map(|height| self.row(height)).transpose()?.flatten();
        row.filter(|row| row.hash == *hash)
            .map(Some)
            .ok_or_else(|| StoreError::damaged(Table::Heights, hash, "leads to another block"))
    }

    /// Checks that the index by hash leads to this row of the best chain.
    pub(super) fn check_found(&self, row: &BestEntry) -> Result<(), StoreError> {
        let value = self.get(Table::Heights, row.hash.as_bytes())?;
        match value.as_deref().map(codec::height_of_key) {
            Some(height) if height == Some(row.header.height) => Ok(()),
            Some(_) => Err(StoreError::damaged(Table::Heights, row.hash, "leads to another block")),
            None => Err(StoreError::damaged(Table::Heights, row.hash, "is missing")),
        }
    }

    /// The header of the best chain at this height, if it has this hash; `None` also if its row is damaged.
    pub(super) fn header_at(&self, height: u64, hash: &Hash) -> Result<Option<Header>, StoreError> {
        if self.recent.front().is_some_and(|first| height >= first.header.height) {
            return Ok(self.row(height)?.filter(|row| row.hash == *hash).map(|row| row.header));
        }
        let value = self.get(Table::Chain, &height.to_be_bytes())?;
        // The hash shows that the header is whole, so the checksum of the row is not needed.
        Ok(value.and_then(|value| BestEntry::header_in(&value)).filter(|header| header.hash() == *hash))
    }

    /// Whether the block of the best chain at this height has this hash.
    pub(super) fn is_best_at(&self, height: u64, hash: &Hash) -> Result<bool, StoreError> {
        Ok(self.row(height)?.is_some_and(|row| row.hash == *hash))
    }

    /// Appends a row to the best chain.
    pub(super) fn push_row(&mut self, row: BestEntry) {
        let row = Arc::new(row);
        self.recent.push_back(Arc::clone(&row));
        self.put_row(row);
        if self.unsealed.len() == SEALED_AT_ONCE {
            self.seal_rows();
        }
        if self.recent.len() > RECENT_ROWS {
            self.recent.pop_front();
        }
    }

    /// The rows of the best chain above `height`, lowest first.
    pub(super) fn rows_above(&self, height: u64) -> Result<Vec<Arc<BestEntry>>, StoreError> {
        let tip = self.tip().header.height;
        (height + 1..=tip).map(|at| self.row_below_tip(at)).collect()
    }

    /// Removes the rows [above](Self::rows_above) a height from the best chain.
    pub(super) fn truncate(&mut self, cut: &[Arc<BestEntry>]) -> Result<(), StoreError> {
        let Some(lowest) = cut.first() else { return Ok(()) };
        let kept = self.row_below_tip(lowest.header.height - 1)?;
        self.seal_rows();
        for row in cut {
            self.batch.delete(Table::Chain, row.header.height.to_be_bytes());
            self.batch.delete(Table::Heights, *row.hash.as_bytes());
        }
        self.recent.truncate(self.recent.len().saturating_sub(cut.len()));
        if self.recent.is_empty() {
            self.recent.push_back(kept);
        }
        Ok(())
    }

    /// The cached rows of the best chain, ascending.
    pub(super) fn recent_rows(&self) -> impl Iterator<Item = &BestEntry> {
        self.recent.iter().map(|row| &**row)
    }

    /// Loads the last rows of the best chain into the cache.
    pub(super) fn load_recent(&mut self) -> Result<(), OpenError> {
        self.recent.clear();
        let mut rows = VecDeque::new();
        for (key, value) in self.store.scan(Table::Chain, ALL_KEYS, Order::Descending, RECENT_ROWS)? {
            let height = codec::height_of_key(&key)
                .ok_or_else(|| StoreError::damaged(Table::Chain, hex::encode(&key), "is no height"))?;
            let damaged = |error| OpenError::Damaged { height, error };
            let row = BestEntry::from_bytes(height, &value).map_err(damaged)?;
            if let Some(next) = rows.front().map(|next: &Arc<BestEntry>| &next.header) {
                let above = height + 1;
                if next.height != above {
                    return Err(OpenError::Damaged { height: above, error: missing_row(above) });
                }
                if next.previous_hash != row.hash {
                    let error = StoreError::damaged(Table::Chain, height, "is not the parent of the next");
                    // Genesis is never another one.
                    return Err(OpenError::Damaged { height: height.max(1), error });
                }
            }
            rows.push_front(Arc::new(row));
        }
        let lowest = rows.front().map_or(1, |row| row.header.height);
        if rows.len() < RECENT_ROWS && lowest > 0 {
            let height = lowest - 1;
            return Err(OpenError::Damaged { height, error: missing_row(height) });
        }
        self.recent = rows;
        Ok(())
    }

    /// The height of the last row, even if the row is damaged.
    pub(super) fn last_height(&self) -> Result<Option<u64>, StoreError> {
        let last = self.store.scan(Table::Chain, ALL_KEYS, Order::Descending, 1)?;
        Ok(last.first().and_then(|(key, _)| codec::height_of_key(key)))
    }

    /// The block with this header and hash, on any branch.
    pub(super) fn block(&self, header: &Header, hash: &Hash) -> Result<Option<Measured<T>>, StoreError> {
        if let Some(block) = self.bodies.get(hash) {
            let size = block.size();
            return Ok(Some((block, size)));
        }
        let key = codec::block_key(header.height, hash);
        let Some(value) = self.get(Table::Blocks, &key)? else { return Ok(None) };
        let (block, size) = codec::read_block(header, hash, &value)?;
        let block = Arc::new(block);
        self.bodies.insert(*hash, &block);
        Ok(Some((block, size)))
    }

    /// Adds a block to the changes; `bytes` are the result of [`encode_block`](Self::encode_block).
    pub(super) fn put_block(&mut self, block: &Arc<Block<T>>, bytes: Vec<u8>) {
        self.bodies.insert(*block.hash(), block);
        self.batch.set(Table::Blocks, &codec::block_key(block.height(), block.hash()), bytes);
    }

    /// The bytes of a block for the store, after a check that they decode to an equal block: not every serde
    /// form does in every format. `size` is the block's canonical size, an estimate of the number of bytes.
    pub(super) fn encode_block(block: &Block<T>, size: usize) -> Result<Vec<u8>, EncodeError> {
        if let Some(bytes) = codec::block_bytes(block, size) {
            return Ok(bytes);
        }
        block.data().iter().try_for_each(check_serde_form)?;
        // Each transaction alone decodes to an equal value, so the encoding of one of them is not
        // deterministic.
        Err(EncodeError::new("a serde form that is not always the same"))
    }

    pub(super) fn delete_block(&mut self, height: u64, hash: &Hash) {
        self.bodies.remove(hash);
        self.batch.delete(Table::Blocks, codec::block_key(height, hash));
    }

    /// The side branch blocks in the store; `None` for a damaged row.
    pub(super) fn branches(&self) -> Result<Vec<(Hash, Option<ChainEntry>)>, StoreError> {
        let entries = self.store.scan(Table::Branches, ALL_KEYS, Order::Ascending, usize::MAX)?;
        let branch = |(key, value): &(Vec<u8>, Vec<u8>)| {
            let hash = Hash::from_bytes(key.as_slice().try_into().ok()?);
            Some((hash, ChainEntry::from_branch_bytes(&hash, value)))
        };
        Ok(entries.iter().filter_map(branch).collect())
    }

    pub(super) fn put_branch(&mut self, entry: &ChainEntry) {
        self.batch.put(Table::Branches, *entry.hash.as_bytes(), entry.to_branch_bytes());
    }

    pub(super) fn delete_branch(&mut self, hash: &Hash) {
        self.batch.delete(Table::Branches, *hash.as_bytes());
    }

    fn state(&self, height: u64) -> Result<Option<T::State>, StoreError> {
        let Some(value) = self.get(Table::States, &height.to_be_bytes())? else { return Ok(None) };
        let row = self.row_below_tip(height)?;
        codec::read_state(height, &row.hash, &value).map(Some)
    }

    /// The highest readable one of these states above one height and up to another, and its height. A damaged
    /// state only costs a longer replay.
    pub(super) fn stored_state(
        &self,
        heights: &[u64],
        above: u64,
        up_to: u64,
    ) -> Result<Option<(u64, T::State)>, StoreError> {
        for height in heights.iter().rev().filter(|height| (above + 1..=up_to).contains(height)) {
            match self.state(*height) {
                Ok(Some(state)) => return Ok(Some((*height, state))),
                Ok(None) => {}
                Err(error) if error.is_damage() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Adds the state after the block of the best chain at this height to the changes, and returns its size
    /// in bytes.
    pub(super) fn put_state(
        &mut self,
        height: u64,
        hash: &Hash,
        state: &T::State,
    ) -> Result<usize, StoreError> {
        let bytes = codec::state_bytes(height, hash, state)?;
        let len = bytes.len();
        self.batch.put(Table::States, height.to_be_bytes(), bytes);
        Ok(len)
    }

    /// Whether a state can be written and read back.
    pub(super) fn check_state(state: &T::State) -> Result<(), StoreError> {
        codec::state_bytes(0, &Hash::ZERO, state).map(|_| ())
    }

    pub(super) fn delete_state(&mut self, height: u64) {
        self.batch.delete(Table::States, height.to_be_bytes());
    }

    /// The cached block with this hash, on any branch or on none.
    #[cfg(feature = "http")]
    pub(super) fn cached_block(&self, hash: &Hash) -> Option<Arc<Block<T>>> {
        self.bodies.get(hash)
    }

    /// The block of an entry whose body must be in the store.
    pub(super) fn stored_block(&self, entry: &ChainEntry) -> Result<Arc<Block<T>>, StoreError> {
        let (height, hash) = (entry.header.height, &entry.hash);
        let missing = || StoreError::damaged(Table::Blocks, format_args!("{height} {hash}"), "is missing");
        self.block(&entry.header, hash)?.map(|(block, _)| block).ok_or_else(missing)
    }

    /// The state after the block of an entry, from the state after its parent.
    pub(super) fn applied(
        &self,
        entry: &ChainEntry,
        genesis: &Hash,
        mut state: T::State,
    ) -> Result<T::State, ApplyError> {
        let block = self.stored_block(entry)?;
        check::apply(block.header(), genesis, block.data(), &mut state)?;
        Ok(state)
    }

    /// Reads a metadata entry.
    pub(super) fn meta(&self, key: MetaKey) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = key.bytes();
        let Some(value) = self.get(Table::Meta, bytes)? else { return Ok(None) };
        let value = unseal(Table::Meta, bytes, &value);
        value.map(|value| Some(value.to_vec())).ok_or_else(|| key.damaged())
    }

    /// Reads a metadata entry that is a list of heights.
    pub(super) fn heights(&self, key: MetaKey) -> Result<Option<Vec<u64>>, StoreError> {
        let Some(bytes) = self.meta(key)? else { return Ok(None) };
        codec::heights_from_bytes(&bytes).map(Some).ok_or_else(|| key.damaged())
    }

    pub(super) fn put_meta(&mut self, key: MetaKey, value: Vec<u8>) {
        self.batch.put(Table::Meta, key.bytes(), seal(Table::Meta, key.bytes(), value));
    }

    /// Adds the version of the format in which this program writes to the changes.
    pub(super) fn put_format(&mut self) {
        self.put_meta(MetaKey::Format, FORMAT_VERSION.to_be_bytes().to_vec());
    }

    /// Checks that the store can be written to.
    pub(super) fn probe(&mut self) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        batch.put(Table::Meta, *b"probe", []);
        self.store.commit(&batch)
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Cow<'_, [u8]>>, StoreError> {
        match self.batch.get(table, key) {
            Some(value) => Ok(value.map(Cow::Borrowed)),
            None => Ok(self.store.get(table, key)?.map(Cow::Owned)),
        }
    }

    fn put_row(&mut self, row: Arc<BestEntry>) {
        self.batch.set(Table::Heights, row.hash.as_bytes(), row.header.height.to_be_bytes().to_vec());
        self.unsealed.push(row);
    }

    /// Moves the rows that are not in the batch there.
    fn seal_rows(&mut self) {
        let value = |row: Arc<BestEntry>| (row.header.height.to_be_bytes(), row.to_unsealed_bytes());
        for (height, value) in seal_all(Table::Chain, self.unsealed.drain(..).map(value)) {
            self.batch.set(Table::Chain, &height, value);
        }
    }

    fn load_row(&self, height: u64) -> Result<Option<Arc<BestEntry>>, StoreError> {
        let Some(value) = self.get(Table::Chain, &height.to_be_bytes())? else { return Ok(None) };
        BestEntry::from_bytes(height, &value).map(|row| Some(Arc::new(row)))
    }
}

fn missing_row(height: u64) -> StoreError {
    StoreError::damaged(Table::Chain, height, "is missing")
}

/// The history tree over the hashes of the best chain. Each row has the subtrees that its block completes.
impl<T: Transaction> Subtrees for ChainStore<T> {
    type Error = ProveError;

    fn size(&self) -> u64 {
        self.tip().header.height + 1
    }

    fn subtree(&self, level: usize, index: u64) -> Result<Hash, ProveError> {
        let height = ((index + 1) << level) - 1;
        let row = self.row_below_tip(height)?;
        match level.checked_sub(1) {
            None => Ok(history_leaf(&row.hash)),
            Some(above) => row.subtrees.get(above).copied().ok_or_else(|| {
                StoreError::damaged(Table::Chain, height, "lacks a part of the history tree").into()
            }),
        }
    }
}

/// The metadata entries of the store, each under a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MetaKey {
    /// The version of the store's format.
    Format,
    /// The genesis hash, and the name of the chain.
    Genesis,
    /// The heights of the states.
    States,
    /// The height up to which bodies have been pruned.
    Pruned,
}

impl MetaKey {
    const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Format => b"format",
            Self::Genesis => b"genesis",
            Self::States => b"states",
            Self::Pruned => b"pruned",
        }
    }

    pub(super) fn damaged(self) -> StoreError {
        StoreError::damaged(Table::Meta, String::from_utf8_lossy(self.bytes()), "is not what was written")
    }
}
