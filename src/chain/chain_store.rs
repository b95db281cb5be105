//! The chain's typed access to its store: rows of the best chain, blocks, branches, states. Collects changes
//! in a batch until they are committed, and already answers reads with them. Checks every value that it
//! reads.

mod bodies;
mod codec;
#[cfg(test)]
#[path = "tests/invariants/chain_store.rs"]
mod invariants;
mod repair;
mod rows;
mod transactions;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::consensus::check;
use crate::consensus::headers::history_leaf;
use crate::primitives::application::check_serde_form;
use crate::primitives::merkle::Subtrees;
use crate::primitives::{Block, EncodeError, Hash, Header, Transaction};
use crate::store::{ALL_KEYS, Batch, Order, Store, StoreError, Table, seal, unseal};

use super::entry::{BestEntry, ChainEntry};
use super::error::{ApplyError, ProveError};
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

    /// The block with this header and hash, on any branch.
    pub(super) fn block(&self, header: &Header, hash: &Hash) -> Result<Option<Measured<T>>, StoreError> {
        if let Some(block) = self.bodies.get(hash) {
            return Ok(Some(measured(block)));
        }
        let read = self.read_block(header, hash)?;
        if let Some((block, _)) = &read {
            self.bodies.insert(*hash, block);
        }
        Ok(read)
    }

    /// The block with this header and hash, on any branch, without adding it to the cache: many blocks that are read
    /// once would evict those that are read often.
    pub(super) fn block_in_passing(
        &self,
        header: &Header,
        hash: &Hash,
    ) -> Result<Option<Measured<T>>, StoreError> {
        match self.bodies.get(hash) {
            Some(block) => Ok(Some(measured(block))),
            None => self.read_block(header, hash),
        }
    }

    fn read_block(&self, header: &Header, hash: &Hash) -> Result<Option<Measured<T>>, StoreError> {
        let key = codec::block_key(header.height, hash);
        let Some(value) = self.get(Table::Blocks, &key)? else { return Ok(None) };
        let (block, size) = codec::read_block(header, hash, &value)?;
        Ok(Some((Arc::new(block), size)))
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
}

fn measured<T: Transaction>(block: Arc<Block<T>>) -> Measured<T> {
    let size = block.size();
    (block, size)
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
