//! Maps and sets by hash. A synchronisation looks up each of its hashes a dozen times, which takes an ordered map
//! several times as long, and the standard hasher a good part of what everything else takes together.

use core::hash::{BuildHasher, Hasher};
use std::hash::RandomState;

use super::hash::Hash;

/// Of no order: whatever goes through all entries takes the best or sorts.
#[expect(clippy::disallowed_types, reason = "no order of its entries is ever used")]
pub(crate) type ByHash<V> = std::collections::HashMap<Hash, V, Keyed>;

/// Of no order, like [`ByHash`].
#[expect(clippy::disallowed_types, reason = "is asked for members, never for their order")]
pub(crate) type HashSet = std::collections::HashSet<Hash, Keyed>;

/// Makes hashers for hashes alone, which are random but for what their makers try out to find similar ones. So the
/// place in a map depends on two keys that nobody knows.
#[derive(Clone, Debug)]
pub(crate) struct Keyed([u64; 2]);

impl Default for Keyed {
    fn default() -> Self {
        let random = RandomState::new();
        Self([random.hash_one(0), random.hash_one(1)])
    }
}

impl BuildHasher for Keyed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded { keys: self.0, folded: 0 }
    }
}

/// Folds the product of two words, each under its key.
#[derive(Clone, Debug)]
pub(crate) struct Folded {
    keys: [u64; 2],
    folded: u64,
}

impl Hasher for Folded {
    /// Reads the end of a hash: its beginning are zeros where there is work in it.
    fn write(&mut self, bytes: &[u8]) {
        let Some((rest, right)) = bytes.split_last_chunk() else { return };
        let Some((_, left)) = rest.split_last_chunk() else { return };
        let [left, right] = [left, right].map(|word| u64::from_le_bytes(*word));
        let product = u128::from(left ^ self.keys[0]) * u128::from(right ^ self.keys[1]);
        #[expect(clippy::cast_possible_truncation, reason = "both halves")]
        let (low, high) = (product as u64, (product >> 64) as u64);
        self.folded = low ^ high;
    }

    /// The length, which is always the same.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.folded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_part_of_the_place_differs_between_similar_hashes() {
        let keyed = Keyed([0xd85e_41e1_76e9_b437, 0xf8a8_293c_474a_ea32]);
        let hashes: Vec<Hash> = (0..4_096_u32)
            .map(|number| {
                let mut bytes = [0; 32];
                bytes[20..24].copy_from_slice(&number.to_be_bytes());
                Hash::from_bytes(bytes)
            })
            .collect();
        let distinct = |part: &dyn Fn(u64) -> u64| {
            hashes.iter().map(|hash| part(keyed.hash_one(hash))).collect::<BTreeSet<_>>().len()
        };
        assert_eq!(distinct(&|place| place), 4_096);
        // Random numbers would hit 1 - 1/e of them. These hashes are far more alike than anybody can make them.
        assert!(distinct(&|place| place % 4_096) > 2_048, "{}", distinct(&|place| place % 4_096));
        assert_eq!(distinct(&|place| place >> 57), 128);
    }

    #[test]
    fn keys_differ_between_maps() {
        let hash = Hash::digest(b"hashloom");
        assert_ne!(Keyed::default().hash_one(hash), Keyed::default().hash_one(hash));
    }
}
