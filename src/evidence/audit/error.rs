//! Errors of audits.

use crate::evidence::{CheckpointError, LineError, NoteError, PolicyError, VerifyError};
use crate::primitives::Hash;
use crate::primitives::merkle::ProofError;

/// Why a checkpoint gets no verdict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The checkpoint does not meet the policy.
    #[error("the new checkpoint: {0}")]
    Next(#[source] PolicyError),
    /// The held checkpoint does not meet the policy: the memory was changed, or is that of another log.
    #[error("the held checkpoint: {0}")]
    Held(#[source] PolicyError),
}

/// Why a text is not the memory of an auditor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseAuditorError {
    /// The text is not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// Why a text is not that of a contradiction. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseContradictionError {
    /// The text is longer than [`Contradiction::MAX_BYTES`](super::Contradiction::MAX_BYTES).
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
    /// No empty line separates the two notes.
    #[error("the notes from line {line} on: expected two notes with an empty line between them")]
    OneNote {
        /// The number of the first line of the notes.
        line: usize,
    },
    /// One of the two is not a signed note.
    #[error("the note from line {line} on: {error}")]
    Note {
        /// The number of the note's first line.
        line: usize,
        /// What is wrong with the note; its line numbers are those of the note.
        #[source]
        error: NoteError,
    },
}

/// Why two notes and a path prove nothing against a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContradictionError {
    /// The key has not signed both notes.
    #[error(transparent)]
    Signature(#[from] VerifyError),
    /// One of the notes is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoints are of two logs, which may differ.
    #[error("checkpoints of two logs, {smaller:?} and {larger:?}")]
    Origins {
        /// The origin of the smaller checkpoint.
        smaller: String,
        /// The origin of the larger checkpoint.
        larger: String,
    },
    /// The root is that of the smaller checkpoint, so the larger tree extends the smaller one.
    #[error("the larger tree had the root {root} of the smaller checkpoint")]
    SameRoot {
        /// The root of both.
        root: Hash,
    },
    /// The path does not show that the larger tree had the root at the size of the smaller checkpoint.
    #[error(transparent)]
    Proof(#[from] ProofError),
}
