//! The errors of signed notes, one variant per rule.

use super::SignedNote;
use crate::evidence::key::SignatureLineError;

/// Why a text is not a signed note. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// The note is too long.
    #[error("the note has {got} bytes, expected at most {}", SignedNote::MAX_BYTES)]
    TooLong {
        /// The length in bytes.
        got: usize,
    },
    /// The note is not UTF-8.
    #[error("line {line}: not UTF-8")]
    NotUtf8 {
        /// The line of the first byte that is wrong.
        line: usize,
    },
    /// The note contains a control character other than a newline.
    #[error("line {line}: control character {got:?}")]
    ControlCharacter {
        /// The line of the character.
        line: usize,
        /// The first control character.
        got: char,
    },
    /// No blank line separates a text from signatures.
    #[error("no blank line between the text and the signatures")]
    NoBlankLine,
    /// The note ends with its blank line.
    #[error("line {line}: expected a signature, got the end of the note")]
    NoSignature {
        /// The line after the last.
        line: usize,
    },
    /// The text or the last signature does not end with a newline.
    #[error("line {line}: expected a newline at the end")]
    NoFinalNewline {
        /// The last line.
        line: usize,
    },
    /// The note has too many signatures.
    #[error("line {line}: expected at most {} signatures", SignedNote::MAX_SIGNATURES)]
    TooManySignatures {
        /// The line of the first signature that is too many.
        line: usize,
    },
    /// A line behind the blank line is not a signature line.
    #[error("line {line}: {error}")]
    SignatureLine {
        /// The line.
        line: usize,
        /// What is wrong with it.
        #[source]
        error: SignatureLineError,
    },
}

/// Why the known keys have not signed a note. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// No signature is from a known key.
    #[error("no signature is from a known key")]
    NoKnownKey,
    /// A signature claims to be from a known key, and is not: of another text, by another key, or malformed.
    #[error("line {line}: invalid signature of the key {name}+{key_id:08x}")]
    InvalidSignature {
        /// The line of the signature.
        line: usize,
        /// The name of the key.
        name: String,
        /// The ID of the key.
        key_id: u32,
    },
    /// Two different known keys have the name and the ID on a signature line. An accident of this kind has a chance of
    /// one in four billion, so that one of the two keys was made to cause it.
    #[error("line {line}: more than one known key is {name}+{key_id:08x}")]
    AmbiguousKey {
        /// The line of the signature.
        line: usize,
        /// The name of the keys.
        name: String,
        /// The ID of the keys.
        key_id: u32,
    },
}
