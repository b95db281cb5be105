//! The shape of a tree: the siblings along the path from a node to the root, which proofs are made and
//! verified along. Computes no hashes.

/// The position of a subtree: the `index`-th run of `2^level` leaves. The last run of a level may be
/// incomplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) level: usize,
    pub(super) index: u64,
}

impl Node {
    /// The leaf at `index`.
    pub(super) const fn leaf(index: u64) -> Self {
        Self { level: 0, index }
    }

    /// The last and smallest of the perfect subtrees that a tree of `size` leaves consists of. `size` must
    /// not be 0.
    pub(super) const fn last_peak(size: u64) -> Self {
        let level = size.trailing_zeros() as usize;
        Self { level, index: (size >> level) - 1 }
    }

    /// Whether this is the left one of two siblings.
    pub(super) const fn is_left(self) -> bool {
        self.index & 1 == 0
    }

    /// The siblings of this node and of its ancestors in a tree of `size` leaves, from the bottom to the top:
    /// at most 64. The node must be in the tree, so `size` is not 0.
    pub(super) const fn ascent(self, size: u64) -> Ascent {
        Ascent { node: self, last: (size - 1) >> self.level }
    }
}

/// See [`Node::ascent`].
#[derive(Clone, Debug)]
pub(super) struct Ascent {
    node: Node,
    /// The index of the last node on this level.
    last: u64,
}

impl Iterator for Ascent {
    type Item = Node;

    fn next(&mut self) -> Option<Node> {
        while self.last > 0 {
            let sibling = Node { level: self.node.level, index: self.node.index ^ 1 };
            let exists = sibling.index <= self.last;
            self.node = Node { level: self.node.level + 1, index: self.node.index >> 1 };
            self.last >>= 1;
            // The last node of a level with an odd number of nodes has no sibling and moves up unchanged.
            if exists {
                return Some(sibling);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn siblings(node: Node, size: u64) -> Vec<(usize, u64)> {
        node.ascent(size).map(|node| (node.level, node.index)).collect()
    }

    #[test]
    fn ascent_follows_the_tree_of_seven_leaves() {
        // The tree drawn in RFC 6962, section 2.1.3.
        assert_eq!(siblings(Node::leaf(0), 7), [(0, 1), (1, 1), (2, 1)]);
        assert_eq!(siblings(Node::leaf(3), 7), [(0, 2), (1, 0), (2, 1)]);
        assert_eq!(siblings(Node::leaf(4), 7), [(0, 5), (1, 3), (2, 0)]);
        assert_eq!(siblings(Node::leaf(6), 7), [(1, 2), (2, 0)]);
        assert_eq!(siblings(Node::leaf(0), 1), []);
    }

    #[test]
    fn ascent_ends_in_the_largest_tree() {
        assert_eq!(Node::leaf(0).ascent(u64::MAX).count(), 64);
        assert_eq!(Node::leaf(u64::MAX - 1).ascent(u64::MAX).count(), 63);
    }

    #[test]
    fn last_peak_is_the_lowest_bit() {
        assert_eq!(Node::last_peak(1), Node { level: 0, index: 0 });
        assert_eq!(Node::last_peak(6), Node { level: 1, index: 2 });
        assert_eq!(Node::last_peak(8), Node { level: 3, index: 0 });
        assert_eq!(Node::last_peak(1 << 63), Node { level: 63, index: 0 });
    }
}
