//! Errors of the chain: why it refuses a block, why it cannot be opened, and why a proof cannot be made.

use crate::consensus::{GenesisError, RuleError};
use crate::primitives::Hash;
use crate::primitives::merkle::ProofError;
use crate::store::StoreError;

use super::format::FORMAT_VERSION;

/// Why a header or a block is refused: a rule that it breaks, or its place in the chain of this node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// The header or the block breaks a consensus rule.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The parent is a refused block.
    #[error("parent {parent} was refused")]
    InvalidParent {
        /// The hash of the refused block.
        parent: Hash,
    },
    /// An ancestor of the block broke a rule when it was applied.
    #[error("ancestor {ancestor} is refused: {error}")]
    InvalidAncestor {
        /// The hash of the invalid ancestor.
        ancestor: Hash,
        /// The rule that it breaks.
        #[source]
        error: Box<RuleError>,
    },
    /// The parent is unknown. Not a verdict on the header: the parent may still arrive.
    #[error("parent {parent} is not known")]
    UnknownParent {
        /// The hash of the missing block.
        parent: Hash,
    },
    /// The block was refused before.
    #[error("block {hash} was refused before")]
    KnownInvalid {
        /// The hash of the block.
        hash: Hash,
    },
    /// The branch forks off below the final part of the best chain.
    #[error("branch leaves the best chain at height {fork_height}, which is final up to {final_height}")]
    Finality {
        /// The height of the last common block.
        fork_height: u64,
        /// The height up to which the best chain is final.
        final_height: u64,
    },
    /// A block of the best chain that was valid when it was imported fails when it is replayed to restore a
    /// state for a reorganisation: `apply` is not deterministic.
    #[error("block {height} of the best chain cannot be replayed: {error}")]
    Replay {
        /// The height of the block.
        height: u64,
        /// The rule that it breaks now.
        #[source]
        error: RuleError,
    },
    /// The branch forks off below the blocks whose bodies are kept, so the state at the fork cannot be
    /// restored.
    #[error("branch leaves the best chain at height {fork_height}, bodies are kept from height {base} on")]
    Pruned {
        /// The height of the last common block.
        fork_height: u64,
        /// The lowest height whose state the chain can restore.
        base: u64,
    },
    /// The store of the chain fails. Not a verdict on the block.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The limit of side branch headers is reached. Not a verdict on the block.
    #[error("the limit of side branches is reached: {got} headers, at most {limit} are kept")]
    SideBranchesFull {
        /// The number of headers off the best chain.
        got: usize,
        /// The most that are kept.
        limit: usize,
    },
    /// The limit of side branch bodies is reached. Not a verdict on the block.
    #[error("the limit of side branches is reached: {got} bytes of blocks, at most {limit} are kept")]
    SideBytesFull {
        /// The size in bytes of the bodies off the best chain.
        got: usize,
        /// The most that are kept.
        limit: usize,
    },
}

impl BlockError {
    /// The name of the rule or the limit, short and stable, for programs. The error message has the details.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Rule(error) => error.rule(),
            Self::InvalidAncestor { error, .. } => error.rule(),
            Self::InvalidParent { .. } | Self::KnownInvalid { .. } => "known_invalid",
            Self::UnknownParent { .. } => "parent_known",
            Self::Finality { .. } => "finality",
            Self::Pruned { .. } => "keep_bodies",
            Self::Store(_) => "store",
            Self::Replay { .. } => "deterministic_apply",
            Self::SideBranchesFull { .. } => "max_side_headers",
            Self::SideBytesFull { .. } => "max_side_bytes",
        }
    }

    /// Whether the verdict is on the transactions, so that a block with other transactions may be valid.
    pub(crate) const fn blames_body(&self) -> bool {
        matches!(self, Self::Rule(error) if error.blames_body())
    }
}

/// The header at which an import of several headers ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("header {index} is refused: {error}")]
#[non_exhaustive]
pub struct HeadersError {
    /// The index of the header in the list. Those before it are imported.
    pub index: usize,
    /// Why the header is refused.
    #[source]
    pub error: BlockError,
}

/// Why a block of the store cannot be applied to the state after its parent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ApplyError {
    #[error(transparent)]
    Rule(#[from] RuleError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ApplyError> for BlockError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Rule(error) => error.into(),
            ApplyError::Store(error) => error.into(),
        }
    }
}

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
        error: RuleError,
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

/// Why a transaction cannot be looked up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// The chain keeps no index of transactions.
    #[error("the chain keeps no index of transactions; `ChainConfig::index_transactions` switches it on")]
    NotIndexed,
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_ancestor_has_the_rule_of_its_own_error() {
        let error = Box::new(RuleError::Version { got: 2, expected: 1 });
        let below = BlockError::InvalidAncestor { ancestor: Hash::ZERO, error };
        assert_eq!(below.rule(), "version");
    }
}
