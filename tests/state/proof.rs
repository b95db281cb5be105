//! Proofs: each is accepted for its key, value and root, and for nothing else.

use core::iter;

use fastrand::Rng;
use hashloom::primitives::MapProofError;
use hashloom::{AuthenticatedMap, Hash, MapProof};
use proptest::prelude::*;
use rstest::rstest;

use crate::kit::{Balances, bytes, closest, map_of, path, shared_bits, verified};

/// A root for `key` with this proof.
fn shown(proof: &MapProof, key: u64, root: &Hash) -> Result<Option<u64>, MapProofError> {
    verified(proof, &key, root)
}

/// All byte strings that differ in one bit.
fn flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..8 * bytes.len()).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

/// Whether bytes are a proof that holds, whatever it shows.
fn holds(proof: &[u8], key: &[u8], root: &Hash) -> bool {
    MapProof::from_bytes(proof).is_ok_and(|proof| proof.verify_bytes(key, root).is_ok())
}

/// A map, a key of it or none, and the number of branches on the key's path.
#[rstest]
#[case::of_an_empty_map(0, 5)]
#[case::of_the_only_entry(1, 0)]
#[case::beside_the_only_entry(1, 5)]
#[case::of_an_entry(300, 17)]
#[case::of_no_entry(300, 1_000)]
fn a_proof_with_one_bit_changed_is_refused(#[case] entries: u64, #[case] key: u64) {
    let map = map_of((0..entries).map(|key| (key, key * 1_000)));
    let (root, key) = (map.root(), bytes(&key));
    let number = postcard::from_bytes::<u64>(&key).unwrap();
    let proof = map.prove(&number).unwrap();
    let expected = (number < entries).then_some(number * 1_000);
    assert_eq!(shown(&proof, number, &root), Ok(expected));
    let proof = proof.to_bytes();
    assert!(holds(&proof, &key, &root));
    for flipped in flips(&proof) {
        assert!(!holds(&flipped, &key, &root), "{}", hex::encode(flipped));
    }
    for flipped in flips(root.as_bytes()) {
        assert!(!holds(&proof, &key, &Hash::from_bytes(flipped.try_into().unwrap())));
    }
    for length in (0..proof.len()).filter(|length| *length != proof.len()) {
        assert!(!holds(&proof[..length], &key, &root), "{length} of {} bytes", proof.len());
    }
    assert!(!holds(&[&proof[..], &[0]].concat(), &key, &root));
    // An absent key may share its proof with others that are absent, but a present one with none.
    if expected.is_some() {
        for flipped in flips(&key).chain([Vec::new(), [&key[..], &[0]].concat()]) {
            assert!(!holds(&proof, &flipped, &root), "{}", hex::encode(flipped));
        }
    }
}

/// A proof for each key, shown for each key: never a value that the key has not, and never absence of a key that is there.
#[test]
fn a_proof_shows_nothing_false_for_another_key() {
    let map = map_of((0..100_u64).map(|key| (key, key)));
    let root = map.root();
    let mut absent_by_the_proof_of_another = 0;
    for of in 0..200 {
        let proof = map.prove(&of).unwrap();
        for key in 0..200 {
            match shown(&proof, key, &root) {
                Ok(value) => {
                    assert_eq!(value, map.get(&key).copied(), "the proof of {of} for {key}");
                    absent_by_the_proof_of_another += usize::from(key != of);
                    assert!(key == of || value.is_none());
                }
                Err(_) => assert_ne!(of, key),
            }
        }
    }
    assert!(absent_by_the_proof_of_another > 0);
}

#[test]
fn a_proof_of_an_earlier_root_is_no_proof_of_a_later_one() {
    let mut map = map_of((0..50_u64).map(|key| (key, key)));
    let (before, proof) = (map.root(), map.prove(&7).unwrap());
    map.insert(7, 8).unwrap();
    assert_eq!(shown(&proof, 7, &before), Ok(Some(7)));
    let expected = map.root();
    assert!(
        matches!(shown(&proof, 7, &expected), Err(MapProofError::Root { expected: e, .. }) if e == expected)
    );
    assert_eq!(shown(&map.prove(&7).unwrap(), 7, &expected), Ok(Some(8)));
    map.insert(7, 7).unwrap();
    assert_eq!((map.root(), map.prove(&7).unwrap()), (before, proof));
}

