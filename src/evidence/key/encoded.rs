//! The text form of a key: `name+key ID+base64(signature type || key)`.

use core::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use super::{KeyError, MAX_KEY_NAME_BYTES, NameError, check_name};

/// The parts of an encoded key. Whether the key ID is that of the key is for the caller to check, since it is always
/// that of the public key.
pub(super) struct EncodedKey<'a> {
    pub(super) name: &'a str,
    pub(super) id: u32,
    pub(super) signature_type: u8,
    pub(super) key: Zeroizing<[u8; 32]>,
}

impl<'a> EncodedKey<'a> {
    /// Parses a key for one of the expected types of signatures.
    pub(super) fn parse(text: &'a str, expected: &'static [u8]) -> Result<Self, KeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Parts { got: text.split('+').count() });
        };
        check_key_name(name)?;
        let is_digit = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
        if id.len() != 8 || !id.bytes().all(is_digit) {
            return Err(KeyError::IdForm);
        }
        let id = u32::from_str_radix(id, 16).map_err(|_| KeyError::IdForm)?;
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(key).map_err(|_| KeyError::Base64)?);
        let (&signature_type, key) = bytes.split_first().ok_or(KeyError::Empty)?;
        if !expected.contains(&signature_type) {
            return Err(KeyError::SignatureType { got: signature_type, expected });
        }
        let key = key.try_into().map_err(|_| KeyError::Length { got: key.len() })?;
        Ok(Self { name, id, signature_type, key: Zeroizing::new(key) })
    }

    /// Refuses a key ID that is not the one of the key.
    pub(super) const fn check_id(&self, expected: u32) -> Result<(), KeyError> {
        if self.id == expected { Ok(()) } else { Err(KeyError::Id { got: self.id, expected }) }
    }
}

/// Checks the name of a key of this crate.
pub(super) fn check_key_name(name: &str) -> Result<(), NameError> {
    check_name(name)?;
    if name.len() > MAX_KEY_NAME_BYTES {
        return Err(NameError::TooLong { got: name.len() });
    }
    Ok(())
}

/// Writes the text form.
pub(super) fn write(
    out: &mut impl fmt::Write,
    name: &str,
    id: u32,
    signature_type: u8,
    key: &[u8; 32],
) -> fmt::Result {
    let mut bytes = Zeroizing::new([signature_type; 33]);
    if let Some((_, rest)) = bytes.split_first_mut() {
        rest.copy_from_slice(key);
    }
    let mut text = Zeroizing::new([0; 44]);
    // Cannot fail: 33 bytes are 44 characters of base64.
    let length =
        BASE64_STANDARD.encode_slice(bytes.as_slice(), text.as_mut_slice()).map_err(|_| fmt::Error)?;
    let key = text.get(..length).and_then(|text| core::str::from_utf8(text).ok()).ok_or(fmt::Error)?;
    write!(out, "{name}+{id:08x}+{key}")
}
