//! The errors of keys and of signature lines, one variant per cause. No error contains a part of the text of a key,
//! which may be a secret one.

use super::MAX_KEY_NAME_BYTES;

/// Why a text is not the name of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name has no characters.
    #[error("the name of a key is empty")]
    Empty,
    /// The name contains a space in the sense of Unicode.
    #[error("the name of a key contains the space {got:?}")]
    Space {
        /// The first space.
        got: char,
    },
    /// The name contains a plus, which separates the parts of an encoded key.
    #[error("the name of a key contains '+'")]
    Plus,
    /// The name contains a control character, which no note may contain.
    #[error("the name of a key contains the control character {got:?}")]
    ControlCharacter {
        /// The first control character.
        got: char,
    },
    /// The name of a key of this crate is too long.
    #[error("the name of a key has {got} bytes, expected at most {MAX_KEY_NAME_BYTES}")]
    TooLong {
        /// The length in bytes.
        got: usize,
    },
}

/// Why a text is not an encoded key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text of a secret key does not begin with `PRIVATE+KEY+`.
    #[error("a secret key begins with \"PRIVATE+KEY+\"")]
    NotPrivate,
    /// The text does not have the three parts name, key ID and key, with a plus between them.
    #[error("an encoded key has three parts with '+' between them: name, key ID, key; got {got}")]
    Parts {
        /// The number of parts.
        got: usize,
    },
    /// The first part is not the name of a key.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The second part is not a key ID.
    #[error("a key ID has eight lower-case hex digits")]
    IdForm,
    /// The third part is not canonical base64.
    #[error("the key is not standard base64 with padding")]
    Base64,
    /// The third part encodes no bytes.
    #[error("the key is empty")]
    Empty,
    /// The key is for another type of signatures.
    #[error("the key is for signatures of type {got}, expected one of {expected:?}")]
    SignatureType {
        /// The type in the text.
        got: u8,
        /// The types that were expected.
        expected: &'static [u8],
    },
    /// The key has the wrong length.
    #[error("the key has {got} bytes, expected 32")]
    Length {
        /// The number of bytes after the signature type.
        got: usize,
    },
    /// The key ID is that of another name or key.
    #[error("the key ID is {got:08x}, expected {expected:08x}")]
    Id {
        /// The key ID in the text.
        got: u32,
        /// The key ID of this name and key.
        expected: u32,
    },
    /// The public key is not a point of the curve.
    #[error("the public key is not a point of edwards25519")]
    NotOnCurve,
    /// The public key is an encoding of a point that RFC 8032, section 5.1.3, refuses.
    #[error("the public key is not in canonical form")]
    NotCanonical,
    /// The public key is a point of small order, under which one signature is valid for many texts.
    #[error("the public key has small order")]
    SmallOrder,
}

/// Why a line is not a signature line of a note.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureLineError {
    /// The line does not begin with an em dash and a space.
    #[error("a signature line begins with an em dash (U+2014) and a space")]
    Prefix,
    /// The name of the key is malformed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The line ends after the name of the key.
    #[error("a space and the signature are missing after the name of the key")]
    NoSignature,
    /// The signature is not canonical base64.
    #[error("the signature is not standard base64 with padding")]
    Base64,
    /// The signature has no bytes after the key ID.
    #[error("the key ID and the signature have {got} bytes together, expected at least 5")]
    TooShort {
        /// The number of bytes.
        got: usize,
    },
}
