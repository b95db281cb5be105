//! L2: pending transactions in order of arrival. When they become pending, all of them apply in this order on
//! top of the tip. A template takes them by priority, or in order of arrival if they have none, skips those that its own
//! miner or timestamp makes inapplicable, and ends at the first that does not fit. Has no clock and does no I/O.

mod config;
mod error;
mod order;
mod recent;
mod removal;
mod shares;
mod source;
mod trial;
mod worth;

use std::collections::{BTreeMap, BTreeSet};

use crate::chain::{Blockchain, Imported};
use crate::consensus::RuleError;
use crate::miner::Template;
use crate::primitives::application::{self, ApplyError};
use crate::primitives::{Address, Block, Hash, Header, PublicKey, Timestamp, Transaction, merkle};

pub use config::MempoolConfig;
pub use error::MempoolError;
pub(crate) use recent::RecentSet;
pub use removal::RemovalReason;
use shares::{Amount, Origin, Shares};
pub use source::Source;
use trial::Trial;
use worth::Worths;

/// Pending transactions, mined by [priority](Transaction::priority), or in order of arrival if they have none.
///
/// A pending transaction is never replaced by another one: of two that exclude each other, such as two with one
/// sequence number, the first that arrives stays, whatever their priorities are.
#[derive(Clone, Debug)]
pub struct Mempool<T: Transaction = String> {
    config: MempoolConfig,
    /// By order of arrival.
    queue: BTreeMap<u64, Pending<T>>,
    places: BTreeMap<Hash, u64>,
    next_place: u64,
    bytes: usize,
    /// The state after the tip and all pending transactions.
    state: T::State,
    mined: RecentSet,
    /// Ids of removed transactions, which are refused from peers.
    removed: RecentSet,
    /// The transactions that the last change removed, neither mined nor removed on request, in order of
    /// arrival.
    lost: Vec<(Hash, RemovalReason)>,
    shares: Shares,
    worths: Worths,
    /// Whether eviction failed because it would have removed a transaction that this node submitted. The
    /// mempool does not try again until the chain changes or a transaction is removed, because each try
    /// applies all transactions.
    is_stuck: bool,
}

#[derive(Clone, Debug)]
struct Pending<T> {
    id: Hash,
    /// The size in canonical bytes.
    size: usize,
    /// The size in bytes of memory.
    memory: usize,
    origin: Origin,
    priority: u64,
    sender: Option<PublicKey>,
    /// As [`Worths`] defines it, once the transaction is in the queue.
    worth: u64,
    transaction: T,
}

impl<T: Transaction> Pending<T> {
    /// The fixed memory cost of a pending transaction, without its heap: its entries in the queue, the index
    /// of places and the share of its source, times two, since the nodes of a B-tree may be half empty, and in the index
    /// by worth.
    const FIXED_SIZE: usize = 2
        * (size_of::<(u64, Self)>() + size_of::<(Hash, u64)>() + size_of::<(u64, usize)>())
        + Worths::FIXED_SIZE;

    fn new(id: Hash, size: usize, origin: Origin, transaction: T) -> Self {
        let memory = Self::FIXED_SIZE.saturating_add(application::heap_size(&transaction, size));
        let (priority, sender) = application::rank(&transaction);
        Self { id, size, memory, origin, priority, sender, worth: priority, transaction }
    }
}

/// The number of ids of removed transactions that are remembered.
const MAX_REMOVED_IDS: usize = 10_000;

impl<T: Transaction> Mempool<T> {
    /// An empty mempool on top of `chain`.
    pub fn new(chain: &Blockchain<T>, config: MempoolConfig) -> Self {
        Self {
            mined: RecentSet::new(config.max_mined_ids),
            removed: RecentSet::new(MAX_REMOVED_IDS),
            lost: Vec::new(),
            config,
            queue: BTreeMap::new(),
            places: BTreeMap::new(),
            next_place: 0,
            bytes: 0,
            state: chain.state().clone(),
            shares: Shares::default(),
            worths: Worths::default(),
            is_stuck: false,
        }
    }

