//! Hashes that an import needs, computed for many headers or blocks at a time before they are imported one after
//! the other. Changes nothing but caches: no verdict and no state depends on it.

use std::sync::Arc;

use super::Blockchain;
use crate::consensus::check;
use crate::primitives::{Block, BodyDigest, Hash, Header, Transaction};

/// How many headers are prepared at a time: enough for all lanes on most levels of the history tree, and few
/// enough that a peer whose first header breaks a rule causes little work in vain.
pub(super) const HEADERS_AT_ONCE: usize = 512;

/// How many blocks are prepared at a time: small ones fill all lanes.
pub(super) const BLOCKS_AT_ONCE: usize = 64;

/// How many transactions are hashed at a time before their blocks are imported. Bounds the memory of their ids:
/// those of blocks that are full of small transactions are much larger than the blocks, and the import keeps them
/// in several forms for a while. Enough for all lanes.
const TRANSACTIONS_AT_ONCE: usize = 1_024;

/// The fewest headers or blocks that are prepared together. Fewer are not faster than one after the other.
const MIN_PREPARED: usize = 4;

impl<T: Transaction> Blockchain<T> {
    /// Computes the history at the headers among these that are new and follow each other, as far as they have
    /// proof of work. The import of each header then checks it against values that are there. Changes nothing
    /// but a cache, so a failure is left to the import.
    pub(super) fn prepare_headers(&mut self, hashes: &[Hash], headers: &[Header]) {
        let tip = self.store.tip().hash;
        let is_at_end = |(hash, header): &(&Hash, &Header)| {
            let parent = &header.previous_hash;
            let extends = *parent == tip || self.tree.node(parent).is_some_and(|node| !node.is_invalid());
            extends && self.tree.node(hash).is_none()
        };
        let Some(first) = hashes.iter().zip(headers).position(|header| is_at_end(&header)) else { return };
        let run = self.run_with_work(&hashes[first..], &headers[first..]);
        if run < MIN_PREPARED {
            return;
        }
        let parent = headers[first].previous_hash;
        let end = match self.branch_ends.iter().position(|end| end.hash == parent) {
            Some(cached) => Ok(self.branch_ends.remove(cached)),
            None => match self.entry(&parent, headers[first].height.checked_sub(1)) {
                Ok(Some(entry)) => self.branch_end(&parent, entry.header.height),
                _ => return,
            },
        };
        let Ok(mut end) = end else { return };
        end.history.expect(hashes[first..first + run].to_vec(), true);
        self.keep_branch_end(end);
    }

    /// The number of headers from the first on that have proof of work, and of which each is the parent of the
    /// next.
    fn run_with_work<'a>(&self, hashes: &'a [Hash], headers: impl IntoIterator<Item = &'a Header>) -> usize {
        let mut parent = None;
        hashes
            .iter()
            .zip(headers)
            .take_while(|(hash, header)| {
                let follows = parent.replace(**hash).is_none_or(|parent| header.previous_hash == parent);
                follows && check::proof_of_work(header, hash, &self.spec).is_ok()
            })
            .count()
    }

    /// Computes for a batch what the import of its blocks needs and many hashes at a time make faster: the
    /// digests of the bodies, and the history. Nothing is hashed for a block without proof of work or with too
    /// many transactions. Changes nothing but a cache.
    pub(super) fn prepare_blocks(
        &mut self,
        batch: Vec<Arc<Block<T>>>,
    ) -> Vec<(Arc<Block<T>>, Option<BodyDigest>)> {
        if batch.len() < MIN_PREPARED {
            return batch.into_iter().map(|block| (block, None)).collect();
        }
        let mut transactions = 0;
        let is_hashed = |block: &Arc<Block<T>>| {
            let is_fine = check::proof_of_work(block.header(), block.hash(), &self.spec).is_ok()
                && check::count(block.data().len(), &self.spec).is_ok();
            transactions += if is_fine { block.data().len() } else { 0 };
            is_fine && transactions <= TRANSACTIONS_AT_ONCE
        };
        let chosen: Vec<bool> = batch.iter().map(is_hashed).collect();
        let blocks =
            batch.iter().zip(&chosen).filter(|(_, is_hashed)| **is_hashed).map(|(block, _)| &**block);
        let mut digests = Block::digests(blocks).into_iter();
        let tip = self.store.tip().hash;
        if let Some(first) = batch.iter().position(|block| block.header().previous_hash == tip) {
            let run = &batch[first..];
            let hashes: Vec<Hash> = run.iter().map(|block| *block.hash()).collect();
            let len = self.run_with_work(&hashes, run.iter().map(|block| block.header()));
            // The root before a block is checked with its header, unless that was imported before.
            let with_roots = self.tree.node(&hashes[0]).is_none();
            self.end.history.expect(hashes[..len].to_vec(), with_roots);
        }
        // A block without canonical bytes is refused when it is imported.
        let digest = |is_hashed| if is_hashed { digests.next().and_then(Result::ok) } else { None };
        let digests: Vec<_> = chosen.into_iter().map(digest).collect();
        batch.into_iter().zip(digests).collect()
    }
}
