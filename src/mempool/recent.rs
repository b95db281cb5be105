//! A set that forgets its oldest members.

use std::collections::{BTreeSet, VecDeque};

use crate::primitives::{Hash, HashSet};

/// At most `limit` hashes, the last ones inserted.
#[derive(Clone, Debug)]
pub(crate) struct RecentSet {
    members: HashSet,
    /// The members, oldest first.
    order: VecDeque<Hash>,
    limit: usize,
}

impl RecentSet {
    pub(crate) fn new(limit: usize) -> Self {
        Self { members: HashSet::default(), order: VecDeque::new(), limit }
    }

    pub(crate) fn contains(&self, hash: &Hash) -> bool {
        self.members.contains(hash)
    }

    /// Returns whether it was new.
    pub(crate) fn insert(&mut self, hash: Hash) -> bool {
        if self.limit == 0 || !self.members.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.members.remove(&oldest);
        }
        true
    }

    /// Linear in the limit, however many are removed.
    pub(crate) fn remove_all(&mut self, hashes: &BTreeSet<Hash>) {
        if hashes.iter().any(|hash| self.members.remove(hash)) {
            self.members.retain(|member| !hashes.contains(member));
            self.order.retain(|member| !hashes.contains(member));
        }
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
        set.remove_all(&BTreeSet::from([hash(1), hash(9)]));
        assert!(set.insert(hash(1)) && set.insert(hash(3)));
        assert_eq!([1, 2, 3].map(|byte| set.contains(&hash(byte))), [true, false, true]);
    }

    #[test]
    fn a_limit_of_zero_keeps_nothing() {
        let mut set = RecentSet::new(0);
        assert!(!set.insert(hash(1)));
        assert!(!set.contains(&hash(1)));
    }
}
