//! Keys of in-memory maps. A short key is stored inline, so that a comparison of two keys needs no access to other
//! memory.

use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::ops::Deref;

/// The longest key that is stored inline. The longest keys of a chain are a height and a hash, 40 bytes.
const SHORT: usize = 46;

#[derive(Clone)]
pub(super) enum Key {
    Short { len: u8, bytes: [u8; SHORT] },
    Long(Box<[u8]>),
}

impl From<&[u8]> for Key {
    fn from(key: &[u8]) -> Self {
        match u8::try_from(key.len()) {
            Ok(len) if key.len() <= SHORT => {
                let mut bytes = [0; SHORT];
                bytes[..key.len()].copy_from_slice(key);
                Self::Short { len, bytes }
            }
            _ => Self::Long(key.into()),
        }
    }
}

impl Key {
    /// The first eight bytes as a number, which compares like the bytes.
    fn first_word(&self) -> Option<u64> {
        self.first_chunk().map(|word| u64::from_be_bytes(*word))
    }
}

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => &bytes[..usize::from(*len)],
            Self::Long(bytes) => bytes,
        }
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Compares byte by byte, as the `Store` trait requires: the first eight bytes as a number, which decides for most
/// keys without a call.
impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.first_word(), other.first_word()) {
            (Some(left), Some(right)) if left != right => left.cmp(&right),
            _ => (**self).cmp(&**other),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_key_is_its_bytes_and_compares_like_them(
            left in prop::collection::vec(0_u8..3, 0..2 * SHORT),
            right in prop::collection::vec(0_u8..3, 0..2 * SHORT),
            common in 0..=SHORT,
        ) {
            let right = [&left[..common.min(left.len())], &right].concat();
            let keys = [&left, &right].map(|bytes| Key::from(&bytes[..]));
            prop_assert_eq!((&*keys[0], &*keys[1]), (&left[..], &right[..]));
            prop_assert_eq!(keys[0].cmp(&keys[1]), left.cmp(&right));
            prop_assert_eq!(keys[0] == keys[1], left == right);
        }
    }
}
