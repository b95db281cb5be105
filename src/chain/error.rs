//! Errors of opening a chain and of making proofs.

use crate::consensus::{BlockError, GenesisError};
use crate::primitives::Hash;
use crate::primitives::merkle::ProofError;
use crate::store::StoreError;

use super::FORMAT_VERSION;

/// Why a chain cannot be opened from a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The store fails, or is damaged as a whole.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The spec gives no genesis block for this application.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The store holds another chain, or the chain of this name with other rules.
    #[error(
        "the store holds chain {name:?} with genesis {got}, expected {expected}; {differs} differs: \
         choose another directory, or the rules by which it was made"
    )]
    OtherChain {
        /// The name of the chain in the store.
        name: String,
        /// The hash of its genesis block.
        got: Hash,
        /// The hash of the genesis block of the given rules.
        expected: Hash,
        /// The first rule that differs, as far as the genesis block in the store shows: the name, the genesis
        /// time, the easiest target, or the genesis data or initial state. The block commits to all other
        /// rules with one hash.
        differs: &'static str,
    },
    /// The store was written by a newer version of this crate.
    #[error(
        "the store has format version {got}, this program knows up to {FORMAT_VERSION}: use a newer program"
    )]
    NewerFormat {
        /// The version in the store.
        got: u32,
    },
    /// A block at the end of the best chain, or its state, is damaged. Blocks below it are intact.
    #[error("the chain is damaged at height {height}: {error}")]
    Damaged {
        /// The lowest height that is known to be damaged.
        height: u64,
        /// What is wrong with it.
        #[source]
        error: StoreError,
    },
    /// A block that was valid when it was stored does not apply: `apply` is not deterministic, or the program
    /// has other rules than the one that stored the block.
    #[error("block {height} cannot be applied again: {error}")]
    Replay {
        /// The height of the block.
        height: u64,
        /// The rule that the block breaks.
        #[source]
        error: Box<BlockError>,
    },
}

/// Why a proof cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError {
    /// There is nothing to prove.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}
