//! SHA-256 as this crate uses it: one hash type for blocks, transactions and tree nodes.

use core::cmp::Ordering;
use core::hash::{self, Hasher};

use sha2::{Digest, Sha256};

use super::bytes::fixed_bytes;
use super::sha256;

/// A SHA-256 hash, displayed and compared as a big-endian number: leading zeros of the hex form are leading
/// zeros of the number that [`Target::is_met_by`](crate::primitives::Target::is_met_by) compares.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Hash([u8; 32]);

fixed_bytes!(Hash, 32);

impl Hash {
    /// All bytes zero: the value of a hash field that is not set.
    pub const ZERO: Self = Self([0; 32]);

    /// SHA-256 of `bytes`.
    pub fn digest(bytes: &[u8]) -> Self {
        Self::digest_behind([], bytes)
    }

    /// SHA-256 of a short prefix and the bytes after it.
    pub(super) fn digest_behind<const N: usize>(prefix: [u8; N], bytes: &[u8]) -> Self {
        Self(sha256::digest_behind(prefix, bytes))
    }

    /// SHA-256 of a prefix and two hashes.
    pub(super) fn digest_pair(prefix: u8, left: &Self, right: &Self) -> Self {
        Self(sha256::digest_pair(prefix, &left.0, &right.0))
    }

    /// SHA-256 of a prefix and each of these pairs of hashes, much faster than one after the other if there are many.
    pub(super) fn digest_pairs<'a>(
        prefix: u8,
        pairs: impl ExactSizeIterator<Item = [&'a Self; 2]>,
    ) -> Vec<Self> {
        let pairs = pairs.map(|[left, right]| [&left.0, &right.0]);
        sha256::digest_fixed::<1, 64, 2, _, _>([prefix], pairs, sha256::write_pair, Self)
    }

    /// SHA-256 of a prefix and each of these hashes, much faster than one after the other if there are many.
    pub(super) fn digest_hashes(prefix: u8, hashes: &[Self]) -> Vec<Self> {
        let write = |hash: &Self, to: &mut [u8; 32]| *to = hash.0;
        sha256::digest_fixed::<1, 32, 1, _, _>([prefix], hashes.iter(), write, Self)
    }

    /// SHA-256 of each message behind a short prefix, much faster than one after the other if there are many.
    pub(crate) fn digest_many<const N: usize>(prefix: [u8; N], messages: &[impl AsRef<[u8]>]) -> Vec<Self> {
        sha256::digest_many(prefix, messages).into_iter().map(Self).collect()
    }

    /// SHA-256 of the concatenation of `parts`.
    pub(crate) fn digest_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// The hash in 64-bit words, the most significant first.
    #[inline]
    fn words(&self) -> [u64; 4] {
        let (words, _) = self.0.as_chunks();
        [0, 1, 2, 3].map(|index| u64::from_be_bytes(words[index]))
    }
}

/// Hashes all bytes, as four words. A peer chooses the ids that it offers, so hashes that differ in any byte must have
/// places in a map that the peer cannot foresee.
impl hash::Hash for Hash {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (words, _) = self.0.as_chunks();
        for word in words {
            state.write_u64(u64::from_ne_bytes(*word));
        }
    }
}

/// Orders like the derived implementation, byte by byte, but compares words: the first word nearly always
/// decides, and an ordered map compares hashes at each step of a look-up.
impl Ord for Hash {
    fn cmp(&self, other: &Self) -> Ordering {
        self.words().cmp(&other.words())
    }
}

impl PartialOrd for Hash {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use core::hash::BuildHasher as _;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digest_is_sha256() {
        // The one-block example of FIPS 180-4.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Hash::digest(b"abc").to_string(), expected);
        assert_eq!(Hash::digest_parts(&[b"a", b"", b"bc"]).to_string(), expected);
    }

    #[test]
    fn hashes_that_differ_in_any_byte_have_other_places_in_a_map() {
        let places = foldhash::fast::RandomState::default();
        let hash = Hash::digest(b"offered");
        for byte in 0..Hash::LEN {
            let mut other = hash;
            other.0[byte] ^= 1;
            assert_ne!(places.hash_one(hash), places.hash_one(other), "byte {byte}");
        }
    }

    proptest! {
        #[test]
        fn order_is_that_of_the_bytes(mut left: [u8; 32], mut right: [u8; 32], equal in 0..=32_usize) {
            right[..equal].copy_from_slice(&left[..equal]);
            prop_assert_eq!(Hash(left).cmp(&Hash(right)), left.cmp(&right));
            left[..4].fill(0);
            prop_assert_eq!(Hash(left).partial_cmp(&Hash(right)), left.partial_cmp(&right));
        }
    }

    #[test]
    fn text_form_round_trips_and_refuses_other_lengths() {
        let hash = Hash::digest(b"hashloom");
        assert_eq!(hash.to_string().parse::<Hash>(), Ok(hash));
        assert_eq!("00".parse::<Hash>().unwrap_err().to_string(), "expected 64 hex digits, got 2");
        let not_hex = "zz".repeat(32).parse::<Hash>().unwrap_err();
        assert_eq!(not_hex.to_string(), "expected a hex digit, got 'z' at byte 0");
    }

    #[test]
    fn serde_form_is_hex_in_json_and_raw_in_binary() {
        let hash = Hash::digest(b"hashloom");
        assert_eq!(serde_json::to_string(&hash).unwrap(), format!("\"{hash}\""));
        assert_eq!(postcard::to_allocvec(&hash).unwrap(), hash.as_bytes());
    }
}
