//! Merkle trees as in RFC 6962, section 2.1 (RFC 9162 has the same trees): roots, inclusion proofs and
//! consistency proofs over any leaves.
//!
//! A leaf is hashed with the prefix 0x00 and an inner node with 0x01, so that neither can be mistaken for the
//! other. n leaves are split at the largest power of two below n. No leaf is duplicated to fill a level, so
//! two different lists do not have the same root (the flaw of Bitcoin's trees, CVE-2012-2459).
//!
//! A root does not commit to the number of its leaves: take the size from the source of the root, such as the
//! height in a header, and never from a proof.
//!
//! ```
//! use hashloom::primitives::merkle::{self, InclusionProof};
//!
//! let leaves = [b"a", b"b", b"c"].map(|bytes| merkle::leaf_hash(bytes));
//! let root = merkle::root(&leaves);
//! let proof = InclusionProof::new(&leaves, 1)?;
//! proof.verify(&merkle::leaf_hash(b"b"), &root)?;
//! assert!(proof.verify(&merkle::leaf_hash(b"c"), &root).is_err());
//! # Ok::<(), merkle::ProofError>(())
//! ```

mod ascent;
mod compact_range;
mod consistency;
mod error;
mod growth;
mod history_tree;
mod inclusion;
mod subtrees;

#[cfg(test)]
mod tests;

pub use compact_range::CompactRange;
pub use consistency::ConsistencyProof;
pub use error::ProofError;
pub(crate) use growth::Growth;
pub use history_tree::HistoryTree;
pub use inclusion::InclusionProof;
pub(crate) use subtrees::Subtrees;

use super::hash::Hash;

/// The hash of a leaf: `SHA-256(0x00 || bytes)`.
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    Hash::digest_behind([0], bytes)
}

/// The hash of an inner node: `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash::digest_pair(1, left, right)
}

/// The [hashes](leaf_hash) of many leaves.
pub(crate) fn leaf_hashes(leaves: &[impl AsRef<[u8]>]) -> Vec<Hash> {
    Hash::digest_many([0], leaves)
}

/// The [hashes](leaf_hash) of many leaves that are hashes themselves.
pub(crate) fn leaf_hashes_of_hashes(leaves: &[Hash]) -> Vec<Hash> {
    Hash::digest_hashes(0, leaves)
}

/// The [hashes](node_hash) of many inner nodes, given by their children.
fn node_hashes<'a>(nodes: impl ExactSizeIterator<Item = [&'a Hash; 2]>) -> Vec<Hash> {
    Hash::digest_pairs(1, nodes)
}

/// The root over the leaf hashes; `SHA-256("")` if there are none.
pub fn root(leaves: &[Hash]) -> Hash {
    // A small tree has too few nodes on a level to hash them together, and this way it needs no list of them.
    if leaves.len() < MANY {
        return leaves.iter().copied().collect::<CompactRange>().root();
    }
    roots(vec![leaves.to_vec()])[0]
}

/// From how many hashes on it pays to compute them together.
pub(crate) const MANY: usize = 16;

/// The [root](root) of each of these lists of leaf hashes. Computes one level of all trees at a time, so that
/// many hashes do not depend on each other.
pub(crate) fn roots(mut trees: Vec<Vec<Hash>>) -> Vec<Hash> {
    while trees.iter().any(|nodes| nodes.len() > 1) {
        let pairs: Vec<_> =
            trees.iter().flat_map(|nodes| nodes.as_chunks().0).map(<[_; 2]>::each_ref).collect();
        let mut parents = node_hashes(pairs.into_iter()).into_iter();
        for nodes in &mut trees {
            let (pairs, odd) = (nodes.len() / 2, nodes.as_chunks::<2>().1.first().copied());
            for (place, parent) in nodes[..pairs].iter_mut().zip(&mut parents) {
                *place = parent;
            }
            nodes.truncate(pairs);
            // The last node of a level with an odd number of nodes moves up unchanged.
            nodes.extend(odd);
        }
    }
    trees.iter().map(|nodes| nodes.first().copied().unwrap_or_else(|| Hash::digest(&[]))).collect()
}

/// The root over perfect subtrees, given from right to left, hence from the smallest to the largest.
fn join_peaks<'a>(right_to_left: impl Iterator<Item = &'a Hash>) -> Hash {
    right_to_left.copied().reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(|| Hash::digest(&[]))
}
