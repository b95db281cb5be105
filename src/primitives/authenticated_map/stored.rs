//! The serde form: a map in ascending order of the paths, from which the trie is built in linear time.

use core::fmt;
use core::marker::PhantomData;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::AuthenticatedMap;
use super::node::{self, Leaf, Node};

impl<K: Serialize, V: Serialize> Serialize for AuthenticatedMap<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

/// Refuses entries that are not in strictly ascending order of their paths, so that a map has one serde form.
impl<'de, K, V> Deserialize<'de> for AuthenticatedMap<K, V>
where
    K: Serialize + Deserialize<'de>,
    V: Serialize + Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries::<K, V>(PhantomData))
    }
}

struct Entries<K, V>(PhantomData<(K, V)>);

impl<'de, K, V> Visitor<'de> for Entries<K, V>
where
    K: Serialize + Deserialize<'de>,
    V: Serialize + Deserialize<'de>,
{
    type Value = AuthenticatedMap<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map in ascending order of the SHA-256 of its keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut spine = Spine::default();
        while let Some((key, value)) = entries.next_entry::<K, V>()? {
            let path = node::path(&key).map_err(A::Error::custom)?;
            let leaf = Leaf::new(path, key, value).map_err(A::Error::custom)?;
            if !spine.push(leaf) {
                return Err(A::Error::custom(format_args!(
                    "entry {} of a map is not in ascending order of the SHA-256 of the keys",
                    spine.len
                )));
            }
        }
        Ok(spine.into_map())
    }
}

/// The right edge of a trie that grows to the right: branches that lack their right child, from the root down, and the
/// last leaf.
struct Spine<K, V> {
    open: Vec<(u8, Node<K, V>)>,
    last: Option<Leaf<K, V>>,
    len: usize,
}

impl<K, V> Default for Spine<K, V> {
    fn default() -> Self {
        Self { open: Vec::new(), last: None, len: 0 }
    }
}

impl<K, V> Spine<K, V> {
    /// Adds a leaf. `false` if it is not behind the last one.
    fn push(&mut self, leaf: Leaf<K, V>) -> bool {
        if let Some(last) = self.last.take() {
            let Some(bit) = node::first_difference(&last.path, &leaf.path) else { return false };
            if !node::turns_right(&leaf.path, bit) {
                return false;
            }
            let left = self.close(Node::from(last), Some(bit));
            self.open.push((bit, left));
        }
        self.last = Some(leaf);
        self.len += 1;
        true
    }

    /// The subtree of the branches below `bit`, or of all of them, with this right child.
    fn close(&mut self, mut right: Node<K, V>, bit: Option<u8>) -> Node<K, V> {
        while let Some((below, left)) = self.open.pop_if(|(below, _)| bit.is_none_or(|bit| *below > bit)) {
            right = Node::branch(below, left, right);
        }
        right
    }

    fn into_map(mut self) -> AuthenticatedMap<K, V> {
        let last = self.last.take();
        let root = last.map(|last| self.close(Node::from(last), None));
        AuthenticatedMap { root, len: self.len }
    }
}
