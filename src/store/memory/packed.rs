//! An ordered map of bytes. Entries that follow each other are packed into leaves of some kilobytes: a map with
//! an allocation and a node entry for each key and value takes twice the memory for the small values of a chain.

use core::ops::Bound;
use std::collections::BTreeMap;
use std::collections::btree_map::OccupiedEntry;

use super::super::Keys;
use super::super::key::Key;

/// The upper limit of a leaf with more than one entry. A larger entry has a leaf of its own.
const MAX_LEAF: usize = 4_096;

/// The entries of a table. A leaf has the keys from its own key in the map up to that of the next leaf.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed {
    leaves: BTreeMap<Key, Leaf>,
}

impl Packed {
    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let (_, leaf) = self.leaves.range::<[u8], _>(up_to(key)).next_back()?;
        leaf.position(key).ok().map(|index| leaf.entry(index).1)
    }

    pub(super) fn insert(&mut self, key: &[u8], value: &[u8]) {
        loop {
            let Some(leaf) = self.leaf_mut(key) else {
                self.leaves.insert(Key::from(&[][..]), Leaf::default());
                continue;
            };
            let index = match leaf.position(key) {
                Ok(index) if leaf.entry(index).1.len() == value.len() => {
                    leaf.value_mut(index).copy_from_slice(value);
                    return;
                }
                Ok(index) => {
                    leaf.remove(index);
                    index
                }
                Err(index) => index,
            };
            if leaf.has_room_for(key, value) {
                leaf.insert(index, key, value);
                return;
            }
            // A key above all others begins a leaf, so that growing tables leave full ones.
            let next = if index == leaf.len() {
                leaf.shrink();
                Leaf::default()
            } else {
                leaf.split_off_half()
            };
            let first = if next.len() == 0 { key } else { next.entry(0).0 };
            self.leaves.insert(Key::from(first), next);
        }
    }

    pub(super) fn remove(&mut self, key: &[u8]) {
        let Some((first, leaf)) = self.leaves.range_mut::<[u8], _>(up_to(key)).next_back() else { return };
        let Ok(index) = leaf.position(key) else { return };
        leaf.remove(index);
        if leaf.len() == 0 {
            let first = first.clone();
            self.leaves.remove(&first);
        }
    }

    /// The leaf that has a key or would have it.
    fn leaf_mut(&mut self, key: &[u8]) -> Option<&mut Leaf> {
        // Most tables grow at their end, which is found without a search.
        if self.leaves.last_key_value().is_some_and(|(first, _)| **first <= *key) {
            return self.leaves.last_entry().map(OccupiedEntry::into_mut);
        }
        self.leaves.range_mut::<[u8], _>(up_to(key)).next_back().map(|(_, leaf)| leaf)
    }

    /// The entries with these keys, in ascending order. The range must not end before it begins.
    pub(super) fn range<'a>(
        &'a self,
        keys: Keys<'a>,
    ) -> impl DoubleEndedIterator<Item = (&'a [u8], &'a [u8])> {
        let first = match keys.0 {
            // The leaf with the key may begin below it.
            Bound::Included(key) | Bound::Excluded(key) => {
                self.leaves.range::<[u8], _>(up_to(key)).next_back().map(|(first, _)| &**first)
            }
            Bound::Unbounded => None,
        };
        let leaves = (first.map_or(Bound::Unbounded, Bound::Included), keys.1);
        self.leaves.range::<[u8], _>(leaves).flat_map(move |(_, leaf)| leaf.range(keys))
    }
}

impl PartialEq for Packed {
    fn eq(&self, other: &Self) -> bool {
        let all = (Bound::Unbounded, Bound::Unbounded);
        self.range(all).eq(other.range(all))
    }
}

impl Eq for Packed {}

fn up_to(key: &[u8]) -> Keys<'_> {
    (Bound::Unbounded, Bound::Included(key))
}

/// Entries in ascending order of their keys.
#[derive(Clone, Debug, Default)]
struct Leaf {
    /// The length of its key, its key and its value for each entry.
    bytes: Vec<u8>,
    /// Where the entries begin. All of them are below [`MAX_LEAF`].
    starts: Vec<u16>,
}

