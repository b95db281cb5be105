//! Proof that a log has signed two checkpoints of which at most one can be true.

use core::fmt;
use core::str::FromStr;

use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;

use super::{ContradictionError, ParseContradictionError};
use crate::evidence::lines::{self, Lines};
use crate::evidence::{Checkpoint, NoteVerifier, SignedNote};
use crate::primitives::Hash;
use crate::primitives::merkle::ConsistencyProof;

/// The first line of the text form.
const VERSION: &str = "hashloom/contradiction@v1";

/// Proof that a log misbehaved, for anyone who has its public key: two checkpoints with its signature, and a path that
/// shows that the tree of the larger one had, at the size of the smaller one, another root than the smaller one has.
///
/// An honest log cannot be accused: the path leads to a root that the log has signed, and no other entries have it.
///
/// # As text
///
/// [`Display`](fmt::Display) and [`FromStr`] write and parse these lines, which end in a newline each:
///
/// ```text
/// hashloom/contradiction@v1
/// root <the root of the larger tree at the smaller size, in base64>
/// <a hash of the path, in base64>, any number of times
///
/// <the smaller checkpoint, a signed note>
///
/// <the larger checkpoint, a signed note>
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    smaller: SignedNote,
    larger: SignedNote,
    root: Hash,
    path: Vec<Hash>,
}

impl Contradiction {
    /// The longest text that is parsed: two notes and a path.
    pub const MAX_BYTES: usize = 2 * SignedNote::MAX_BYTES + (4 << 10);

    /// Combines two checkpoints, the root of the larger tree at the size of the smaller one, and the path of a
    /// [`ConsistencyProof`] from that root to the root of the larger one. [`verify`](Self::verify) checks whether they
    /// contradict each other.
    pub const fn new(smaller: SignedNote, larger: SignedNote, root: Hash, path: Vec<Hash>) -> Self {
        Self { smaller, larger, root, path }
    }

    /// What an audit found.
    pub(super) fn found(smaller: &SignedNote, larger: &SignedNote, root: Hash, path: &[Hash]) -> Self {
        Self::new(smaller.clone(), larger.clone(), root, path.to_vec())
    }

    /// The checkpoint of the smaller size; if both have one size, the first of the two.
    pub const fn smaller(&self) -> &SignedNote {
        &self.smaller
    }

    /// The checkpoint of the larger size; if both have one size, the second of the two.
    pub const fn larger(&self) -> &SignedNote {
        &self.larger
    }

    /// Checks that the owner of this key has signed two checkpoints that contradict each other.
    ///
    /// # Errors
    ///
    /// [`ContradictionError`], if the contradiction is not proven.
    pub fn verify(&self, key: &NoteVerifier) -> Result<(), ContradictionError> {
        let smaller: Checkpoint = self.smaller.verify([key])?.text.parse()?;
        let larger: Checkpoint = self.larger.verify([key])?.text.parse()?;
        if smaller.origin() != larger.origin() {
            let (smaller, larger) = (smaller.origin().to_owned(), larger.origin().to_owned());
            return Err(ContradictionError::Origins { smaller, larger });
        }
        if self.root == smaller.root() {
            return Err(ContradictionError::SameRoot { root: self.root });
        }
        let (old_size, new_size) = (smaller.size(), larger.size());
        let proof = ConsistencyProof { old_size, new_size, path: self.path.clone() };
        Ok(proof.verify(&self.root, &larger.root())?)
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}\nroot {}\n", Base64Display::new(self.root.as_bytes(), &BASE64_STANDARD))?;
        for hash in &self.path {
            writeln!(f, "{}", Base64Display::new(hash.as_bytes(), &BASE64_STANDARD))?;
        }
        write!(f, "\n{}\n{}", self.smaller, self.larger)
    }
}

impl FromStr for Contradiction {
    type Err = ParseContradictionError;

    fn from_str(text: &str) -> Result<Self, ParseContradictionError> {
        use ParseContradictionError as Error;

        if text.len() > Self::MAX_BYTES {
            return Err(Error::TooLong { got: text.len(), limit: Self::MAX_BYTES });
        }
        let mut lines = Lines::of(text);
        lines.read(VERSION, |line| (line == VERSION).then_some(()))?;
        let root = lines.read("`root ` and the base64 of a hash", |line| {
            line.strip_prefix("root ").and_then(lines::hash)
        })?;
        let limit = ConsistencyProof::MAX_PATH;
        let path = lines.path(limit)?;

        // The text of a checkpoint has no empty lines, so the second one is that between the notes.
        let line = lines.number + 1;
        let (end, _) = lines.rest.match_indices("\n\n").nth(1).ok_or(Error::OneNote { line })?;
        let (smaller, rest) = lines.rest.split_at(end + 1);
        let larger = rest.strip_prefix('\n').unwrap_or_default();
        let note = |line, text: &str| text.parse().map_err(|error| Error::Note { line, error });
        let behind = line + smaller.lines().count() + 1;
        Ok(Self::new(note(line, smaller)?, note(behind, larger)?, root, path))
    }
}
