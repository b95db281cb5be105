//! The share of the mempool that each source holds, and which transactions to evict when the mempool is full.
//! Works on places and sizes, not on transactions.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::config::MempoolConfig;
use super::source::Source;

/// An eviction frees this part (1/64) of the limits, as far as it comes from sources above their fair share.
/// All transactions behind an evicted one have to be applied again, which must not happen for every new
/// transaction.
const SPARE_PART: usize = 64;

/// The source of a pending transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    Own,
    /// The transaction was pending before a restart, or returned from a disconnected block.
    Unknown,
    Host(Arc<str>),
}

impl From<Source<'_>> for Origin {
    fn from(source: Source<'_>) -> Self {
        match source {
            Source::Local => Self::Own,
            Source::Store => Self::Unknown,
            Source::Peer { host } => Self::Host(host.into()),
        }
    }
}

/// The pending transactions by source.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares {
    /// No share is empty, so there are no more shares than pending transactions.
    by_origin: BTreeMap<Origin, Share>,
}

#[derive(Clone, Debug, Default)]
struct Share {
    /// The size of each transaction by its place in the queue.
    sizes: BTreeMap<u64, usize>,
    bytes: usize,
}

/// A number of transactions and their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) transactions: usize,
    pub(super) bytes: usize,
}

impl Amount {
    pub(super) const fn one_more(self, size: usize) -> Self {
        Self { transactions: self.transactions + 1, bytes: self.bytes.saturating_add(size) }
    }

    pub(super) const fn one_less(self, size: usize) -> Self {
        Self { transactions: self.transactions - 1, bytes: self.bytes - size }
    }

    pub(super) const fn fits(self, config: &MempoolConfig) -> bool {
        self.transactions <= config.max_transactions && self.bytes <= config.max_bytes
    }

    /// The fraction of the limits that this amount is, by number or by bytes, whichever is larger; the full
    /// limits are [`whole`].
    fn part(self, config: &MempoolConfig) -> u128 {
        let by_number = self.transactions as u128 * config.max_bytes as u128;
        by_number.max(self.bytes as u128 * config.max_transactions as u128)
    }
}

/// The limits without the part that an eviction frees.
pub(super) fn without_spare(config: &MempoolConfig) -> MempoolConfig {
    MempoolConfig {
        max_transactions: config.max_transactions - config.max_transactions / SPARE_PART,
        max_bytes: config.max_bytes - config.max_bytes / SPARE_PART,
        ..*config
    }
}

fn whole(config: &MempoolConfig) -> u128 {
    config.max_transactions as u128 * config.max_bytes as u128
}

impl Shares {
    pub(super) fn add(&mut self, origin: &Origin, place: u64, size: usize) {
        let share = self.by_origin.entry(origin.clone()).or_default();
        share.sizes.insert(place, size);
        share.bytes += size;
    }

    pub(super) fn clear(&mut self) {
        self.by_origin.clear();
    }

    /// The places to evict for a transaction of `size` bytes from `origin`, if `used` is the amount of all
    /// pending ones; `None` if nothing may be evicted for it.
    ///
    /// If `origin` would hold at most a fair share, the limits divided by the number of sources, the source
    /// that holds most loses its youngest transactions while it holds more, but none that `is_spared`. Transactions that
    /// this node submitted are never evicted.
    pub(super) fn make_room(
        &self,
        origin: &Origin,
        size: usize,
        mut used: Amount,
        config: &MempoolConfig,
        is_spared: impl Fn(u64) -> bool,
    ) -> Option<BTreeSet<u64>> {
        let held = self.by_origin.get(origin).map_or(Amount { transactions: 0, bytes: 0 }, Share::amount);
        let wanted = held.one_more(size).part(config);
        let parties = self.by_origin.len() + usize::from(held.transactions == 0);
        let fair = whole(config) / parties as u128;
        if wanted > fair {
            return None;
        }
        let others = self.by_origin.iter().filter(|(other, _)| **other != Origin::Own && *other != origin);
        let mut others: Vec<_> =
            others.map(|(_, share)| (share.amount(), share.sizes.iter().rev())).collect();
        let spare = without_spare(config);
        let mut victims = BTreeSet::new();
        while !used.one_more(size).fits(&spare) {
            let largest = (0..others.len()).max_by_key(|at| (others[*at].0.part(config), Reverse(*at)));
            let is_needed = !used.one_more(size).fits(config);
            let floor = if is_needed { wanted } else { wanted.max(fair) };
            let Some(largest) = largest.filter(|at| others[*at].0.part(config) > floor) else {
                return (!is_needed).then_some(victims);
            };
            let (amount, youngest) = &mut others[largest];
            let Some((place, size)) = youngest.find(|(place, _)| !is_spared(**place)) else {
                let _ = others.remove(largest);
                continue;
            };
            *amount = amount.one_less(*size);
            used = used.one_less(*size);
            victims.insert(*place);
        }
        Some(victims)
    }
}

impl Share {
    fn amount(&self) -> Amount {
        Amount { transactions: self.sizes.len(), bytes: self.bytes }
    }
}
