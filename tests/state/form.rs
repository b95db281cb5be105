//! The serde forms of maps and proofs.

use std::collections::BTreeMap;

use hashloom::{AuthenticatedMap, MapProof};
use proptest::prelude::*;
use rstest::rstest;

use crate::kit::{Balances, bytes, map_of, path};

proptest! {
    #[test]
    fn a_map_reads_back(entries in proptest::collection::btree_map(any::<u64>(), any::<u32>(), 0..60)) {
        let map = map_of(entries.clone());
        // Not hashed before it is written.
        let stored = bytes(&map);
        let (mut read, rest): (AuthenticatedMap<u64, u32>, _) = postcard::take_from_bytes(&stored).unwrap();
        prop_assert!(rest.is_empty());
        prop_assert_eq!(&read, &map);
        prop_assert_eq!(bytes(&read), stored.clone());
        // It has the structure of a map that was built entry by entry.
        for (key, value) in &entries {
            let proof = read.prove(key).unwrap();
            prop_assert_eq!(&proof, &map.prove(key).unwrap());
            prop_assert_eq!(proof.verify(key, &map.root()), Ok(Some(*value)));
        }
        for key in entries.keys() {
            prop_assert_eq!(read.remove(key), entries.get(key).copied());
        }
        prop_assert_eq!(read, AuthenticatedMap::new());
        // In postcard it is a list of pairs.
        let pairs: Vec<(u64, u32)> = postcard::from_bytes(&stored).unwrap();
        prop_assert!(pairs.iter().map(|(key, _)| path(key)).is_sorted());
        prop_assert_eq!(pairs.into_iter().collect::<BTreeMap<_, _>>(), entries);
    }
}

#[test]
fn json_is_an_object_in_the_order_of_the_paths() {
    let map = map_of((0..3_u64).map(|key| (key, key * 10)));
    let json = serde_json::to_string(&map).unwrap();
    let mut keys = [0_u64, 1, 2];
    keys.sort_by_key(path);
    let pairs: Vec<_> = keys.iter().map(|key| format!("\"{key}\":{}", key * 10)).collect();
    assert_eq!(json, format!("{{{}}}", pairs.join(",")));
    assert_eq!(serde_json::from_str::<Balances>(&json).unwrap(), map);
}

#[rstest]
#[case::twice(|keys: &mut Vec<u64>| keys.insert(1, keys[0]), 1)]
#[case::twice_at_the_end(|keys: &mut Vec<u64>| keys.push(keys[4]), 5)]
#[case::first_two_exchanged(|keys: &mut Vec<u64>| keys.swap(0, 1), 1)]
#[case::last_two_exchanged(|keys: &mut Vec<u64>| keys.swap(3, 4), 4)]
#[case::backwards(|keys: &mut Vec<u64>| keys.reverse(), 1)]
fn entries_in_another_order_are_refused(#[case] change: fn(&mut Vec<u64>), #[case] entry: usize) {
    let mut keys: Vec<u64> = (0..5).collect();
    keys.sort_by_key(path);
    let stored = |keys: &[u64]| bytes(&keys.iter().map(|key| (*key, *key)).collect::<Vec<_>>());
    assert!(postcard::from_bytes::<Balances>(&stored(&keys)).is_ok());
    change(&mut keys);
    assert!(postcard::from_bytes::<Balances>(&stored(&keys)).is_err());
    let object: Vec<_> = keys.iter().map(|key| format!("\"{key}\":{key}")).collect();
    let error =
        serde_json::from_str::<Balances>(&format!("{{{}}}", object.join(","))).unwrap_err().to_string();
    let expected = format!("entry {entry} of a map is not in ascending order of the SHA-256 of the keys");
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn a_claimed_length_allocates_nothing() {
    // A length of 2^63 - 1, and no entries.
    let bytes = [&[0xff; 8][..], &[0x7f]].concat();
    assert!(postcard::from_bytes::<Balances>(&bytes).is_err());
}

#[test]
fn a_proof_is_hex_in_json_and_bytes_in_postcard() {
    let map = map_of((0..20_u64).map(|key| (key, key)));
    for key in [3, 300] {
        let proof = map.prove(&key).unwrap();
        let hex = hex::encode(proof.to_bytes());
        assert_eq!(serde_json::to_string(&proof).unwrap(), format!("\"{hex}\""));
        assert_eq!(serde_json::from_str::<MapProof>(&format!("\"{hex}\"")).unwrap(), proof);
        assert!(serde_json::from_str::<MapProof>(&format!("\"{}\"", hex.to_uppercase())).is_err());
        assert!(serde_json::from_str::<MapProof>(&format!("\"{}\"", &hex[1..])).is_err());
        assert_eq!(bytes(&proof), bytes(&proof.to_bytes()));
        assert_eq!(postcard::from_bytes::<MapProof>(&bytes(&proof)).unwrap(), proof);
    }
    let empty = Balances::new().prove(&1).unwrap();
    assert_eq!(serde_json::to_string(&empty).unwrap(), "\"000000\"");
    let error = serde_json::from_str::<MapProof>("\"030000\"").unwrap_err().to_string();
    assert!(error.starts_with("the kind of the proof is 3, expected 0, 1 or 2"), "{error}");
}
