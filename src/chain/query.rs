//! Queries of the chain: blocks, headers, proofs, and what synchronisation needs.

use core::ops::{Bound, Range, RangeBounds};
use std::collections::VecDeque;
use std::sync::Arc;

use super::chain_store::Measured;
use super::entry::ChainEntry;
use super::error::ProveError;
use super::tree::{Body, Node};
use super::{Blockchain, locator};
use crate::consensus::ChainSpec;
use crate::primitives::merkle::{ConsistencyProof, InclusionProof, Subtrees};
use crate::primitives::{Block, CompactTarget, Difficulty, Hash, Header, Target, Transaction, Work};
use crate::store::StoreError;

/// The two ways to name a block.
#[cfg(feature = "http")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockId {
    /// On the best chain.
    Height(u64),
    /// On any branch.
    Hash(Hash),
}

impl<T: Transaction> Blockchain<T> {
    /// The rules of this chain.
    pub const fn spec(&self) -> &ChainSpec {
        &self.spec
    }

    /// The first block.
    pub const fn genesis(&self) -> &Arc<Block<T>> {
        &self.genesis.block
    }

    /// The last block of the best chain.
    pub const fn tip(&self) -> &Arc<Block<T>> {
        &self.tip
    }

    /// The height of the last block.
    pub fn height(&self) -> u64 {
        self.store.tip().header.height
    }

    /// The work of the best chain.
    pub fn work(&self) -> Work {
        self.store.tip().work
    }

    /// The application's state after the last block.
    pub fn state(&self) -> &T::State {
        self.snapshots.tip()
    }

    /// The target of the next block.
    pub fn next_target(&self) -> CompactTarget {
        self.end.next_target(&self.spec)
    }

    /// The difficulty of a block of this chain with this target.
    pub fn difficulty(&self, target: CompactTarget) -> Difficulty {
        let number = |compact| Target::try_from(compact).unwrap_or(Target::MAX);
        Difficulty::new(number(self.spec.easiest_target()), number(target))
    }

    /// The block with this hash, on any branch; `None` if it is unknown or was pruned.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails or the block is damaged.
    pub fn block(&self, hash: &Hash) -> Result<Option<Arc<Block<T>>>, StoreError> {
        Ok(self.block_and_size(hash, None)?.map(|(block, _)| block))
    }

    /// The block with this hash and its canonical size in bytes. `hint` is the claimed height of the block,
    /// with which the look-up takes one read of the store; a hash alone takes three: of the height, the row
    /// and the block. A block that is read with a hint is one of many, and is not added to the cache.
    pub(crate) fn block_and_size(
        &self,
        hash: &Hash,
        hint: Option<u64>,
    ) -> Result<Option<Measured<T>>, StoreError> {
        let row;
        let entry = match self.tree.node(hash) {
            Some(Node { body: Body::Pending(block), .. }) => {
                return Ok(Some((Arc::clone(block), block.size())));
            }
            Some(node) if !node.is_complete() => return Ok(None),
            Some(node) => &node.entry,
            None => {
                if let Some(height) = hint
                    && let Some(header) = self.store.header_at(height, hash)?
                    && let Some(block) = self.store.block_in_passing(&header, hash)?
                {
                    return Ok(Some(block));
                }
                row = self.store.row_of(hash, None)?;
                match &row {
                    Some(row) => &row.entry,
                    None => return Ok(None),
                }
            }
        };
        Ok(self.kept_block(entry)?.map(|block| (block, entry.size)))
    }

    /// The block of an entry whose body was stored; `None` if it was pruned since.
    pub(super) fn kept_block(&self, entry: &ChainEntry) -> Result<Option<Arc<Block<T>>>, StoreError> {
        let height = entry.header.height;
        if height == 0 {
            return Ok(Some(Arc::clone(&self.genesis.block)));
        }
        if height > self.checkpoints.pruned {
            return self.store.stored_block(entry).map(Some);
        }
        Ok(self.store.block(&entry.header, &entry.hash)?.map(|(block, _)| block))
    }

    /// The block of the best chain at this height; `None` above the tip, and if it was pruned.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails or the block is damaged.
    pub fn block_at(&self, height: u64) -> Result<Option<Arc<Block<T>>>, StoreError> {
        let Some(row) = self.store.row(height)? else { return Ok(None) };
        self.kept_block(&row)
    }

