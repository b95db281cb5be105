//! Repair of a store: deletes damaged entries, so that the rest is a valid chain. Works from the keys and
//! trusts no value.

use core::ops::Bound;
use std::sync::Arc;

use super::codec::{block_key, height_of_key};
use super::rows::missing_row;
use super::{BestEntry, ChainStore, MetaKey, heights_to_bytes};
use crate::primitives::{Hash, Transaction};
use crate::store::{ALL_KEYS, Batch, Entries, Keys, Order, StoreError, Table};

/// The most rows or blocks that one step of a repair scans or deletes. A step of a truncation has the bodies
/// of the blocks that it deletes in memory.
const CUT_AT_ONCE: usize = 64;

impl<T: Transaction> ChainStore<T> {
    /// Deletes the best chain above `height` and all side branches, even damaged ones, and discards
    /// uncommitted changes. Works from the top down in steps, each of which leaves a shorter chain.
    pub(in super::super) fn cut(&mut self, height: u64) -> Result<(), StoreError> {
        self.batch = Batch::new();
        self.cut_branches()?;
        self.cut_states(height)?;
        let above = height.saturating_add(1).to_be_bytes();
        let above = (Bound::Included(&above[..]), Bound::Unbounded);
        loop {
            let rows = self.store.scan(Table::Chain, above, Order::Descending, CUT_AT_ONCE)?;
            let Some((lowest, _)) = rows.last() else { break };
            let lowest = lowest.clone();
            let mut batch = Batch::new();
            for (key, value) in rows {
                if let Some(header) = BestEntry::header_in(&value) {
                    batch.delete(Table::Heights, *header.hash().as_bytes());
                }
                batch.delete(Table::Chain, key);
            }
            let keys = (Bound::Included(&lowest[..]), Bound::Unbounded);
            // Includes blocks of side branches whose damaged rows did not have a height.
            for (key, _) in self.store.scan(Table::Blocks, keys, Order::Ascending, usize::MAX)? {
                // The hash is in the key, because a damaged row has none.
                batch.delete(Table::Heights, &key[8.min(key.len())..]);
                batch.delete(Table::Blocks, key);
            }
            self.store.commit(&batch)?;
        }
        // Blocks at heights without a row.
        self.clear_blocks(above)
    }

    /// Rewrites entries that can be derived from the rest of the store: the row of the genesis block, the
    /// index from hashes to heights, the list of states, and the height up to which bodies were pruned.
    /// Deletes damaged states, and blocks of side branches whose bodies are missing or damaged. Returns one
    /// of the errors found.
    pub(in super::super) fn rebuild_derived(
        &mut self,
        genesis: &BestEntry,
    ) -> Result<Option<StoreError>, StoreError> {
        let mut found = None;
        let row = damage_of(self.load_row(0))?;
        let is_found = damage_of(self.check_found(genesis))?;
        if !row.as_ref().is_ok_and(|row| row.as_deref() == Some(genesis)) || is_found.is_err() {
            found = Some(row.err().or(is_found.err()).unwrap_or_else(|| missing_row(0)));
            self.put_row(Arc::new(genesis.clone()));
            self.seal_rows();
        }
        found = self.rebuild_heights()?.or(found);
        let (states, damaged) = self.readable_states()?;
        match damage_of(self.heights(MetaKey::States))? {
            Ok(listed) if listed.as_deref().unwrap_or_default() == states => {}
            other => {
                found = Some(other.err().or(damaged).unwrap_or_else(|| MetaKey::States.damaged()));
                self.put_meta(MetaKey::States, heights_to_bytes(&states));
            }
        }
        if let Err(error) = damage_of(self.heights(MetaKey::Pruned))? {
            found = Some(error);
            let pruned = self.first_best_body()?.saturating_sub(1);
            self.put_meta(MetaKey::Pruned, heights_to_bytes(&[pruned]));
        }
        for (hash, row) in self.branches()? {
            let Some(row) = row else { continue };
            let block = damage_of(self.block(&row.header, &hash))?;
            if !matches!(block, Ok(Some(_))) {
                found = block.err().or(found);
                self.delete_block(row.header.height, &hash);
                self.delete_branch(&hash);
            }
        }
        self.commit()?;
        Ok(found)
    }

    /// Whether the chain begins with this genesis block, by the row of genesis or by the parent in the row of
    /// block 1.
    pub(in super::super) fn begins_with(&self, genesis: &Hash) -> Result<bool, StoreError> {
        let first = damage_of(self.load_row(0))?.ok().flatten().is_some_and(|row| row.hash == *genesis);
        let second = damage_of(self.load_row(1))?.ok().flatten();
        Ok(first || second.is_some_and(|row| row.header.previous_hash == *genesis))
    }