impl Leaf {
    fn len(&self) -> usize {
        self.starts.len()
    }

    /// The key and the value of an entry.
    fn entry(&self, index: usize) -> (&[u8], &[u8]) {
        let (key_len, rest) = read_len(&self.bytes[self.start(index)..self.start(index + 1)]);
        rest.split_at(key_len)
    }

    fn value_mut(&mut self, index: usize) -> &mut [u8] {
        let (len, end) = (self.entry(index).1.len(), self.start(index + 1));
        &mut self.bytes[end - len..end]
    }

    /// Where a key is, or else where it would be.
    fn position(&self, key: &[u8]) -> Result<usize, usize> {
        // Most keys are above all others.
        match self.len().checked_sub(1).map(|last| self.entry(last).0) {
            Some(last) if last >= key => {}
            _ => return Err(self.len()),
        }
        let index = self.first_index(|found| found >= key);
        if self.entry(index).0 == key { Ok(index) } else { Err(index) }
    }

    fn range<'a>(
        &'a self,
        keys: Keys<'_>,
    ) -> impl DoubleEndedIterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let from = match keys.0 {
            Bound::Included(start) => self.first_index(|key| key >= start),
            Bound::Excluded(start) => self.first_index(|key| key > start),
            Bound::Unbounded => 0,
        };
        let to = match keys.1 {
            Bound::Included(end) => self.first_index(|key| key > end),
            Bound::Excluded(end) => self.first_index(|key| key >= end),
            Bound::Unbounded => self.len(),
        };
        (from..to).map(|index| self.entry(index))
    }

    /// The first entry whose key is beyond what is searched for, or the number of entries.
    fn first_index(&self, is_beyond: impl Fn(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if is_beyond(self.entry(middle).0) { high = middle } else { low = middle + 1 }
        }
        low
    }

    fn has_room_for(&self, key: &[u8], value: &[u8]) -> bool {
        self.len() == 0 || self.bytes.len() + entry_len(key, value) <= MAX_LEAF
    }

    /// Inserts an entry for which there is room.
    fn insert(&mut self, index: usize, key: &[u8], value: &[u8]) {
        let (start, len) = (self.start(index), entry_len(key, value));
        let tail = self.bytes.len() - start;
        self.reserve(len);
        write_len(&mut self.bytes, key.len());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.bytes[start..].rotate_left(tail);
        self.starts.insert(index, as_start(start));
        for later in &mut self.starts[index + 1..] {
            *later += as_start(len);
        }
    }

    fn remove(&mut self, index: usize) {
        let (start, end) = (self.start(index), self.start(index + 1));
        self.bytes.drain(start..end);
        self.starts.remove(index);
        for later in &mut self.starts[index..] {
            *later -= as_start(end - start);
        }
        if self.bytes.len() < self.bytes.capacity() / 4 {
            self.shrink();
        }
    }

    /// Removes the upper half of the bytes, or the only entry, and returns them.
    fn split_off_half(&mut self) -> Self {
        let half = self.bytes.len() / 2;
        let middle = self.starts.partition_point(|start| usize::from(*start) < half);
        let index = middle.min(self.len() - 1);
        let start = self.start(index);
        let next = Self {
            bytes: self.bytes.split_off(start),
            starts: self.starts[index..].iter().map(|at| at - as_start(start)).collect(),
        };
        self.starts.truncate(index);
        next
    }

    /// Reserves memory for so many bytes. A leaf grows by doubling, and not beyond its limit.
    fn reserve(&mut self, more: usize) {
        let len = self.bytes.len() + more;
        if len > self.bytes.capacity() {
            let capacity = len.max(MAX_LEAF.min(2 * len));
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
    }

    fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.starts.shrink_to_fit();
    }

    /// Where an entry begins, or the end of the last one.
    fn start(&self, index: usize) -> usize {
        self.starts.get(index).map_or(self.bytes.len(), |start| usize::from(*start))
    }
}

