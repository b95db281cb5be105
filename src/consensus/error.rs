//! Block validation errors: one variant per rule, with the value found and the value or limit required.

use crate::primitives::{
    CompactTarget, CompactTargetError, EncodeError, Hash, Header, Panicked, Rejected, Span, Timestamp,
};
use crate::store::StoreError;

/// The rule that a header or a block breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// The header has an unsupported version.
    #[error("version is {got}, expected {expected}")]
    Version {
        /// The header's version.
        got: u32,
        /// The version of these rules.
        expected: u32,
    },
    /// The height does not follow the parent's.
    #[error("height is {got}, expected {expected}")]
    Height {
        /// The header's height.
        got: u64,
        /// The parent's height plus one.
        expected: u64,
    },
    /// The nonce is too large for a JSON number.
    #[error("nonce is {got}, expected less than {limit}")]
    Nonce {
        /// The header's nonce.
        got: u64,
        /// [`Header::NONCE_LIMIT`].
        limit: u64,
    },
    /// The target is not the one that retargeting computes at this height, or it is easier than the chain's
    /// easiest target.
    #[error("target is {got}, expected {expected}")]
    Target {
        /// The header's target.
        got: CompactTarget,
        /// The target that retargeting computes, or the chain's easiest target.
        expected: CompactTarget,
    },
    /// The compact target encodes no valid target.
    #[error(transparent)]
    CompactTarget(#[from] CompactTargetError),
    /// The hash is above the target: there is no proof of work.
    #[error("hash {hash} is above the target {target}")]
    ProofOfWork {
        /// The header's hash.
        hash: Hash,
        /// The header's target.
        target: CompactTarget,
    },
    /// The timestamp is not later than the median of the eleven before it.
    #[error(
        "timestamp is {} before the median of the blocks before, expected later than it",
        Span(.median.saturating_since(*.got))
    )]
    TimestampTooEarly {
        /// The header's timestamp.
        got: Timestamp,
        /// The median of the last eleven timestamps.
        median: Timestamp,
    },
    /// The timestamp is further ahead of the clock than the spec's drift allows.
    #[error(
        "timestamp is too far ahead of the clock, by {} more than the rules of the chain allow; one of the clocks may be wrong",
        Span(.got.saturating_since(*.limit))
    )]
    TimestampTooLate {
        /// The header's timestamp.
        got: Timestamp,
        /// The latest timestamp allowed: the node's time plus the spec's drift.
        limit: Timestamp,
    },
    /// The header's history root does not match its ancestors.
    #[error("history root is {got}, expected {expected}")]
    HistoryRoot {
        /// The header's history root.
        got: Hash,
        /// The root over the hashes of all ancestors.
        expected: Hash,
    },
    /// The body does not match the header.
    #[error("merkle root is {got}, expected {expected}")]
    MerkleRoot {
        /// The root over the transactions that came with the block.
        got: Hash,
        /// The root that the header commits to.
        expected: Hash,
    },
    /// The block is larger than the spec allows.
    #[error("block has {got} bytes, expected at most {limit}")]
    Size {
        /// The block's canonical size in bytes.
        got: usize,
        /// The spec's `max_block_bytes`.
        limit: usize,
    },
    /// The block has more transactions than the spec allows.
    #[error("block has {got} transactions, expected at most {limit}")]
    Count {
        /// The number of transactions.
        got: usize,
        /// The spec's `max_block_transactions`.
        limit: usize,
    },
    /// A transaction has no canonical bytes.
    #[error("transaction has {0}")]
    Encode(#[from] EncodeError),
    /// The application refuses a transaction.
    #[error("transaction {index} is rejected: {reason}")]
    Transaction {
        /// The index of the transaction in the block, from 0.
        index: usize,
        /// The application's reason.
        #[source]
        reason: Rejected,
    },
    /// The application's [`apply`](crate::Transaction::apply) panicked on a transaction. The transaction is
    /// refused like one that the application rejects.
    #[error("transaction {index} cannot be applied: {panic}")]
    ApplyPanicked {
        /// The index of the transaction in the block, from 0.
        index: usize,
        /// The panic.
        #[source]
        panic: Panicked,
    },
    /// The application's [`state_root`](crate::Transaction::state_root) panicked on the state after the
    /// block.
    #[error("no state root: {0}")]
    StateRootPanicked(#[from] Panicked),
    /// The application's state after the block does not match the header's state root: `apply` is not
    /// deterministic, or the miner committed to a wrong root.
    #[error("state root is {got}, expected {expected}")]
    StateRoot {
        /// The root of the state after applying the block.
        got: Hash,
        /// The root that the header commits to.
        expected: Hash,
    },
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
        error: Box<BlockError>,
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
        error: Box<BlockError>,
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
    #[error("no room beside the best chain: {got} headers are kept, at most {limit} are")]
    SideBranchesFull {
        /// The number of headers off the best chain.
        got: usize,
        /// The most that are kept.
        limit: usize,
    },
    /// The limit of side branch bodies is reached. Not a verdict on the block.
    #[error("no room beside the best chain: {got} bytes of blocks are kept, at most {limit} are")]
    SideBytesFull {
        /// The size in bytes of the bodies off the best chain.
        got: usize,
        /// The most that are kept.
        limit: usize,
    },
}

/// Whether the peer is to blame for a refused block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The peer is to blame: no honest node sends the block.
    Peer,
    /// The peer is not to blame: an honest node may send the block, because its clock, its chain or its
    /// limits differ from those of this node.
    Nobody,
}

