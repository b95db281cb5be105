//! The state of a chain of signed transactions: the application's state, and the next sequence number of each author.

use serde::{Deserialize, Serialize};

use crate::primitives::{AuthenticatedMap, Hash, PublicKey, Rejected};

/// The application's state, and how many transactions each author has on the chain.
///
/// A clone takes constant time, plus that of the application's state. Numbers are never removed, because an author
/// without one could replay transactions: an author takes about 150 bytes of memory.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedState<S> {
    /// The next sequence number of each author that has a transaction on the chain.
    sequences: AuthenticatedMap<PublicKey, u64>,
    pub(super) application: S,
}

/// What the hashed bytes of a state root begin with.
const DOMAIN: &[u8] = b"hashloom signed state v1\0";

impl<S> SignedState<S> {
    /// The state of an application without any author.
    pub const fn new(application: S) -> Self {
        Self { sequences: AuthenticatedMap::new(), application }
    }

    /// The sequence number that the author's next transaction has to have.
    pub fn next_sequence(&self, author: &PublicKey) -> u64 {
        self.sequences.get(author).copied().unwrap_or(0)
    }

    /// The next sequence number of each author that has a transaction on the chain. Its proofs show the number of an
    /// author, or that there is none.
    pub const fn sequences(&self) -> &AuthenticatedMap<PublicKey, u64> {
        &self.sequences
    }

    /// The application's state.
    pub const fn application(&self) -> &S {
        &self.application
    }

    /// The state root, of which the application's root is a part: SHA-256(`hashloom signed state v1` ‖ a zero byte ‖
    /// root of the [sequence numbers](Self::sequences) ‖ the application's root).
    pub fn root(&self, application_root: &Hash) -> Hash {
        Self::root_of(&self.sequences.root(), application_root)
    }

    /// The state root with these two parts, for those who have proofs and not the state.
    pub fn root_of(sequences_root: &Hash, application_root: &Hash) -> Hash {
        Hash::digest_parts(&[DOMAIN, sequences_root.as_ref(), application_root.as_ref()])
    }

    /// Counts a transaction of the author, which must have the next number.
    pub(super) fn take_sequence(&mut self, author: PublicKey, got: u64) -> Result<(), Rejected> {
        self.sequences.update(author, |next| {
            let expected = next.copied().unwrap_or(0);
            let refused =
                |rule| Rejected::new(rule, format!("sequence number is {got}, expected {expected}"));
            match got {
                _ if got < expected => Err(refused("sequence_used")),
                _ if got > expected => Err(refused("sequence_gap")),
                _ => Ok(Some(got.checked_add(1).ok_or_else(|| refused("sequence_used"))?)),
            }
        })
    }
}
