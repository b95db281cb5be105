//! Errors of proofs.

use super::super::hash::Hash;

/// Why a proof cannot be made, or is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The index is not in the tree.
    #[error("no leaf {index} in a tree of {tree_size} leaves")]
    IndexOutOfRange {
        /// The requested or claimed index.
        index: u64,
        /// The number of leaves; the last leaf has the index `tree_size - 1`.
        tree_size: u64,
    },
    /// The requested size is larger than the tree.
    #[error("a tree of {len} leaves was never {size} leaves long")]
    SizeOutOfRange {
        /// The requested size.
        size: u64,
        /// The size of the tree.
        len: u64,
    },
    /// The old tree is larger than the new one, which therefore does not extend it.
    #[error("a tree of {new_size} leaves does not extend one of {old_size}")]
    Shrinks {
        /// The size of the old tree.
        old_size: u64,
        /// The size of the new tree.
        new_size: u64,
    },
    /// The path does not have the length that the positions and sizes of the proof require.
    #[error("a path of {got} hashes where the tree asks for {expected}")]
    PathLength {
        /// The number of hashes in the path.
        got: usize,
        /// The number of hashes that the position and the sizes require.
        expected: usize,
    },
    /// The leaf and the path do not lead to the expected root.
    #[error("the proof leads to the root {got}, not to {expected}")]
    Root {
        /// The root that follows from the proof.
        got: Hash,
        /// The expected root.
        expected: Hash,
    },
    /// The path does not lead to the expected root of the old tree.
    #[error("the proof leads to the old root {got}, not to {expected}")]
    OldRoot {
        /// The old root that follows from the proof.
        got: Hash,
        /// The expected old root.
        expected: Hash,
    },
    /// The path does not lead to the expected root of the new tree.
    #[error("the proof leads to the new root {got}, not to {expected}")]
    NewRoot {
        /// The new root that follows from the proof.
        got: Hash,
        /// The expected new root.
        expected: Hash,
    },
}
