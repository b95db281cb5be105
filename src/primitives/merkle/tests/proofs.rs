//! Valid proofs verify, forged proofs are refused with the correct error, and arbitrary proofs are judged as
//! in the RFC.

use super::*;

/// Forgeries are tried on every proof in trees up to this size.
const FORGED_SIZES: usize = 9;

/// Every hash that differs from `hash` in one bit.
fn flipped(hash: Hash) -> impl Iterator<Item = Hash> {
    (0..256).map(move |bit| {
        let mut bytes = *hash.as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        Hash::from_bytes(bytes)
    })
}

/// All paths that differ in one bit, lack one hash, or have one hash too many.
fn forged_paths(path: &[Hash]) -> Vec<Vec<Hash>> {
    let mut forged = Vec::new();
    for i in 0..path.len() {
        for hash in flipped(path[i]) {
            forged.push(path.to_vec());
            forged.last_mut().unwrap()[i] = hash;
        }
        forged.push([&path[..i], &path[i + 1..]].concat());
        forged.push([&path[..=i], &path[i..]].concat());
    }
    forged.push([path, &[Hash::ZERO]].concat());
    forged.push([&[Hash::ZERO], path].concat());
    forged
}

fn inclusion_proofs(max_size: usize) -> impl Iterator<Item = InclusionProof> {
    let tree = tree(max_size);
    let places = (1..=max_size as u64).flat_map(|size| (0..size).map(move |index| (index, size)));
    places.map(move |(index, size)| tree.inclusion_proof(index, size).unwrap())
}

fn consistency_proofs(max_size: usize) -> impl Iterator<Item = ConsistencyProof> {
    let tree = tree(max_size);
    let pairs = (0..=max_size as u64).flat_map(|new| (0..=new).map(move |old| (old, new)));
    pairs.map(move |(old, new)| tree.consistency_proof(old, new).unwrap())
}

#[test]
fn inclusion_of_every_leaf_in_every_size() {
    let (tree, leaves) = (tree(SIZES), leaves(SIZES));
    for size in 1..=SIZES {
        let root = model::root(&leaves[..size]);
        for index in 0..size {
            let proof = tree.inclusion_proof(index as u64, size as u64).unwrap();
            assert_eq!(proof.path, model::inclusion_path(index, &leaves[..size]), "{index} of {size}");
            assert_eq!(InclusionProof::new(&leaves[..size], index).as_ref(), Ok(&proof));
            assert_eq!(proof.verify(&leaves[index], &root), Ok(()));
        }
    }
}

#[test]
fn consistency_of_every_pair_of_sizes() {
    let (tree, leaves) = (tree(SIZES), leaves(SIZES));
    let roots: Vec<_> = (0..=SIZES).map(|size| model::root(&leaves[..size])).collect();
    for new in 0..=SIZES {
        for old in 0..=new {
            let proof = tree.consistency_proof(old as u64, new as u64).unwrap();
            assert_eq!(proof.path, model::consistency_path(old, &leaves[..new]), "{old} to {new}");
            assert_eq!(proof.verify(&roots[old], &roots[new]), Ok(()));
        }
    }
}

#[test]
fn forged_inclusion_proofs_are_refused() {
    let (leaves, tree) = (leaves(FORGED_SIZES), tree(FORGED_SIZES));
    for proof in inclusion_proofs(FORGED_SIZES) {
        let leaf = leaves[usize::try_from(proof.index).unwrap()];
        let root = tree.root_at(proof.tree_size).unwrap();
        for path in forged_paths(&proof.path) {
            let forged = InclusionProof { path, ..proof.clone() };
            assert!(forged.verify(&leaf, &root).is_err(), "{forged:?}");
        }
        for index in (0..=proof.tree_size).filter(|index| *index != proof.index) {
            let forged = InclusionProof { index, ..proof.clone() };
            assert!(forged.verify(&leaf, &root).is_err(), "{forged:?}");
        }
        for other in flipped(leaf) {
            assert!(matches!(proof.verify(&other, &root), Err(ProofError::Root { .. })));
        }
        for other in flipped(root) {
            assert_eq!(proof.verify(&leaf, &other), Err(ProofError::Root { got: root, expected: other }));
        }
    }
}

#[test]
fn forged_consistency_proofs_are_refused() {
    let tree = tree(FORGED_SIZES);
    for proof in consistency_proofs(FORGED_SIZES) {
        let [old, new] = [proof.old_size, proof.new_size].map(|size| tree.root_at(size).unwrap());
        for path in forged_paths(&proof.path) {
            let forged = ConsistencyProof { path, ..proof.clone() };
            assert!(forged.verify(&old, &new).is_err(), "{forged:?}");
        }
        for other in flipped(old) {
            assert!(proof.verify(&other, &new).is_err());
        }
        // Every tree extends the empty one.
        if proof.old_size > 0 || proof.new_size == 0 {
            for other in flipped(new) {
                assert_eq!(
                    proof.verify(&old, &other),
                    Err(ProofError::NewRoot { got: new, expected: other })
                );
            }
        }
    }
}

