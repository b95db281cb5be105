//! The search for a transaction in the best chain, block by block. It reads no clock and never waits.

use std::sync::Arc;

use super::WaitError;
use crate::chain::FindError;
use crate::primitives::{Block, Hash, Transaction};
use crate::protocol::Protocol;
use crate::store::StoreError;

/// How many blocks at the end of the chain are searched for a transaction that is not pending, if the chain keeps
/// no index of transactions: each is read from the store.
pub(super) const SEARCHED_BLOCKS: u64 = 1_000;

/// The progress of a search.
#[derive(Debug)]
pub(super) struct Search<T> {
    id: Hash,
    depth: u64,
    /// The height and the hash of the last block that was searched.
    seen: Option<(u64, Hash)>,
    /// The block with the transaction, at or below the height of `seen`.
    found: Option<Arc<Block<T>>>,
    /// Whether the transaction was pending or in the best chain.
    was_there: bool,
    reached: u64,
}

/// What the caller of [`Search::step`] does next.
#[derive(Debug)]
pub(super) enum Step<T> {
    /// The block is deep enough.
    Done(Arc<Block<T>>),
    /// There are more blocks to search.
    More,
    /// The result cannot change before the node does.
    Wait,
}

impl<T: Transaction> Search<T> {
    pub(super) const fn new(id: Hash, depth: u64) -> Self {
        Self { id, depth, seen: None, found: None, was_there: false, reached: 0 }
    }

    /// The depth of the block at the last step: 1 at the tip, and 0 if the transaction is in no block of the
    /// best chain.
    pub(super) const fn reached(&self) -> u64 {
        self.reached
    }

    /// Searches at most one block.
    pub(super) fn step(&mut self, protocol: &Protocol<T>) -> Result<Step<T>, WaitError> {
        let (chain, mempool) = (protocol.chain(), protocol.mempool());
        let tip = (chain.height(), *chain.tip().hash());
        let mut seen = match self.seen {
            Some(seen) => self.common(seen, protocol)?,
            // A pending transaction is in no block of the best chain, so the search begins at the tip.
            None if mempool.contains(&self.id) => Some(tip),
            None => match chain.find_transaction(&self.id) {
                Ok(Some(place)) => {
                    self.found = chain.block_at(place.height)?;
                    Some(tip)
                }
                Ok(None) => Some(tip),
                Err(FindError::NotIndexed) => None,
                Err(FindError::Store(error)) => return Err(error.into()),
            },
        };
        // The block is still in the best chain, so no later one needs to be searched.
        if self.found.is_some() && seen.is_some() {
            seen = Some(tip);
        }
        let (mut height, mut hash) = if let Some(seen) = seen {
            seen
        } else {
            let height = tip.0.saturating_sub(SEARCHED_BLOCKS);
            (height, chain.header_at(height)?.map_or(tip.1, |header| header.hash()))
        };
        if height < tip.0 {
            height += 1;
            hash = match chain.header_at(height)? {
                Some(header) => header.hash(),
                None => return Ok(Step::Wait),
            };
            self.found = self.look(height, protocol)?;
        }
        self.seen = Some((height, hash));
        if hash != tip.1 {
            return Ok(Step::More);
        }
        self.reached = self.found.as_ref().map_or(0, |block| tip.0 - block.height() + 1);
        match &self.found {
            Some(block) if self.reached >= self.depth => return Ok(Step::Done(Arc::clone(block))),
            Some(_) => {}
            None if mempool.contains(&self.id) => {}
            None if self.was_there => return Err(WaitError::Dropped { id: self.id }),
            None => return Err(WaitError::Unknown { id: self.id, searched: SEARCHED_BLOCKS }),
        }
        self.was_there = true;
        Ok(Step::Wait)
    }

    /// The last searched block that is on the best chain: `seen` or an ancestor of it. `None` if the chain
    /// does not know the abandoned branch any more.
    fn common(
        &mut self,
        (mut height, mut hash): (u64, Hash),
        protocol: &Protocol<T>,
    ) -> Result<Option<(u64, Hash)>, StoreError> {
        let chain = protocol.chain();
        while hash != *chain.tip().hash() && !chain.is_best(&hash)? {
            let Some(header) = chain.header(&hash)? else {
                self.found = None;
                return Ok(None);
            };
            height -= 1;
            hash = header.previous_hash;
        }
        self.was_there |= self.found.is_some();
        self.found.take_if(|block| block.height() > height);
        Ok(Some((height, hash)))
    }

    /// The block of the best chain at this height, if it contains the transaction.
    fn look(&self, height: u64, protocol: &Protocol<T>) -> Result<Option<Arc<Block<T>>>, StoreError> {
        let block = protocol.chain().block_at(height)?;
        // A block that was imported can be encoded.
        let has_it = |block: &Arc<Block<T>>| block.digest().is_ok_and(|digest| digest.ids.contains(&self.id));
        Ok(block.filter(has_it))
    }
}
