//! A set of limited size that drops its oldest members.

use core::hash::BuildHasher;
use std::collections::VecDeque;

use foldhash::fast::RandomState;
use hashbrown::hash_table::{HashTable, OccupiedEntry};

use crate::primitives::Hash;

/// The last hashes inserted, at most `limit`.
///
/// Each hash is kept once, in `order`. The table that finds it has only numbers, so that it stays in the caches of the
/// processor while a synchronisation inserts hundreds of thousands of hashes.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecentSet {
    /// The members, oldest first, and hashes that were removed, at most twice `limit` in all. Those that were removed
    /// let a removal take constant time.
    order: VecDeque<Hash>,
    /// The number of the first hash in `order`. Hashes are numbered as they are inserted.
    first: usize,
    /// The numbers of the members, found by their hashes.
    numbers: HashTable<usize>,
    hasher: RandomState,
    limit: usize,
}

impl RecentSet {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    pub(crate) fn contains(&self, hash: &Hash) -> bool {
        self.number_of(hash).is_some()
    }

    /// Adds a hash. Returns `false` if it is a member already, or if the limit is 0.
    pub(crate) fn insert(&mut self, hash: Hash) -> bool {
        if self.limit == 0 || self.contains(&hash) {
            return false;
        }
        while self.numbers.len() == self.limit && self.drop_oldest() {}
        if self.order.len() == 2 * self.limit {
            self.drop_removed();
        }
        self.push(hash);
        true
    }

    /// Removes a hash, and returns whether it was a member.
    pub(crate) fn remove(&mut self, hash: &Hash) -> bool {
        self.number_of(hash).is_some_and(|number| self.remove_number(hash, number))
    }

    fn number_of(&self, hash: &Hash) -> Option<usize> {
        let is_hash = |number: &usize| self.order.get(number.wrapping_sub(self.first)) == Some(hash);
        self.numbers.find(self.hasher.hash_one(hash), is_hash).copied()
    }

    /// Removes the number of a hash, and returns whether the hash was a member under it.
    fn remove_number(&mut self, hash: &Hash, number: usize) -> bool {
        let member = self.numbers.find_entry(self.hasher.hash_one(hash), |kept| *kept == number);
        member.map(OccupiedEntry::remove).is_ok()
    }

    /// Adds a hash that is not a member.
    fn push(&mut self, hash: Hash) {
        let Self { order, first, numbers, hasher, .. } = self;
        let number = first.wrapping_add(order.len());
        order.push_back(hash);
        let of_number = |number: &usize| hasher.hash_one(order[number.wrapping_sub(*first)]);
        numbers.insert_unique(hasher.hash_one(hash), number, of_number);
    }

    /// Drops the oldest hash, and returns whether there was one.
    fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.order.pop_front() else { return false };
        let number = self.first;
        self.first = number.wrapping_add(1);
        self.remove_number(&oldest, number);
        true
    }

    /// Drops the hashes that were removed.
    fn drop_removed(&mut self) {
        let mut numbers: Vec<usize> =
            self.numbers.drain().map(|number| number.wrapping_sub(self.first)).collect();
        numbers.sort_unstable();
        let order = core::mem::take(&mut self.order);
        for index in numbers {
            self.push(order[index]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn hash(byte: u8) -> Hash {
        Hash::from_bytes([byte; 32])
    }

    #[test]
    fn forgets_the_oldest() {
        let mut set = RecentSet::new(2);
        assert!(set.insert(hash(1)) && set.insert(hash(2)) && !set.insert(hash(1)));
        assert!(set.insert(hash(3)));
        assert_eq!([1, 2, 3].map(|byte| set.contains(&hash(byte))), [false, true, true]);
    }

    #[test]
    fn what_is_removed_and_inserted_again_is_new() {
        let mut set = RecentSet::new(2);
        set.insert(hash(1));
        set.insert(hash(2));
        assert!(set.remove(&hash(1)) && !set.remove(&hash(1)) && !set.remove(&hash(9)));
        assert!(set.insert(hash(1)) && set.insert(hash(3)));
        assert_eq!([1, 2, 3].map(|byte| set.contains(&hash(byte))), [true, false, true]);
    }

    #[test]
    fn removals_leave_a_bounded_number_of_places() {
        let mut set = RecentSet::new(4);
        for byte in 0..4 {
            set.insert(hash(byte));
        }
        for _ in 0..1_000 {
            assert!(set.remove(&hash(3)) && set.insert(hash(3)));
            assert!(set.order.len() <= 8);
        }
        assert!((0..4).all(|byte| set.contains(&hash(byte))));
    }

    proptest! {
        /// Whatever is inserted and removed, the members are those of a list from which the oldest is dropped.
        #[test]
        fn agrees_with_a_list(changes in vec((any::<bool>(), 0_u8..12), 0..200), limit in 1_usize..8) {
            let mut set = RecentSet::new(limit);
            let mut list: Vec<u8> = Vec::new();
            for (inserts, byte) in changes {
                let place = list.iter().position(|kept| *kept == byte);
                if inserts {
                    prop_assert_eq!(set.insert(hash(byte)), place.is_none());
                    if place.is_none() {
                        list.push(byte);
                        if list.len() > limit {
                            list.remove(0);
                        }
                    }
                } else {
                    prop_assert_eq!(set.remove(&hash(byte)), place.is_some());
                    place.map(|place| list.remove(place));
                }
                prop_assert!(set.order.len() <= 2 * limit);
                for byte in 0..12 {
                    prop_assert_eq!(set.contains(&hash(byte)), list.contains(&byte));
                }
            }
        }
    }

    #[test]
    fn a_limit_of_zero_keeps_nothing() {
        let mut set = RecentSet::new(0);
        assert!(!set.insert(hash(1)));
        assert!(!set.contains(&hash(1)));
    }
}
