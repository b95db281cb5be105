//! The header tree of everything off the best chain: side branches, headers whose bodies are missing, and the
//! path to the best known header. Knows links and work only: validates no block, applies no state and reads
//! no store.

#[cfg(test)]
#[path = "tests/invariants/tree.rs"]
mod invariants;
mod pending;

use core::borrow::Borrow;
use core::cmp::Reverse;
use core::hash;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::entry::{BestEntry, ChainEntry};
use crate::primitives::{Block, ByHash, Hash, HashSet, Transaction, Work};

/// A known header that is not on the best chain.
#[derive(Clone, Debug)]
pub(super) struct Node<T> {
    pub(super) entry: ChainEntry,
    pub(super) body: Body<T>,
}

/// How much of a block is known.
#[derive(Clone, Debug)]
pub(super) enum Body<T> {
    /// The header alone.
    Missing,
    /// The body is pending in memory, because the body of an ancestor is missing.
    Pending(Arc<Block<T>>),
    /// The body is in the store, and so are the bodies of all ancestors.
    Complete,
    /// The block or one of its ancestors breaks a rule.
    Invalid,
}

impl<T: Transaction> Node<T> {
    pub(super) const fn has_body(&self) -> bool {
        matches!(self.body, Body::Pending(..) | Body::Complete)
    }

    /// The size of the body: bytes of memory while it is pending, canonical bytes once it is in the store.
    fn body_bytes(&self) -> usize {
        match &self.body {
            Body::Pending(block) => block.memory_size(),
            Body::Complete => self.entry.size,
            Body::Missing | Body::Invalid => 0,
        }
    }

    /// The key of the body among the pending ones.
    const fn pending_key(&self) -> (u64, Hash, Hash) {
        let ChainEntry { header, hash, .. } = &self.entry;
        (header.height, header.previous_hash, *hash)
    }

    /// The order of fork choice: more work first, then seen earlier.
    pub(super) const fn rank(&self) -> (Work, Reverse<u64>) {
        (self.entry.work, Reverse(self.entry.seen))
    }

    pub(super) const fn is_complete(&self) -> bool {
        matches!(self.body, Body::Complete)
    }

    pub(super) const fn is_invalid(&self) -> bool {
        matches!(self.body, Body::Invalid)
    }
}

// A set of nodes finds them by their hashes, so that it does not hold each hash twice.

impl<T> Borrow<Hash> for Box<Node<T>> {
    fn borrow(&self) -> &Hash {
        &self.entry.hash
    }
}

impl<T> hash::Hash for Node<T> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        hash::Hash::hash(&self.entry.hash, state);
    }
}

impl<T> PartialEq for Node<T> {
    fn eq(&self, other: &Self) -> bool {
        self.entry.hash == other.entry.hash
    }
}

impl<T> Eq for Node<T> {}

/// The header tree. Does not hold the tip of the best chain; what depends on the tip takes it as an argument.
#[derive(Clone, Debug)]
pub(super) struct Tree<T> {
    /// Boxed, so that growing the set does not move the nodes.
    nodes: HashSet<Box<Node<T>>>,
    /// How many headers were seen, including forgotten ones.
    seen: u64,
    /// The path from the best chain to the best known header: the header with the most work that is not known
    /// to be invalid. Empty if the tip is the best header.
    ahead: VecDeque<Hash>,
    /// Total size of the bodies: bytes of memory of pending ones, canonical bytes of stored ones.
    side_bytes: usize,
    /// The pending bodies: the height, the parent and the hash of each, so that those of a parent are a range.
    pending: BTreeSet<(u64, Hash, Hash)>,
    changes: Changes<T>,
}

/// Changes to bodies and nodes that have to be written to the store.
#[derive(Clone, Debug)]
pub(super) struct Changes<T> {
    /// Blocks that became complete.
    pub(super) completed: Vec<Arc<Block<T>>>,
    /// Complete blocks that were dropped, by height and hash.
    pub(super) dropped: Vec<(u64, Hash)>,
    /// Nodes that became complete, were removed, or moved to or from the best chain.
    pub(super) touched: BTreeSet<Hash>,
}

