//! The history tree at the end of a chain: its leaves are the hashes of the blocks. The values that the next
//! blocks need can be computed in advance, for all of them together.

use crate::primitives::Hash;
use crate::primitives::merkle::{self, CompactRange, Growth};

/// The frontier of a history tree.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    range: CompactRange,
    /// What was computed for blocks that may follow. Correct whether they follow or not, because each value
    /// is used only for the hashes from which it was computed.
    ahead: Option<Ahead>,
}

/// The values of the blocks that are expected to follow.
#[derive(Clone, Debug)]
struct Ahead {
    hashes: Vec<Hash>,
    growth: Growth,
    /// For each block the root before it; empty if no roots were expected.
    roots: Vec<Hash>,
}

impl From<CompactRange> for History {
    fn from(range: CompactRange) -> Self {
        Self { range, ahead: None }
    }
}

impl History {
    /// The tree without what was computed in advance.
    pub(crate) const fn range(&self) -> &CompactRange {
        &self.range
    }

    /// Computes what a chain of blocks with these hashes needs when they are [pushed](Self::push), many hashes
    /// at a time, and if `with_roots`, the [root](Self::root) before each of them. Only the time that later calls
    /// take depends on this one. Takes about 130 bytes for each block until the last one is pushed or another one
    /// follows.
    pub(crate) fn expect(&mut self, hashes: Vec<Hash>, with_roots: bool) {
        let growth = Growth::new(self.range.clone(), merkle::leaf_hashes_of_hashes(&hashes));
        let roots = if with_roots { growth.roots() } else { Vec::new() };
        self.ahead = Some(Ahead { hashes, growth, roots });
    }

    /// The root over the hashes of all blocks.
    pub(crate) fn root(&self) -> Hash {
        let known = self.ahead.as_ref().and_then(|ahead| ahead.roots.get(ahead.position(&self.range)));
        known.copied().unwrap_or_else(|| self.range.root())
    }

    /// Appends a block. Calls `completed` with the root of each perfect subtree that the block completes, the
    /// smallest, of two leaves, first.
    pub(crate) fn push(&mut self, hash: &Hash, mut completed: impl FnMut(Hash)) {
        let index = self.range.len();
        if let Some(ahead) = &self.ahead
            && ahead.hashes.get(ahead.position(&self.range)) == Some(hash)
            && let Some(leaf) = ahead.growth.leaf(index)
        {
            let subtrees = ahead.growth.completed_by(index).inspect(|root| completed(**root));
            self.range.push_completed(*subtrees.last().unwrap_or(leaf));
            if ahead.position(&self.range) < ahead.hashes.len() {
                return;
            }
        } else {
            self.range.push_with(history_leaf(hash), completed);
        }
        self.ahead = None;
    }
}

impl Ahead {
    /// The position of the next block of this tree among those that were expected.
    fn position(&self, range: &CompactRange) -> usize {
        // The tree only grows, by blocks that were expected.
        usize::try_from(range.len() - self.growth.start()).unwrap_or(usize::MAX)
    }
}

/// A block's leaf in the history tree.
pub(crate) fn history_leaf(hash: &Hash) -> Hash {
    merkle::leaf_hash(hash.as_bytes())
}
