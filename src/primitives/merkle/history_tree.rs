//! The history tree: leaves can be appended and truncated, and it makes proofs for all sizes up to its own.

use core::fmt;

use super::super::hash::Hash;
use super::subtrees::Subtrees;
use super::{CompactRange, ConsistencyProof, InclusionProof, ProofError, node_hash};

/// A tree that keeps the hash of every perfect subtree, about two for each leaf: the history tree of Crosby
/// and Wallach, "Efficient Data Structures for Tamper-Evident Logging" (2009).
///
/// A perfect subtree does not change while leaves are appended, so the tree of any smaller size can be
/// derived: its root and its proofs cost O(log n), and so does truncation to that size.
///
/// ```
/// use hashloom::primitives::merkle::{HistoryTree, leaf_hash};
///
/// let mut tree: HistoryTree = [b"a", b"b", b"c"].map(|bytes| leaf_hash(bytes)).into_iter().collect();
/// let old_root = tree.root();
/// tree.push(leaf_hash(b"d"));
/// tree.consistency_proof(3, 4)?.verify(&old_root, &tree.root())?;
/// tree.truncate(3);
/// assert_eq!(tree.root(), old_root);
/// # Ok::<(), hashloom::primitives::merkle::ProofError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HistoryTree {
    /// `levels[k][i]` is the root over the `i`-th run of `2^k` leaves. No level is empty.
    levels: Vec<Vec<Hash>>,
}

impl HistoryTree {
    /// The empty tree.
    pub const fn new() -> Self {
        Self { levels: Vec::new() }
    }

    /// The number of leaves.
    pub fn len(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Whether there are no leaves.
    pub const fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Appends a leaf by its [`leaf_hash`](super::leaf_hash), in O(1) amortised.
    pub fn push(&mut self, leaf_hash: Hash) {
        let mut hash = leaf_hash;
        for nodes in &mut self.levels {
            nodes.push(hash);
            let [pairs @ .., left, right] = nodes.as_slice() else { return };
            if pairs.len() % 2 == 1 {
                return;
            }
            hash = node_hash(left, right);
        }
        self.levels.push(vec![hash]);
    }

    /// Truncates the tree to its first `len` leaves, in O(log n). Has no effect if the tree has at most `len`
    /// leaves.
    pub fn truncate(&mut self, len: u64) {
        for (level, nodes) in self.levels.iter_mut().enumerate() {
            nodes.truncate(usize::try_from(len >> level).unwrap_or(usize::MAX));
        }
        self.levels.retain(|nodes| !nodes.is_empty());
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        self.root_at(self.len()).unwrap_or_default()
    }

    /// The root over the first `len` leaves; `None` if there are fewer.
    pub fn root_at(&self, len: u64) -> Option<Hash> {
        self.root_over(len).ok()
    }

    /// The frontier of the tree over the first `len` leaves; `None` if there are fewer.
    pub fn compact_range_at(&self, len: u64) -> Option<CompactRange> {
        self.frontier(len).ok()
    }

    /// Proves that the leaf at `index` is in the tree over the first `tree_size` leaves.
    ///
    /// # Errors
    ///
    /// [`ProofError::SizeOutOfRange`] if the tree has fewer leaves than `tree_size`, and
    /// [`ProofError::IndexOutOfRange`] if `index` is not below `tree_size`.
    pub fn inclusion_proof(&self, index: u64, tree_size: u64) -> Result<InclusionProof, ProofError> {
        self.prove_inclusion(index, tree_size)
    }

    /// Proves that the tree over the first `new_size` leaves extends the tree over the first `old_size`
    /// leaves.
    ///
    /// # Errors
    ///
    /// [`ProofError::SizeOutOfRange`] if the tree has fewer leaves than `new_size`, and
    /// [`ProofError::Shrinks`] if `old_size` is larger than `new_size`.
    pub fn consistency_proof(&self, old_size: u64, new_size: u64) -> Result<ConsistencyProof, ProofError> {
        self.prove_consistency(old_size, new_size)
    }
}

impl Subtrees for HistoryTree {
    type Error = ProofError;

    fn size(&self) -> u64 {
        self.len()
    }

    fn subtree(&self, level: usize, index: u64) -> Result<Hash, ProofError> {
        #[expect(clippy::cast_possible_truncation, reason = "below `len`, which is the length of a `Vec`")]
        let index = index as usize;
        Ok(self.levels[level][index])
    }
}

impl Extend<Hash> for HistoryTree {
    fn extend<I: IntoIterator<Item = Hash>>(&mut self, leaf_hashes: I) {
        leaf_hashes.into_iter().for_each(|leaf_hash| self.push(leaf_hash));
    }
}

impl FromIterator<Hash> for HistoryTree {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaf_hashes: I) -> Self {
        let mut tree = Self::new();
        tree.extend(leaf_hashes);
        tree
    }
}

impl fmt::Debug for HistoryTree {
    /// Only the length and the root: all hashes would fill pages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryTree").field("len", &self.len()).field("root", &self.root()).finish()
    }
}
