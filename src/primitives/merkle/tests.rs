//! Trees and proofs, compared with published vectors and with a model of the RFCs, and forged proofs.

mod model;
mod proofs;
mod vectors;

use proptest::prelude::*;
use rstest::rstest;

use super::*;

/// All sizes up to this one are compared with the model.
const SIZES: usize = 70;

/// Leaf hashes that are all different.
fn leaves(count: usize) -> Vec<Hash> {
    (0..count as u64).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

fn tree(count: usize) -> HistoryTree {
    leaves(count).into_iter().collect()
}

#[test]
fn roots_of_every_size_agree() {
    let leaves = leaves(SIZES);
    let full = tree(SIZES);
    let (mut range, mut history) = (CompactRange::new(), HistoryTree::new());
    for size in 0..=SIZES {
        let expected = model::root(&leaves[..size]);
        let len = size as u64;
        assert_eq!(root(&leaves[..size]), expected, "{size} leaves");
        assert_eq!((range.len(), range.is_empty(), range.root()), (len, size == 0, expected));
        assert_eq!((history.len(), history.is_empty(), history.root()), (len, size == 0, expected));
        assert_eq!(full.root_at(len), Some(expected));
        assert_eq!(full.compact_range_at(len), Some(range.clone()));
        if let Some(leaf) = leaves.get(size) {
            range.push(*leaf);
            history.push(*leaf);
        }
    }
    assert_eq!(history, full);
}

#[test]
fn a_tree_has_no_root_of_a_size_that_it_has_not_reached() {
    assert_eq!(tree(5).root_at(6), None);
    assert_eq!(tree(5).compact_range_at(u64::MAX), None);
    assert_eq!(HistoryTree::new().root_at(0), Some(Hash::digest(&[])));
}

#[test]
fn a_compact_range_taken_from_the_past_goes_on_from_there() {
    let leaves = leaves(SIZES);
    for size in 0..=SIZES {
        let mut range = tree(SIZES).compact_range_at(size as u64).unwrap();
        range.extend(leaves[size..].iter().copied());
        assert_eq!(range.root(), model::root(&leaves), "from {size} leaves");
    }
}

/// CVE-2012-2459: in Bitcoin's trees these lists have the same root.
#[rstest]
#[case(&[0, 1, 2], &[0, 1, 2, 2])]
#[case(&[0, 1, 2, 3, 4, 5], &[0, 1, 2, 3, 4, 5, 4, 5])]
#[case(&[0], &[0, 0])]
fn repeated_leaves_change_the_root(#[case] list: &[usize], #[case] repeated: &[usize]) {
    let all = leaves(6);
    let root_of = |list: &[usize]| root(&list.iter().map(|i| all[*i]).collect::<Vec<_>>());
    assert_ne!(root_of(list), root_of(repeated));
}

#[test]
fn an_inner_node_is_not_a_leaf() {
    let [a, b] = [leaf_hash(b"a"), leaf_hash(b"b")];
    let concatenated = [*a.as_bytes(), *b.as_bytes()].concat();
    assert_ne!(root(&[a, b]), root(&[leaf_hash(&concatenated)]));
}

#[test]
fn truncating_beyond_the_end_changes_nothing() {
    let mut cut = tree(5);
    cut.truncate(5);
    cut.truncate(u64::MAX);
    assert_eq!(cut, tree(5));
    cut.truncate(0);
    assert_eq!(cut, HistoryTree::new());
}

#[test]
fn a_tree_s_debug_form_is_short() {
    let text = format!("{:?}", tree(1000));
    assert_eq!(text, format!("HistoryTree {{ len: 1000, root: {:?} }}", tree(1000).root()));
}

#[test]
fn a_batch_of_leaves_completes_what_single_leaves_do() {
    let leaves = leaves(SIZES);
    for start in 0..40 {
        let before: CompactRange = leaves[..start].iter().copied().collect();
        for end in start..SIZES {
            let growth = Growth::new(before.clone(), leaves[start..end].to_vec());
            let roots: Vec<Hash> = (start..end).map(|size| model::root(&leaves[..size])).collect();
            assert_eq!((growth.start(), growth.roots()), (start as u64, roots), "{start} to {end}");
            let mut range = before.clone();
            for (index, leaf) in (start as u64..).zip(&leaves[start..end]) {
                let mut completed = Vec::new();
                range.push_with(*leaf, |root| completed.push(root));
                assert_eq!(growth.leaf(index), Some(leaf));
                assert_eq!(growth.completed_by(index).copied().collect::<Vec<_>>(), completed, "{index}");
            }
            assert_eq!(
                (growth.leaf(end as u64), start == 0 || growth.leaf(start as u64 - 1).is_none()),
                (None, true)
            );
        }
    }
}

#[test]
fn many_trees_have_their_own_roots() {
    let leaves = leaves(SIZES);
    let trees: Vec<Vec<Hash>> = (0..SIZES).map(|size| leaves[..(size * 7) % SIZES].to_vec()).collect();
    let expected: Vec<Hash> = trees.iter().map(|leaves| model::root(leaves)).collect();
    assert_eq!(roots(trees), expected);
    assert_eq!(roots(Vec::new()), []);
}

proptest! {
    #[test]
    fn cutting_and_growing_leaves_no_trace(steps in prop::collection::vec((0..60_usize, 0..40_u64), 1..12)) {
        let (mut history, mut list) = (HistoryTree::new(), Vec::new());
        for (branch, (keep, grow)) in steps.into_iter().enumerate() {
            history.truncate(keep as u64);
            list.truncate(keep);
            for i in 0..grow {
                let leaf = leaf_hash(format!("{branch}/{i}").as_bytes());
                history.push(leaf);
                list.push(leaf);
            }
            prop_assert_eq!(&history, &list.iter().copied().collect::<HistoryTree>());
            prop_assert_eq!(history.root(), model::root(&list));
        }
    }
}
