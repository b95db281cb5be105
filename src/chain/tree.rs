//! The header tree: every known header with its accumulated work, the best chain through it, and the path to
//! the best known header. Knows links and work; judges no block and applies no state.

#[cfg(test)]
mod invariants;

use core::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::primitives::{Block, Hash, Header, Work};

/// One known header.
#[derive(Clone, Debug)]
pub(super) struct Node<T> {
    pub(super) header: Header,
    /// The work of the chain that ends here.
    pub(super) work: Work,
    /// How many headers were seen before this one.
    seen: u64,
    pub(super) children: Vec<Hash>,
    pub(super) body: Body<T>,
}

/// How much of a block is known.
#[derive(Clone, Debug)]
pub(super) enum Body<T> {
    /// The header alone.
    Missing,
    /// The body, with its canonical size, waits for that of an ancestor.
    Waiting(Arc<Block<T>>, usize),
    /// The body is here and so are those of all ancestors.
    Complete(Arc<Block<T>>, usize),
    /// The block breaks a rule, or stands on one that does.
    Invalid,
}

impl<T> Node<T> {
    pub(super) const fn block_and_size(&self) -> Option<(&Arc<Block<T>>, usize)> {
        match &self.body {
            Body::Waiting(block, size) | Body::Complete(block, size) => Some((block, *size)),
            Body::Missing | Body::Invalid => None,
        }
    }

    pub(super) fn block(&self) -> Option<&Arc<Block<T>>> {
        self.block_and_size().map(|(block, _)| block)
    }

    fn body_bytes(&self) -> usize {
        self.block_and_size().map_or(0, |(_, size)| size)
    }

    /// What fork choice compares: the most work, and the first seen of equals.
    pub(super) const fn rank(&self) -> (Work, Reverse<u64>) {
        (self.work, Reverse(self.seen))
    }

    pub(super) const fn is_complete(&self) -> bool {
        matches!(self.body, Body::Complete(..))
    }