/// Only the first entry of a leaf, which begins at 0, has no limit.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a leaf with more than one entry has at most MAX_LEAF bytes"
)]
const fn as_start(bytes: usize) -> u16 {
    bytes as u16
}

fn entry_len(key: &[u8], value: &[u8]) -> usize {
    let len_of_len = (usize::BITS - (key.len() | 1).leading_zeros()).div_ceil(7);
    len_of_len as usize + key.len() + value.len()
}

/// Writes a length, seven bits in a byte, the lowest first. The last byte is below 128.
#[expect(clippy::cast_possible_truncation, reason = "seven bits")]
fn write_len(bytes: &mut Vec<u8>, mut len: usize) {
    while len >= 0x80 {
        bytes.push(len as u8 | 0x80);
        len >>= 7;
    }
    bytes.push(len as u8);
}

/// Reads a length, and returns the bytes that follow it.
fn read_len(bytes: &[u8]) -> (usize, &[u8]) {
    let (mut len, mut shift, mut at) = (0, 0, 0);
    loop {
        len |= usize::from(bytes[at] & 0x7f) << shift;
        if bytes[at] < 0x80 {
            return (len, &bytes[at + 1..]);
        }
        (shift, at) = (shift + 7, at + 1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_a_map_is(
            changes in prop::collection::vec(
                (prop::collection::vec(any::<u8>(), 0..3), 0..400_usize, prop::option::of(0..MAX_LEAF + 9)), 0..200),
            bounds: [(u8, u8, u8); 2],
        ) {
            let (mut packed, mut map) = (Packed::default(), BTreeMap::new());
            for ((mut key, more, len), byte) in changes.into_iter().zip(0..) {
                // Some keys have a length of two bytes.
                key.resize(key.len() + if more < 350 { 0 } else { more }, 0);
                if let Some(len) = len {
                    // Some values are large, and most are small.
                    let value = vec![byte; if len % 8 == 0 { len } else { len % 64 }];
                    packed.insert(&key, &value);
                    map.insert(key, value);
                } else {
                    packed.remove(&key);
                    map.remove(&key);
                }
            }
            let model = || map.iter().map(|(key, value)| (&key[..], &value[..]));
            let all = (Bound::Unbounded, Bound::Unbounded);
            prop_assert!(packed.range(all).eq(model()));
            prop_assert!(packed.range(all).rev().eq(model().rev()));
            prop_assert!(model().all(|(key, value)| packed.get(key) == Some(value)));
            prop_assert_eq!(packed.get(b"no key"), None);
            prop_assert!(packed.leaves.values().all(|leaf| leaf.len() == 1 || leaf.bytes.len() <= MAX_LEAF));
            let [(kind, start, more), (end_kind, end, end_more)] = bounds;
            let (start, end) = ([start.min(end), more], [start.max(end), end_more]);
            let bound = |kind, key| match kind % 3 {
                0 => Bound::Unbounded,
                1 => Bound::Included(key),
                _ => Bound::Excluded(key),
            };
            let keys = (bound(kind, &start[..]), bound(end_kind, &end[..]));
            if !crate::store::is_empty(keys) {
                let in_range = |(key, _): &(&[u8], &[u8])| core::ops::RangeBounds::<[u8]>::contains(&keys, *key);
                prop_assert!(packed.range(keys).eq(model().filter(in_range)));
                prop_assert!(packed.range(keys).rev().eq(model().filter(in_range).rev()));
            }
        }
    }

    #[test]
    fn ascending_keys_leave_full_leaves() {
        let mut packed = Packed::default();
        for number in 0..10_000_u64 {
            packed.insert(&number.to_be_bytes(), &[1; 32]);
        }
        let entry = 1 + 8 + 32;
        assert_eq!(packed.leaves.len(), 10_000_usize.div_ceil(MAX_LEAF / entry));
        let capacity: usize = packed.leaves.values().map(|leaf| leaf.bytes.capacity()).sum();
        assert!(capacity < 10_000 * entry + MAX_LEAF, "{capacity}");
        for number in 0..10_000_u64 {
            packed.remove(&number.to_be_bytes());
        }
        assert!(packed.leaves.is_empty());
    }
}
