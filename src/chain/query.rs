//! Reading the chain: blocks, headers, proofs, and what synchronisation asks of it.

use core::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;

use super::{Blockchain, locator};
use crate::consensus::ChainSpec;
use crate::primitives::merkle::{ConsistencyProof, InclusionProof, ProofError};
use crate::primitives::{Block, CompactTarget, Difficulty, Hash, Header, Target, Transaction, Work};

impl<T: Transaction> Blockchain<T> {
    /// The rules of this chain.
    pub const fn spec(&self) -> &ChainSpec {
        &self.spec
    }

    /// The first block.
    pub fn genesis(&self) -> &Arc<Block<T>> {
        self.on_best(0)
    }

    /// The last block of the best chain.
    pub fn tip(&self) -> &Arc<Block<T>> {
        self.on_best(self.height())
    }

    /// The height of the last block.
    pub fn height(&self) -> u64 {
        self.tree.best().len() as u64 - 1
    }

    /// The work of the best chain.
    pub fn work(&self) -> Work {
        self.tree.tip().work
    }

    /// The application's state after the last block.
    pub fn state(&self) -> &T::State {
        self.snapshots.tip()
    }

    /// The target that the next block has to have.
    pub fn next_target(&self) -> CompactTarget {
        self.target_after(self.tree.tip_hash())
    }

    /// The difficulty of a block of this chain with this target.
    pub fn difficulty(&self, target: CompactTarget) -> Difficulty {
        let number = |compact| Target::try_from(compact).unwrap_or(Target::MAX);
        Difficulty::new(number(self.spec.easiest_target()), number(target))
    }

    /// The block with this hash, on whichever branch.
    pub fn block(&self, hash: &Hash) -> Option<&Arc<Block<T>>> {
        self.tree.node(hash)?.block()
    }

    /// The block with this hash and its canonical size in bytes.
    pub(crate) fn block_and_size(&self, hash: &Hash) -> Option<(&Arc<Block<T>>, usize)> {
        self.tree.node(hash)?.block_and_size()
    }

    /// The block of the best chain at this height.
    pub fn block_at(&self, height: u64) -> Option<&Arc<Block<T>>> {
        self.block(self.tree.best_at(height)?)
    }

    /// The blocks of the best chain at these heights, lowest first.
    pub fn blocks(
        &self,
        heights: impl RangeBounds<u64>,
    ) -> impl DoubleEndedIterator<Item = &Arc<Block<T>>> + ExactSizeIterator {
        self.clip(heights).map(|height| self.on_best(height as u64))
    }

    /// The header with this hash, on whichever branch, whether or not its block is here.
    pub fn header(&self, hash: &Hash) -> Option<&Header> {
        self.tree.node(hash).map(|node| &node.header)
    }

    /// Whether the block with this hash is on the best chain.
    pub fn is_best(&self, hash: &Hash) -> bool {
        self.header(hash).is_some_and(|header| self.tree.is_best(hash, header.height))
    }

    /// Whether the header with this hash is known and was refused.
    pub fn is_invalid(&self, hash: &Hash) -> bool {
        self.tree.node(hash).is_some_and(super::tree::Node::is_invalid)
    }

    /// The work of the chain that ends at this header.
    pub fn work_at(&self, hash: &Hash) -> Option<Work> {
        self.tree.node(hash).map(|node| node.work)
    }

    /// Blocks that wait for an unknown parent.
    pub fn orphan_count(&self) -> usize {
        self.orphans.len()
    }

    /// The known header with the most work and its hash. Ahead of the tip while bodies are missing.
    pub fn best_header(&self) -> (&Hash, &Header) {
        let hash = self.tree.best_header();
        (hash, &self.tree.known(hash).header)
    }

    /// Proves that a transaction stands in a block: its id against the block's `merkle_root`.
    ///
    /// # Errors
    ///
    /// [`ProofError`], when the block has no transaction at `index`. `None` when there is no such block.
    pub fn transaction_proof(
        &self,
        block: &Hash,
        index: usize,
    ) -> Option<Result<InclusionProof, ProofError>> {
        // What was imported has an encoding.
        let digest = self.block(block)?.digest().ok()?;
        Some(InclusionProof::new(&digest.ids, index))
    }

