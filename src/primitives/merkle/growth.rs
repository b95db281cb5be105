//! The growth of a tree by many leaves at once. The hashes of a level do not depend on each other, and neither
//! do the roots of different sizes, so nearly all of them are computed many at a time.

use super::super::hash::Hash;
use super::{CompactRange, node_hash, node_hashes};

/// All perfect subtrees that a batch of leaves completes in a growing tree.
#[derive(Clone, Debug)]
pub(crate) struct Growth {
    /// The tree before the batch.
    before: CompactRange,
    /// `levels[k]` has the subtrees of `2^k` leaves that end in the batch, from left to right. Level 0 has the
    /// leaves.
    levels: Vec<Vec<Hash>>,
}

impl Growth {
    /// Appends leaves to a tree, by their [leaf hashes](super::leaf_hash).
    pub(crate) fn new(before: CompactRange, leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        for level in 0..u64::BITS as usize {
            // The first subtree of the level above may have its left half in the old tree.
            let mut nodes = levels[level].as_slice();
            let mut parents = Vec::new();
            if let Some(left) = before.peak(level)
                && let Some((right, rest)) = nodes.split_first()
            {
                parents.push(node_hash(&left, right));
                nodes = rest;
            }
            parents.extend(node_hashes(nodes.as_chunks().0.iter().map(<[_; 2]>::each_ref)));
            if parents.is_empty() {
                break;
            }
            levels.push(parents);
        }
        Self { before, levels }
    }

    /// The number of leaves before the batch.
    pub(crate) const fn start(&self) -> u64 {
        self.before.len()
    }

    /// The leaf of the batch at this index of the tree.
    pub(crate) fn leaf(&self, index: u64) -> Option<&Hash> {
        self.subtree(0, index)
    }

    /// The roots of the perfect subtrees that the leaf at this index of the tree completes, the smallest, of two
    /// leaves, first. The leaf must be in the batch.
    pub(crate) fn completed_by(&self, index: u64) -> impl Iterator<Item = &Hash> {
        (1..=index.trailing_ones() as usize).filter_map(move |level| self.subtree(level, index >> level))
    }

    /// The roots over the first `start` leaves, over one more, and so on: one root for each leaf of the batch,
    /// that of the tree before the leaf.
    pub(crate) fn roots(&self) -> Vec<Hash> {
        let sizes = self.start()..self.start() + self.levels[0].len() as u64;
        let mut roots = vec![Hash::digest(&[]); self.levels[0].len()];
        // Each root joins the perfect subtrees that its tree consists of, from the smallest, at the right end, to
        // the largest.
        for level in 0..(u64::BITS - sizes.end.leading_zeros()) as usize {
            let old = self.before.peak(level);
            let mut joined = Vec::new();
            for (place, size) in sizes.clone().enumerate().filter(|(_, size)| (size >> level) & 1 == 1) {
                let Some(left) = self.subtree(level, (size >> level) - 1).or(old.as_ref()) else { continue };
                if size.trailing_zeros() as usize == level {
                    roots[place] = *left;
                } else {
                    joined.push((left, place));
                }
            }
            let hashes = node_hashes(joined.iter().map(|(left, place)| [*left, &roots[*place]]));
            for ((_, place), hash) in joined.into_iter().zip(hashes) {
                roots[place] = hash;
            }
        }
        roots
    }

    /// The subtree of `2^level` leaves at this index of its level, if it ends in the batch.
    fn subtree(&self, level: usize, index: u64) -> Option<&Hash> {
        let index = index.checked_sub(self.start() >> level)?;
        self.levels.get(level)?.get(usize::try_from(index).ok()?)
    }
}
