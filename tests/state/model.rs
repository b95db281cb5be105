//! The map and a `BTreeMap` do the same operations.
//!
//! `HASHLOOM_STATE_OPERATIONS=5000000 cargo test -p hashloom-tests --no-default-features --test state model` runs as many
//! operations for each range of keys, and `HASHLOOM_SEED` sets the seed, which each run prints.

use std::collections::BTreeMap;
use std::env;

use fastrand::Rng;
use hashloom::primitives::EncodeError;
use hashloom::{AuthenticatedMap, MapProof};
use proptest::prelude::*;
use rstest::rstest;

use crate::kit::{Balances, map_of, path, verified};

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// A map, its model and a clone of both from earlier.
#[derive(Clone, Default)]
struct Pair {
    map: Balances,
    model: BTreeMap<u64, u64>,
}

impl Pair {
    /// One operation on both, with equal results.
    fn step(&mut self, rng: &mut Rng, keys: u64) {
        let Self { map, model } = self;
        let (key, value) = (rng.u64(0..keys), rng.u64(..));
        match rng.u8(0..10) {
            0..4 => assert_eq!(map.insert(key, value), Ok(model.insert(key, value))),
            4..7 => assert_eq!(map.remove(&key), model.remove(&key)),
            7 => {
                let raised = |balance: Option<&u64>| balance.map_or(1, |balance| balance.wrapping_add(1));
                let value = raised(model.get(&key));
                model.insert(key, value);
                map.update(key, |balance| Ok::<_, EncodeError>(Some(raised(balance)))).unwrap();
            }
            8 => {
                model.remove(&key);
                map.update(key, |_| Ok::<_, EncodeError>(None)).unwrap();
            }
            _ => {
                assert_eq!(map.get(&key), model.get(&key));
                assert_eq!(map.contains_key(&key), model.contains_key(&key));
            }
        }
        assert_eq!(map.len(), model.len());
    }

    /// All entries, the root, and the proofs of some keys.
    fn check(&self, rng: &mut Rng, keys: u64) {
        let Self { map, model } = self;
        assert_eq!(map.is_empty(), model.is_empty());
        assert!(map.iter().map(|(key, _)| path(key)).is_sorted());
        assert_eq!(map.iter().len(), model.len());
        assert_eq!(map.iter().map(|(key, value)| (*key, *value)).collect::<BTreeMap<_, _>>(), *model);
        let mut entries: Vec<_> = model.iter().map(|(key, value)| (*key, *value)).collect();
        rng.shuffle(&mut entries);
        assert_eq!(map_of(entries).root(), map.root());
        for key in core::iter::repeat_with(|| rng.u64(0..keys)).take(20) {
            let shown = verified(&map.prove(&key).unwrap(), &key, &map.root());
            assert_eq!(shown, Ok(model.get(&key).copied()), "{key}");
        }
    }
}