impl<T> Default for Changes<T> {
    fn default() -> Self {
        Self { completed: Vec::new(), dropped: Vec::new(), touched: BTreeSet::new() }
    }
}

impl<T: Transaction> Tree<T> {
    /// A tree without side branches. `seen` is greater than the arrival number of any known header.
    pub(super) fn new(seen: u64) -> Self {
        Self {
            nodes: HashSet::default(),
            seen,
            ahead: VecDeque::new(),
            side_bytes: 0,
            pending: BTreeSet::new(),
            changes: Changes::default(),
        }
    }

    /// The node of a header off the best chain.
    pub(super) fn node(&self, hash: &Hash) -> Option<&Node<T>> {
        self.nodes.get(hash).map(|node| &**node)
    }

    /// The node of a hash that this tree returned; panics for any other hash.
    pub(super) fn known(&self, hash: &Hash) -> &Node<T> {
        #[expect(clippy::expect_used, reason = "documented: the caller has the hash from this tree")]
        self.node(hash).expect("a header in the tree")
    }

    pub(super) const fn ahead(&self) -> &VecDeque<Hash> {
        &self.ahead
    }

    /// The known header with the most work; of equals, the one seen first. `None` if that is the tip.
    pub(super) fn best_header(&self) -> Option<&ChainEntry> {
        self.ahead.back().map(|hash| &self.known(hash).entry)
    }

    /// Headers that are not on the best chain.
    pub(super) fn side_len(&self) -> usize {
        self.nodes.len()
    }

    /// The blocks whose bodies are in the store, in no order.
    #[cfg(any(feature = "http", feature = "metrics"))]
    pub(super) fn complete(&self) -> impl Iterator<Item = &ChainEntry> {
        self.nodes.iter().filter(|node| node.is_complete()).map(|node| &node.entry)
    }

    /// Size of the bodies off the best chain: bytes of memory of pending ones, canonical bytes of stored
    /// ones.
    pub(super) const fn side_bytes(&self) -> usize {
        self.side_bytes
    }

    /// The blocks that became complete since the last call of this function or of
    /// [`take_changes`](Self::take_changes).
    pub(super) fn take_completed(&mut self) -> Vec<Arc<Block<T>>> {
        core::mem::take(&mut self.changes.completed)
    }

    /// All changes since the last call, without completed blocks that were taken before.
    pub(super) fn take_changes(&mut self) -> Changes<T> {
        core::mem::take(&mut self.changes)
    }

    /// The ancestor of `from` at `height`, which may be `from` itself. `None` if that ancestor is on the best
    /// chain or does not exist. Walks the links only if `from` is not on the path to the best header.
    pub(super) fn ancestor(&self, from: &Hash, height: u64) -> Option<&Hash> {
        let mut entry = &self.node(from)?.entry;
        if height > entry.header.height {
            return None;
        }
        loop {
            if self.ahead_at(entry.header.height) == Some(&entry.hash) {
                return self.ahead_at(height);
            }
            if entry.header.height == height {
                return Some(&entry.hash);
            }
            entry = &self.node(&entry.header.previous_hash)?.entry;
        }
    }

    /// The header at this height on the path to the best header.
    pub(super) fn ahead_at(&self, height: u64) -> Option<&Hash> {
        let first = self.known(self.ahead.front()?).entry.header.height;
        self.ahead.get(usize::try_from(height.checked_sub(first)?).ok()?)
    }

    /// The path from the best chain to `hash`, lowest first, without the block on the best chain.
    pub(super) fn path_from_best(&self, hash: &Hash) -> VecDeque<Hash> {
        let mut path = VecDeque::new();
        let mut next = *hash;
        while let Some(node) = self.nodes.get(&next) {
            path.push_front(next);
            next = node.entry.header.previous_hash;
        }
        path
    }

