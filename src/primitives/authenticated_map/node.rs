//! The nodes of the trie: their hashes, and changes that copy only what is shared.

use std::sync::{Arc, OnceLock};

use serde::Serialize;

use super::super::hash::Hash;
use super::super::transaction::EncodeError;

// The first bytes of what is hashed for a node. 0 and 1 are those of Merkle trees.
const EMPTY: u8 = 2;
const LEAF: u8 = 3;
const BRANCH: u8 = 4;

/// The most canonical bytes of a value: [`MapProof::MAX_VALUE_BYTES`](super::MapProof::MAX_VALUE_BYTES).
pub(super) const MAX_VALUE_BYTES: usize = 4 << 20;

/// The hash of a map without entries.
pub(super) fn empty_hash() -> Hash {
    Hash::digest(&[EMPTY])
}

/// The hash of an entry.
pub(super) fn leaf_hash(path: &Hash, value_hash: &Hash) -> Hash {
    Hash::digest_pair(LEAF, path, value_hash)
}

/// The hash of a branch.
pub(super) fn branch_hash(bit: u8, left: &Hash, right: &Hash) -> Hash {
    let mut children = [0; 2 * Hash::LEN];
    children[..Hash::LEN].copy_from_slice(left.as_bytes());
    children[Hash::LEN..].copy_from_slice(right.as_bytes());
    Hash::digest_behind([BRANCH, bit], &children)
}

/// The room for canonical bytes, so that those of most keys and values are allocated once.
const USUAL_BYTES: usize = 64;

/// The serde form of a key or a value in postcard.
pub(super) fn canonical_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, EncodeError> {
    postcard::to_extend(value, Vec::with_capacity(USUAL_BYTES))
        .map_err(|error| EncodeError::of_postcard(&error))
}

/// The place of a key in the trie.
pub(super) fn path<K: Serialize>(key: &K) -> Result<Hash, EncodeError> {
    Ok(Hash::digest(&canonical_bytes(key)?))
}

/// Whether a path leads to the right at the branch with this bit.
pub(super) fn turns_right(path: &Hash, bit: u8) -> bool {
    path.as_bytes()[usize::from(bit / 8)] & (0x80 >> (bit % 8)) != 0
}

/// The first bit in which two paths differ.
pub(super) fn first_difference(left: &Hash, right: &Hash) -> Option<u8> {
    let mut bit: u8 = 0;
    for (left, right) in left.as_bytes().iter().zip(right.as_bytes()) {
        let equal = (left ^ right).leading_zeros();
        if equal < 8 {
            // Below 8, and the bytes before it have at most 248 bits.
            return Some(bit | u8::try_from(equal).unwrap_or(0));
        }
        bit = bit.wrapping_add(8);
    }
    None
}

/// A node, shared by the maps that have its content.
pub(super) enum Node<K, V> {
    Leaf(Arc<Leaf<K, V>>),
    Branch(Arc<Branch<K, V>>),
}

/// An entry.
pub(super) struct Leaf<K, V> {
    pub(super) path: Hash,
    /// Computed with the entry, because a value may have no canonical bytes, which the caller is to learn then and
    /// not when the root is asked for.
    pub(super) value_hash: Hash,
    pub(super) key: K,
    pub(super) value: V,
}

/// Two subtrees whose paths differ in `bit`, and in no earlier one.
pub(super) struct Branch<K, V> {
    pub(super) bit: u8,
    pub(super) left: Node<K, V>,
    pub(super) right: Node<K, V>,
    hash: OnceLock<Hash>,
}

impl<K, V> Leaf<K, V> {
    pub(super) fn new(path: Hash, key: K, value: V) -> Result<Self, EncodeError>
    where
        V: Serialize,
    {
        let bytes = canonical_bytes(&value)?;
        if bytes.len() > MAX_VALUE_BYTES {
            let got = bytes.len();
            return Err(EncodeError::new(format!(
                "the value of a map has {got} bytes, expected at most {MAX_VALUE_BYTES}"
            )));
        }
        Ok(Self { path, value_hash: Hash::digest(&bytes), key, value })
    }

    fn hash(&self) -> Hash {
        leaf_hash(&self.path, &self.value_hash)
    }

