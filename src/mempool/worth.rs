//! What pending transactions are worth to a miner, which decides what a full mempool evicts.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::primitives::PublicKey;

/// The pending transactions by worth.
///
/// A transaction is worth its [priority](crate::Transaction::priority), but no more than its
/// [sender](crate::Transaction::sender)'s pending transactions before it, without which it cannot be mined. No transaction
/// of a sender is worth more than an older one, so evicting what is worth least, and of equals the youngest, leaves no
/// gap between the others.
#[derive(Clone, Debug, Default)]
pub(super) struct Worths {
    /// The worth and the place of each transaction.
    places: BTreeSet<(u64, Reverse<u64>)>,
    /// The worth of each sender's youngest transaction.
    of_senders: BTreeMap<PublicKey, u64>,
}

impl Worths {
    /// The memory cost of a transaction: its entries, times two, since the nodes of a B-tree may be half empty.
    pub(super) const FIXED_SIZE: usize =
        2 * (size_of::<(u64, Reverse<u64>)>() + size_of::<(PublicKey, u64)>());

    /// The worth of a transaction that arrives now.
    pub(super) fn of(&self, priority: u64, sender: Option<&PublicKey>) -> u64 {
        let before = sender.and_then(|sender| self.of_senders.get(sender));
        before.map_or(priority, |before| priority.min(*before))
    }

    /// Adds a transaction that has arrived after all others.
    pub(super) fn add(&mut self, worth: u64, sender: Option<PublicKey>, place: u64) {
        self.places.insert((worth, Reverse(place)));
        if let Some(sender) = sender {
            self.of_senders.insert(sender, worth);
        }
    }

    /// The places of the transactions that are worth less, the one that is evicted first at the beginning.
    pub(super) fn below(&self, worth: u64) -> impl Iterator<Item = u64> {
        self.places.range(..(worth, Reverse(u64::MAX))).map(|(_, Reverse(place))| *place)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
