//! The entries in order of their paths.

use core::fmt;
use core::iter::FusedIterator;

use super::node::Node;

/// The entries of an [`AuthenticatedMap`](super::AuthenticatedMap) in ascending order of their paths:
/// [`iter`](super::AuthenticatedMap::iter).
pub struct Iter<'a, K, V> {
    /// The subtrees that are left, the next one last: at most one for each bit of a path, and one.
    nodes: Vec<&'a Node<K, V>>,
    len: usize,
}

impl<'a, K, V> Iter<'a, K, V> {
    pub(super) fn new(root: Option<&'a Node<K, V>>, len: usize) -> Self {
        Self { nodes: root.into_iter().collect(), len }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.nodes.pop()? {
                Node::Branch(branch) => self.nodes.extend([&branch.right, &branch.left]),
                Node::Leaf(leaf) => {
                    self.len -= 1;
                    return Some((&leaf.key, &leaf.value));
                }
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len, Some(self.len))
    }
}

impl<K, V> ExactSizeIterator for Iter<'_, K, V> {}

impl<K, V> FusedIterator for Iter<'_, K, V> {}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Self { nodes: self.nodes.clone(), len: self.len }
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Iter<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.clone()).finish()
    }
}
