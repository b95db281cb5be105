//! RFC 6962 Merkle trees: roots, inclusion proofs and consistency proofs. Knows nothing of what the leaves are.

use super::hash::Hash;

/// The hash of a leaf: `SHA-256(0x00 || bytes)`.
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    Hash::digest_parts(&[&[0], bytes])
}

/// The root over the leaf hashes: RFC 6962, section 2.1.
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::digest(&[]),
        [leaf] => *leaf,
        _ => {
            let k = 1 << (leaves.len() - 1).ilog2();
            Hash::digest_parts(&[&[1], root(&leaves[..k]).as_ref(), root(&leaves[k..]).as_ref()])
        }
    }
}
