//! Addresses as text for people: with a checksum, in bech32m.

use core::fmt;

use bech32::primitives::decode::{
    CharError, ChecksumError, UncheckedHrpstring, UncheckedHrpstringError as TextError,
};
use bech32::{Bech32m, Hrp};

use crate::primitives::Address;

/// What the addresses of one currency begin with, such as `coin`. It writes and reads them as text with a checksum, in
/// bech32m ([BIP 350](https://github.com/bitcoin/bips/blob/master/bip-0350.mediawiki)).
///
/// The text is the prefix, the digit `1`, 32 characters for the 20 bytes of the address, and 6 for a checksum over
/// all of it. A text with up to four wrong characters is never read as another address, and any other mistake with a
/// probability of one in 2^30. Programs use the hex form of an [`Address`], as JSON does.
///
/// ```
/// use hashloom::ledger::{AddressError, AddressPrefix};
/// use hashloom::signed::SecretKey;
///
/// let coin = AddressPrefix::new("coin")?;
/// let ann = SecretKey::from_seed(&[1; 32]).public_key().address();
/// let text = coin.encode(&ann);
/// assert_eq!(text, "coin1xmdg0n0cjptkekg55fk9g84pte2qgass2ecs79");
/// assert_eq!(coin.decode(&text), Ok(ann));
///
/// assert_eq!(coin.decode(&text.replace("79", "97")), Err(AddressError::Checksum));
/// let other = AddressPrefix::new("tin")?.encode(&ann);
/// assert_eq!(coin.decode(&other).unwrap_err().to_string(), "the address begins with \"tin1\", expected \"coin1\"");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AddressPrefix(Hrp);

impl AddressPrefix {
    /// The most letters of a prefix: an address with it has 90 characters, the most of a bech32m text.
    pub const MAX_LEN: usize = 51;

    /// A prefix of 1 to [`MAX_LEN`](Self::MAX_LEN) lower-case letters from a to z. Take one that no other currency has.
    ///
    /// # Errors
    ///
    /// [`PrefixError`].
    pub fn new(prefix: &str) -> Result<Self, PrefixError> {
        if let Some(got) = prefix.chars().find(|c| !c.is_ascii_lowercase()) {
            return Err(PrefixError::Character { got });
        }
        let refused = PrefixError::Length { got: prefix.len() };
        if prefix.len() > Self::MAX_LEN {
            return Err(refused);
        }
        // A text of letters fails only if it has none.
        Hrp::parse(prefix).map(Self).map_err(|_| refused)
    }

    /// The prefix.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The address as text, in lower case.
    pub fn encode(&self, address: &Address) -> String {
        // Fails only for a text that is too long, which the limit of the prefix prevents.
        bech32::encode::<Bech32m>(self.0, address.as_bytes()).unwrap_or_default()
    }

    /// Reads the text of an address, in lower case, or all in upper case, as QR codes have it.
    ///
    /// # Errors
    ///
    /// [`AddressError`].
    pub fn decode(&self, text: &str) -> Result<Address, AddressError> {
        let parts = UncheckedHrpstring::new(text).map_err(|error| AddressError::of(text, &error))?;
        // First, because nothing in the text can be believed if it does not hold.
        parts.validate_checksum::<Bech32m>().map_err(|error| match error {
            ChecksumError::InvalidResidue(residue) if residue.matches_bech32_checksum() => {
                AddressError::Bech32
            }
            _ => AddressError::Checksum,
        })?;
        if parts.hrp() != self.0 {
            let (got, expected) = (parts.hrp().to_lowercase(), self.as_str().to_owned());
            return Err(AddressError::Prefix { got, expected });
        }
        let data = parts.remove_checksum::<Bech32m>();
        // 160 bits are 32 characters of 5 bits, so no bits are left over.
        let expected = Address::LEN * 8 / 5;
        let got = data.data_part_ascii_no_checksum().len();
        if got != expected {
            return Err(AddressError::Length { got, expected });
        }
        let mut bytes = [0; Address::LEN];
        bytes.iter_mut().zip(data.byte_iter()).for_each(|(byte, read)| *byte = read);
        Ok(Address::from_bytes(bytes))
    }
}

impl fmt::Display for AddressPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for AddressPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AddressPrefix({self})")
    }
}

/// Why a text is no prefix of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrefixError {
    /// It is empty or too long.
    #[error("the prefix has {got} letters, expected 1 to {}", AddressPrefix::MAX_LEN)]
    Length {
        /// The number of letters.
        got: usize,
    },
    /// It has another character than the letters from a to z.
    #[error("the prefix has the character {got:?}, expected letters from a to z")]
    Character {
        /// The character.
        got: char,
    },
}

/// Why a text is not an address with the prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// There is no `1` with a prefix before it.
    #[error("no prefix, expected an address such as \"coin1…\"")]
    NoPrefix,
    /// A character cannot be in an address: a typo, or a part of the text that surrounds it.
    #[error("{got:?} at byte {at} cannot be in an address")]
    Character {
        /// The offset of the character in bytes.
        at: usize,
        /// The character.
        got: char,
    },
    /// Some letters are in upper case and some in lower case.
    #[error("upper and lower case are mixed, expected one of them")]
    MixedCase,
    /// A character is wrong, missing or too many.
    #[error("the checksum does not hold: a character is wrong, missing or too many")]
    Checksum,
    /// The checksum is that of bech32 (BIP 173), the encoding before bech32m, which does not notice some mistakes.
    #[error("the checksum is that of bech32, expected bech32m")]
    Bech32,
    /// The address is one of another currency.
    #[error("the address begins with \"{got}1\", expected \"{expected}1\"")]
    Prefix {
        /// The prefix of the address.
        got: String,
        /// The prefix of this currency.
        expected: String,
    },
    /// The text is right, and not that of 20 bytes.
    #[error("{got} characters between prefix and checksum, expected {expected}")]
    Length {
        /// The number of characters.
        got: usize,
        /// That of an address.
        expected: usize,
    },
}

impl AddressError {
    fn of(text: &str, error: &TextError) -> Self {
        match error {
            TextError::Char(CharError::MixedCase) => Self::MixedCase,
            TextError::Char(CharError::InvalidChar(got)) => {
                // The text is read from its end.
                Self::Character { at: text.rfind(*got).unwrap_or(0), got: *got }
            }
            // The prefix is empty, too long, or of characters that none has.
            _ => Self::NoPrefix,
        }
    }
}