impl BlockError {
    /// The name of the rule, short and stable, for programs. The error message has the details.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Version { .. } => "version",
            Self::Height { .. } => "height",
            Self::Nonce { .. } => "nonce",
            Self::Target { .. } | Self::CompactTarget(_) => "target",
            Self::ProofOfWork { .. } => "proof_of_work",
            Self::TimestampTooEarly { .. } => "median_time",
            Self::TimestampTooLate { .. } => "future_drift",
            Self::HistoryRoot { .. } => "history_root",
            Self::MerkleRoot { .. } => "merkle_root",
            Self::Size { .. } => "max_block_bytes",
            Self::Count { .. } => "max_block_transactions",
            Self::Encode(_) => "canonical_encoding",
            Self::Transaction { .. } => "transaction",
            Self::ApplyPanicked { .. } => "apply_panicked",
            Self::StateRootPanicked(_) => "state_root_panicked",
            Self::StateRoot { .. } => "state_root",
            Self::InvalidParent { .. } | Self::KnownInvalid { .. } => "known_invalid",
            Self::InvalidAncestor { error, .. } => error.rule(),
            Self::UnknownParent { .. } => "parent_known",
            Self::Finality { .. } => "finality",
            Self::Pruned { .. } => "keep_bodies",
            Self::Store(_) => "store",
            Self::Replay { .. } => "deterministic_apply",
            Self::SideBranchesFull { .. } => "max_side_headers",
            Self::SideBytesFull { .. } => "max_side_bytes",
        }
    }

    /// Whether the peer that sent the block is to blame.
    pub fn fault(&self) -> Fault {
        match self {
            Self::InvalidAncestor { error, .. } => error.fault(),
            Self::TimestampTooLate { .. }
            | Self::UnknownParent { .. }
            | Self::Finality { .. }
            | Self::Pruned { .. }
            | Self::Store(_)
            | Self::Replay { .. }
            | Self::SideBranchesFull { .. }
            | Self::SideBytesFull { .. } => Fault::Nobody,
            _ => Fault::Peer,
        }
    }

    /// Whether the verdict on the block is permanent, so that its hash may be remembered as invalid. A body
    /// that does not match the header does not invalidate the header. A body with too many transactions does
    /// not either, because they are counted before they are hashed.
    pub(crate) const fn condemns_header(&self) -> bool {
        matches!(
            self,
            Self::Size { .. }
                | Self::Transaction { .. }
                | Self::ApplyPanicked { .. }
                | Self::StateRootPanicked(_)
                | Self::StateRoot { .. }
        )
    }

    /// Whether the verdict is on the transactions, so that a block with other transactions may be valid.
    pub(crate) const fn blames_body(&self) -> bool {
        matches!(self, Self::Encode(_) | Self::MerkleRoot { .. } | Self::Count { .. })
            || self.condemns_header()
    }

    pub(crate) const fn version(header: &Header) -> Self {
        Self::Version { got: header.version, expected: Header::VERSION }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_units_that_people_read() {
        let at = |minutes: u64| Timestamp::from_millis(1_800_000_000_000 + minutes * 60_000);
        let late = BlockError::TimestampTooLate { got: at(150), limit: at(0) }.to_string();
        assert!(late.contains("by 2 h 30 min more than the rules of the chain allow"), "{late}");
        let early = BlockError::TimestampTooEarly { got: at(0), median: at(1) }.to_string();
        assert!(early.starts_with("timestamp is 1 min before the median"), "{early}");
    }

    #[test]
    fn a_bad_ancestor_has_the_rule_and_the_fault_of_its_own_error() {
        let ancestor = Hash::from_bytes([1; 32]);
        let below = |error| BlockError::InvalidAncestor { ancestor, error: Box::new(error) };
        let version = below(BlockError::Version { got: 2, expected: 1 });
        assert_eq!((version.rule(), version.fault()), ("version", Fault::Peer));
        let parent = below(BlockError::UnknownParent { parent: ancestor });
        assert_eq!((parent.rule(), parent.fault()), ("parent_known", Fault::Nobody));
    }
}