    /// Proves that the block at height `ancestor` stands before the block of the best chain at height
    /// `descendant`: the leaf of its hash against the `history_root` of the latter. The next block, which is
    /// still to be mined, may be the descendant too.
    ///
    /// # Errors
    ///
    /// [`ProofError`], when the best chain is shorter or the ancestor is not before the descendant.
    pub fn ancestor_proof(&self, ancestor: u64, descendant: u64) -> Result<InclusionProof, ProofError> {
        self.history.inclusion_proof(ancestor, descendant)
    }

    /// Proves that the history below the block of the best chain at height `older` is the beginning of the
    /// history below the one at height `newer`: one `history_root` against the other.
    ///
    /// # Errors
    ///
    /// [`ProofError`], when the best chain is shorter or the heights are in the wrong order.
    pub fn consistency_proof(&self, older: u64, newer: u64) -> Result<ConsistencyProof, ProofError> {
        self.history.consistency_proof(older, newer)
    }

    /// Hashes by which a peer finds where its chain parts from the best known headers.
    pub fn locator(&self) -> Vec<Hash> {
        self.locator_from(self.best_header().0)
    }

    /// Hashes by which a peer finds where its chain parts from the one that ends at `tip`, or from the best
    /// known headers where that is not known.
    pub fn locator_from(&self, tip: &Hash) -> Vec<Hash> {
        let tip = self.tree.node(tip).map_or_else(|| self.best_header().0, |_| tip);
        let heights = locator::heights(self.tree.known(tip).header.height);
        heights.filter_map(|height| self.tree.ancestor(tip, height)).copied().collect()
    }

    /// The headers of the best chain after the first locator hash that is on it, or after genesis.
    pub fn headers_after(&self, locator: &[Hash], limit: usize) -> Vec<Header> {
        let common = locator.iter().find(|hash| self.is_best(hash));
        let start = common.and_then(|hash| self.header(hash)).map_or(1, |header| header.height + 1);
        self.blocks(start..).take(limit).map(|block| *block.header()).collect()
    }

    /// The hashes of blocks without a body on the way to `toward`, lowest first, out of `window` blocks from
    /// the first such one on. A branch that is longer than the window is complete before it has more work than
    /// the best chain, so what it has already must not take up the window.
    pub fn missing_bodies(&self, toward: &Hash, window: usize) -> Vec<Hash> {
        let has_body = |hash: &&Hash| self.tree.known(hash).block().is_some();
        let missing = |way: &mut dyn Iterator<Item = &Hash>| {
            way.skip_while(has_body).take(window).filter(|hash| !has_body(hash)).copied().collect()
        };
        let ahead = self.tree.ahead();
        let Some(node) = self.tree.node(toward).filter(|node| !node.is_invalid()) else { return Vec::new() };
        let index = ahead.front().and_then(|first| {
            usize::try_from(node.header.height.checked_sub(self.tree.known(first).header.height)?).ok()
        });
        match index {
            Some(index) if ahead.get(index) == Some(toward) => missing(&mut ahead.iter().take(index + 1)),
            _ => missing(&mut self.tree.path_from_best(toward).iter()),
        }
    }

    /// Those of these heights that the best chain has.
    pub(crate) fn clip(&self, heights: impl RangeBounds<u64>) -> Range<usize> {
        let len = self.tree.best().len();
        let index = |height: u64| usize::try_from(height).unwrap_or(usize::MAX).min(len);
        let start = match heights.start_bound() {
            Bound::Included(height) => index(*height),
            Bound::Excluded(height) => index(height.saturating_add(1)),
            Bound::Unbounded => 0,
        };
        let end = match heights.end_bound() {
            Bound::Included(height) => index(height.saturating_add(1)),
            Bound::Excluded(height) => index(*height),
            Bound::Unbounded => len,
        };
        start..end.max(start)
    }

    fn on_best(&self, height: u64) -> &Arc<Block<T>> {
        #[expect(clippy::expect_used, reason = "a block joins the best chain with its body and keeps it")]
        self.block_at(height).expect("the best chain is complete")
    }
}
