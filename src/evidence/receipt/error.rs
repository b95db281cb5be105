//! Why a receipt cannot be issued, parsed, verified or decoded.

use super::ContentError;
use crate::chain::ProveError;
use crate::evidence::{CheckpointError, LineError, NoteError, PolicyError};
use crate::primitives::merkle::ProofError;
use crate::primitives::{CompactTarget, CompactTargetError, EncodeError, Hash, Panicked, Target};
use crate::store::StoreError;

/// Why a chain cannot issue a receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueReceiptError {
    /// The note is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The chain has no header with this hash.
    #[error("block {hash} is not known")]
    UnknownBlock {
        /// The hash of the block.
        hash: Hash,
    },
    /// The block is not on the best chain, so no checkpoint of this chain covers it.
    #[error("block {hash} is not on the best chain")]
    SideBranch {
        /// The hash of the block.
        hash: Hash,
    },
    /// The checkpoint is older than the block: its tree has the blocks below the height `size`.
    #[error("block {height} is not in the tree of a checkpoint of size {size}")]
    NotCovered {
        /// The height of the block.
        height: u64,
        /// The size of the checkpoint.
        size: u64,
    },
    /// The checkpoint is of more blocks than the best chain has. The node may have to synchronise first.
    #[error("a checkpoint of size {size}, but the best chain ends at height {height}")]
    BeyondTip {
        /// The size of the checkpoint.
        size: u64,
        /// The height of the tip.
        height: u64,
    },
    /// The checkpoint is not of this chain, or of a branch that is no longer the best chain: its root is not the
    /// `history_root` of the header at the height `size`.
    #[error("a checkpoint of size {size} with the root {got}, but the root of this chain is {expected}")]
    OtherHistory {
        /// The size of the checkpoint.
        size: u64,
        /// The root of the checkpoint.
        got: Hash,
        /// The root over the first `size` blocks of the best chain.
        expected: Hash,
    },
    /// The body of the block was pruned.
    #[error("block {height} is pruned, bodies are kept from height {first} on")]
    Pruned {
        /// The height of the block.
        height: u64,
        /// The lowest height whose body is kept.
        first: u64,
    },
    /// The block has no transaction at this index.
    #[error("no transaction {index} in a block of {count}")]
    NoTransaction {
        /// The requested index, from 0.
        index: usize,
        /// The number of transactions in the block.
        count: usize,
    },
    /// The application's code gives no canonical bytes for a transaction that is in a block.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The chain cannot make the proof.
    #[error(transparent)]
    Proof(ProofError),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ProveError> for IssueReceiptError {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::Proof(error) => Self::Proof(error),
            ProveError::Store(error) => Self::Store(error),
        }
    }
}

/// Why a text is not a receipt. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseReceiptError {
    /// The text is longer than [`Receipt::MAX_BYTES`](super::Receipt::MAX_BYTES).
    #[error("a text of {got} bytes, expected at most {limit}")]
    TooLong {
        /// The length of the text in bytes.
        got: usize,
        /// The most bytes of a text.
        limit: usize,
    },
    /// A line is not what the format has in its place.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The extra data is not the content of a receipt.
    #[error("line {line}: {error}")]
    Extra {
        /// The number of the line.
        line: usize,
        /// What is wrong with the data.
        #[source]
        error: ContentError,
    },
    /// The index of the entry is not the height of the block, by which the log is ordered.
    #[error("line {line}: the entry {got}, expected the height {height} of the block")]
    Index {
        /// The number of the line.
        line: usize,
        /// The index of the entry.
        got: u64,
        /// The height in the header of the block.
        height: u64,
    },
    /// The rest of the text is not a signed note.
    #[error("the note from line {line} on: {error}")]
    Note {
        /// The number of the note's first line.
        line: usize,
        /// What is wrong with the note; its line numbers are those of the note.
        #[source]
        error: NoteError,
    },
    /// The signed note is not a checkpoint.
    #[error("the checkpoint from line {line} on: {error}")]
    Checkpoint {
        /// The number of the checkpoint's first line.
        line: usize,
        /// What is wrong with the checkpoint; its line numbers are those of the checkpoint.
        #[source]
        error: CheckpointError,
    },
}

/// The step at which a receipt fails. Nothing is proven.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyReceiptError {
    /// The policy does not accept the checkpoint.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The block is not in the tree of the checkpoint.
    #[error("block {hash} is not entry {height} of the checkpoint: {error}")]
    NotInLog {
        /// The hash of the header.
        hash: Hash,
        /// The height of the block, its index in the log.
        height: u64,
        /// Why the path does not lead to the checkpoint's root.
        #[source]
        error: ProofError,
    },
    /// The header has another version than [`Header::VERSION`](crate::Header::VERSION).
    #[error("a header of version {got}, expected {expected}")]
    Version {
        /// The version of the header.
        got: u32,
        /// The version that this crate reads.
        expected: u32,
    },
    /// The header claims a target that is none.
    #[error(transparent)]
    Target(#[from] CompactTargetError),
    /// The header claims an easier target than the policy accepts.
    #[error("a header with the target {got}, expected {easiest} or a harder one")]
    EasyTarget {
        /// The target of the header.
        got: CompactTarget,
        /// The easiest target of the policy.
        easiest: Target,
    },
    /// The hash of the header does not meet the header's target.
    #[error("block {hash} does not meet its target {target}")]
    ProofOfWork {
        /// The hash of the header.
        hash: Hash,
        /// The target of the header.
        target: CompactTarget,
    },
    /// The checkpoint has fewer blocks after the receipt's block than the policy asks for.
    #[error("{got} blocks of the checkpoint are on top of the block, expected at least {expected}")]
    BlocksOnTop {
        /// The number of blocks after the receipt's block in the tree of the checkpoint.
        got: u64,
        /// The least number of the policy.
        expected: u64,
    },
    /// The transaction is not in the block.
    #[error("transaction {id} is not in block {height}: {error}")]
    NotInBlock {
        /// The id of the transaction, computed from its canonical bytes.
        id: Hash,
        /// The height of the block.
        height: u64,
        /// Why the path does not lead to the header's `merkle_root`.
        #[source]
        error: ProofError,
    },
}

/// Why a type cannot be read from the canonical bytes of a receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeReceiptError {
    /// The bytes are no postcard form of the type.
    #[error("not a transaction of this type: {reason}")]
    Malformed {
        /// The message of the decoder.
        reason: String,
    },
    /// The value that is read has no canonical bytes.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The value that is read is another transaction: it has another id. The type has an
    /// [`encode`](crate::Transaction::encode) of its own, or is not that of the chain.
    #[error("the value that is read has the id {got}, expected {expected}")]
    OtherId {
        /// The id of the value.
        got: Hash,
        /// The id of the proven transaction.
        expected: Hash,
    },
    /// The application's code panicked.
    #[error(transparent)]
    Panicked(#[from] Panicked),
}