    /// Repairs the index from hashes to heights, so that each block of the best chain with a readable row is
    /// found by its hash. Returns one of the errors found.
    fn rebuild_heights(&mut self) -> Result<Option<StoreError>, StoreError> {
        let mut found = None;
        let mut next = 0;
        loop {
            let from = u64::to_be_bytes(next);
            let keys = (Bound::Included(&from[..]), Bound::Unbounded);
            let entries = self.store.scan(Table::Chain, keys, Order::Ascending, CUT_AT_ONCE)?;
            let Some(last) = entries.last().and_then(|(key, _)| height_of_key(key)) else { break };
            for (key, value) in &entries {
                let row = height_of_key(key).and_then(|height| BestEntry::from_bytes(height, value).ok());
                if let Some(row) = row
                    && let Err(error) = damage_of(self.check_found(&row))?
                {
                    self.batch.set(Table::Heights, row.hash.as_bytes(), key.clone());
                    found = Some(error);
                }
            }
            if !self.batch.is_empty() {
                self.commit()?;
            }
            next = last.saturating_add(1);
        }
        Ok(found)
    }

    /// The heights of the readable states. Deletes the other states, and returns the error of one of them.
    fn readable_states(&mut self) -> Result<(Vec<u64>, Option<StoreError>), StoreError> {
        let (mut heights, mut found) = (Vec::new(), None);
        let mut last: Option<Vec<u8>> = None;
        while let Some(key) = self.next_entry(Table::States, last.as_deref())?.pop().map(|(key, _)| key) {
            let height = height_of_key(&key).unwrap_or(u64::MAX);
            match damage_of(self.state(height))? {
                Ok(Some(_)) => heights.push(height),
                other => {
                    found = other.err().or(found);
                    self.batch.delete(Table::States, key.clone());
                }
            }
            last = Some(key);
        }
        Ok((heights, found))
    }

    /// The height of the lowest block of the best chain whose body is stored; the height above the tip if
    /// there is none.
    fn first_best_body(&self) -> Result<u64, StoreError> {
        let mut last: Option<Vec<u8>> = None;
        while let Some(key) = self.next_entry(Table::Blocks, last.as_deref())?.pop().map(|(key, _)| key) {
            if let Some((height, hash)) = key.split_first_chunk()
                && let (height, Ok(hash)) = (u64::from_be_bytes(*height), <[u8; Hash::LEN]>::try_from(hash))
                && let Ok(true) = damage_of(self.is_best_at(height, &Hash::from_bytes(hash)))?
            {
                return Ok(height);
            }
            last = Some(key);
        }
        Ok(self.last_height()?.unwrap_or(0) + 1)
    }

    fn next_entry(&self, table: Table, after: Option<&[u8]>) -> Result<Entries, StoreError> {
        let keys = after.map_or(ALL_KEYS, |key| (Bound::Excluded(key), Bound::Unbounded));
        self.store.scan(table, keys, Order::Ascending, 1)
    }

    /// Deletes the states above `height`, and lowers the recorded pruning height to `height` if it is higher.
    fn cut_states(&mut self, height: u64) -> Result<(), StoreError> {
        let mut states = self.heights(MetaKey::States)?.unwrap_or_default();
        let kept = states.partition_point(|at| *at <= height);
        let gone = states.split_off(kept);
        if !gone.is_empty() {
            for at in gone {
                self.delete_state(at);
            }
            self.put_meta(MetaKey::States, heights_to_bytes(&states));
        }
        if self.heights(MetaKey::Pruned)?.is_some_and(|pruned| pruned.first() > Some(&height)) {
            self.put_meta(MetaKey::Pruned, heights_to_bytes(&[height]));
        }
        self.commit()
    }

    /// Deletes all side branches with their bodies, except bodies of branches with damaged rows.
    fn cut_branches(&mut self) -> Result<(), StoreError> {
        for branches in self.branches()?.chunks(CUT_AT_ONCE) {
            let mut batch = Batch::new();
            for (hash, row) in branches {
                if let Some(row) = row {
                    batch.delete(Table::Blocks, block_key(row.header.height, hash));
                }
                batch.delete(Table::Branches, *hash.as_bytes());
            }
            self.store.commit(&batch)?;
        }
        Ok(())
    }

    /// Deletes the blocks under these keys, and their entries in the index by hash.
    fn clear_blocks(&mut self, keys: Keys<'_>) -> Result<(), StoreError> {
        loop {
            let mut batch = Batch::new();
            for (key, _) in self.store.scan(Table::Blocks, keys, Order::Ascending, CUT_AT_ONCE)? {
                batch.delete(Table::Heights, &key[8.min(key.len())..]);
                batch.delete(Table::Blocks, key);
            }
            if batch.is_empty() {
                return Ok(());
            }
            self.store.commit(&batch)?;
        }
    }
}

/// Separates damage, which a repair handles, from a failing store: the outer error is the failure, the inner
/// one the damage.
fn damage_of<R>(result: Result<R, StoreError>) -> Result<Result<R, StoreError>, StoreError> {
    match result {
        Err(error) if error.is_damage() => Ok(Err(error)),
        Err(error) => Err(error),
        Ok(value) => Ok(Ok(value)),
    }
}
