//! Maps and keys for all tests.

use core::fmt::Debug;

use hashloom::primitives::MapProofError;
use hashloom::{AuthenticatedMap, Hash, MapProof};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) type Balances = AuthenticatedMap<u64, u64>;

pub(crate) fn map_of<K: Serialize, V: Serialize + Clone>(
    entries: impl IntoIterator<Item = (K, V)>,
) -> AuthenticatedMap<K, V> {
    let mut map = AuthenticatedMap::new();
    for (key, value) in entries {
        map.insert(key, value).unwrap();
    }
    map
}

/// The canonical bytes of a key or a value.
pub(crate) fn bytes<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap()
}

pub(crate) fn path<K: Serialize>(key: &K) -> Hash {
    Hash::digest(&bytes(key))
}

/// The number of leading bits that the paths of two keys share.
pub(crate) fn shared_bits(left: u64, right: u64) -> u32 {
    let (left, right) = (path(&left), path(&right));
    let mut bits = 0;
    for (left, right) in left.as_bytes().iter().zip(right.as_bytes()) {
        bits += (left ^ right).leading_zeros();
        if left != right {
            break;
        }
    }
    bits
}

/// The pairs among the keys below `keys` whose paths share most bits, the closest first.
pub(crate) fn closest(keys: u64, pairs: usize) -> Vec<(u64, u64)> {
    let mut paths: Vec<_> = (0..keys).map(|key| (path(&key), key)).collect();
    paths.sort_unstable();
    let mut close: Vec<_> = paths.windows(2).map(|pair| (pair[0].1, pair[1].1)).collect();
    close.sort_by_key(|(left, right)| core::cmp::Reverse(shared_bits(*left, *right)));
    close.truncate(pairs);
    close
}

/// What a proof, which has passed through its bytes, shows for a key.
pub(crate) fn verified<K: Serialize, V: DeserializeOwned + Debug>(
    proof: &MapProof,
    key: &K,
    root: &Hash,
) -> Result<Option<V>, MapProofError> {
    let read = MapProof::from_bytes(&proof.to_bytes()).unwrap();
    assert_eq!(read, *proof);
    read.verify(key, root)
}
