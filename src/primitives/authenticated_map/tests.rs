//! Paths that no key has for less than 2^100 hashes, so that only these tests reach the depths of the trie.

use std::thread;

use super::super::hash::Hash;
use super::node::{self, Leaf, Node};
use super::{AuthenticatedMap, MapProof};

/// A path for each bit, which shares all bits before with the path of zeros; and that path. In ascending order.
fn chain() -> Vec<Hash> {
    let ones = (0..=255_u8).rev().map(|bit| {
        let mut bytes = [0; Hash::LEN];
        bytes[usize::from(bit / 8)] = 0x80 >> (bit % 8);
        Hash::from_bytes(bytes)
    });
    [Hash::ZERO].into_iter().chain(ones).collect()
}

/// A map with these paths, whose values are their numbers.
fn map(paths: &[Hash]) -> AuthenticatedMap<(), u32> {
    let mut map = AuthenticatedMap::new();
    for (value, path) in (0..).zip(paths) {
        assert_eq!(map.insert_at(*path, (), value), Ok(None));
    }
    map
}

fn depth<K, V>(node: &Node<K, V>) -> usize {
    match node {
        Node::Leaf(_) => 0,
        Node::Branch(branch) => 1 + depth(&branch.left).max(depth(&branch.right)),
    }
}

#[test]
fn the_deepest_map_has_256_branches_on_a_path_and_needs_little_stack() {
    let run = || {
        let paths = chain();
        let mut map = map(&paths);
        assert_eq!((map.len(), depth(map.root.as_ref().unwrap())), (257, MapProof::MAX_PATH));
        assert!(map.iter().map(|((), value)| *value).eq(0..257));
        let (full, root) = (map.clone(), map.root());
        for (value, path) in (0..).zip(&paths) {
            let proof = MapProof::of(map.root.as_ref(), path).unwrap();
            assert_eq!(MapProof::from_bytes(&proof.to_bytes()), Ok(proof));
            assert_eq!(map.remove_at(path), Some(value));
            assert!(map.leaf(path).is_none() && full.leaf(path).is_some());
        }
        assert_eq!((map.root(), full.root()), (node::empty_hash(), root));
        // A proof of 256 branches, the deepest, takes both bytes of their number.
        let bytes = MapProof::of(full.root.as_ref(), &paths[0]).unwrap().to_bytes();
        assert_eq!((bytes[..3].to_vec(), bytes.len()), (vec![1, 1, 0], 3 + 256 * 33 + 1));
    };
    // A quarter of what a thread has.
    thread::Builder::new().stack_size(512 << 10).spawn(run).unwrap().join().unwrap();
}

#[test]
fn removal_restores_the_root_at_each_depth() {
    let paths = chain();
    let mut roots = vec![AuthenticatedMap::<(), u32>::new().root()];
    let mut map = AuthenticatedMap::new();
    for path in &paths {
        map.insert_at(*path, (), 7).unwrap();
        roots.push(map.root());
    }
    for (path, before) in paths.iter().zip(&roots).rev() {
        assert_eq!(map.remove_at(path), Some(7));
        assert_eq!(map.root(), *before);
        assert_eq!(map.remove_at(path), None);
    }
}

#[test]
fn the_first_difference_is_the_bit_in_which_paths_part() {
    let zeros = Hash::ZERO;
    assert_eq!(node::first_difference(&zeros, &zeros), None);
    for (bit, path) in (0..=255_u8).rev().zip(&chain()[1..]) {
        assert_eq!(node::first_difference(&zeros, path), Some(bit));
        assert!((0..=255).all(|other| node::turns_right(path, other) == (other == bit)));
        // What follows the bit does not matter.
        let mut bytes = *path.as_bytes();
        bytes[usize::from(bit / 8)] |= (0x80_u8 >> (bit % 8)) - 1;
        bytes[usize::from(bit / 8) + 1..].fill(0xff);
        assert_eq!(node::first_difference(&Hash::from_bytes(bytes), &zeros), Some(bit));
    }
}

#[test]
fn a_value_that_is_not_shared_is_moved() {
    #[derive(Debug, serde::Serialize)]
    struct NeverCloned;
    impl Clone for NeverCloned {
        fn clone(&self) -> Self {
            panic!("cloned")
        }
    }
    let mut map = AuthenticatedMap::new();
    map.insert(1_u8, NeverCloned).unwrap();
    map.insert(2, NeverCloned).unwrap();
    assert!(map.insert(1, NeverCloned).unwrap().is_some());
    assert!(map.remove(&1).is_some() && map.remove(&2).is_some() && map.is_empty());
    let leaf = Leaf::new(Hash::ZERO, 1_u8, NeverCloned).unwrap();
    assert!(Node::from(leaf).into_leaf().is_some());
}
