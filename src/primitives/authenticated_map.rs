//! A persistent map with a root hash: the state of an application that proves its entries to outsiders.
//!
//! [`AuthenticatedMap`] is for [`Transaction::State`](crate::Transaction::State), and its [root](AuthenticatedMap::root)
//! for [`Transaction::state_root`](crate::Transaction::state_root): a [`MapProof`] then shows to someone who has only a
//! header which value a key has, or that it has none. `docs/state-proofs.md` specifies the hashes and the bytes for
//! programs in other languages.
//!
//! # Structure
//!
//! A binary Merkle-Patricia trie over the *path* of each key, the SHA-256 of its canonical bytes. A leaf is an entry. A
//! branch has the number of a bit, counted from the most significant one of the first byte, and two children: below the
//! left one that bit of all paths is 0, below the right one 1, and all earlier bits are equal. So equal content has one
//! structure and one root, whatever was inserted and removed before, and a path passes at most 256 branches, each with a
//! higher bit than the one above it. Recursion and `drop` are as deep. To place k branches above a key takes two keys whose
//! paths share k - 1 bits, so an author who chooses keys to make paths long computes about 2^k hashes.
//!
//! | node | hash |
//! | --- | --- |
//! | no entry | SHA-256 of the byte 2 |
//! | leaf | SHA-256(3 ‖ path ‖ SHA-256 of the value's canonical bytes) |
//! | branch | SHA-256(4 ‖ bit ‖ hash of the left child ‖ hash of the right child) |
//!
//! The first byte and the length (1, 65 and 66 bytes) tell the kinds apart, so no proof can pass a branch off as a leaf
//! or a part of a [Merkle tree](super::merkle), whose hashes begin with 0 or 1, as a node. A value is hashed before it
//! enters a leaf, so bytes chosen by an author never stand where a node's do. A branch commits to its bit, so a root
//! determines at each branch on which side a key lies: for one root and key there is at most one end of the search, and
//! hence never a proof of presence and one of absence, nor proofs of two values.
//!
//! # Choice
//!
//! Kept crates store nodes in a database by version (`jmt`, `monotree`) or mutate one tree in place
//! (`sparse-merkle-tree`, whose last release is of 2022, and `merkle-search-tree`, which proves nothing): neither has a
//! clone in constant time. `imbl` has one, but its structure depends on the order of operations, so it cannot carry a
//! root.

mod error;
mod iter;
mod node;
mod proof;
mod stored;

#[cfg(test)]
mod tests;

use core::fmt;

use serde::Serialize;

pub use error::MapProofError;
pub use iter::Iter;
pub use proof::MapProof;

use super::hash::Hash;
use super::transaction::EncodeError;
use node::{Leaf, Node};

/// A persistent map with a root hash. A clone takes constant time and shares all entries; a change costs O(log n) time
/// and memory, and no other clone sees it.
///
/// The canonical bytes of keys and values are their serde forms in [postcard](https://postcard.jamesmunns.com/wire-format).
/// Two keys are one if their canonical bytes are equal. The serde form must be deterministic, as for a
/// [`Transaction`](crate::Transaction#the-serde-form).
///
/// Branches are hashed when the root is asked for, each once for all clones that share it: the mempool, which tries
/// transactions and needs no root, hashes only the entries that change, and the upper branches are hashed once for a block
/// and not for each of its changes.
///
/// The serde form is a map with the entries in the order of [`iter`](Self::iter). The root is computed from the entries
/// and never read.
///
/// ```
/// use hashloom::{Address, AuthenticatedMap, Context, Hash, Rejected, Transaction};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// struct Mint { to: Address, amount: u64 }
///
/// impl Transaction for Mint {
///     type State = AuthenticatedMap<Address, u64>;
///
///     fn apply(&self, balances: &mut Self::State, _: &Context<'_>) -> Result<(), Rejected> {
///         balances.update(self.to, |balance| {
///             let sum = balance.copied().unwrap_or(0).checked_add(self.amount);
///             sum.map(Some).ok_or_else(|| Rejected::new("overflow", "the balance is above 2^64 - 1"))
///         })
///     }
///
///     fn state_root(balances: &Self::State) -> Hash {
///         balances.root()
///     }
/// }
///
/// let mut balances = <Mint as Transaction>::State::new();
/// let (rich, poor) = (Address::from_bytes([1; 20]), Address::from_bytes([2; 20]));
/// balances.insert(rich, 100)?;
///
/// // The node sends bytes; the outsider has the header.
/// let state_root = balances.root();
/// let proof = balances.prove(&rich)?.to_bytes();
/// let proof = hashloom::MapProof::from_bytes(&proof)?;
/// assert_eq!(proof.verify::<Address, u64>(&rich, &state_root)?, Some(100));
/// assert_eq!(balances.prove(&poor)?.verify::<Address, u64>(&poor, &state_root)?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AuthenticatedMap<K, V> {
    root: Option<Node<K, V>>,
    len: usize,
}

