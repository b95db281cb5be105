//! A naive implementation, word by word, of the definitions of RFC 6962 and the verification algorithms of
//! RFC 9162. The trees and proofs are compared with it.

use crate::Hash;
use crate::primitives::merkle::node_hash;

/// MTH of RFC 6962, section 2.1, over leaf hashes.
pub(super) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::digest(&[]),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// PATH of RFC 6962, section 2.1.1.
pub(super) fn inclusion_path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    if m < k {
        [inclusion_path(m, left), vec![root(right)]].concat()
    } else {
        [inclusion_path(m - k, right), vec![root(left)]].concat()
    }
}

/// PROOF of RFC 6962, section 2.1.2, and an empty path from the empty tree.
pub(super) fn consistency_path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if m == 0 { Vec::new() } else { subproof(m, leaves, true) }
}

fn subproof(m: usize, leaves: &[Hash], is_whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if is_whole { Vec::new() } else { vec![root(leaves)] };
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    if m <= k {
        [subproof(m, left, is_whole), vec![root(right)]].concat()
    } else {
        [subproof(m - k, right, false), vec![root(left)]].concat()
    }
}

/// The largest power of two below `n`.
fn split(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// RFC 9162, section 2.1.3.2, up to its last comparison: the root that the proof leads to.
pub(super) fn root_from_inclusion(index: u64, tree_size: u64, leaf: Hash, path: &[Hash]) -> Option<Hash> {
    if index >= tree_size {
        return None;
    }
    let (mut f, mut s, mut r) = (index, tree_size - 1, leaf);
    for p in path {
        if s == 0 {
            return None;
        }
        if f & 1 == 1 || f == s {
            r = node_hash(p, &r);
            while f & 1 == 0 && f != 0 {
                f >>= 1;
                s >>= 1;
            }
        } else {
            r = node_hash(&r, p);
        }
        f >>= 1;
        s >>= 1;
    }
    (s == 0).then_some(r)
}

/// RFC 9162, section 2.1.4.2, with the sizes that the RFC leaves out: every tree extends the empty one.
pub(super) fn is_consistent(first: u64, second: u64, roots: (Hash, Hash), path: &[Hash]) -> bool {
    if first == 0 {
        let is_empty = path.is_empty() && roots.0 == root(&[]);
        return is_empty && (second > 0 || roots.1 == roots.0);
    }
    if first == second {
        return path.is_empty() && roots.0 == roots.1;
    }
    roots_from_consistency(first, second, roots.0, path) == Some(roots)
}

/// RFC 9162, section 2.1.4.2, up to its last comparison: the two roots that the proof leads to.
pub(super) fn roots_from_consistency(
    first: u64,
    second: u64,
    first_hash: Hash,
    path: &[Hash],
) -> Option<(Hash, Hash)> {
    if first == 0 || first >= second || path.is_empty() {
        return None;
    }
    let mut path = path.to_vec();
    if first.is_power_of_two() {
        path.insert(0, first_hash);
    }
    let (mut f, mut s) = (first - 1, second - 1);
    while f & 1 == 1 {
        f >>= 1;
        s >>= 1;
    }
    let (mut fr, mut sr) = (path[0], path[0]);
    for c in &path[1..] {
        if s == 0 {
            return None;
        }
        if f & 1 == 1 || f == s {
            fr = node_hash(c, &fr);
            sr = node_hash(c, &sr);
            while f & 1 == 0 && f != 0 {
                f >>= 1;
                s >>= 1;
            }
        } else {
            sr = node_hash(&sr, c);
        }
        f >>= 1;
        s >>= 1;
    }
    (s == 0).then_some((fr, sr))
}
