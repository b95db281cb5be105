//! Proofs of sequence numbers, for those who have a header and not the state.

use super::SignedState;
use crate::primitives::{EncodeError, Hash, MapProof, MapProofError, PublicKey};

/// A proof of the sequence number that an author's next transaction has to have. The key `sequences/{author}` of `GET
/// /state/{key}` has it on a chain of [`Signed`](super::Signed) transactions.
///
/// # Bytes
///
/// The root of the sequence numbers, 32 bytes; the application's state root, 32 bytes; and the bytes of a [`MapProof`] of
/// the public key in the sequence numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceProof {
    sequences_root: Hash,
    application_root: Hash,
    proof: MapProof,
}

impl SequenceProof {
    /// The proof for an author in this state, whose application's part has this state root.
    ///
    /// # Errors
    ///
    /// [`EncodeError`], which no public key causes.
    pub fn new<S>(
        state: &SignedState<S>,
        author: &PublicKey,
        application_root: Hash,
    ) -> Result<Self, EncodeError> {
        let sequences = state.sequences();
        Ok(Self { sequences_root: sequences.root(), application_root, proof: sequences.prove(author)? })
    }

    /// The [bytes](#bytes) of the proof.
    pub fn to_bytes(&self) -> Vec<u8> {
        let roots = [self.sequences_root.as_ref(), self.application_root.as_ref()].concat();
        [roots, self.proof.to_bytes()].concat()
    }

    /// Reads the [bytes](#bytes) of a proof.
    ///
    /// # Errors
    ///
    /// [`StateProofError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateProofError> {
        let (sequences_root, rest) = split_hash(bytes)?;
        let (application_root, rest) = split_hash(rest)?;
        Ok(Self { sequences_root, application_root, proof: MapProof::from_bytes(rest)? })
    }

    /// The sequence number of the author's next transaction, by the state root of a header that the caller trusts.
    ///
    /// # Errors
    ///
    /// [`StateProofError`], if the proof does not hold for this author and root.
    pub fn verify(&self, author: &PublicKey, state_root: &Hash) -> Result<u64, StateProofError> {
        let got = SignedState::<()>::root_of(&self.sequences_root, &self.application_root);
        if got != *state_root {
            return Err(StateProofError::Root { got, expected: *state_root });
        }
        // An author without an entry has no transaction.
        Ok(self.proof.verify::<PublicKey, u64>(author, &self.sequences_root)?.unwrap_or(0))
    }
}

/// The hash at the start of bytes, and the rest.
pub(crate) fn split_hash(bytes: &[u8]) -> Result<(Hash, &[u8]), StateProofError> {
    let missing = StateProofError::Length { got: bytes.len(), expected: Hash::LEN };
    let (hash, rest) = bytes.split_first_chunk().ok_or(missing)?;
    Ok((Hash::from_bytes(*hash), rest))
}

/// Why bytes prove nothing about a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateProofError {
    /// The bytes end within what comes before the proof of the entry.
    #[error("{got} bytes are left in the proof, expected at least {expected}")]
    Length {
        /// The number of bytes that are left.
        got: usize,
        /// The length of what has to follow.
        expected: usize,
    },
    /// The parts of the proof do not make the state root of the header.
    #[error("the parts of the proof make the state root {got}, not {expected}")]
    Root {
        /// The state root that they make.
        got: Hash,
        /// The state root of the header.
        expected: Hash,
    },
    /// The entry does not follow from the root of its map.
    #[error(transparent)]
    Entry(#[from] MapProofError),
}