#[test]
fn a_rewritten_history_is_not_consistent() {
    let (tree, mut rewritten) = (tree(7), tree(5));
    rewritten.truncate(4);
    rewritten.extend([leaf_hash(b"other"), leaf_hash(b"and"), leaf_hash(b"more")]);
    let proof = rewritten.consistency_proof(6, 7).unwrap();
    let refused = proof.verify(&tree.root_at(6).unwrap(), &rewritten.root());
    assert!(matches!(refused, Err(ProofError::OldRoot { .. })), "{refused:?}");
    assert_eq!(
        rewritten.consistency_proof(4, 7).unwrap().verify(&tree.root_at(4).unwrap(), &rewritten.root()),
        Ok(())
    );
}

/// A root does not commit to the size of its tree, so a proof with a wrong size may verify if the path has
/// the same shape in both trees. The RFC's algorithm accepts such a proof, too.
#[test]
fn wrong_sizes_are_judged_as_in_the_rfc() {
    let (leaves, tree) = (leaves(17), tree(17));
    for proof in inclusion_proofs(17) {
        let leaf = leaves[usize::try_from(proof.index).unwrap()];
        let root = tree.root_at(proof.tree_size).unwrap();
        for (index, tree_size) in (0..20).flat_map(|index| (0..20).map(move |size| (index, size))) {
            let claim = InclusionProof { index, tree_size, path: proof.path.clone() };
            let expected = model::root_from_inclusion(index, tree_size, leaf, &proof.path) == Some(root);
            assert_eq!(claim.verify(&leaf, &root).is_ok(), expected, "{claim:?}");
        }
    }
    for proof in consistency_proofs(17) {
        let [old, new] = [proof.old_size, proof.new_size].map(|size| tree.root_at(size).unwrap());
        for (old_size, new_size) in (0..20).flat_map(|old| (0..20).map(move |new| (old, new))) {
            let claim = ConsistencyProof { old_size, new_size, path: proof.path.clone() };
            let expected = model::is_consistent(old_size, new_size, (old, new), &proof.path);
            assert_eq!(claim.verify(&old, &new).is_ok(), expected, "{claim:?}");
        }
    }
}

#[test]
fn proofs_are_made_for_what_the_tree_has() {
    let (tree, leaves) = (tree(5), leaves(5));
    let too_large = ProofError::SizeOutOfRange { size: 6, len: 5 };
    assert_eq!(tree.inclusion_proof(0, 6), Err(too_large.clone()));
    assert_eq!(tree.consistency_proof(0, 6), Err(too_large));
    assert_eq!(tree.consistency_proof(4, 3), Err(ProofError::Shrinks { old_size: 4, new_size: 3 }));
    for (index, tree_size) in [(3, 3), (u64::MAX, 5), (0, 0)] {
        let expected = ProofError::IndexOutOfRange { index, tree_size };
        assert_eq!(tree.inclusion_proof(index, tree_size), Err(expected));
    }
    let beyond = ProofError::IndexOutOfRange { index: 5, tree_size: 5 };
    assert_eq!(InclusionProof::new(&leaves, 5), Err(beyond));
    let nothing = ProofError::IndexOutOfRange { index: 0, tree_size: 0 };
    assert_eq!(InclusionProof::new(&[], 0), Err(nothing));
}

#[test]
fn a_refusal_names_its_cause() {
    let hash = leaf_hash(b"");
    let inclusion = |index, tree_size, length| {
        InclusionProof { index, tree_size, path: vec![hash; length] }.verify(&hash, &hash).unwrap_err()
    };
    assert_eq!(inclusion(7, 7, 3).to_string(), "no leaf 7 in a tree of 7 leaves");
    assert_eq!(inclusion(6, 7, 3).to_string(), "a path of 3 hashes where the tree asks for 2");
    let consistency = |old_size, new_size, length| {
        ConsistencyProof { old_size, new_size, path: vec![hash; length] }.verify(&hash, &hash).unwrap_err()
    };
    assert_eq!(consistency(7, 6, 0).to_string(), "a tree of 6 leaves does not extend one of 7");
    assert_eq!(consistency(6, 8, 2), ProofError::PathLength { got: 2, expected: 3 });
    assert_eq!(consistency(8, 8, 1), ProofError::PathLength { got: 1, expected: 0 });
    assert_eq!(consistency(0, 8, 1), ProofError::PathLength { got: 1, expected: 0 });
    assert_eq!(consistency(0, 8, 0), ProofError::OldRoot { got: root(&[]), expected: hash });
}

