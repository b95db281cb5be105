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
mod history_tree;
mod inclusion;
mod subtrees;

#[cfg(test)]
mod tests;

pub use compact_range::CompactRange;
pub use consistency::ConsistencyProof;
pub use error::ProofError;
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

/// The root over the leaf hashes; `SHA-256("")` if there are none.
///
/// Takes one pass and O(log n) memory.
pub fn root(leaves: &[Hash]) -> Hash {
    leaves.iter().copied().collect::<CompactRange>().root()
}

/// The root over perfect subtrees, given from right to left, hence from the smallest to the largest.
fn join_peaks<'a>(right_to_left: impl Iterator<Item = &'a Hash>) -> Hash {
    right_to_left.copied().reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(|| Hash::digest(&[]))
}
