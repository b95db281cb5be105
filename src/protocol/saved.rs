//! The data that a node stores besides the chain: pending transactions, the addresses at which peers were
//! reached, the address book of discovery, and bans. Changes are written after a short delay and not at once,
//! so a crash may lose the last moment.

mod rows;

use core::ops::Bound;
use std::collections::{BTreeMap, BTreeSet};

use super::address::PeerAddr;
use super::config::ProtocolConfig;
use super::connections::Connections;
use super::discovery::Discovery;
use super::limits;
use super::local::Local;
use super::outbox::Outbox;
use crate::mempool::{RemovalReason, Source};
use crate::primitives::{Hash, Timestamp, Transaction};
use crate::store::{ALL_KEYS, Batch, Keys, Order, StoreError, Table, seal, unseal};
use rows::Rows;

/// What the store contains besides the chain.
#[derive(Clone, Debug, Default)]
pub(super) struct Saved {
    /// The stored transactions, with the numbers that give the order in which they are restored.
    transactions: BTreeMap<Hash, u64>,
    /// The number for the next transaction, above all numbers written so far.
    next: u64,
    /// The tip when transactions were last written.
    tip: Option<Hash>,
    /// The stored rows of discovery and of bans.
    rows: Rows,
    /// The stored addresses that the node keeps a connection to.
    peers: BTreeSet<PeerAddr>,
    /// The keys of damaged rows among these addresses, to be deleted.
    damaged_peers: Vec<Vec<u8>>,
}

/// The key of the row with the height and the hash of the tip when transactions were last written. Cannot
/// equal an id, which has 32 bytes.
const FOLLOWED_KEY: &[u8] = b"followed";

/// The range of keys of the kept addresses, which are printable text.
const KEPT_KEYS: Keys<'static> = (Bound::Included(b"!"), Bound::Unbounded);

/// Maximum blocks that a start searches: for stored transactions that were mined since, and for the ids of
/// recently mined ones.
const MAX_SEARCHED_BLOCKS: u64 = 10_000;

/// If the recorded tip is no longer on the best chain, the search starts this many blocks below it.
const REORG_SEARCH_DEPTH: u64 = 100;

/// Maximum canonical bytes of blocks that are read only to collect the ids of recently mined transactions.
const MAX_SEARCHED_BYTES: usize = 64 << 20;

impl Saved {
    /// Returns the stored addresses at which peers were reached.
    pub(super) fn load_peers<T: Transaction>(
        &mut self,
        local: &Local<T>,
    ) -> Result<Vec<PeerAddr>, StoreError> {
        let entries =
            local.chain.store().scan(Table::Peers, KEPT_KEYS, Order::Ascending, limits::MAX_OUTBOUND)?;
        let mut peers: Vec<PeerAddr> = Vec::new();
        for (key, value) in entries {
            let is_whole = unseal(Table::Peers, &key, &value).is_some();
            match str::from_utf8(&key).ok().and_then(|text| text.parse().ok()) {
                Some(peer) if is_whole => peers.push(peer),
                _ => self.damaged_peers.push(key),
            }
        }
        self.peers.extend(peers.iter().cloned());
        Ok(peers)
    }

    /// Schedules a write if the store has rows of an earlier run that are obsolete, to delete them.
    pub(super) fn plan_to_drop_stale<T: Transaction>(
        &self,
        local: &mut Local<T>,
        connections: &Connections,
        discovery: &Discovery,
    ) {
        let is_pending = |id: &Hash| local.mempool.contains(id);
        let rows = rows::current(connections, discovery);
        let is_stale =
            !self.transactions.keys().all(is_pending) || self.rows.keys().any(|key| !rows.contains_key(key));
        if is_stale {
            local.plan_to_save_at_once();
        }
    }