#[test]
fn the_longest_proofs_hold() {
    let leaf = leaf_hash(b"first");
    let path = vec![leaf_hash(b"sibling"); InclusionProof::MAX_PATH];
    let root = model::root_from_inclusion(0, u64::MAX, leaf, &path).unwrap();
    let proof = InclusionProof { index: 0, tree_size: u64::MAX, path };
    assert_eq!(proof.verify(&leaf, &root), Ok(()));

    let path = vec![leaf_hash(b"sibling"); ConsistencyProof::MAX_PATH];
    let (old_size, new_size) = (u64::MAX - 2, u64::MAX);
    let (old, new) = model::roots_from_consistency(old_size, new_size, leaf, &path).unwrap();
    let proof = ConsistencyProof { old_size, new_size, path };
    assert_eq!(proof.verify(&old, &new), Ok(()));
}

#[test]
fn serde_form_round_trips_and_is_bounded() {
    let inclusion = tree(7).inclusion_proof(2, 7).unwrap();
    let consistency = tree(7).consistency_proof(3, 7).unwrap();
    let json = serde_json::to_string(&inclusion).unwrap();
    assert!(json.starts_with(r#"{"index":2,"tree_size":7,"path":[""#), "{json}");
    assert_eq!(serde_json::from_str::<InclusionProof>(&json).unwrap(), inclusion);
    let bytes = postcard::to_allocvec(&consistency).unwrap();
    assert_eq!(postcard::from_bytes::<ConsistencyProof>(&bytes).unwrap(), consistency);

    let with_path = |length| postcard::to_allocvec(&(0_u64, 1_u64, vec![Hash::ZERO; length])).unwrap();
    let inclusion = |length| postcard::from_bytes::<InclusionProof>(&with_path(length));
    assert!(inclusion(InclusionProof::MAX_PATH).is_ok());
    assert!(inclusion(InclusionProof::MAX_PATH + 1).is_err());
    let consistency = |length| postcard::from_bytes::<ConsistencyProof>(&with_path(length));
    assert!(consistency(ConsistencyProof::MAX_PATH).is_ok());
    assert!(consistency(ConsistencyProof::MAX_PATH + 1).is_err());
}

/// Tree sizes, among them those at which shifts and additions may overflow.
fn size() -> impl Strategy<Value = u64> {
    let edges = prop::sample::select(vec![0, 1, 2, 1 << 32, (1 << 63) - 1, 1 << 63, u64::MAX - 1, u64::MAX]);
    prop_oneof![edges, (0..64_u32).prop_map(|bit| 1 << bit), any::<u64>(), 0..20_u64]
}

/// An arbitrary length of a path, and the correct one if it exists, so that some proofs verify.
fn lengths(any: usize, is_right: impl Fn(usize) -> bool) -> impl Iterator<Item = usize> {
    [any].into_iter().chain((0..=ConsistencyProof::MAX_PATH).find(|length| is_right(*length)))
}

proptest! {
    #[test]
    fn hostile_inclusion_proofs_are_judged_as_in_the_rfc(
        index in size(),
        tree_size in size(),
        length in 0..80_usize,
    ) {
        let leaf = leaf_hash(b"leaf");
        let root = |path: &[Hash]| model::root_from_inclusion(index, tree_size, leaf, path);
        for length in lengths(length, |length| root(&vec![leaf; length]).is_some()) {
            let proof = InclusionProof { index, tree_size, path: vec![leaf; length] };
            let root = root(&proof.path);
            let judged = proof.verify(&leaf, &root.unwrap_or(leaf));
            prop_assert_eq!(judged.is_ok(), root.is_some(), "{:?}", proof);
        }
    }

    #[test]
    fn hostile_consistency_proofs_are_judged_as_in_the_rfc(
        old_size in size(),
        new_size in size(),
        length in 0..80_usize,
    ) {
        let hash = leaf_hash(b"root");
        let roots = |path: &[Hash]| model::roots_from_consistency(old_size, new_size, hash, path);
        for length in lengths(length, |length| roots(&vec![hash; length]).is_some()) {
            let proof = ConsistencyProof { old_size, new_size, path: vec![hash; length] };
            let (old, new) = roots(&proof.path).unwrap_or((hash, hash));
            let expected = model::is_consistent(old_size, new_size, (old, new), &proof.path);
            prop_assert_eq!(proof.verify(&old, &new).is_ok(), expected, "{:?}", proof);
        }
    }
}
