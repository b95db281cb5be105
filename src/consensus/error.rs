//! The consensus rules as errors: one variant per rule, with the value found and the value or limit required.

use crate::primitives::{
    CompactTarget, CompactTargetError, EncodeError, Hash, Header, Panicked, Rejected, Span, Timestamp,
};

/// The rule that a header or a block breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
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
    /// The application's [`check`](crate::Transaction::check) or [`apply`](crate::Transaction::apply) panicked on a transaction. The transaction is
    /// refused like one that the application rejects.
    #[error("transaction {index} cannot be applied: {panic}")]
    ApplyPanicked {
        /// The index of the transaction in the block, from 0.
        index: usize,
        /// The panic.
        #[source]
        panic: Panicked,
    },
    /// The application refuses the end of the block: [`end_block`](crate::Transaction::end_block).
    #[error("the end of the block is rejected: {reason}")]
    EndBlock {
        /// The application's reason.
        #[source]
        reason: Rejected,
    },
    /// The application's [`end_block`](crate::Transaction::end_block) panicked. The block is refused like one that
    /// the application rejects.
    #[error("the block cannot be ended: {panic}")]
    EndBlockPanicked {
        /// The panic.
        #[source]
        panic: Panicked,
    },
    /// The application's [`state_root`](crate::Transaction::state_root) panicked on the state after the
    /// block.
    #[error("no state root: {0}")]
    StateRootPanicked(#[from] Panicked),
    /// The application's state after the block does not match the header's state root: `apply` or `end_block` is
    /// not deterministic, or the miner committed to a wrong root.
    #[error("state root is {got}, expected {expected}")]
    StateRoot {
        /// The root of the state after applying the block.
        got: Hash,
        /// The root that the header commits to.
        expected: Hash,
    },
    /// The header does not extend the header before it.
    #[error("parent {got} is not known")]
    Parent {
        /// The header's `previous_hash`.
        got: Hash,
        /// The hash of the header before it.
        expected: Hash,
    },
}

impl RuleError {
    /// The name of the rule, short and stable, for programs. The error message has the details.
    pub const fn rule(&self) -> &'static str {
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
            Self::EndBlock { .. } => "end_block",
            Self::EndBlockPanicked { .. } => "end_block_panicked",
            Self::StateRootPanicked(_) => "state_root_panicked",
            Self::StateRoot { .. } => "state_root",
            Self::Parent { .. } => "parent_known",
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
                | Self::EndBlock { .. }
                | Self::EndBlockPanicked { .. }
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
        let late = RuleError::TimestampTooLate { got: at(150), limit: at(0) }.to_string();
        assert!(late.contains("by 2 h 30 min more than the rules of the chain allow"), "{late}");
        let early = RuleError::TimestampTooEarly { got: at(0), median: at(1) }.to_string();
        assert!(early.starts_with("timestamp is 1 min before the median"), "{early}");
    }
}
