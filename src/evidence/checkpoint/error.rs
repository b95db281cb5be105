//! The errors of checkpoints, one variant per rule.

use super::Checkpoint;
use crate::StoreError;
use crate::primitives::Hash;

/// Why a text is not the origin of a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// The origin has no characters.
    #[error("the origin is empty")]
    Empty,
    /// The origin is too long.
    #[error("the origin has {got} bytes, expected at most {}", Checkpoint::MAX_ORIGIN_BYTES)]
    TooLong {
        /// The length in bytes.
        got: usize,
    },
    /// The origin contains a newline or another control character.
    #[error("the origin contains the control character {got:?}")]
    ControlCharacter {
        /// The first control character.
        got: char,
    },
}

/// Why a text is not a checkpoint. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The text is too long.
    #[error("the checkpoint has {got} bytes, expected at most {}", Checkpoint::MAX_BYTES)]
    TooLong {
        /// The length in bytes.
        got: usize,
    },
    /// The text ends before its third line.
    #[error("line {line} is missing")]
    MissingLine {
        /// The first line that is missing.
        line: usize,
    },
    /// The last line does not end with a newline.
    #[error("line {line}: expected a newline at the end")]
    NoFinalNewline {
        /// The last line.
        line: usize,
    },
    /// The first line is not an origin.
    #[error("line 1: {0}")]
    Origin(#[from] OriginError),
    /// The second line is not the size of a tree.
    #[error("line 2: expected a decimal number below 2^64 without leading zeros, got {got:?}")]
    Size {
        /// The first [`MAX_QUOTED`](crate::evidence::LineError::MAX_QUOTED) characters of the line.
        got: String,
    },
    /// The third line is not the root of a tree.
    #[error("line 3: expected 32 bytes in standard base64 with padding, got {got:?}")]
    Root {
        /// The first [`MAX_QUOTED`](crate::evidence::LineError::MAX_QUOTED) characters of the line.
        got: String,
    },
    /// The size is 0, and the root is not that of the empty tree.
    #[error("line 3: the tree has no entries and the root {got}, expected {expected}")]
    EmptyTree {
        /// The root in the text.
        got: Hash,
        /// The root of the empty tree.
        expected: Hash,
    },
    /// An extension line is empty.
    #[error("line {line}: an extension line is empty")]
    EmptyExtension {
        /// The line.
        line: usize,
    },
    /// An extension line contains a control character, which no note may contain.
    #[error("line {line}: control character {got:?}")]
    ControlCharacter {
        /// The line of the character.
        line: usize,
        /// The first control character.
        got: char,
    },
}

/// Why a chain has no such checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The origin is malformed.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The header that commits to this many blocks is not on the best chain yet.
    #[error("a checkpoint of {size} blocks needs the header at height {size}, the tip is at {height}")]
    AboveTip {
        /// The number of blocks.
        size: u64,
        /// The height of the tip.
        height: u64,
    },
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}