    pub(super) const fn is_invalid(&self) -> bool {
        matches!(self.body, Body::Invalid)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Tree<T> {
    nodes: BTreeMap<Hash, Node<T>>,
    /// How many headers were seen, forgotten ones included.
    seen: u64,
    /// The best chain by height; complete and applied.
    best: Vec<Hash>,
    /// The path from the best chain to the best known header: the header with the most work that is not
    /// known to be invalid. Empty where that is the tip.
    ahead: VecDeque<Hash>,
    /// The nodes that are not on the best chain.
    side: BTreeSet<Hash>,
    /// Canonical bytes of their bodies.
    side_bytes: usize,
}

impl<T> Tree<T> {
    pub(super) fn new(genesis: Arc<Block<T>>, size: usize, work: Work) -> Self {
        let hash = *genesis.hash();
        let header = *genesis.header();
        let node = Node { header, work, seen: 0, children: Vec::new(), body: Body::Complete(genesis, size) };
        Self {
            nodes: BTreeMap::from([(hash, node)]),
            seen: 1,
            best: vec![hash],
            ahead: VecDeque::new(),
            side: BTreeSet::new(),
            side_bytes: 0,
        }
    }

    pub(super) fn node(&self, hash: &Hash) -> Option<&Node<T>> {
        self.nodes.get(hash)
    }

    /// The node of a hash that the tree itself handed out.
    pub(super) fn known(&self, hash: &Hash) -> &Node<T> {
        &self.nodes[hash]
    }

    pub(super) fn best(&self) -> &[Hash] {
        &self.best
    }

    pub(super) fn tip_hash(&self) -> &Hash {
        &self.best[self.best.len() - 1]
    }

    pub(super) fn tip(&self) -> &Node<T> {
        self.known(self.tip_hash())
    }

    pub(super) fn is_best(&self, hash: &Hash, height: u64) -> bool {
        self.best_at(height) == Some(hash)
    }

    pub(super) fn best_at(&self, height: u64) -> Option<&Hash> {
        self.best.get(usize::try_from(height).ok()?)
    }

    pub(super) fn ahead(&self) -> &VecDeque<Hash> {
        &self.ahead
    }

    /// The known header with the most work, first seen of equals.
    pub(super) fn best_header(&self) -> &Hash {
        self.ahead.back().unwrap_or_else(|| self.tip_hash())
    }

    /// Headers that are not on the best chain.
    pub(super) fn side_len(&self) -> usize {
        self.side.len()
    }

    /// Canonical bytes of the bodies that are not on the best chain.
    pub(super) fn side_bytes(&self) -> usize {
        self.side_bytes
    }

    /// The ancestor of `from` at `height`, which may be `from` itself. Walks only where `from` is on neither
    /// the best chain nor the path to the best header.
    pub(super) fn ancestor(&self, from: &Hash, height: u64) -> Option<&Hash> {
        let (mut hash, mut node) = self.nodes.get_key_value(from)?;
        if height > node.header.height {
            return None;
        }
        loop {
            if self.is_best(hash, node.header.height) {
                return self.best_at(height);
            }
            if self.ahead_at(node.header.height) == Some(hash) {
                return self.ahead_at(height).or_else(|| self.best_at(height));
            }
            if node.header.height == height {
                return Some(hash);
            }
            (hash, node) = self.nodes.get_key_value(&node.header.previous_hash)?;
        }
    }

    fn ahead_at(&self, height: u64) -> Option<&Hash> {
        let first = self.known(self.ahead.front()?).header.height;
        self.ahead.get(usize::try_from(height.checked_sub(first)?).ok()?)
    }

    /// The path to `hash` from the best chain, lowest first, without the block on the best chain.
    pub(super) fn path_from_best(&self, hash: &Hash) -> VecDeque<Hash> {
        let mut path = VecDeque::new();
        let mut next = *hash;
        while let Some(node) = self.nodes.get(&next) {
            if self.is_best(&next, node.header.height) {
                break;
            }
            path.push_front(next);
            next = node.header.previous_hash;
        }
        path
    }

    /// The height of the last block that the branch of a known header shares with the best chain. Walks only
    /// where the header is on neither the best chain nor the path to the best header.
    pub(super) fn fork_height(&self, from: &Hash) -> u64 {
        let mut hash = from;
        loop {
            let node = self.known(hash);
            let height = node.header.height;
            if self.is_best(hash, height) {
                return height;
            }
            if self.ahead_at(height) == Some(hash) {
                let first = self.ahead.front().unwrap_or(hash);
                return self.known(first).header.height - 1;
            }
            hash = &node.header.previous_hash;
        }
    }

    /// Adds a header whose parent is known.
    pub(super) fn insert(&mut self, hash: Hash, header: Header, work: Work) {
        if let Some(parent) = self.nodes.get_mut(&header.previous_hash) {
            parent.children.push(hash);
        }
        self.side.insert(hash);
        let node = Node { header, work, seen: self.seen, children: Vec::new(), body: Body::Missing };
        self.seen += 1;
        self.nodes.insert(hash, node);
        if work > self.known(self.best_header()).work {
            if *self.best_header() == header.previous_hash {
                self.ahead.push_back(hash);
            } else {
                self.ahead = self.path_from_best(&hash);
            }
        }
    }

    /// Adds a body to a header that has none and returns the best of the blocks that this completes, if it
    /// completes any.
    pub(super) fn attach(&mut self, block: Arc<Block<T>>, size: usize) -> Option<Hash> {
        let hash = *block.hash();
        let parent_complete = self.nodes.get(&block.header().previous_hash).is_some_and(Node::is_complete);
        self.nodes.get_mut(&hash)?.body = Body::Waiting(block, size);
        self.side_bytes += size;
        if !parent_complete {
            return None;
        }
        let mut best: Option<((Work, Reverse<u64>), Hash)> = None;
        let mut open = vec![hash];
        while let Some(hash) = open.pop() {
            let Some(node) = self.nodes.get_mut(&hash) else { continue };
            let Body::Waiting(block, size) = &node.body else { continue };
            node.body = Body::Complete(Arc::clone(block), *size);
            best = best.max(Some((node.rank(), hash)));
            open.extend_from_slice(&node.children);
        }
        best.map(|(_, hash)| hash)
    }

    /// Condemns a header that is not on the best chain, and all that stand on it.
    pub(super) fn condemn(&mut self, hash: &Hash) {
        let mut open = vec![*hash];
        while let Some(hash) = open.pop() {
            let Some(node) = self.nodes.get_mut(&hash) else { continue };
            self.side_bytes -= node.body_bytes();
            node.body = Body::Invalid;
            open.extend_from_slice(&node.children);
        }
        self.find_best_header();
    }

    /// Forgets a header that is not on the best chain, and all that stand on it.
    pub(super) fn forget(&mut self, hash: &Hash) {
        let mut open = vec![*hash];
        while let Some(hash) = open.pop() {
            let children = self.nodes.get(&hash).map(|node| node.children.clone()).unwrap_or_default();
            self.remove(&hash);
            open.extend(children);
        }
        self.find_best_header();
    }

    /// The complete block with the most work, wherever it is.
    pub(super) fn best_complete(&self) -> Hash {
        self.best_of(Node::is_complete)
    }

    /// Makes `path` the end of the best chain above `fork_height` and returns what it replaces, lowest first.
    pub(super) fn switch(&mut self, fork_height: u64, path: &[Hash]) -> Vec<Hash> {
        let keep = usize::try_from(fork_height).map_or(usize::MAX, |height| height.saturating_add(1));
        let replaced = self.best.split_off(keep.min(self.best.len()));
        self.side_bytes += replaced.iter().map(|hash| self.known(hash).body_bytes()).sum::<usize>();
        self.side_bytes -= path.iter().map(|hash| self.known(hash).body_bytes()).sum::<usize>();
        self.best.extend_from_slice(path);
        for hash in path {
            self.side.remove(hash);
        }
        self.side.extend(&replaced);
        if path.iter().zip(&self.ahead).all(|(connected, ahead)| connected == ahead) {
            self.ahead.drain(..path.len().min(self.ahead.len()));
        } else {
            self.find_best_header();
        }
        replaced
    }

    /// Forgets branches, bad ones first, then the one with the least work, until there is room for one more header and
    /// `bytes` more of bodies. Never touches the path to the best header, nor those to `keep`. Returns whether
    /// there is room now.
    pub(super) fn make_room(
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
        // Bad blocks first: their verdict is worth less than a good branch.
        let mut leaves: Vec<(bool, Work, Hash)> = self
            .side()
            .filter(|(_, node)| node.children.is_empty())
            .map(|(hash, node)| (!node.is_invalid(), node.work, *hash))
            .collect();
        leaves.sort_unstable();
        // An eighth at a time, so that a full tree is not sorted for every header.
        let enough = max_headers - max_headers / 8;
        for (_, _, leaf) in leaves {
            let mut next = leaf;
            while let Some(node) = self.nodes.get(&next) {
                let stays = !node.children.is_empty()
                    || !self.side.contains(&next)
                    || self.ahead_at(node.header.height) == Some(&next)
                    || protected.contains(&next);
                if stays {
                    break;
                }
                next = self.remove(&next);
            }
            if self.side_len() <= enough && fits(self) {
                break;
            }
        }
        fits(self)
    }

    /// Removes a node that is not on the best chain, but not its children, and returns its parent's hash.
    fn remove(&mut self, hash: &Hash) -> Hash {
        let Some(node) = self.nodes.remove(hash) else { return *hash };
        self.side.remove(hash);
        self.side_bytes -= node.body_bytes();
        if let Some(parent) = self.nodes.get_mut(&node.header.previous_hash) {
            parent.children.retain(|child| child != hash);
        }
        node.header.previous_hash
    }

    fn side(&self) -> impl Iterator<Item = (&Hash, &Node<T>)> {
        self.side.iter().map(|hash| (hash, self.known(hash)))
    }

    fn find_best_header(&mut self) {
        let best = self.best_of(|node| !node.is_invalid());
        self.ahead = self.path_from_best(&best);
    }

    /// The best of such nodes beside the best chain, or the tip, which stays where others only equal it.
    fn best_of(&self, such: impl Fn(&Node<T>) -> bool) -> Hash {
        let best = self.side().filter(|(_, node)| such(node)).max_by_key(|(_, node)| node.rank());
        best.filter(|(_, node)| node.work > self.tip().work).map_or(*self.tip_hash(), |(hash, _)| *hash)
    }
}