    /// The value, which is cloned only if another map shares the entry.
    pub(super) fn into_value(this: Arc<Self>) -> V
    where
        V: Clone,
    {
        Arc::try_unwrap(this).map_or_else(|shared| shared.value.clone(), |leaf| leaf.value)
    }
}

impl<K, V> Branch<K, V> {
    /// The child in which the path is, and the other one.
    pub(super) fn children(&self, path: &Hash) -> (&Node<K, V>, &Node<K, V>) {
        if turns_right(path, self.bit) { (&self.right, &self.left) } else { (&self.left, &self.right) }
    }

    /// As [`children`](Self::children), for a change: copies the branch if another map shares it.
    fn children_mut<'a>(this: &'a mut Arc<Self>, path: &Hash) -> (&'a mut Node<K, V>, &'a mut Node<K, V>) {
        let Self { bit, left, right, hash } = Arc::make_mut(this);
        *hash = OnceLock::new();
        if turns_right(path, *bit) { (right, left) } else { (left, right) }
    }
}

/// Shares the children. The caller changes the copy, so the hash is not copied.
impl<K, V> Clone for Branch<K, V> {
    fn clone(&self) -> Self {
        let Self { bit, left, right, hash: _ } = self;
        Self { bit: *bit, left: left.clone(), right: right.clone(), hash: OnceLock::new() }
    }
}

impl<K, V> Clone for Node<K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(leaf) => Self::Leaf(Arc::clone(leaf)),
            Self::Branch(branch) => Self::Branch(Arc::clone(branch)),
        }
    }
}

impl<K, V> From<Leaf<K, V>> for Node<K, V> {
    fn from(leaf: Leaf<K, V>) -> Self {
        Self::Leaf(Arc::new(leaf))
    }
}

impl<K, V> Node<K, V> {
    pub(super) fn branch(bit: u8, left: Self, right: Self) -> Self {
        Self::Branch(Arc::new(Branch { bit, left, right, hash: OnceLock::new() }))
    }

    pub(super) fn hash(&self) -> Hash {
        match self {
            Self::Leaf(leaf) => leaf.hash(),
            Self::Branch(branch) => *branch
                .hash
                .get_or_init(|| branch_hash(branch.bit, &branch.left.hash(), &branch.right.hash())),
        }
    }

    pub(super) fn into_leaf(self) -> Option<Arc<Leaf<K, V>>> {
        match self {
            Self::Leaf(leaf) => Some(leaf),
            Self::Branch(_) => None,
        }
    }

    /// The leaf at which a search for the path ends. If the path is in the trie, it is the path of that leaf; otherwise
    /// no other leaf has more leading bits in common with it.
    pub(super) fn nearest(&self, path: &Hash) -> &Leaf<K, V> {
        let mut node = self;
        loop {
            match node {
                Self::Leaf(leaf) => return leaf,
                Self::Branch(branch) => node = branch.children(path).0,
            }
        }
    }

    /// Inserts a leaf whose path differs from the nearest one first in the bit `difference`, or replaces the leaf that
    /// has its path, which is returned.
    pub(super) fn insert(&mut self, leaf: Leaf<K, V>, difference: Option<u8>) -> Option<Arc<Leaf<K, V>>> {
        if let Self::Branch(branch) = self
            && difference.is_none_or(|bit| branch.bit < bit)
        {
            return Branch::children_mut(branch, &leaf.path).0.insert(leaf, difference);
        }
        let is_right = difference.map(|bit| (bit, turns_right(&leaf.path, bit)));
        let leaf = Self::from(leaf);
        let previous = core::mem::replace(self, leaf.clone());
        match is_right {
            None => return previous.into_leaf(),
            Some((bit, true)) => *self = Self::branch(bit, previous, leaf),
            Some((bit, false)) => *self = Self::branch(bit, leaf, previous),
        }
        None
    }

    /// Removes the leaf with this path from below a branch, which its sibling replaces. `None`, and the branches on the
    /// way are copied without need, if there is none.
    pub(super) fn remove(&mut self, path: &Hash) -> Option<Arc<Leaf<K, V>>> {
        let Self::Branch(branch) = self else { return None };
        let (child, sibling) = Branch::children_mut(branch, path);
        let Self::Leaf(leaf) = child else { return child.remove(path) };
        let (leaf, sibling) = (Arc::clone(leaf), sibling.clone());
        *self = sibling;
        Some(leaf)
    }
}
