//! Proofs of presence and absence.

use core::fmt;

use serde::de::{self, DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::hash::Hash;
use super::super::transaction::EncodeError;
use super::MapProofError;
use super::node::{self, Node};

/// A proof which value a key has in an [`AuthenticatedMap`](super::AuthenticatedMap), or that it has none: the end of the search for the key, and
/// the siblings on the way there. Made by [`AuthenticatedMap::prove`](super::AuthenticatedMap::prove).
///
/// # Bytes
///
/// | bytes | |
/// | --- | --- |
/// | 1 | kind: 0 the map is empty, 1 the key is present, 2 the search ends at the entry of another key |
/// | 2 | number of branches n, big-endian, at most 256; 0 for kind 0 |
/// | 33 n | the branches from the leaf to the root: the bit, which descends, and the hash of the child that is not on the way |
/// | the rest | kind 0: nothing; 1: the value's canonical bytes; 2: the path of the other key, and the SHA-256 of its value |
///
/// The serde form is these bytes, in lower-case hex in human-readable formats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapProof {
    end: End,
    /// From the leaf to the root.
    branches: Vec<(u8, Hash)>,
}

/// The end of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    Empty,
    /// The entry of the key, with the canonical bytes of its value.
    Entry(Vec<u8>),
    Other {
        path: Hash,
        value_hash: Hash,
    },
}

// The kinds of proofs.
const EMPTY: u8 = 0;
const ENTRY: u8 = 1;
const OTHER: u8 = 2;

/// The kind and the number of branches.
const HEAD: usize = 3;
/// A branch: its bit and a hash.
const STEP: usize = 1 + Hash::LEN;

impl MapProof {
    /// The most branches on a path: one for each bit of SHA-256.
    pub const MAX_PATH: usize = 8 * Hash::LEN;

    /// The most canonical bytes of a value in a map, 4 MiB, because a proof contains the value.
    pub const MAX_VALUE_BYTES: usize = node::MAX_VALUE_BYTES;

    /// The most bytes of a proof. In a map of n entries with keys that were not chosen to share bits of their paths, a
    /// proof has about 33 log2 n bytes and the value.
    pub const MAX_BYTES: usize = HEAD + Self::MAX_PATH * STEP + Self::MAX_VALUE_BYTES;

    /// The proof for the key with this path.
    pub(super) fn of<K, V: Serialize>(root: Option<&Node<K, V>>, path: &Hash) -> Result<Self, EncodeError> {
        let Some(mut node) = root else { return Ok(Self { end: End::Empty, branches: Vec::new() }) };
        // Hashes all branches, so that the siblings below have their hashes.
        node.hash();
        let mut branches = Vec::new();
        let leaf = loop {
            match node {
                Node::Leaf(leaf) => break leaf,
                Node::Branch(branch) => {
                    let (child, sibling) = branch.children(path);
                    branches.push((branch.bit, sibling.hash()));
                    node = child;
                }
            }
        };
        branches.reverse();
        let end = if leaf.path == *path {
            End::Entry(node::canonical_bytes(&leaf.value)?)
        } else {
            End::Other { path: leaf.path, value_hash: leaf.value_hash }
        };
        Ok(Self { end, branches })
    }

    /// The value of the key under this root, or `None` if the root has no entry with the key. Take the root from a source
    /// that is trusted: the `state_root` of a header in the chain. `K` and `V` are the types of the map: canonical bytes do
    /// not name their type, so those of an `i32` read as another number in a `u64`.
    ///
    /// # Errors
    ///
    /// [`MapProofError`], if the proof does not hold for this key and root, or the value is not of type `V`.
    pub fn verify<K: Serialize, V: DeserializeOwned>(
        &self,
        key: &K,
        root: &Hash,
    ) -> Result<Option<V>, MapProofError> {
        let key = node::canonical_bytes(key).map_err(MapProofError::Key)?;
        let Some(bytes) = self.verify_bytes(&key, root)? else { return Ok(None) };
        let malformed = |reason| MapProofError::Value { reason };
        match postcard::take_from_bytes(bytes).map_err(|error| malformed(error.to_string()))? {
            (value, []) => Ok(Some(value)),
            (_, rest) => Err(malformed(format!("{} of {} bytes are left", rest.len(), bytes.len()))),
        }
    }