    /// The block, if that takes no read of the store: only among the last two thousand blocks and on side
    /// branches, if the block is cached and has at most this many canonical bytes. For callers that must not
    /// block on disk I/O.
    #[cfg(feature = "http")]
    pub(crate) fn block_in_memory(&self, id: BlockId, max_bytes: usize) -> Option<Arc<Block<T>>> {
        let recent_row = |height| {
            let row = self.store.is_recent(height).then(|| self.store.row(height))?;
            row.ok().flatten()
        };
        let hash = match id {
            BlockId::Height(0) => return Some(Arc::clone(&self.genesis.block)),
            BlockId::Height(height) => recent_row(height)?.hash,
            BlockId::Hash(hash) => hash,
        };
        let block = match self.tree.node(&hash).map(|node| &node.body) {
            Some(Body::Pending(block)) => Arc::clone(block),
            Some(Body::Complete) => self.store.cached_block(&hash)?,
            Some(Body::Missing | Body::Invalid) => return None,
            None => {
                let block = self.store.cached_block(&hash)?;
                let is_best = recent_row(block.height())?.hash == hash;
                is_best.then_some(block)?
            }
        };
        (block.size() <= max_bytes).then_some(block)
    }

    /// The blocks of the best chain at these heights, lowest first, read one by one. Blocks below
    /// [`first_body`](Self::first_body) are skipped.
    ///
    /// Each item is the block, or the [`StoreError`] of reading it.
    pub fn blocks(
        &self,
        heights: impl RangeBounds<u64>,
    ) -> impl DoubleEndedIterator<Item = Result<Arc<Block<T>>, StoreError>> {
        let Range { start, end } = self.clip(heights);
        (start.max(self.first_body())..end).filter_map(|height| self.block_at(height).transpose())
    }

    /// The entry of a header on any branch. `hint` is the claimed height of the header: with it, the look-up
    /// of a recent header takes no read of the store.
    pub(crate) fn entry(&self, hash: &Hash, hint: Option<u64>) -> Result<Option<ChainEntry>, StoreError> {
        match self.tree.node(hash) {
            Some(node) => Ok(Some(node.entry.clone())),
            None => Ok(self.store.row_of(hash, hint)?.map(|row| row.entry.clone())),
        }
    }

    /// The header with this hash, on any branch, with or without its body.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails or the header is damaged.
    pub fn header(&self, hash: &Hash) -> Result<Option<Header>, StoreError> {
        Ok(self.entry(hash, None)?.map(|entry| entry.header))
    }

    /// The header of the best chain at this height.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails or the header is damaged.
    pub fn header_at(&self, height: u64) -> Result<Option<Header>, StoreError> {
        Ok(self.store.row(height)?.map(|row| row.header))
    }

