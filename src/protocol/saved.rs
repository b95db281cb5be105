//! The data that a node stores besides the chain: pending transactions, the addresses at which peers were
//! reached, the address book of discovery, and bans. Changes are written after a short delay and not at once,
//! so a crash may lose the last moment.

use core::ops::Bound;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use super::discovery::{Rows, update};
use super::now::Now;
use super::{PeerAddr, Protocol, limits};
use crate::mempool::{RemovalReason, Source};
use crate::primitives::{Hash, Timestamp, Transaction};
use crate::store::{ALL_KEYS, Batch, Keys, Order, StoreError, Table, seal, unseal};

/// What the store contains, and when it is written next.
#[derive(Clone, Debug, Default)]
pub(super) struct Saved {
    /// The stored transactions, with the numbers that give the order in which they are restored.
    transactions: BTreeMap<Hash, u64>,
    /// The number for the next transaction, above all numbers written so far.
    next: u64,
    /// The tip when transactions were last written.
    tip: Option<Hash>,
    /// The stored rows of discovery and of bans.
    pub(super) rows: Rows,
    /// The stored addresses that the node keeps a connection to.
    peers: BTreeSet<PeerAddr>,
    /// The keys of damaged rows among these addresses, to be deleted.
    damaged_peers: Vec<Vec<u8>>,
    due: Option<Duration>,
}

/// The key of the row with the height and the hash of the tip when transactions were last written. Cannot
/// equal an id, which has 32 bytes.
const FOLLOWED_KEY: &[u8] = b"followed";

/// The range of keys of the kept addresses, which are printable text.
const KEPT_KEYS: Keys<'static> = (Bound::Included(b"!"), Bound::Unbounded);

/// Maximum blocks that are searched for transactions that were mined after they were last written.
const MAX_BLOCKS_LOOKED_THROUGH: u64 = 10_000;

/// If the recorded tip is no longer on the best chain, the search starts this many blocks below it.
const MAX_REORG_LOOKED_THROUGH: u64 = 100;

/// Maximum canonical bytes of blocks that are read only to collect the ids of recently mined transactions.
const MAX_BYTES_LOOKED_THROUGH: usize = 64 << 20;

impl Saved {
    pub(super) const fn deadline(&self) -> Option<Duration> {
        self.due
    }
}

impl<T: Transaction> Protocol<T> {
    /// Returns the stored addresses at which peers were reached.
    ///
    /// # Errors
    ///
    /// [`StoreError`], if the store fails.
    pub fn remembered_peers(&mut self) -> Result<Vec<PeerAddr>, StoreError> {
        let entries =
            self.chain.store().scan(Table::Peers, KEPT_KEYS, Order::Ascending, limits::MAX_OUTBOUND)?;
        let mut peers: Vec<PeerAddr> = Vec::new();
        for (key, value) in entries {
            let is_whole = unseal(Table::Peers, &key, &value).is_some();
            match str::from_utf8(&key).ok().and_then(|text| text.parse().ok()) {
                Some(peer) if is_whole => peers.push(peer),
                _ => self.saved.damaged_peers.push(key),
            }
        }
        self.saved.peers.extend(peers.iter().cloned());
        Ok(peers)
    }

    /// Schedules a write if the store has rows of an earlier run that are obsolete, to delete them.
    pub(super) fn plan_to_drop_stale(&mut self) {
        let is_pending = |id: &Hash| self.mempool.contains(id);
        let rows = self.peer_rows();
        let is_stale = !self.saved.transactions.keys().all(is_pending)
            || self.saved.rows.keys().any(|key| !rows.contains_key(key));
        if is_stale {
            self.saved.due = Some(Duration::ZERO);
        }
    }

    /// Schedules a write of the latest changes.
    pub(super) fn plan_to_save(&mut self, now: Now) {
        self.saved.due.get_or_insert(now.elapsed + limits::SAVE_INTERVAL);
    }

