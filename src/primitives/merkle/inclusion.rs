//! Inclusion proofs: proofs that a leaf is at an index of a tree. [`HistoryTree`](super::HistoryTree) makes
//! those of a growing tree.

use serde::{Deserialize, Deserializer, Serialize};

use super::super::bounded_vec;
use super::super::hash::Hash;
use super::ascent::Node;
use super::{ProofError, node_hash, root};

/// A proof that a leaf is at `index` in a tree of `tree_size` leaves: the audit path of RFC 6962, section
/// 2.1.1.
///
/// Both numbers are claims of the prover. A root does not commit to its size, so compare `tree_size` with the
/// size that belongs to the root, and `index` with the position in question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InclusionProof {
    /// The index of the leaf, from 0.
    pub index: u64,
    /// The number of leaves of the tree.
    pub tree_size: u64,
    /// The siblings on the path from the leaf to the root.
    #[serde(deserialize_with = "path")]
    pub path: Vec<Hash>,
}

impl InclusionProof {
    /// The longest path, that of a tree of 2^64 - 1 leaves. A longer one is refused while parsing.
    pub const MAX_PATH: usize = 64;

    /// Proves that `leaves[index]` is in the tree over these leaf hashes, for example a transaction's id in
    /// the tree of its block. Costs as much as [`root`].
    ///
    /// # Errors
    ///
    /// [`ProofError::IndexOutOfRange`] if `index` is not below the number of leaves.
    pub fn new(leaves: &[Hash], index: usize) -> Result<Self, ProofError> {
        let mut proof = Self { index: index as u64, tree_size: leaves.len() as u64, path: Vec::new() };
        if index >= leaves.len() {
            return Err(ProofError::IndexOutOfRange { index: proof.index, tree_size: proof.tree_size });
        }
        let (mut subtree, mut index) = (leaves, index);
        while subtree.len() > 1 {
            let (left, right) = subtree.split_at(1 << (subtree.len() - 1).ilog2());
            if index < left.len() {
                proof.path.push(root(right));
                subtree = left;
            } else {
                proof.path.push(root(left));
                subtree = right;
                index -= left.len();
            }
        }
        proof.path.reverse();
        Ok(proof)
    }

    /// Checks that the leaf is in the tree with this root, as in RFC 9162, section 2.1.3.2.
    ///
    /// # Errors
    ///
    /// [`ProofError::IndexOutOfRange`], [`ProofError::PathLength`] or [`ProofError::Root`].
    pub fn verify(&self, leaf_hash: &Hash, root: &Hash) -> Result<(), ProofError> {
        let Self { index, tree_size, ref path } = *self;
        if index >= tree_size {
            return Err(ProofError::IndexOutOfRange { index, tree_size });
        }
        let ascent = Node::leaf(index).ascent(tree_size);
        let expected = ascent.clone().count();
        if path.len() != expected {
            return Err(ProofError::PathLength { got: path.len(), expected });
        }
        let got = ascent.zip(path).fold(*leaf_hash, |hash, (place, sibling)| {
            if place.is_left() { node_hash(sibling, &hash) } else { node_hash(&hash, sibling) }
        });
        if got != *root {
            return Err(ProofError::Root { got, expected: *root });
        }
        Ok(())
    }
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Hash>, D::Error> {
    bounded_vec(deserializer, InclusionProof::MAX_PATH)
}
