//! Consistency proofs: proofs that a tree extends an older one by appended leaves only.
//! [`HistoryTree`](super::HistoryTree) makes them.

use serde::{Deserialize, Deserializer, Serialize};

use super::super::bounded_vec;
use super::super::hash::Hash;
use super::ascent::Node;
use super::{ProofError, node_hash, root};

/// A proof that the first `old_size` leaves of a tree of `new_size` leaves are those of an older tree: the
/// consistency proof of RFC 6962, section 2.1.2.
///
/// Both sizes are claims of the prover. A root does not commit to its size, so compare both with the sizes
/// that belong to the two roots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyProof {
    /// The number of leaves of the old tree. Every tree extends the empty one, a case that the RFC omits.
    pub old_size: u64,
    /// The number of leaves of the new tree.
    pub new_size: u64,
    /// The root of the last perfect subtree of the old tree, unless that subtree is the whole old tree,
    /// followed by the siblings on the path from that subtree to the new root. Empty if the sizes are equal
    /// or `old_size` is 0.
    #[serde(deserialize_with = "path")]
    pub path: Vec<Hash>,
}

impl ConsistencyProof {
    /// The longest path, between trees of almost 2^64 leaves. A longer one is refused while parsing.
    pub const MAX_PATH: usize = 65;

    /// Checks that the tree with `new_root` extends the one with `old_root`, as in RFC 9162, section 2.1.4.2.
    ///
    /// With an `old_size` of 0, and a larger `new_size`, `new_root` is not checked: every tree extends the
    /// empty one.
    ///
    /// # Errors
    ///
    /// [`ProofError::Shrinks`], [`ProofError::PathLength`], [`ProofError::OldRoot`] or
    /// [`ProofError::NewRoot`].
    pub fn verify(&self, old_root: &Hash, new_root: &Hash) -> Result<(), ProofError> {
        let Self { old_size, new_size, ref path } = *self;
        if old_size > new_size {
            return Err(ProofError::Shrinks { old_size, new_size });
        }
        if old_size == 0 || old_size == new_size {
            check_length(path, 0)?;
            if old_size == 0 {
                check_old(root(&[]), *old_root)?;
            }
            return if old_size == new_size { check_new(*old_root, *new_root) } else { Ok(()) };
        }

        let is_perfect = old_size.is_power_of_two();
        let ascent = Node::last_peak(old_size).ascent(new_size);
        check_length(path, usize::from(!is_perfect) + ascent.clone().count())?;
        let (start, siblings) = match path.split_first() {
            Some((start, siblings)) if !is_perfect => (start, siblings),
            _ => (old_root, path.as_slice()),
        };
        let (mut old, mut new) = (*start, *start);
        for (place, sibling) in ascent.zip(siblings) {
            if place.is_left() {
                old = node_hash(sibling, &old);
                new = node_hash(sibling, &new);
            } else {
                // Siblings to the right were appended after the old tree, so only the new root covers them.
                new = node_hash(&new, sibling);
            }
        }
        check_old(old, *old_root)?;
        check_new(new, *new_root)
    }
}

fn check_length(path: &[Hash], expected: usize) -> Result<(), ProofError> {
    if path.len() != expected {
        return Err(ProofError::PathLength { got: path.len(), expected });
    }
    Ok(())
}

fn check_old(got: Hash, expected: Hash) -> Result<(), ProofError> {
    if got != expected {
        return Err(ProofError::OldRoot { got, expected });
    }
    Ok(())
}

fn check_new(got: Hash, expected: Hash) -> Result<(), ProofError> {
    if got != expected {
        return Err(ProofError::NewRoot { got, expected });
    }
    Ok(())
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Hash>, D::Error> {
    bounded_vec(deserializer, ConsistencyProof::MAX_PATH)
}