    /// The height of the last block that the best chain shares with the branch of `from`; `None` if `from` is
    /// not in this tree. Walks the links only if `from` is not on the path to the best header.
    pub(super) fn fork_height(&self, from: &Hash) -> Option<u64> {
        let mut entry = &self.node(from)?.entry;
        loop {
            if self.ahead_at(entry.header.height) == Some(&entry.hash)
                && let Some(first) = self.ahead.front()
            {
                return Some(self.known(first).entry.header.height - 1);
            }
            let Some(parent) = self.node(&entry.header.previous_hash) else {
                return Some(entry.header.height - 1);
            };
            entry = &parent.entry;
        }
    }

    /// Adds a header whose parent is known, with the next arrival number.
    pub(super) fn insert(&mut self, mut entry: ChainEntry, tip: &ChainEntry) {
        entry.seen = self.seen;
        self.seen += 1;
        self.adopt(Box::new(Node { entry, body: Body::Missing }), tip);
    }

    /// Adds a block that was complete when it was stored. Returns false, and adds nothing, if its parent is
    /// neither complete nor on the best chain; `is_best` says whether it is on the best chain.
    pub(super) fn restore(&mut self, entry: ChainEntry, is_best: bool, tip: &ChainEntry) -> bool {
        if !is_best && !self.node(&entry.header.previous_hash).is_some_and(Node::is_complete) {
            return false;
        }
        self.seen = self.seen.max(entry.seen + 1);
        self.side_bytes += entry.size;
        self.adopt(Box::new(Node { entry, body: Body::Complete }), tip);
        true
    }

    /// Whether a block on the tip can become the tip without being inserted into this tree: either it is new
    /// and the tip is the best header, or it is the first one on the path to the best header and no child of
    /// it has a body.
    pub(super) fn is_next(&self, hash: &Hash) -> bool {
        match self.node(hash) {
            None => self.ahead.is_empty(),
            Some(Node { entry, body: Body::Missing }) => {
                self.ahead.front() == Some(hash) && self.pending_children(entry).next().is_none()
            }
            Some(_) => false,
        }
    }

    /// Removes a block that [is next](Self::is_next) and becomes the tip, if it is in this tree. Returns its
    /// arrival number among all headers seen.
    pub(super) fn advance(&mut self, hash: &Hash) -> u64 {
        if let Some(node) = self.take(hash) {
            self.ahead.pop_front();
            return node.entry.seen;
        }
        self.seen += 1;
        self.seen - 1
    }

    /// Deletes a block that is not in the tree from the store, and its body if its height is known.
    pub(super) fn discard(&mut self, hash: Hash, height: Option<u64>) {
        self.changes.dropped.extend(height.map(|height| (height, hash)));
        self.changes.touched.insert(hash);
    }

    fn adopt(&mut self, node: Box<Node<T>>, tip: &ChainEntry) {
        let (hash, parent, work) = (node.entry.hash, node.entry.header.previous_hash, node.entry.work);
        self.nodes.insert(node);
        // A child has more work than its parent.
        if *self.ahead.back().unwrap_or(&tip.hash) == parent {
            self.ahead.push_back(hash);
        } else if work > self.best_header().unwrap_or(tip).work {
            self.ahead = self.path_from_best(&hash);
        }
    }

