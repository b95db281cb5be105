//! Signed notes, as <https://c2sp.org/signed-note> has them.

mod error;

pub use error::{NoteError, VerifyError};

use core::fmt;
use core::str::{self, FromStr};

use super::key::{NoteSignature, NoteSigner, NoteVerifier};
use crate::primitives::Timestamp;

/// A text with the signatures of one or more keys.
///
/// ```
/// use hashloom::evidence::{Checkpoint, Cosigner, NoteSigner, SignedNote};
/// use hashloom::{Hash, Timestamp};
///
/// // The seeds are from the random source of the operating system.
/// # let (log_seed, witness_seed) = ([1; 32], [2; 32]);
/// let log = NoteSigner::from_seed("log.example/orders", &log_seed)?;
/// let witness = Cosigner::from_seed("witness.example", &witness_seed)?;
///
/// let checkpoint = Checkpoint::new("log.example/orders", 7, Hash::digest(b"root"))?;
/// let mut note = SignedNote::sign(checkpoint.to_string(), &log)?;
/// let now = Timestamp::from_millis(1_800_000_000_000);
/// note.add(witness.cosign(&checkpoint, now))?;
/// let file = note.to_string();
///
/// // Elsewhere, with the public keys, which were published as text:
/// let known = [log.verifier().to_string().parse()?, witness.verifier().to_string().parse()?];
/// let note: SignedNote = file.parse()?;
/// let verified = note.verify(&known)?;
/// assert_eq!(verified.text.parse(), Ok(checkpoint));
/// assert_eq!(verified.signatures[1].verifier.name(), "witness.example");
/// assert_eq!(verified.signatures[1].time, Some(now));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// The most bytes of a note. The specification asks for room for 16 signatures of up to 5 kB each, which are less
    /// than half of it.
    pub const MAX_BYTES: usize = 256 << 10;
    /// The most signatures on a note, as in Go's implementation; the specification asks for 16 at least.
    pub const MAX_SIGNATURES: usize = 100;

    /// A note with a signature of its text, which ends with a newline.
    ///
    /// # Errors
    ///
    /// [`NoteError::TooLong`], [`NoteError::ControlCharacter`] or [`NoteError::NoFinalNewline`] if no note can have the
    /// text.
    pub fn new(text: impl Into<String>, signature: NoteSignature) -> Result<Self, NoteError> {
        let text = text.into();
        check_characters(&text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::NoFinalNewline { line: line_at_end(text.as_bytes()) });
        }
        let mut note = Self { text, signatures: Vec::new() };
        note.add(signature)?;
        Ok(note)
    }

    /// Signs a text, which ends with a newline.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn sign(text: impl Into<String>, signer: &NoteSigner) -> Result<Self, NoteError> {
        let text = text.into();
        let signature = signer.sign(&text);
        Self::new(text, signature)
    }

    /// Parses a note. Signature lines of unknown types and keys are kept.
    ///
    /// # Errors
    ///
    /// [`NoteError`] if the bytes are not exactly a note.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        check_length(bytes.len())?;
        let note = str::from_utf8(bytes).map_err(|error| {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            NoteError::NotUtf8 { line: line_at_end(valid) }
        })?;
        check_characters(note)?;
        // The text ends with the first newline of the last two.
        let (text, lines) = note.rfind("\n\n").map_or((note, None), |at| {
            let (text, rest) = note.split_at(at + 1);
            (text, rest.strip_prefix('\n'))
        });
        let lines = lines.ok_or(NoteError::NoBlankLine)?;
        let first_line = line_at_end(text.as_bytes()) + 1;
        if lines.is_empty() {
            return Err(NoteError::NoSignature { line: first_line });
        }
        let lines = lines
            .strip_suffix('\n')
            .ok_or_else(|| NoteError::NoFinalNewline { line: line_at_end(note.as_bytes()) })?;
        let mut signatures = Vec::new();
        for (line, text) in (first_line..).zip(lines.split('\n')) {
            if signatures.len() == Self::MAX_SIGNATURES {
                return Err(NoteError::TooManySignatures { line });
            }
            signatures.push(text.parse().map_err(|error| NoteError::SignatureLine { line, error })?);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The text, with its final newline. It is whatever the source of the note wrote: ignore it until
    /// [`verify`](Self::verify) has returned it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, verified or not, in the order of their lines.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature at the end. It replaces the signatures of its key, of the same name and key ID.
    ///
    /// # Errors
    ///
    /// [`NoteError::TooManySignatures`] or [`NoteError::TooLong`], and the note is as it was.
    pub fn add(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        let is_other =
            |old: &NoteSignature| old.name() != signature.name() || old.key_id() != signature.key_id();
        let others = || self.signatures.iter().filter(|old| is_other(old));
        let count = others().count();
        if count == Self::MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures { line: line_at_end(self.text.as_bytes()) + 1 + count });
        }
        let line_len = |signature: &NoteSignature| signature.text_len() + 1;
        check_length(self.text.len() + 1 + others().map(line_len).sum::<usize>() + line_len(&signature))?;
        self.signatures.retain(is_other);
        self.signatures.push(signature);
        Ok(())
    }

    /// Verifies the signatures of the known keys, which are those of `verifiers`. Signatures of other keys are
    /// ignored.
    ///
    /// # Errors
    ///
    /// - [`VerifyError::InvalidSignature`] if a line claims to be from a known key and is not.
    /// - [`VerifyError::NoKnownKey`] if no line is from a known key.
    /// - [`VerifyError::AmbiguousKey`] if a line may be from two different known keys.
    pub fn verify<'a>(
        &'a self,
        verifiers: impl IntoIterator<Item = &'a NoteVerifier, IntoIter: Clone>,
    ) -> Result<VerifiedNote<'a>, VerifyError> {
        let verifiers = verifiers.into_iter();
        let first_line = line_at_end(self.text.as_bytes()) + 1;
        let mut signatures: Vec<VerifiedSignature<'_>> = Vec::new();
        for (line, signature) in (first_line..).zip(&self.signatures) {
            let mut known = verifiers.clone().filter(|verifier| verifier.is_claimed_by(signature));
            let Some(verifier) = known.next() else { continue };
            let (name, key_id) = (signature.name(), signature.key_id());
            if known.any(|other| other != verifier) {
                return Err(VerifyError::AmbiguousKey { line, name: name.to_owned(), key_id });
            }
            let time = verifier
                .verify(&self.text, signature.signature())
                .map_err(|_| VerifyError::InvalidSignature { line, name: name.to_owned(), key_id })?;
            if signatures.iter().all(|earlier| earlier.verifier != verifier) {
                signatures.push(VerifiedSignature { verifier, time });
            }
        }
        if signatures.is_empty() {
            return Err(VerifyError::NoKnownKey);
        }
        Ok(VerifiedNote { text: &self.text, signatures })
    }
}