/// Neighbours whose paths share more bits than 100,000 keys would by chance: one of each pair is in the map.
#[test]
fn an_absent_neighbour_with_a_long_common_prefix_is_proven_absent() {
    let pairs = closest(1 << 17, 40);
    assert!(shared_bits(pairs[0].0, pairs[0].1) >= 30, "{pairs:?}");
    let mut map = map_of((1 << 17..(1 << 17) + 1_000).map(|key| (key, key)));
    for (present, absent) in pairs {
        map.insert(present, 1).unwrap();
        let root = map.root();
        let [of_present, of_absent] = [present, absent].map(|key| map.prove(&key).unwrap());
        assert_eq!(shown(&of_present, present, &root), Ok(Some(1)));
        assert_eq!(shown(&of_absent, absent, &root), Ok(None));
        // The end of the search for the absent key is the entry of the other one.
        assert_eq!(shown(&of_absent, present, &root), Err(MapProofError::Present));
        assert!(matches!(shown(&of_present, absent, &root), Err(MapProofError::Root { .. })));
        // With both, a branch for the bit in which they part is on the path of each.
        map.insert(absent, 2).unwrap();
        let root = map.root();
        let both = [present, absent].map(|key| map.prove(&key).unwrap());
        assert_eq!(shown(&both[0], present, &root), Ok(Some(1)));
        assert_eq!(shown(&both[1], absent, &root), Ok(Some(2)));
        assert!(both[0].to_bytes().len() > of_present.to_bytes().len());
        assert_eq!(map.remove(&absent), Some(2));
        assert_eq!(map.prove(&present).unwrap(), of_present);
    }
}

/// Keys that an author chose among a million: each shares more bits of its path with that of key 0.
#[test]
fn keys_that_were_chosen_to_be_deep_cost_their_author_more_than_the_map() {
    let mut deep = vec![0];
    for key in 1..1 << 20 {
        if shared_bits(0, key) > deep.last().filter(|last| **last > 0).map_or(0, |last| shared_bits(0, *last))
        {
            deep.push(key);
        }
    }
    let mut map = map_of((1 << 20..(1 << 20) + 100).map(|key| (key, key)));
    for key in &deep {
        map.insert(*key, 1).unwrap();
    }
    let branches = |key| (map.prove(&key).unwrap().to_bytes().len() - 3) / 33;
    let deepest = deep.iter().map(|key| branches(*key)).max().unwrap();
    println!("{} of 2^20 keys, {deepest} branches", deep.len());
    assert!((8..50).contains(&deepest), "{deepest} branches");
    for key in deep.iter().copied().chain(0..1_000) {
        assert_eq!(shown(&map.prove(&key).unwrap(), key, &map.root()), Ok(map.get(&key).copied()));
    }
}

#[test]
fn a_proof_grows_with_the_logarithm_of_the_map() {
    let mut rng = Rng::with_seed(1);
    let map: Balances = map_of(iter::repeat_with(|| (rng.u64(..), 0)).take(10_000));
    let longest = map.iter().map(|(key, _)| map.prove(key).unwrap().to_bytes().len()).max().unwrap();
    // log2 of 10,000 is 13.3, and the longest common prefix of two of its keys has twice as many bits.
    assert!((3 + 33 * 14..3 + 33 * 40).contains(&longest), "{longest} bytes");
    assert!(longest < MapProof::MAX_BYTES);
}

/// The bytes of the documentation, one rule broken in each row.
#[rstest]
#[case::nothing(|_: &mut Vec<u8>| (), "", MapProofError::Length { got: 0, min: 3, max: MapProof::MAX_BYTES })]
#[case::cut_head(|proof: &mut Vec<u8>| proof.truncate(2), "entry", MapProofError::Length { got: 2, min: 3, max: MapProof::MAX_BYTES })]
#[case::kind(|proof: &mut Vec<u8>| proof[0] = 3, "entry", MapProofError::Kind { got: 3 })]
#[case::path_of_an_empty_map(|proof: &mut Vec<u8>| proof[0] = 0, "entry", MapProofError::PathLength { got: 2, limit: 0 })]
#[case::too_long_a_path(|proof: &mut Vec<u8>| proof[1] = 1, "entry", MapProofError::PathLength { got: 258, limit: 256 })]
#[case::cut_path(|proof: &mut Vec<u8>| proof.truncate(68), "entry", MapProofError::Length { got: 68, min: 69, max: 69 + (4 << 20) })]
#[case::cut_other(|proof: &mut Vec<u8>| proof.truncate(132), "other", MapProofError::Length { got: 132, min: 133, max: 133 })]
#[case::long_other(|proof: &mut Vec<u8>| proof.push(0), "other", MapProofError::Length { got: 134, min: 133, max: 133 })]
#[case::long_empty(|proof: &mut Vec<u8>| proof.push(0), "empty", MapProofError::Length { got: 4, min: 3, max: 3 })]
#[case::long_value(|proof: &mut Vec<u8>| proof.resize(70 + (4 << 20), 0), "entry", MapProofError::Length {
    got: 70 + (4 << 20), min: 69, max: 69 + (4 << 20),
})]
#[case::equal_bits(|proof: &mut Vec<u8>| proof[36] = 9, "entry", MapProofError::Order { got: 9, previous: 9 })]
#[case::ascending_bits(|proof: &mut Vec<u8>| proof[36] = 10, "other", MapProofError::Order { got: 10, previous: 9 })]
fn bytes_that_are_no_proof(
    #[case] breaks: fn(&mut Vec<u8>),
    #[case] kind: &str,
    #[case] expected: MapProofError,
) {
    let path = [&[9][..], &[1; 32], &[4], &[2; 32]].concat();
    let mut proof = match kind {
        "empty" => vec![0, 0, 0],
        "entry" => [&[1, 0, 2][..], &path, &[7]].concat(),
        "other" => [&[2, 0, 2][..], &path, &[3; 64]].concat(),
        _ => Vec::new(),
    };
    assert_eq!(MapProof::from_bytes(&proof).is_ok(), !kind.is_empty());
    breaks(&mut proof);
    assert_eq!(MapProof::from_bytes(&proof), Err(expected));
}