    /// Writes what has changed since the last write.
    pub(super) fn save<T: Transaction>(
        &mut self,
        local: &mut Local<T>,
        connections: &Connections,
        discovery: &Discovery,
    ) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        let pending: BTreeSet<Hash> = local.mempool.iter().map(|(id, _)| *id).collect();
        for id in self.transactions.keys().filter(|id| !pending.contains(id)) {
            batch.delete(Table::Mempool, *id.as_bytes());
        }
        let mut next = self.next;
        let mut saved = BTreeMap::new();
        let mut last = None;
        for (id, transaction) in local.mempool.iter() {
            // A transaction that a reorganisation returned may precede ones that were written earlier; those
            // get new numbers.
            let number = self.transactions.get(id).copied().filter(|number| Some(*number) > last);
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
        let tip = *local.chain.tip().hash();
        if !batch.is_empty() || (self.tip != Some(tip) && !pending.is_empty()) {
            let followed = [&local.chain.height().to_be_bytes()[..], tip.as_bytes()].concat();
            batch.put(Table::Mempool, FOLLOWED_KEY, seal(Table::Mempool, FOLLOWED_KEY, followed));
        }
        let peers: BTreeSet<PeerAddr> = connections.reached_addresses().collect();
        for peer in peers.difference(&self.peers) {
            let key = peer.as_str().as_bytes();
            batch.put(Table::Peers, key, seal(Table::Peers, key, Vec::new()));
        }
        for peer in self.peers.iter().filter(|peer| !connections.keeps(peer)) {
            batch.delete(Table::Peers, peer.as_str().as_bytes());
        }
        for key in core::mem::take(&mut self.damaged_peers) {
            batch.delete(Table::Peers, key);
        }
        let rows = rows::current(connections, discovery);
        rows::update(&self.rows, &rows, &mut batch);
        if !batch.is_empty() {
            local.chain.commit_aside(&batch)?;
        }
        self.transactions = saved;
        self.next = next;
        self.tip = Some(tip);
        self.rows = rows;
        self.peers.retain(|peer| connections.keeps(peer));
        self.peers.extend(peers);
        Ok(())
    }

    /// Restores the bans and the address book of an earlier run.
    pub(super) fn load_known<T: Transaction>(
        &mut self,
        local: &Local<T>,
        config: &ProtocolConfig,
        connections: &mut Connections,
        discovery: &mut Discovery,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        rows::restore_bans(&mut self.rows, local, connections, now)?;
        if config.discovery {
            rows::restore_addresses(&mut self.rows, local, config, discovery, now)?;
        }
        Ok(())
    }

    /// Restores the stored transactions in their order, without those that were mined meanwhile or do not
    /// apply any more. Drops a damaged transaction, which can be submitted again. Reports dropped
    /// transactions in an [`Event::TransactionsRemoved`](super::Event::TransactionsRemoved).
    pub(super) fn load_mempool<T: Transaction>(
        &mut self,
        local: &mut Local<T>,
        config: &ProtocolConfig,
        outbox: &mut Outbox<T>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let stored = self.read_transactions(local)?;
        let mined = self.mined_since(stored.followed, local, config)?;
        stored.restore(&mined, local, outbox, now);
        Ok(())
    }

    /// Reads the rows of the stored transactions.
    fn read_transactions<T: Transaction>(&mut self, local: &Local<T>) -> Result<Stored<T>, StoreError> {
        let mut stored = Stored { followed: None, transactions: BTreeMap::new(), unreadable: Vec::new() };
        // As many as the mempool held when they were written; those above the present limits are deleted.
        let entries = local.chain.store().scan(Table::Mempool, ALL_KEYS, Order::Ascending, usize::MAX)?;
        for (key, value) in &entries {
            let row = unseal(Table::Mempool, key, value).and_then(<[u8]>::split_first_chunk);
            let row = row.map(|(number, bytes)| (u64::from_be_bytes(*number), bytes));
            if key == FOLLOWED_KEY {
                stored.followed =
                    row.and_then(|(height, hash)| Some((height, Hash::from_bytes(hash.try_into().ok()?))));
                continue;
            }
            let Ok(id) = <[u8; 32]>::try_from(key.as_slice()).map(Hash::from_bytes) else { continue };
            self.transactions.insert(id, 0);
            match row.and_then(|(number, bytes)| Some((number, postcard::from_bytes(bytes).ok()?))) {
                Some((number, transaction)) => {
                    stored.transactions.insert(number, (id, transaction));
                }
                None => stored.unreadable.push(id),
            }
        }
        self.transactions.extend(stored.transactions.iter().map(|(number, (id, _))| (*id, *number)));
        self.next = stored.transactions.last_key_value().map_or(0, |(number, _)| number + 1);
        Ok(stored)
    }