/// Writes the bytes that [`SignedNote::parse`] reads.
impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl FromStr for SignedNote {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        Self::parse(note.as_bytes())
    }
}

/// What the known keys have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedNote<'a> {
    /// The text, with its final newline.
    pub text: &'a str,
    /// One signature of each known key that signed, in the order of the lines. If a key signed more than once, all of
    /// its signatures are valid, and this is its first.
    pub signatures: Vec<VerifiedSignature<'a>>,
}

/// A valid signature of a known key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSignature<'a> {
    /// The key.
    pub verifier: &'a NoteVerifier,
    /// When a cosigner signed, in whole seconds; `None` for the other type of keys. The time is the cosigner's claim,
    /// and may be in the future.
    pub time: Option<Timestamp>,
}

fn check_length(got: usize) -> Result<(), NoteError> {
    if got > SignedNote::MAX_BYTES { Err(NoteError::TooLong { got }) } else { Ok(()) }
}

/// Refuses control characters other than newlines, which are those below U+0020.
fn check_characters(text: &str) -> Result<(), NoteError> {
    match text.char_indices().find(|&(_, got)| got < ' ' && got != '\n') {
        None => Ok(()),
        Some((at, got)) => {
            let before = text.as_bytes().get(..at).unwrap_or_default();
            Err(NoteError::ControlCharacter { line: line_at_end(before), got })
        }
    }
}

/// The number of the line, from 1, on which these bytes end.
fn line_at_end(bytes: &[u8]) -> usize {
    bytes.split(|&byte| byte == b'\n').count()
}
