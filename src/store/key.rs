//! Keys and values of in-memory maps. A short key is stored inline, so that a comparison of two keys needs no
//! access to other memory. A value is a number in place or reference-counted, so that it moves from a batch into a
//! store without a copy.

use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;
use std::sync::Arc;

/// The longest key that is stored inline. The longest keys of a chain are a height and a hash, 40 bytes.
const SHORT: usize = 46;

/// A value takes as little memory as it can, because a store in memory has several for each block.
#[derive(Clone)]
pub(super) enum Value {
    /// Eight bytes, as of a height. They take the place of the pointer and the length.
    Word([u8; 8]),
    /// The bytes and their counts, in one allocation of their size.
    Shared(Arc<[u8]>),
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        match bytes.as_slice().try_into() {
            Ok(word) => Self::Word(word),
            Err(_) => Self::Shared(bytes.into()),
        }
    }
}

impl Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Word(word) => word,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Value {}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

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

/// Hashes like the key's bytes, because maps look keys up by a byte slice.
impl Hash for Key {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (**self).hash(hasher);
    }
}

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

    #[test]
    fn a_value_is_no_larger_than_a_pointer_and_a_length() {
        assert_eq!(size_of::<Value>(), size_of::<Arc<[u8]>>());
        for len in 0..20 {
            let bytes: Vec<u8> = (0..len).collect();
            assert_eq!(&*Value::from(bytes.clone()), &bytes[..]);
            assert_eq!(matches!(Value::from(bytes), Value::Word(_)), len == 8);
        }
    }

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
