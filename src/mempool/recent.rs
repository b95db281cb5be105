//! A set of limited size that drops its oldest members.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;

use crate::primitives::{ByHash, Hash};

/// The last hashes inserted, at most `limit`.
#[derive(Clone, Debug)]
pub(crate) struct RecentSet {
    /// Each member with its place in `order`.
    members: ByHash<u64>,
    /// The members, oldest first, and stale entries of removed ones, at most twice `limit` in all. The stale
    /// entries let a removal take constant time.
    order: VecDeque<(u64, Hash)>,
    next_place: u64,
    limit: usize,
}

impl RecentSet {
    pub(crate) fn new(limit: usize) -> Self {
        Self { members: ByHash::default(), order: VecDeque::new(), next_place: 0, limit }
    }

    pub(crate) fn contains(&self, hash: &Hash) -> bool {
        self.members.contains_key(hash)
    }

    /// Adds a hash. Returns `false` if it is a member already, or if the limit is 0.
    pub(crate) fn insert(&mut self, hash: Hash) -> bool {
        if self.limit == 0 {
            return false;
        }
        let Entry::Vacant(free) = self.members.entry(hash) else { return false };
        free.insert(self.next_place);
        self.order.push_back((self.next_place, hash));
        self.next_place += 1;
        while self.members.len() > self.limit
            && let Some((place, oldest)) = self.order.pop_front()
        {
            if let Entry::Occupied(member) = self.members.entry(oldest)
                && *member.get() == place
            {
                member.remove();
            }
        }
        if self.order.len() > 2 * self.limit {
            self.order.retain(|(place, hash)| self.members.get(hash) == Some(place));
        }
        true
    }

    /// Removes a hash, and returns whether it was a member.
    pub(crate) fn remove(&mut self, hash: &Hash) -> bool {
        self.members.remove(hash).is_some()
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_limit_of_zero_keeps_nothing() {
        let mut set = RecentSet::new(0);
        assert!(!set.insert(hash(1)));
        assert!(!set.contains(&hash(1)));
    }
}
