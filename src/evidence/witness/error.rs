//! The errors of witnesses, one variant per rule.

use crate::evidence::{CheckpointError, LineError, NoteError, VerifyError};
use crate::primitives::Hash;
use crate::primitives::merkle::ProofError;
use crate::store::StoreError;

/// Why a text is not a request for a cosignature. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseAddCheckpointError {
    /// The text is longer than [`AddCheckpoint::MAX_BYTES`](super::AddCheckpoint::MAX_BYTES).
    #[error("a request of {got} bytes, expected at most {limit}")]
    TooLong {
        /// The length in bytes.
        got: usize,
        /// The most bytes of a request.
        limit: usize,
    },
    /// A line is not what the format has in its place.
    #[error(transparent)]
    Line(#[from] LineError),
    /// What follows the path is not a signed note.
    #[error("the note from line {line} on: {error}")]
    Note {
        /// The number of the note's first line.
        line: usize,
        /// Why it is not a note.
        #[source]
        error: NoteError,
    },
}

/// The path of a request is longer than [`AddCheckpoint::MAX_PATH`](super::AddCheckpoint::MAX_PATH).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a path of {got} hashes, expected at most {limit}")]
#[non_exhaustive]
pub struct PathTooLong {
    /// The number of hashes.
    pub got: usize,
    /// The most hashes of a path.
    pub limit: usize,
}

/// Why a witness does not cosign. The documentation of each rule has the status with which
/// <https://c2sp.org/tlog-witness> answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// The note is not a checkpoint (400).
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The witness was not configured with this log (404).
    #[error("the log {origin:?} is not witnessed here")]
    UnknownLog {
        /// The origin of the checkpoint.
        origin: String,
    },
    /// No key of the log has signed, or a line that claims to be from one has another signature (403).
    #[error(transparent)]
    Signature(#[from] VerifyError),
    /// The old size is above the size of the checkpoint (400).
    #[error("the old size {old_size} is above the size {size} of the checkpoint")]
    OldSize {
        /// The old size of the request.
        old_size: u64,
        /// The size of the checkpoint.
        size: u64,
    },
    /// The old size is not that of the last checkpoint that was cosigned (409, with the expected size).
    #[error("the old size is {got}, expected {expected}, which was cosigned last")]
    Outdated {
        /// The old size of the request.
        got: u64,
        /// The size of the last checkpoint that was cosigned; 0 if none was.
        expected: u64,
    },
    /// The checkpoint has the size of the last one and another root (409): the log shows two histories.
    #[error("the root over {size} entries is {got}, and {expected} was cosigned")]
    OtherRoot {
        /// The size of both checkpoints.
        size: u64,
        /// The root of the checkpoint.
        got: Hash,
        /// The root that was cosigned.
        expected: Hash,
    },
    /// The proof does not show that the log extends the one that was cosigned (422).
    #[error("the log was not shown to extend what was cosigned: {0}")]
    Inconsistent(#[source] ProofError),
    /// The store is in memory, so that a later run could cosign what contradicts this one.
    #[error("a chain in memory forgets what was cosigned; a witness needs a store on disk")]
    InMemory,
    /// The store fails, or the checkpoint in it is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
}