    /// Adds a body to a header that has none and returns the best of the blocks that this completes, if it
    /// completes any.
    pub(super) fn attach(&mut self, block: Arc<Block<T>>) -> Option<Hash> {
        let hash = *block.hash();
        let completes = self.completes(&block);
        let mut node = self.nodes.take(&hash)?;
        self.side_bytes += block.memory_size();
        self.pending.insert(node.pending_key());
        node.body = Body::Pending(block);
        self.nodes.insert(node);
        if !completes {
            return None;
        }
        let mut best: Option<((Work, Reverse<u64>), Hash)> = None;
        let mut open = vec![hash];
        while let Some(hash) = open.pop() {
            let Some(Body::Pending(block)) = self.node(&hash).map(|node| &node.body) else { continue };
            let block = Arc::clone(block);
            let Some(mut node) = self.nodes.take(&hash) else { continue };
            node.entry.size = block.size();
            node.body = Body::Complete;
            best = best.max(Some((node.rank(), hash)));
            self.side_bytes = self.side_bytes - block.memory_size() + node.entry.size;
            self.pending.remove(&node.pending_key());
            open.extend(self.pending_children(&node.entry));
            self.nodes.insert(node);
            self.changes.completed.push(block);
            self.changes.touched.insert(hash);
        }
        best.map(|(_, hash)| hash)
    }

    /// Whether the bodies of all ancestors of a block are in the store.
    fn completes(&self, block: &Block<T>) -> bool {
        self.node(&block.header().previous_hash).is_none_or(Node::is_complete)
    }

    /// The children of a header whose bodies are pending.
    fn pending_children(&self, parent: &ChainEntry) -> impl Iterator<Item = &Hash> {
        let (height, parent) = (parent.header.height + 1, parent.hash);
        let from = self.pending.range((height, parent, Hash::ZERO)..);
        from.take_while(move |key| (key.0, key.1) == (height, parent)).map(|(_, _, hash)| hash)
    }

    /// A header and all its descendants, parents before children. Walks all nodes: only a branch that is refused or
    /// forgotten asks for them, so that no header has to keep a list of its children.
    fn branch(&self, hash: &Hash) -> Vec<Hash> {
        let Some(root) = self.node(hash) else { return Vec::new() };
        let mut above: Vec<&ChainEntry> = self.nodes.iter().map(|node| &node.entry).collect();
        above.retain(|entry| entry.header.height > root.entry.header.height);
        above.sort_unstable_by_key(|entry| entry.header.height);
        let mut members = HashSet::from_iter([*hash]);
        above.retain(|entry| members.contains(&entry.header.previous_hash) && members.insert(entry.hash));
        [*hash].into_iter().chain(above.into_iter().map(|entry| entry.hash)).collect()
    }

    /// Marks a header that is not on the best chain, and all its descendants, as invalid.
    pub(super) fn condemn(&mut self, hash: &Hash, tip: &ChainEntry) {
        for hash in self.branch(hash) {
            let Some(mut node) = self.nodes.take(&hash) else { continue };
            self.side_bytes -= node.body_bytes();
            self.pending.remove(&node.pending_key());
            self.dropped(&node);
            node.entry.size = 0;
            node.body = Body::Invalid;
            self.nodes.insert(node);
        }
        self.find_best_header(tip);
    }

    /// Removes a header that is not on the best chain, and all its descendants.
    pub(super) fn forget(&mut self, hash: &Hash, tip: &ChainEntry) {
        for hash in self.branch(hash) {
            self.remove(&hash);
        }
        self.find_best_header(tip);
    }

    /// The complete block with the most work, if it has more than the tip.
    pub(super) fn best_complete(&self, tip: &ChainEntry) -> Option<Hash> {
        self.best_of(Node::is_complete, tip)
    }

    /// Replaces `replaced` by `path`, whose blocks are complete, at the end of the best chain. Returns the
    /// entries of `path`, which are in this tree no longer.
    pub(super) fn switch(&mut self, path: &[Hash], replaced: &[Arc<BestEntry>]) -> Vec<ChainEntry> {
        let was_ahead = path.iter().zip(&self.ahead).all(|(connected, ahead)| connected == ahead);
        let joined: Vec<_> = path.iter().filter_map(|hash| self.take(hash)).map(|node| node.entry).collect();
        let Some(tip) = joined.last() else { return joined };
        for row in replaced {
            self.side_bytes += row.size;
            self.changes.touched.insert(row.hash);
            self.nodes.insert(Box::new(Node { entry: row.entry.clone(), body: Body::Complete }));
        }
        if was_ahead {
            self.ahead.drain(..path.len().min(self.ahead.len()));
        } else {
            self.find_best_header(tip);
        }
        joined
    }