    /// As [`verify`](Self::verify), for the canonical bytes of the key and the value.
    ///
    /// # Errors
    ///
    /// [`MapProofError`], if the proof does not hold for this key and root.
    pub fn verify_bytes(&self, key: &[u8], root: &Hash) -> Result<Option<&[u8]>, MapProofError> {
        let path = Hash::digest(key);
        let (leaf, value) = match &self.end {
            End::Empty => (node::empty_hash(), None),
            End::Entry(value) => (node::leaf_hash(&path, &Hash::digest(value)), Some(value.as_slice())),
            End::Other { path: other, .. } if *other == path => return Err(MapProofError::Present),
            End::Other { path: other, value_hash } => {
                let is_apart = |bit: &u8| node::turns_right(other, *bit) != node::turns_right(&path, *bit);
                if let Some(bit) = self.branches.iter().map(|(bit, _)| *bit).rfind(is_apart) {
                    return Err(MapProofError::OtherWay { bit });
                }
                (node::leaf_hash(other, value_hash), None)
            }
        };
        let got = self.branches.iter().fold(leaf, |hash, (bit, sibling)| {
            let is_right = node::turns_right(&path, *bit);
            let (left, right) = if is_right { (sibling, &hash) } else { (&hash, sibling) };
            node::branch_hash(*bit, left, right)
        });
        if got != *root {
            return Err(MapProofError::Root { got, expected: *root });
        }
        Ok(value)
    }

    /// The [bytes](#bytes) of the proof.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (kind, parts): (u8, [&[u8]; 2]) = match &self.end {
            End::Empty => (EMPTY, [&[], &[]]),
            End::Entry(value) => (ENTRY, [value, &[]]),
            End::Other { path, value_hash } => (OTHER, [path.as_bytes(), value_hash.as_bytes()]),
        };
        let rest = parts[0].len() + parts[1].len();
        let mut bytes = Vec::with_capacity(HEAD + STEP * self.branches.len() + rest);
        bytes.push(kind);
        // At most 256, by construction.
        bytes.extend(u16::try_from(self.branches.len()).unwrap_or(u16::MAX).to_be_bytes());
        for (bit, sibling) in &self.branches {
            bytes.push(*bit);
            bytes.extend(sibling.as_bytes());
        }
        bytes.extend(parts[0]);
        bytes.extend(parts[1]);
        bytes
    }

    /// Reads the [bytes](#bytes) of a proof. There is one form for each proof: bytes that are accepted are those that
    /// [`to_bytes`](Self::to_bytes) returns.
    ///
    /// # Errors
    ///
    /// [`MapProofError::Kind`], [`MapProofError::Length`], [`MapProofError::PathLength`] or [`MapProofError::Order`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MapProofError> {
        let length = |min, max| MapProofError::Length { got: bytes.len(), min, max };
        let Some((&[kind, high, low], rest)) = bytes.split_first_chunk::<HEAD>() else {
            return Err(length(HEAD, Self::MAX_BYTES));
        };
        let limit = match kind {
            EMPTY => 0,
            ENTRY | OTHER => Self::MAX_PATH,
            got => return Err(MapProofError::Kind { got }),
        };
        let steps = usize::from(u16::from_be_bytes([high, low]));
        if steps > limit {
            return Err(MapProofError::PathLength { got: steps, limit });
        }
        let fixed = HEAD + steps * STEP;
        let (min, max) = match kind {
            EMPTY => (fixed, fixed),
            ENTRY => (fixed, fixed + Self::MAX_VALUE_BYTES),
            _ => (fixed + 2 * Hash::LEN, fixed + 2 * Hash::LEN),
        };
        let Some((path, rest)) =
            rest.split_at_checked(steps * STEP).filter(|_| (min..=max).contains(&bytes.len()))
        else {
            return Err(length(min, max));
        };
        let mut branches: Vec<(u8, Hash)> = Vec::with_capacity(steps);
        for [bit, sibling @ ..] in path.as_chunks::<STEP>().0 {
            if let Some((previous, _)) = branches.last().filter(|(previous, _)| bit >= previous) {
                return Err(MapProofError::Order { got: *bit, previous: *previous });
            }
            branches.push((*bit, Hash::from_bytes(*sibling)));
        }
        let end = match (kind, rest.as_chunks().0) {
            (EMPTY, _) => End::Empty,
            (OTHER, [path, value_hash]) => {
                End::Other { path: Hash::from_bytes(*path), value_hash: Hash::from_bytes(*value_hash) }
            }
            _ => End::Entry(rest.to_vec()),
        };
        Ok(Self { end, branches })
    }
}

impl Serialize for MapProof {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.to_bytes();
        if serializer.is_human_readable() {
            serializer.serialize_str(&hex::encode(bytes))
        } else {
            serializer.serialize_bytes(&bytes)
        }
    }
}

impl<'de> Deserialize<'de> for MapProof {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Form)
        } else {
            deserializer.deserialize_bytes(Form)
        }
    }
}

struct Form;

impl Visitor<'_> for Form {
    type Value = MapProof;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes of a proof, in lower-case hex in a text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<MapProof, E> {
        let max = MapProof::MAX_BYTES;
        if text.len() > 2 * max {
            return Err(E::custom(MapProofError::Length { got: text.len() / 2, min: HEAD, max }));
        }
        if text.bytes().any(|digit| digit.is_ascii_uppercase()) {
            return Err(E::custom("expected lower-case hex digits, got an upper-case letter"));
        }
        self.visit_bytes(&hex::decode(text).map_err(E::custom)?)
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<MapProof, E> {
        MapProof::from_bytes(bytes).map_err(E::custom)
    }
}