    pub(super) fn save_if_due(&mut self, now: Now) {
        if self.saved.due.is_none_or(|due| due > now.elapsed) {
            return;
        }
        self.saved.due = None;
        if self.is_halted() {
            self.plan_to_save(now);
        } else if let Err(error) = self.save() {
            self.halt(error, now);
            self.plan_to_save(now);
        }
    }

    /// Writes all unsaved data for a clean shutdown. Data that cannot be written is lost, as in a crash.
    pub(super) fn save_at_last(&mut self) {
        if let Err(error) = self.save().and_then(|()| self.chain.checkpoint()) {
            self.read_failed(error);
        }
    }

    fn save(&mut self) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        let pending: BTreeSet<Hash> = self.mempool.iter().map(|(id, _)| *id).collect();
        for id in self.saved.transactions.keys().filter(|id| !pending.contains(id)) {
            batch.delete(Table::Mempool, *id.as_bytes());
        }
        let mut next = self.saved.next;
        let mut saved = BTreeMap::new();
        let mut last = None;
        for (id, transaction) in self.mempool.iter() {
            // A transaction that a reorganisation returned may precede ones that were written earlier; those
            // get new numbers.
            let number = self.saved.transactions.get(id).copied().filter(|number| Some(*number) > last);
            let number = number.unwrap_or(next);
            last = Some(number);
            if number == next {
                // A transaction without a postcard encoding could not be mined either, and is not stored.
                let Ok(bytes) = postcard::to_extend(transaction, next.to_be_bytes().to_vec()) else {
                    continue;
                };
                batch.put(Table::Mempool, *id.as_bytes(), seal(Table::Mempool, id.as_bytes(), bytes));
                next += 1;
            }
            saved.insert(*id, number);
        }
        let tip = *self.chain.tip().hash();
        if !batch.is_empty() || (self.saved.tip != Some(tip) && !pending.is_empty()) {
            let followed = [&self.chain.height().to_be_bytes()[..], tip.as_bytes()].concat();
            batch.put(Table::Mempool, FOLLOWED_KEY, seal(Table::Mempool, FOLLOWED_KEY, followed));
        }
        let peers: BTreeSet<PeerAddr> = self.reached_peers().collect();
        for peer in peers.difference(&self.saved.peers) {
            let key = peer.as_str().as_bytes();
            batch.put(Table::Peers, key, seal(Table::Peers, key, Vec::new()));
        }
        for peer in self.saved.peers.iter().filter(|peer| !self.dialer.keeps(peer)) {
            batch.delete(Table::Peers, peer.as_str().as_bytes());
        }
        for key in core::mem::take(&mut self.saved.damaged_peers) {
            batch.delete(Table::Peers, key);
        }
        let rows = self.peer_rows();
        update(&self.saved.rows, &rows, &mut batch);
        if !batch.is_empty() {
            self.chain.commit_aside(&batch)?;
        }
        self.saved.transactions = saved;
        self.saved.next = next;
        self.saved.tip = Some(tip);
        self.saved.rows = rows;
        self.saved.peers.retain(|peer| self.dialer.keeps(peer));
        self.saved.peers.extend(peers);
        Ok(())
    }

    /// Returns the kept addresses of the outbound peers that have completed the handshake.
    fn reached_peers(&self) -> impl Iterator<Item = PeerAddr> {
        let ready = self.peers.values().filter(|peer| peer.is_ready());
        ready.filter(|peer| self.dialer.keeps(&peer.address)).map(|peer| peer.address.clone())
    }

    /// Restores the stored transactions in their order, without those that were mined meanwhile or do not
    /// apply any more. Drops a damaged transaction, which can be submitted again. Reports dropped
    /// transactions in an [`Event::TransactionsRemoved`](super::Event::TransactionsRemoved).
    pub(super) fn load_mempool(&mut self, now: Timestamp) -> Result<(), StoreError> {
        // As many as the mempool held when they were written; those above the present limits are deleted.
        let entries = self.chain.store().scan(Table::Mempool, ALL_KEYS, Order::Ascending, usize::MAX)?;
        let mut followed = None;
        let mut transactions = BTreeMap::new();
        let mut removed = Vec::new();
        for (key, value) in &entries {
            let row = unseal(Table::Mempool, key, value).and_then(<[u8]>::split_first_chunk);
            let row = row.map(|(number, bytes)| (u64::from_be_bytes(*number), bytes));
            if key == FOLLOWED_KEY {
                followed =
                    row.and_then(|(height, hash)| Some((height, Hash::from_bytes(hash.try_into().ok()?))));
                continue;
            }
            let read = row.and_then(|(number, bytes)| Some((number, postcard::from_bytes::<T>(bytes).ok()?)));
            match (read, <[u8; 32]>::try_from(key.as_slice())) {
                (Some((number, transaction)), _) => {
                    transactions.insert(number, (key, transaction));
                }
                (None, Ok(id)) => removed.push((Hash::from_bytes(id), RemovalReason::Unreadable)),
                (None, Err(_)) => {}
            }
        }
        self.saved.next = transactions.last_key_value().map_or(0, |(number, _)| number + 1);
        self.saved.transactions = entries
            .iter()
            .filter_map(|(key, _)| Some((Hash::from_bytes(key.as_slice().try_into().ok()?), 0)))
            .collect();
        for (number, (key, _)) in &transactions {
            if let Ok(id) = <[u8; 32]>::try_from(key.as_slice()) {
                self.saved.transactions.insert(Hash::from_bytes(id), *number);
            }
        }
        let tip = self.chain.height();
        // If that block has left the best chain, transactions may have been mined since a block below it.
        let since = match followed {
            Some((height, hash)) if self.chain.is_best(&hash)? => height + 1,
            Some((height, _)) => height.saturating_sub(MAX_REORG_LOOKED_THROUGH),
            None => 0,
        };
        let since = since.max(tip.saturating_sub(MAX_BLOCKS_LOOKED_THROUGH));
        let since = if self.saved.transactions.is_empty() { tip + 1 } else { since };
        let mut mined = BTreeSet::new();
        // The most recently mined ids, from the tip down: as many as a node that was not restarted remembers,
        // so that both refuse the same transactions.
        let mut remembered: Vec<Hash> = Vec::new();
        let (max_ids, mut bytes) = (self.config.mempool.max_mined_ids, 0);
        let lowest = tip.saturating_sub(MAX_BLOCKS_LOOKED_THROUGH).max(1);
        for height in (lowest..=tip).rev() {
            let is_remembered = remembered.len() < max_ids && bytes < MAX_BYTES_LOOKED_THROUGH;
            if height < since && !is_remembered {
                break;
            }
            // An unreadable block is reported when it is needed.
            let block = self.chain.block_at(height).ok().flatten();
            let Some(digest) = block.and_then(|block| block.digest().ok()) else { continue };
            if height >= since {
                let pending = |id: &&Hash| self.saved.transactions.contains_key(*id);
                mined.extend(digest.ids.iter().filter(pending).copied());
            }
            if is_remembered {
                bytes += digest.size;
                remembered.extend(digest.ids.into_iter().rev().take(max_ids - remembered.len()));
            }
        }
        self.mempool.remember_mined(remembered.into_iter().rev());
        for (key, transaction) in transactions.into_values() {
            let Ok(id) = <[u8; 32]>::try_from(key.as_slice()).map(Hash::from_bytes) else { continue };
            if mined.contains(&id) {
                continue;
            }
            // Transactions that do not apply any more are dropped, as in a running node.
            let restored = self.mempool.submit(transaction, Source::Store, &self.chain, now);
            removed.extend(self.mempool.take_lost());
            if let Err(error) = restored {
                removed.push((id, RemovalReason::NotRestored(error)));
            }
        }
        removed.retain(|(id, _)| !mined.contains(id) && !self.mempool.was_mined(id));
        self.removed(removed);
        Ok(())
    }
}