    /// Adds a transaction behind all pending ones, and returns its id.
    ///
    /// In a full mempool, the transaction evicts those that are worth less, the least first: a transaction is worth its
    /// [priority](Transaction::priority), but no more than those of its [sender](Transaction::sender) before it. If
    /// that is not enough, and the transaction is from a source that holds less than a fair share (the limits divided
    /// by the number of sources), it evicts the youngest transactions that are not worth more of the source that holds
    /// most. All that depend on evicted transactions are evicted, too. They may be submitted again. Transactions of
    /// [`Source::Local`] are not evicted.
    ///
    /// # Errors
    ///
    /// [`MempoolError`]; the transaction is not added then. If it fails because it depends on a transaction
    /// that was evicted for it, the evictions stay in effect.
    pub fn submit(
        &mut self,
        transaction: T,
        source: Source<'_>,
        chain: &Blockchain<T>,
        now: Timestamp,
    ) -> Result<Hash, MempoolError> {
        self.lost.clear();
        let mut bytes = Vec::new();
        application::encode(&transaction, &mut bytes)?;
        let (id, size) = (merkle::leaf_hash(&bytes), bytes.len());
        let limit = chain.spec().max_block_bytes() - Header::LEN;
        if size > limit {
            return Err(MempoolError::TooLarge { got: size, limit });
        }
        if self.contains(&id) {
            return Err(MempoolError::AlreadyPending { id });
        }
        if self.was_mined(&id) {
            return Err(MempoolError::AlreadyMined { id });
        }
        if self.removed.contains(&id) {
            if matches!(source, Source::Peer { .. }) {
                return Err(MempoolError::Removed { id });
            }
            self.removed.remove(&id);
        }
        let pending = Pending::new(id, size, Origin::from(source), transaction);
        let evicted = self.room_for(&pending).ok_or_else(|| self.full())?;
        application::check_serde_form(&pending.transaction)?;
        application::check(&pending.transaction, chain.genesis().hash()).map_err(MempoolError::of_check)?;
        let header = chain.next_header(Address::ZERO, Hash::ZERO, now);
        let mut state = self.state.clone();
        application::apply(&pending.transaction, &mut state, &header.context(chain.genesis().hash()))?;
        if !evicted.is_empty() {
            let Some(taken) = self.take_out(&evicted, true, chain, now) else {
                self.is_stuck = true;
                return Err(self.full());
            };
            let reason = |place| {
                if evicted.contains(&place) { RemovalReason::Evicted } else { RemovalReason::Dependent }
            };
            self.lost = taken.into_iter().map(|(place, id)| (id, reason(place))).collect();
            state = self.state.clone();
            application::apply(&pending.transaction, &mut state, &header.context(chain.genesis().hash()))?;
        }
        self.state = state;
        self.push(pending);
        Ok(id)
    }

    /// Updates the mempool after an import: removes mined transactions, adds those of disconnected blocks
    /// again, and removes those that do not apply on top of the tip.
    pub fn update(&mut self, imported: &Imported<T>, chain: &Blockchain<T>, now: Timestamp) {
        let Imported { disconnected, connected, .. } = imported;
        if disconnected.is_empty() && connected.is_empty() {
            return;
        }
        self.lost.clear();
        let mut candidates: Vec<Pending<T>> = Vec::new();
        for (id, size, transaction) in disconnected.iter().rev().flat_map(|block| measured(block)) {
            if !self.removed.contains(&id) {
                candidates.push(Pending::new(id, size, Origin::Unknown, transaction.clone()));
            }
        }
        for pending in &candidates {
            self.mined.remove(&pending.id);
        }
        candidates.extend(self.take_queue().into_values());
        self.is_stuck = false;
        let mut taken = BTreeSet::new();
        for block in connected {
            for id in &*block.ids() {
                self.mined.insert(*id);
                if !candidates.is_empty() {
                    taken.insert(*id);
                }
            }
        }
        candidates.retain(|pending| taken.insert(pending.id));
        let beyond = candidates.split_off(self.fitting(&candidates));
        let header = chain.next_header(Address::ZERO, Hash::ZERO, now);
        let mut trial = Trial::new(chain.state().clone(), header.context(chain.genesis().hash()));
        let applied: Vec<Result<(), ApplyError>> =
            candidates.iter().map(|pending| trial.apply(&pending.transaction)).collect();
        self.state = trial.into_state();
        for (pending, applied) in candidates.into_iter().zip(applied) {
            match applied {
                Ok(()) => self.push(pending),
                Err(error) => self.lost.push((pending.id, RemovalReason::Inapplicable(error.into()))),
            }
        }
        self.lost.extend(beyond.into_iter().map(|pending| (pending.id, RemovalReason::Evicted)));
    }

    /// The transactions that the last call of [`submit`](Self::submit) or [`update`](Self::update)
    /// removed although they were not mined, and those of disconnected blocks that
    /// did not become pending again. At most as many as were pending and in the disconnected blocks.
    pub(crate) fn take_lost(&mut self) -> Vec<(Hash, RemovalReason)> {
        core::mem::take(&mut self.lost)
    }