    /// Whether the block with this hash is on the best chain.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn is_best(&self, hash: &Hash) -> Result<bool, StoreError> {
        Ok(self.tree.node(hash).is_none() && self.store.row_of(hash, None)?.is_some())
    }

    /// Whether the header with this hash is known to be invalid.
    pub fn is_invalid(&self, hash: &Hash) -> bool {
        self.tree.node(hash).is_some_and(Node::is_invalid)
    }

    /// The accumulated work of the chain up to and including this header.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails or the header is damaged.
    pub fn work_at(&self, hash: &Hash) -> Result<Option<Work>, StoreError> {
        Ok(self.entry(hash, None)?.map(|entry| entry.work))
    }

    /// The lowest height from which every body of the best chain is in the store: 0, unless bodies are
    /// pruned.
    pub const fn first_body(&self) -> u64 {
        if self.checkpoints.pruned == 0 { 0 } else { self.checkpoints.pruned + 1 }
    }

    /// The number of blocks at the end of the best chain whose bodies are kept, at least; `None` for all of
    /// them.
    pub fn keeps_bodies(&self) -> Option<u64> {
        match (self.config.keep_bodies, self.checkpoints.pruned) {
            (keep, 0) => keep,
            // An earlier config may have kept fewer bodies.
            (keep, pruned) => Some((self.height() - pruned).min(keep.unwrap_or(u64::MAX))),
        }
    }

    /// Up to `limit` blocks on side branches whose bodies are in the store, the highest first, with their hashes.
    #[cfg(feature = "http")]
    pub(crate) fn side_blocks(&self, limit: usize) -> Vec<(Hash, Header)> {
        let order = |a: &&ChainEntry, b: &&ChainEntry| {
            b.header.height.cmp(&a.header.height).then_with(|| a.hash.cmp(&b.hash))
        };
        let mut blocks: Vec<_> = self.tree.complete().collect();
        if limit < blocks.len() {
            // There may be `max_side_headers` of them: only those of the answer are sorted.
            blocks.select_nth_unstable_by(limit, order);
            blocks.truncate(limit);
        }
        blocks.sort_unstable_by(order);
        blocks.into_iter().map(|entry| (entry.hash, entry.header)).collect()
    }

    /// The number of blocks on side branches whose bodies are in the store.
    #[cfg(feature = "metrics")]
    pub(crate) fn side_block_count(&self) -> usize {
        self.tree.complete().count()
    }

    /// The number of orphans: blocks whose parent is unknown.
    pub fn orphan_count(&self) -> usize {
        self.orphans.len()
    }

    /// The known header with the most work and its hash. Ahead of the tip while bodies are missing.
    pub fn best_header(&self) -> (&Hash, &Header) {
        let best = self.tree.best_header().unwrap_or_else(|| self.store.tip());
        (&best.hash, &best.header)
    }

    /// Proves that a block contains a transaction: an inclusion proof of its id against the block's
    /// `merkle_root`. `None` if the block is unknown or was pruned.
    ///
    /// # Errors
    ///
    /// [`ProveError`], when the block has no transaction at `index`, or the store fails.
    pub fn transaction_proof(
        &self,
        block: &Hash,
        index: usize,
    ) -> Result<Option<InclusionProof>, ProveError> {
        let Some(block) = self.block(block)? else { return Ok(None) };
        // An imported block always has an encoding.
        let Ok(digest) = block.digest() else { return Ok(None) };
        Ok(Some(InclusionProof::new(&digest.ids, index)?))
    }

    /// Proves that the block at height `ancestor` is an ancestor of the block of the best chain at height
    /// `descendant`: an inclusion proof of its hash against the `history_root` of the latter. The descendant
    /// may also be the next block, which is not mined yet.
    ///
    /// # Errors
    ///
    /// [`ProveError`], when the best chain is shorter, the ancestor is not before the descendant, or the
    /// store fails.
    pub fn ancestor_proof(&self, ancestor: u64, descendant: u64) -> Result<InclusionProof, ProveError> {
        self.store.prove_inclusion(ancestor, descendant)
    }

    /// Proves that the history below the block of the best chain at height `older` is a prefix of the history
    /// below the one at height `newer`: a consistency proof between their `history_root`s.
    ///
    /// # Errors
    ///
    /// [`ProveError`], when the best chain is shorter, the heights are in the wrong order, or the store
    /// fails.
    pub fn consistency_proof(&self, older: u64, newer: u64) -> Result<ConsistencyProof, ProveError> {
        self.store.prove_consistency(older, newer)
    }

    /// The hash of the block of the best chain at this height, which must not be above the tip.
    #[cfg(feature = "evidence")]
    pub(crate) fn history_entry(&self, height: u64) -> Result<Hash, StoreError> {
        Ok(self.store.row_below_tip(height)?.hash)
    }

    /// The root of the history tree over the `index`-th run of `2^level` blocks of the best chain, which must
    /// have all of them. Takes one read of the store.
    #[cfg(feature = "evidence")]
    pub(crate) fn history_subtree(&self, level: usize, index: u64) -> Result<Hash, ProveError> {
        self.store.subtree(level, index)
    }

    /// A locator of the best known headers, by which a peer finds the last block in common.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn locator(&self) -> Result<Vec<Hash>, StoreError> {
        self.locator_from(self.best_header().0)
    }

    /// A locator of the chain that ends at `tip`, or of the best known headers if `tip` is unknown.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn locator_from(&self, tip: &Hash) -> Result<Vec<Hash>, StoreError> {
        let (tip, height) = match self.entry(tip, None)? {
            Some(entry) => (tip, entry.header.height),
            None => (self.best_header().0, self.best_header().1.height),
        };
        let hash_at = |height| match self.tree.ancestor(tip, height) {
            Some(hash) => Ok(*hash),
            None => Ok(self.store.row_below_tip(height)?.hash),
        };
        locator::heights(height).map(hash_at).collect()
    }

    /// The headers of the best chain after the first locator hash that is on it, or after genesis.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn headers_after(&self, locator: &[Hash], limit: usize) -> Result<Vec<Header>, StoreError> {
        let mut start = 1;
        for hash in locator {
            if let Some(row) = self.store.row_of(hash, None)? {
                start = row.header.height + 1;
                break;
            }
        }
        let end = start.saturating_add(limit as u64).min(self.height() + 1);
        if start >= end { Ok(Vec::new()) } else { self.store.headers(start..=end - 1) }
    }

    /// The number of headers off the best chain.
    #[cfg(test)]
    pub(crate) fn side_header_count(&self) -> usize {
        self.tree.side_len()
    }

    /// Drops pending bodies, except those that can be completed on the path to one of these headers.
    pub(crate) fn retain_pending(&mut self, leads: impl IntoIterator<Item = Hash>) {
        self.tree.retain_pending(leads);
    }

    /// The height of a header off the best chain.
    pub(crate) fn side_height(&self, hash: &Hash) -> Option<u64> {
        self.tree.node(hash).map(|node| node.entry.header.height)
    }

    /// The hashes of the blocks without a body on the path to `toward`, lowest first, within `window` blocks
    /// from the lowest of them. Without the window, a long branch would request bodies that must wait for the
    /// lower ones.
    pub fn missing_bodies(&self, toward: &Hash, window: usize) -> Vec<Hash> {
        self.missing_on_path(toward, window).collect()
    }

    /// [`missing_bodies`](Self::missing_bodies) as an iterator, for a caller that needs only the first of
    /// them.
    pub(crate) fn missing_on_path<'a>(
        &'a self,
        toward: &Hash,
        window: usize,
    ) -> impl Iterator<Item = Hash> + use<'a, T> {
        let ahead = self.tree.ahead();
        let node = self.tree.node(toward).filter(|node| !node.is_invalid());
        let index = ahead.front().zip(node).and_then(|(first, node)| {
            usize::try_from(node.entry.header.height.checked_sub(self.tree.known(first).entry.header.height)?)
                .ok()
        });
        let index = index.filter(|index| ahead.get(*index) == Some(toward));
        let aside = match (index, node) {
            (None, Some(_)) => self.tree.path_from_best(toward),
            _ => VecDeque::new(),
        };
        let len = index.map_or(0, |index| index + 1);
        let is_complete = |hash: &Hash| self.tree.known(hash).is_complete();
        // The complete blocks are a prefix of the path, and usually there are none.
        let complete = |path: &VecDeque<Hash>| {
            if path.front().is_some_and(is_complete) { path.partition_point(is_complete) } else { 0 }
        };
        let (start, aside_start) = (complete(ahead).min(len), complete(&aside));
        let path = ahead.range(start..len).copied().chain(aside.into_iter().skip(aside_start));
        path.take(window).filter(|hash| !self.tree.known(hash).has_body())
    }

    /// Whether the header of this hash and height is on the path from the best chain to the best known
    /// header, without being on the best chain.
    pub(crate) fn is_ahead(&self, hash: &Hash, height: u64) -> bool {
        self.tree.ahead_at(height) == Some(hash)
    }

    /// The part of these heights that the best chain has.
    pub(crate) fn clip(&self, heights: impl RangeBounds<u64>) -> Range<u64> {
        let len = self.height() + 1;
        let start = match heights.start_bound() {
            Bound::Included(height) => *height,
            Bound::Excluded(height) => height.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match heights.end_bound() {
            Bound::Included(height) => height.saturating_add(1),
            Bound::Excluded(height) => *height,
            Bound::Unbounded => len,
        };
        let start = start.min(len);
        start..end.clamp(start, len)
    }
}
