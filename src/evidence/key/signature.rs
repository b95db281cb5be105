//! One signature of a note, as its line has it.

use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;

use super::{SignatureLineError, check_name};

/// What each signature line begins with.
const PREFIX: &str = "\u{2014} ";

/// A signature of a note. Its text form is a signature line without the newline; the name and the key ID say which key
/// it claims to be from. Only [`SignedNote::verify`](crate::evidence::SignedNote::verify) knows whether it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    /// The key ID in four bytes, and the signature, of one byte at least.
    bytes: Vec<u8>,
}

impl NoteSignature {
    /// Joins the parts of a signature whose name is valid.
    pub(super) fn new(name: &str, key_id: u32, signature: &[&[u8]]) -> Self {
        let mut bytes = key_id.to_be_bytes().to_vec();
        bytes.extend(signature.iter().copied().flatten());
        Self { name: name.to_owned(), bytes }
    }

    /// The name of the key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The ID of the key. A public key with a given ID takes seconds to make, so it proves nothing.
    pub fn key_id(&self) -> u32 {
        self.bytes.first_chunk().copied().map_or(0, u32::from_be_bytes)
    }

    /// The signature, in the form of its type.
    pub fn signature(&self) -> &[u8] {
        self.bytes.get(4..).unwrap_or_default()
    }

    /// The length of the text form in bytes.
    pub(crate) fn text_len(&self) -> usize {
        PREFIX.len() + self.name.len() + 1 + self.bytes.len().div_ceil(3) * 4
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{} {}", self.name, Base64Display::new(&self.bytes, &BASE64_STANDARD))
    }
}

/// Parses a signature line without the newline.
impl FromStr for NoteSignature {
    type Err = SignatureLineError;

    fn from_str(line: &str) -> Result<Self, SignatureLineError> {
        let line = line.strip_prefix(PREFIX).ok_or(SignatureLineError::Prefix)?;
        let (name, signature) = match line.split_once(' ') {
            Some((name, signature)) => (name, Some(signature)),
            None => (line, None),
        };
        check_name(name)?;
        let signature = signature.ok_or(SignatureLineError::NoSignature)?;
        let bytes = BASE64_STANDARD.decode(signature).map_err(|_| SignatureLineError::Base64)?;
        if bytes.len() < 5 {
            return Err(SignatureLineError::TooShort { got: bytes.len() });
        }
        Ok(Self { name: name.to_owned(), bytes })
    }
}