    /// The template of the next block, with the pending transactions up to the first that does not fit: those with the
    /// highest [priority](Transaction::priority) first, and each [sender](Transaction::sender)'s in order of arrival. Skips transactions that do not apply with this `miner` and `now`.
    ///
    /// # Errors
    ///
    /// [`RuleError::TimestampTooLate`] if the chain's next timestamp is too far ahead of `now`; another
    /// [`RuleError`] if the application's code is not deterministic or panics.
    pub fn template(
        &self,
        chain: &Blockchain<T>,
        miner: Address,
        now: Timestamp,
    ) -> Result<Template<T>, RuleError> {
        self.template_of(usize::MAX, chain, miner, now)
    }

    /// [`template`](Self::template) of the first `count` pending transactions.
    pub(crate) fn template_of(
        &self,
        count: usize,
        chain: &Blockchain<T>,
        miner: Address,
        now: Timestamp,
    ) -> Result<Template<T>, RuleError> {
        let header = chain.next_header(miner, Hash::ZERO, now);
        let mut trial = Trial::new(chain.state().clone(), header.context(chain.genesis().hash()));
        let mut room = chain.spec().max_block_bytes() - Header::LEN;
        let mut data = Vec::new();
        let arrived: Vec<&Pending<T>> = self.queue.values().take(count).collect();
        let order = order::by_priority(arrived.iter().map(|pending| (pending.priority, pending.sender)));
        let is_reordered = order.is_some();
        let mut tried: Vec<usize> = order.unwrap_or_else(|| (0..arrived.len()).collect());
        let mut skipped = BTreeSet::new();
        // A transaction may depend on one of another sender with a lower priority. Those that do not apply are tried a second
        // time, in order of arrival, in which they all applied once.
        for is_last in [!is_reordered, true] {
            for place in core::mem::take(&mut tried) {
                let pending = arrived[place];
                if pending.size > room || data.len() == chain.spec().max_block_transactions() {
                    break;
                }
                if trial.apply(&pending.transaction).is_ok() {
                    room -= pending.size;
                    data.push(pending.transaction.clone());
                } else if !is_last {
                    skipped.insert(place);
                }
            }
            tried.extend(core::mem::take(&mut skipped));
        }
        chain.template_for(miner, data, now)
    }

    /// Removes a pending transaction and all that do not apply without it. Returns their ids in order of
    /// arrival, with `id` first, or no ids if the transaction is not pending. The mempool refuses `id` from
    /// peers while it is among the last 10,000 removed ones; the application can submit the transaction
    /// again.
    pub fn remove(&mut self, id: &Hash, chain: &Blockchain<T>, now: Timestamp) -> Vec<Hash> {
        self.remove_all(&BTreeSet::from([*id]), chain, now)
    }

    /// [`remove`](Self::remove) for several at once; returns their ids in the order of their arrival.
    pub(crate) fn remove_all(
        &mut self,
        ids: &BTreeSet<Hash>,
        chain: &Blockchain<T>,
        now: Timestamp,
    ) -> Vec<Hash> {
        let places: BTreeSet<u64> = ids.iter().filter_map(|id| self.places.get(id).copied()).collect();
        if places.is_empty() {
            return Vec::new();
        }
        for id in ids.iter().filter(|id| self.places.contains_key(id)) {
            self.removed.insert(*id);
        }
        self.is_stuck = false;
        let taken = self.take_out(&places, false, chain, now).unwrap_or_default();
        taken.into_iter().map(|(_, id)| id).collect()
    }

    /// Refuses this transaction from peers.
    pub(crate) fn refuse(&mut self, id: Hash) {
        self.removed.insert(id);
    }

    /// Whether to request this transaction from a peer: it is not pending, and was neither mined nor removed
    /// recently.
    pub(crate) fn wants(&self, id: &Hash) -> bool {
        !self.contains(id) && !self.was_mined(id) && !self.removed.contains(id)
    }

    /// The number of pending transactions.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The bytes of memory of all pending transactions, as [`MempoolConfig::max_bytes`] counts them.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether this transaction is pending.
    pub fn contains(&self, id: &Hash) -> bool {
        self.places.contains_key(id)
    }

    /// Whether this transaction is among the last mined ones.
    pub fn was_mined(&self, id: &Hash) -> bool {
        self.mined.contains(id)
    }

    /// The pending transaction with this id.
    pub fn transaction(&self, id: &Hash) -> Option<&T> {
        self.queue.get(self.places.get(id)?).map(|pending| &pending.transaction)
    }