    /// Returns the ids of the stored transactions that were mined since they were written, when `followed`
    /// was the tip. Also gives the mempool the most recently mined ids: as many as a node that was not
    /// restarted remembers, so that both refuse the same transactions.
    fn mined_since<T: Transaction>(
        &self,
        followed: Option<(u64, Hash)>,
        local: &mut Local<T>,
        config: &ProtocolConfig,
    ) -> Result<BTreeSet<Hash>, StoreError> {
        let tip = local.chain.height();
        // If that block has left the best chain, transactions may have been mined since a block below it.
        let since = match followed {
            Some((height, hash)) if local.chain.is_best(&hash)? => height + 1,
            Some((height, _)) => height.saturating_sub(REORG_SEARCH_DEPTH),
            None => 0,
        };
        let since = since.max(tip.saturating_sub(MAX_SEARCHED_BLOCKS));
        let since = if self.transactions.is_empty() { tip + 1 } else { since };
        let mut mined = BTreeSet::new();
        // From the tip down.
        let mut remembered: Vec<Hash> = Vec::new();
        let (max_ids, mut bytes) = (config.mempool.max_mined_ids, 0);
        let lowest = tip.saturating_sub(MAX_SEARCHED_BLOCKS).max(1);
        for height in (lowest..=tip).rev() {
            let is_remembered = remembered.len() < max_ids && bytes < MAX_SEARCHED_BYTES;
            if height < since && !is_remembered {
                break;
            }
            // An unreadable block is reported when it is needed.
            let block = local.chain.block_at(height).ok().flatten();
            let Some(digest) = block.and_then(|block| block.digest().ok()) else { continue };
            if height >= since {
                let pending = |id: &&Hash| self.transactions.contains_key(*id);
                mined.extend(digest.ids.iter().filter(pending).copied());
            }
            if is_remembered {
                bytes += digest.size;
                remembered.extend(digest.ids.into_iter().rev().take(max_ids - remembered.len()));
            }
        }
        local.mempool.remember_mined(remembered.into_iter().rev());
        Ok(mined)
    }
}

/// The stored transactions of an earlier run.
struct Stored<T> {
    /// The height and the hash of the tip when they were written.
    followed: Option<(u64, Hash)>,
    /// The readable transactions with their ids, by the number that gives their order.
    transactions: BTreeMap<u64, (Hash, T)>,
    /// The ids of the damaged ones.
    unreadable: Vec<Hash>,
}

impl<T: Transaction> Stored<T> {
    /// Submits the transactions that were not `mined` to the mempool, and reports those that are lost.
    fn restore(self, mined: &BTreeSet<Hash>, local: &mut Local<T>, outbox: &mut Outbox<T>, now: Timestamp) {
        let mut removed: Vec<(Hash, RemovalReason)> =
            self.unreadable.into_iter().map(|id| (id, RemovalReason::Unreadable)).collect();
        for (id, transaction) in self.transactions.into_values() {
            if mined.contains(&id) {
                continue;
            }
            // Transactions that do not apply any more are dropped, as in a running node.
            let restored = local.mempool.submit(transaction, Source::Store, &local.chain, now);
            removed.extend(local.mempool.take_lost());
            if let Err(error) = restored {
                removed.push((id, RemovalReason::NotRestored(error)));
            }
        }
        removed.retain(|(id, _)| !mined.contains(id) && !local.mempool.was_mined(id));
        local.report_removed(removed, outbox);
    }
}
