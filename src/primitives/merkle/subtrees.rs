//! Roots and proofs of a tree whose perfect subtrees can be looked up, in memory or in a store, for all sizes
//! up to that of the tree.

use super::super::hash::Hash;
use super::ascent::Node;
use super::{CompactRange, ConsistencyProof, InclusionProof, ProofError, join_peaks};

/// A tree that keeps the root of every perfect subtree. A perfect subtree does not change while leaves are
/// appended, so the tree of any smaller size can be derived.
pub(crate) trait Subtrees {
    /// Why a look-up fails.
    type Error: From<ProofError>;

    /// The number of leaves.
    fn size(&self) -> u64;

    /// The root over the `index`-th run of `2^level` leaves. All of them must be in the tree.
    fn subtree(&self, level: usize, index: u64) -> Result<Hash, Self::Error>;

    /// The root over the first `len` leaves.
    fn root_over(&self, len: u64) -> Result<Hash, Self::Error> {
        self.check_size(len)?;
        ragged_root(self, len, LEVELS)
    }

    /// The frontier of the tree over the first `len` leaves.
    fn frontier(&self, len: u64) -> Result<CompactRange, Self::Error> {
        self.check_size(len)?;
        let mut peaks = peaks(self, len, LEVELS).collect::<Result<Vec<_>, _>>()?;
        peaks.reverse();
        Ok(CompactRange::from_peaks(len, peaks))
    }

    /// Proves that the leaf at `index` is in the tree over the first `tree_size` leaves.
    fn prove_inclusion(&self, index: u64, tree_size: u64) -> Result<InclusionProof, Self::Error> {
        self.check_size(tree_size)?;
        if index >= tree_size {
            return Err(ProofError::IndexOutOfRange { index, tree_size }.into());
        }
        let path = siblings(self, Node::leaf(index), tree_size).collect::<Result<_, _>>()?;
        Ok(InclusionProof { index, tree_size, path })
    }

    /// Proves that the tree over the first `new_size` leaves extends the tree over the first `old_size`
    /// leaves.
    fn prove_consistency(&self, old_size: u64, new_size: u64) -> Result<ConsistencyProof, Self::Error> {
        self.check_size(new_size)?;
        if old_size > new_size {
            return Err(ProofError::Shrinks { old_size, new_size }.into());
        }
        let mut path = Vec::new();
        if old_size != 0 && old_size != new_size {
            let start = Node::last_peak(old_size);
            // If the old tree is perfect, its last peak is its root, which the verifier has.
            if !old_size.is_power_of_two() {
                path.push(self.subtree(start.level, start.index)?);
            }
            for sibling in siblings(self, start, new_size) {
                path.push(sibling?);
            }
        }
        Ok(ConsistencyProof { old_size, new_size, path })
    }

    /// Refuses a size that the tree has not reached.
    fn check_size(&self, size: u64) -> Result<(), ProofError> {
        let len = self.size();
        if size > len {
            return Err(ProofError::SizeOutOfRange { size, len });
        }
        Ok(())
    }
}

/// The number of bits of a size, and so of possible peaks.
const LEVELS: usize = u64::BITS as usize;

/// The sibling hashes on the path from `node` to the root over the first `size` leaves.
fn siblings<S: Subtrees + ?Sized>(
    tree: &S,
    node: Node,
    size: u64,
) -> impl Iterator<Item = Result<Hash, S::Error>> {
    node.ascent(size).map(move |place| {
        if place.index < size >> place.level {
            tree.subtree(place.level, place.index)
        } else {
            ragged_root(tree, size, place.level)
        }
    })
}

/// The root over the last `size % 2^level` of the first `size` leaves: the incomplete subtree at the right
/// end of the tree.
fn ragged_root<S: Subtrees + ?Sized>(tree: &S, size: u64, level: usize) -> Result<Hash, S::Error> {
    let peaks = peaks(tree, size, level).collect::<Result<Vec<_>, _>>()?;
    Ok(join_peaks(peaks.iter()))
}

/// The perfect subtrees below `level` at the right end of a tree of `size` leaves, from right to left.
fn peaks<S: Subtrees + ?Sized>(
    tree: &S,
    size: u64,
    level: usize,
) -> impl Iterator<Item = Result<Hash, S::Error>> {
    (0..level)
        .filter(move |level| (size >> level) & 1 == 1)
        .map(move |level| tree.subtree(level, (size >> level) - 1))
}