    /// The pending transactions with their ids, in order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = (&Hash, &T)> {
        self.queue.values().map(|pending| (&pending.id, &pending.transaction))
    }

    /// Records transactions that were mined before this mempool was created.
    pub(crate) fn remember_mined(&mut self, ids: impl IntoIterator<Item = Hash>) {
        for id in ids {
            self.mined.insert(id);
        }
    }

    /// The canonical size in bytes of a pending transaction.
    pub(crate) fn size_of(&self, id: &Hash) -> Option<usize> {
        self.queue.get(self.places.get(id)?).map(|pending| pending.size)
    }

    /// How many of the candidates, from the first on, are within the limits.
    fn fitting(&self, candidates: &[Pending<T>]) -> usize {
        let mut bytes = 0;
        let within = |pending: &&Pending<T>| {
            bytes += pending.memory;
            bytes <= self.config.max_bytes
        };
        candidates.iter().take(self.config.max_transactions).take_while(within).count()
    }

    /// Removes the transactions at these places and all that do not apply without them, and returns their
    /// places and ids. If `spares_own` is set and this would remove a dependent transaction that this node
    /// submitted, nothing changes and the result is `None`.
    fn take_out(
        &mut self,
        places: &BTreeSet<u64>,
        spares_own: bool,
        chain: &Blockchain<T>,
        now: Timestamp,
    ) -> Option<Vec<(u64, Hash)>> {
        let header = chain.next_header(Address::ZERO, Hash::ZERO, now);
        let mut trial = Trial::new(chain.state().clone(), header.context(chain.genesis().hash()));
        let mut kept = BTreeSet::new();
        for (place, pending) in self.queue.iter().filter(|(place, _)| !places.contains(place)) {
            if trial.apply(&pending.transaction).is_ok() {
                kept.insert(*place);
            } else if spares_own && pending.origin == Origin::Own {
                return None;
            }
        }
        self.state = trial.into_state();
        let mut taken = Vec::new();
        for (place, pending) in self.take_queue() {
            if kept.contains(&place) {
                self.push(pending);
            } else {
                taken.push((place, pending.id));
            }
        }
        Some(taken)
    }

    /// The places to evict for a transaction that arrives; `None` if nothing may be evicted for it.
    fn room_for(&self, pending: &Pending<T>) -> Option<BTreeSet<u64>> {
        if self.amount().one_more(pending.memory).fits(&self.config) {
            return Some(BTreeSet::new());
        }
        if self.is_stuck {
            return None;
        }
        let worth = self.worths.of(pending.priority, pending.sender.as_ref());
        let spare = shares::without_spare(&self.config);
        let mut used = self.amount();
        let mut cheapest = BTreeSet::new();
        let cheaper = self.worths.below(worth).filter_map(|place| Some((place, self.queue.get(&place)?)));
        for (place, other) in cheaper.filter(|(_, other)| other.origin != Origin::Own) {
            if used.one_more(pending.memory).fits(&spare) {
                break;
            }
            used = used.one_less(other.memory);
            cheapest.insert(place);
        }
        if used.one_more(pending.memory).fits(&self.config) {
            return Some(cheapest);
        }
        let is_worth_more = |place| self.queue.get(&place).is_some_and(|other| other.worth > worth);
        self.shares.make_room(&pending.origin, pending.memory, self.amount(), &self.config, is_worth_more)
    }

    fn amount(&self) -> Amount {
        Amount { transactions: self.queue.len(), bytes: self.bytes }
    }

    fn full(&self) -> MempoolError {
        MempoolError::Full { transactions: self.queue.len(), bytes: self.bytes }
    }

    /// Empties the queue and returns it.
    fn take_queue(&mut self) -> BTreeMap<u64, Pending<T>> {
        self.places.clear();
        self.shares.clear();
        self.worths.clear();
        self.bytes = 0;
        core::mem::take(&mut self.queue)
    }

    fn push(&mut self, mut pending: Pending<T>) {
        pending.worth = self.worths.of(pending.priority, pending.sender.as_ref());
        self.worths.add(pending.worth, pending.sender, self.next_place);
        self.shares.add(&pending.origin, self.next_place, pending.memory);
        self.bytes += pending.memory;
        self.places.insert(pending.id, self.next_place);
        self.queue.insert(self.next_place, pending);
        self.next_place += 1;
    }
}

/// The transactions of a block with their ids and canonical sizes. Skips transactions that cannot be encoded;
/// an imported block has none.
fn measured<T: Transaction>(block: &Block<T>) -> impl Iterator<Item = (Hash, usize, &T)> {
    let mut bytes = Vec::new();
    block.data().iter().filter_map(move |transaction| {
        bytes.clear();
        application::encode(transaction, &mut bytes).ok()?;
        Some((merkle::leaf_hash(&bytes), bytes.len(), transaction))
    })
}

#[cfg(test)]
mod tests;