impl<K, V> AuthenticatedMap<K, V> {
    /// A map without entries.
    pub const fn new() -> Self {
        Self { root: None, len: 0 }
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// The hash of all entries. Equal content has an equal root, and different content a different one, as far as SHA-256
    /// has no collision. Computes the hashes of all branches that changed since the last call, in this map or in a
    /// clone that shares them.
    pub fn root(&self) -> Hash {
        self.root.as_ref().map_or_else(node::empty_hash, Node::hash)
    }

    /// The entries in ascending order of their paths, the SHA-256 of the keys' canonical bytes. The order is equal on all
    /// machines, and has nothing to do with that of the keys.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter::new(self.root.as_ref(), self.len)
    }

    fn leaf(&self, path: &Hash) -> Option<&Leaf<K, V>> {
        self.root.as_ref().map(|root| root.nearest(path)).filter(|leaf| leaf.path == *path)
    }
}

impl<K: Serialize, V> AuthenticatedMap<K, V> {
    /// The value of a key. `None` also for a key without canonical bytes, which no map contains.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.leaf(&node::path(key).ok()?).map(|leaf| &leaf.value)
    }

    /// Whether the map has an entry with this key.
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }
}

impl<K: Serialize, V: Clone> AuthenticatedMap<K, V> {
    /// Removes an entry and returns its value. The root is then that of a map that never had the entry.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.remove_at(&node::path(key).ok()?)
    }

    fn remove_at(&mut self, path: &Hash) -> Option<V> {
        // Looked for first, so that a key that is absent copies no branch.
        self.leaf(path)?;
        let leaf = match &mut self.root {
            Some(root @ Node::Branch(_)) => root.remove(path)?,
            place => place.take()?.into_leaf()?,
        };
        self.len -= 1;
        Some(Leaf::into_value(leaf))
    }
}

impl<K: Serialize, V: Serialize + Clone> AuthenticatedMap<K, V> {
    /// Sets the value of a key and returns the previous one. If the key is there, the map keeps the new one of the two
    /// equal keys.
    ///
    /// # Errors
    ///
    /// [`EncodeError`], if the key or the value has no canonical bytes, or the value more than
    /// [`MapProof::MAX_VALUE_BYTES`]. The map is unchanged then. In
    /// [`apply`](crate::Transaction::apply), `?` makes it a [`Rejected`](crate::Rejected).
    pub fn insert(&mut self, key: K, value: V) -> Result<Option<V>, EncodeError> {
        let path = node::path(&key)?;
        self.insert_at(path, key, value)
    }

    /// Changes the entry of a key: `change` gets the value, if there is one, and returns the new value, or `None` to
    /// remove the entry. Cheaper than [`get`](Self::get) and [`insert`](Self::insert), because the key is hashed once.
    ///
    /// # Errors
    ///
    /// That of `change`, or an [`EncodeError`] as for [`insert`](Self::insert). The map is unchanged then.
    pub fn update<E: From<EncodeError>>(
        &mut self,
        key: K,
        change: impl FnOnce(Option<&V>) -> Result<Option<V>, E>,
    ) -> Result<(), E> {
        let path = node::path(&key)?;
        match change(self.leaf(&path).map(|leaf| &leaf.value))? {
            Some(value) => drop(self.insert_at(path, key, value)?),
            None => drop(self.remove_at(&path)),
        }
        Ok(())
    }

    fn insert_at(&mut self, path: Hash, key: K, value: V) -> Result<Option<V>, EncodeError> {
        let leaf = Leaf::new(path, key, value)?;
        let Some(root) = &mut self.root else {
            self.root = Some(Node::from(leaf));
            self.len = 1;
            return Ok(None);
        };
        let difference = node::first_difference(&leaf.path, &root.nearest(&leaf.path).path);
        let previous = root.insert(leaf, difference);
        self.len += usize::from(difference.is_some());
        Ok(previous.map(Leaf::into_value))
    }

    /// The proof of the key's value, or that the key has none, under the map's [root](Self::root). Computes the root.
    ///
    /// # Errors
    ///
    /// [`EncodeError`], if the key has no canonical bytes.
    pub fn prove(&self, key: &K) -> Result<MapProof, EncodeError> {
        MapProof::of(self.root.as_ref(), &node::path(key)?)
    }
}

/// Constant time; shares all entries.
impl<K, V> Clone for AuthenticatedMap<K, V> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone(), len: self.len }
    }
}

impl<K, V> Default for AuthenticatedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for AuthenticatedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

/// Compares the roots.
impl<K, V> PartialEq for AuthenticatedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.root() == other.root()
    }
}

impl<K, V> Eq for AuthenticatedMap<K, V> {}

impl<'a, K, V> IntoIterator for &'a AuthenticatedMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}