/// Few keys, so that they are often removed and set again, and many, so that paths are long.
#[rstest]
#[case(2)]
#[case(50)]
#[case(3_000)]
#[case(1 << 40)]
fn as_a_btree_map(#[case] keys: u64) {
    let operations = setting("HASHLOOM_STATE_OPERATIONS", 60_000);
    let seed = setting("HASHLOOM_SEED", fastrand::u64(..));
    println!("HASHLOOM_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let mut pair = Pair::default();
    let mut kept: Vec<(Pair, hashloom::Hash)> = Vec::new();
    for operation in 0..operations {
        pair.step(&mut rng, keys);
        // Now and then, so that branches are hashed at all ages.
        if rng.u8(..) == 0 {
            pair.map.root();
        }
        if operation % (operations / 20).max(1) == 0 {
            pair.check(&mut rng, keys);
            kept.push((pair.clone(), pair.map.root()));
            // A clone that goes on changes neither the kept one nor this one.
            let (mut other, before) = (pair.clone(), pair.map.root());
            (0..200).for_each(|_| other.step(&mut rng, keys));
            other.check(&mut rng, keys);
            assert_eq!(pair.map.root(), before);
        }
    }
    for (pair, root) in kept {
        assert_eq!(pair.map.root(), root);
        pair.check(&mut rng, keys);
    }
}

proptest! {
    #[test]
    fn the_root_is_that_of_the_content(
        entries in proptest::collection::btree_map(any::<u16>(), any::<u8>(), 0..40),
        others in proptest::collection::btree_set(any::<u16>(), 0..40),
        seed: u64,
    ) {
        let expected = map_of(entries.clone());
        let mut all: Vec<_> = entries.iter().map(|(key, value)| (*key, Some(*value))).collect();
        all.extend(others.iter().map(|key| (*key, None)));
        Rng::with_seed(seed).shuffle(&mut all);
        // Inserts all keys with another value, and in a second pass sets or removes each.
        let mut map = map_of(all.iter().map(|(key, _)| (*key, 0)));
        for (key, _) in &all {
            match entries.get(key) {
                Some(value) => drop(map.insert(*key, *value).unwrap()),
                None => drop(map.remove(key)),
            }
        }
        prop_assert_eq!(map.root(), expected.root());
        prop_assert_eq!(map, expected);
    }

    #[test]
    fn other_content_has_another_root(
        entries in proptest::collection::btree_map(any::<u16>(), any::<u8>(), 1..40),
        index: prop::sample::Index,
        change in 1..=255_u8,
    ) {
        let map = map_of(entries.clone());
        let (key, value) = entries.iter().nth(index.index(entries.len())).unwrap();
        let (mut changed, mut removed) = (map.clone(), map.clone());
        changed.insert(*key, value ^ change).unwrap();
        removed.remove(key);
        prop_assert!(changed.root() != map.root() && removed.root() != map.root());
        prop_assert!(changed != map && removed != map);
    }

    #[test]
    fn texts_and_lists_are_keys_and_values(
        entries in proptest::collection::btree_map(".{0,8}", proptest::collection::vec(any::<u32>(), 0..4), 0..20),
        absent in ".{9,12}",
    ) {
        let map = map_of(entries.clone());
        for (key, value) in &entries {
            prop_assert_eq!(verified(&map.prove(key).unwrap(), key, &map.root()), Ok(Some(value.clone())));
        }
        let shown = verified::<_, Vec<u32>>(&map.prove(&absent).unwrap(), &absent, &map.root());
        prop_assert_eq!(shown, Ok(None));
    }
}

#[test]
fn an_error_leaves_the_map_as_it_was() {
    let mut map = map_of([(1_u8, vec![0_u8; 3])]);
    let before = map.clone();
    let limit = MapProof::MAX_VALUE_BYTES;
    // Four bytes for the length.
    map.insert(2, vec![0; limit - 4]).unwrap();
    assert_eq!(map.remove(&2).map(|value| value.len()), Some(limit - 4));
    let error = map.insert(1, vec![0; limit - 3]).unwrap_err();
    let reason = format!("the value of a map has {} bytes, expected at most {limit}", limit + 1);
    assert_eq!(error, EncodeError::new(reason));
    let refused = map.update(1, |_| Err(EncodeError::new("refused")));
    assert_eq!(refused, Err(EncodeError::new("refused")));
    assert_eq!((map.len(), map.get(&1)), (1, Some(&vec![0; 3])));
    assert_eq!(map, before);
}

/// Not every key has canonical bytes: serde's `flatten` makes a map of unknown length.
#[test]
fn a_key_without_canonical_bytes_is_in_no_map() {
    #[derive(Clone, Debug, serde::Serialize)]
    struct Key {
        #[serde(flatten)]
        rest: BTreeMap<String, u8>,
    }
    let key = Key { rest: BTreeMap::new() };
    let mut map = AuthenticatedMap::new();
    let error = map.insert(key.clone(), 1_u8).unwrap_err();
    assert!(error.reason().contains("`#[serde(flatten)]`"), "{error}");
    assert_eq!(hashloom::Rejected::from(error.clone()).rule(), "canonical_encoding");
    assert_eq!((map.get(&key), map.len()), (None, 0));
    assert_eq!(map.remove(&key), None);
    assert_eq!(map.prove(&key), Err(error));
}