    /// Evicts branches, invalid ones first, then the one with the least work, until one more header and
    /// `bytes` more of bodies fit. Keeps the path to the best header and the paths to the headers in `keep`.
    /// Returns whether they fit.
    pub(super) fn evict_until_fits(
        &mut self,
        max_headers: usize,
        max_bytes: usize,
        bytes: usize,
        keep: &[Hash],
    ) -> bool {
        let fits = |tree: &Self| tree.side_len() < max_headers && tree.side_bytes + bytes <= max_bytes;
        if fits(self) {
            return true;
        }
        if bytes > max_bytes {
            return false;
        }
        let protected: BTreeSet<Hash> = keep.iter().flat_map(|hash| self.path_from_best(hash)).collect();
        let mut children: ByHash<usize> = ByHash::default();
        for node in &self.nodes {
            *children.entry(node.entry.header.previous_hash).or_default() += 1;
        }
        // Invalid blocks first: a remembered verdict is worth less than a valid branch.
        let mut leaves: Vec<(bool, Work, Hash)> = self
            .nodes
            .iter()
            .filter(|node| !children.contains_key(&node.entry.hash))
            .map(|node| (!node.is_invalid(), node.entry.work, node.entry.hash))
            .collect();
        leaves.sort_unstable();
        // An eighth at a time, so that a full tree is not sorted for every header.
        let enough = max_headers - max_headers / 8;
        for (_, _, leaf) in leaves {
            let mut next = leaf;
            while let Some(node) = self.nodes.get(&next) {
                let stays = children.get(&next).is_some_and(|count| *count > 0)
                    || self.ahead_at(node.entry.header.height) == Some(&next)
                    || protected.contains(&next);
                if stays {
                    break;
                }
                next = self.remove(&next);
                children.entry(next).and_modify(|count| *count -= 1);
            }
            if self.side_len() <= enough && fits(self) {
                break;
            }
        }
        fits(self)
    }

    /// Removes a node, but not its children, and returns its parent's hash.
    fn remove(&mut self, hash: &Hash) -> Hash {
        let Some(node) = self.take(hash) else { return *hash };
        self.dropped(&node);
        node.entry.header.previous_hash
    }

    /// Removes a node and returns it, without a deletion from the store.
    fn take(&mut self, hash: &Hash) -> Option<Box<Node<T>>> {
        let node = self.nodes.take(hash)?;
        self.side_bytes -= node.body_bytes();
        self.pending.remove(&node.pending_key());
        if node.is_complete() {
            self.changes.touched.insert(*hash);
        }
        Some(node)
    }

    /// Records that the store may delete the body of a node, if it has it.
    fn dropped(&mut self, node: &Node<T>) {
        if node.is_complete() {
            self.changes.dropped.push((node.entry.header.height, node.entry.hash));
            self.changes.touched.insert(node.entry.hash);
        }
    }

    fn find_best_header(&mut self, tip: &ChainEntry) {
        let best = self.best_of(|node| !node.is_invalid(), tip);
        self.ahead = best.map(|best| self.path_from_best(&best)).unwrap_or_default();
    }

    /// The best node that passes the filter, if it has more work than the tip; with equal work the tip stays.
    fn best_of(&self, filter: impl Fn(&Node<T>) -> bool, tip: &ChainEntry) -> Option<Hash> {
        let best = self.nodes.iter().filter(|node| filter(node)).max_by_key(|node| node.rank());
        best.filter(|node| node.entry.work > tip.work).map(|node| node.entry.hash)
    }
}
