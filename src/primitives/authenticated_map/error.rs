//! Errors of proofs.

use super::super::hash::Hash;
use super::super::transaction::EncodeError;

/// Why bytes are not a proof, or a proof does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapProofError {
    /// The bytes are too few or too many for what they begin with.
    #[error("the proof has {got} bytes, expected {min} to {max}")]
    Length {
        /// The number of bytes.
        got: usize,
        /// The fewest bytes of a proof of this kind with this path.
        min: usize,
        /// The most bytes of a proof of this kind with this path.
        max: usize,
    },
    /// The first byte names no kind of proof.
    #[error("the kind of the proof is {got}, expected 0, 1 or 2")]
    Kind {
        /// The first byte.
        got: u8,
    },
    /// The path is longer than any in a map.
    #[error("the proof has a path of {got} branches, expected at most {limit}")]
    PathLength {
        /// The number of branches.
        got: usize,
        /// The most branches of a path: [`MapProof::MAX_PATH`](super::MapProof::MAX_PATH), or none in an empty map.
        limit: usize,
    },
    /// The bits of the branches do not descend from the leaf to the root.
    #[error("bit {got} follows bit {previous} in the path of the proof, expected a lower one")]
    Order {
        /// The bit that is not lower than the one before it.
        got: u8,
        /// The bit before it.
        previous: u8,
    },
    /// The key has no canonical bytes.
    #[error("the key has {0}")]
    Key(#[source] EncodeError),
    /// The proof of absence ends at an entry to which a search for the key does not lead.
    #[error(
        "a search for the key does not end at the entry of the proof: their paths differ in bit {bit} of a branch"
    )]
    OtherWay {
        /// The bit of the branch at which the entry lies on another side than the key.
        bit: u8,
    },
    /// The proof of absence ends at the entry of the key itself.
    #[error("the proof of absence ends at the entry of the key itself")]
    Present,
    /// The proof leads to another root.
    #[error("the proof leads to the root {got}, not to {expected}")]
    Root {
        /// The root that follows from the proof.
        got: Hash,
        /// The expected root.
        expected: Hash,
    },
    /// The key is present, and its value is none of the expected type.
    #[error("the value is not of this type: {reason}")]
    Value {
        /// The message of the decoder.
        reason: String,
    },
}
