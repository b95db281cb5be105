//! The body of a request for a cosignature.

use core::fmt;
use core::str::FromStr;

use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;

use super::{ParseAddCheckpointError, PathTooLong};
use crate::evidence::SignedNote;
use crate::evidence::lines::{Lines, decimal};
use crate::primitives::Hash;

/// A request for a cosignature: the body of `add-checkpoint`.
///
/// [`Display`](fmt::Display) and [`FromStr`] write and parse it: `old` and the size of the last checkpoint that the witness
/// cosigned, the path of a consistency proof from there, an empty line, and the signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    old_size: u64,
    path: Vec<Hash>,
    note: SignedNote,
}

impl AddCheckpoint {
    /// The most hashes of a path, as the specification has it.
    pub const MAX_PATH: usize = 63;
    /// The longest body that is parsed, in bytes: a size, a path and a signed note.
    pub const MAX_BYTES: usize =
        SignedNote::MAX_BYTES + "old 18446744073709551615\n\n".len() + Self::MAX_PATH * 45;

    /// A request for a cosignature of a checkpoint. `path` is that of a
    /// [`ConsistencyProof`](crate::primitives::merkle::ConsistencyProof) from the log of `old_size` entries; empty for 0.
    ///
    /// # Errors
    ///
    /// [`PathTooLong`].
    pub fn new(old_size: u64, path: Vec<Hash>, note: SignedNote) -> Result<Self, PathTooLong> {
        if path.len() > Self::MAX_PATH {
            return Err(PathTooLong { got: path.len(), limit: Self::MAX_PATH });
        }
        Ok(Self { old_size, path, note })
    }

    /// The size of the last checkpoint that the witness cosigned, in the view of the client.
    pub const fn old_size(&self) -> u64 {
        self.old_size
    }

    /// The path of the consistency proof.
    pub fn path(&self) -> &[Hash] {
        &self.path
    }

    /// The signed checkpoint.
    pub const fn note(&self) -> &SignedNote {
        &self.note
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        for hash in &self.path {
            writeln!(f, "{}", Base64Display::new(hash.as_bytes(), &BASE64_STANDARD))?;
        }
        write!(f, "\n{}", self.note)
    }
}

impl FromStr for AddCheckpoint {
    type Err = ParseAddCheckpointError;

    fn from_str(text: &str) -> Result<Self, ParseAddCheckpointError> {
        if text.len() > Self::MAX_BYTES {
            return Err(ParseAddCheckpointError::TooLong { got: text.len(), limit: Self::MAX_BYTES });
        }
        let mut lines = Lines::of(text);
        let old_size = lines.read("`old ` and a number", |line| decimal(line.strip_prefix("old ")?))?;
        let path = lines.path(Self::MAX_PATH)?;
        let line = lines.number + 1;
        let note = lines.rest.parse().map_err(|error| ParseAddCheckpointError::Note { line, error })?;
        Ok(Self { old_size, path, note })
    }
}