proptest! {
    /// Bytes that nearly are a proof: those that are accepted are written as they were read.
    #[test]
    fn a_proof_has_one_form(
        kind in 0..4_u8,
        count in prop_oneof![4 => 0..4_u16, 1 => any::<u16>()],
        mut bits in proptest::collection::vec(any::<u8>(), 0..4),
        rest in prop_oneof![Just(0), Just(1), Just(64), 0..100_usize],
    ) {
        bits.sort_unstable_by(|left, right| right.cmp(left));
        let path = bits.iter().flat_map(|bit| [*bit; 33]);
        let bytes: Vec<u8> = [kind].into_iter().chain(count.to_be_bytes()).chain(path).chain(iter::repeat_n(5, rest)).collect();
        match MapProof::from_bytes(&bytes) {
            Ok(proof) => prop_assert_eq!(proof.to_bytes(), bytes),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}

/// A prover who makes up nodes: the leaf of another key at the place of this one, and a branch passed off as an end.
#[test]
fn made_up_ends_are_refused() {
    let map = map_of((0..50_u64).map(|key| (key, key)));
    let root = map.root();
    // The end of the search for an absent key, for a key on the other side of the root.
    let absent = 50;
    let other_way = (0..50).find(|key| shared_bits(absent, *key) == 0).unwrap();
    let proof = map.prove(&absent).unwrap();
    assert_eq!(shown(&proof, other_way, &root), Err(MapProofError::OtherWay { bit: 0 }));
    // The proof of absence for a key that is there, with its own entry as the end.
    let mut proof = map.prove(&7).unwrap().to_bytes();
    proof.truncate(proof.len() - bytes(&7_u64).len());
    proof[0] = 2;
    proof.extend(path(&7_u64).as_bytes());
    proof.extend(path(&7_u64).as_bytes());
    assert_eq!(shown(&MapProof::from_bytes(&proof).unwrap(), 7, &root), Err(MapProofError::Present));
    // The last branch left out: its hash at the place of a leaf. What was hashed begins with another byte.
    let whole = map.prove(&7).unwrap().to_bytes();
    let mut cut = [&whole[..3], &whole[3 + 33..]].concat();
    cut[2] -= 1;
    assert!(matches!(shown(&MapProof::from_bytes(&cut).unwrap(), 7, &root), Err(MapProofError::Root { .. })));
    // The root itself as an empty map, and an empty root with an entry.
    let empty = Balances::new();
    assert!(matches!(shown(&empty.prove(&7).unwrap(), 7, &root), Err(MapProofError::Root { .. })));
    assert!(matches!(shown(&map.prove(&7).unwrap(), 7, &empty.root()), Err(MapProofError::Root { .. })));
}

#[test]
fn a_value_of_another_type_is_refused_after_the_root() {
    let map = map_of([(1_u64, "text".to_owned()), (2, "t".to_owned())]);
    let proof = map.prove(&1).unwrap();
    assert_eq!(proof.verify::<u64, String>(&1, &map.root()), Ok(Some("text".to_owned())));
    let left = "4 of 5 bytes are left".to_owned();
    assert_eq!(proof.verify::<u64, u8>(&1, &map.root()), Err(MapProofError::Value { reason: left }));
    let error = proof.verify::<u64, [String; 2]>(&1, &map.root()).unwrap_err();
    assert!(matches!(error, MapProofError::Value { .. }), "{error}");
    assert!(matches!(proof.verify::<u64, u8>(&1, &Hash::ZERO), Err(MapProofError::Root { .. })));
    assert_eq!(proof.verify_bytes(&[1], &map.root()), Ok(Some(&b"\x04text"[..])));
}

#[test]
fn maps_of_one_entry_and_none_have_roots_of_their_own() {
    let empty = AuthenticatedMap::<u64, ()>::new();
    assert_eq!(empty.root(), Hash::digest(&[2]));
    assert_eq!(empty.prove(&1).unwrap().to_bytes(), [0, 0, 0]);
    let mut one = empty.clone();
    one.insert(1, ()).unwrap();
    let leaf = [&[3][..], Hash::digest(&[1]).as_bytes(), Hash::digest(&[]).as_bytes()].concat();
    assert_eq!(one.root(), Hash::digest(&leaf));
    assert_eq!(one.prove(&1).unwrap().to_bytes(), [1, 0, 0]);
    assert_eq!(one.remove(&1), Some(()));
    assert_eq!((one.root(), one.len()), (empty.root(), 0));
}
