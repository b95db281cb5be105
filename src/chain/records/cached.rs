//! Queries of the best chain that are answered from memory alone, for callers that must not block on disk
//! I/O.

use std::sync::Arc;

use super::ChainStore;
use crate::primitives::{Block, Hash, Transaction};

impl<T: Transaction> ChainStore<T> {
    /// The block of the best chain at this height, if its row and its body are cached and it has at most this
    /// many canonical bytes.
    pub(in crate::chain) fn cached_block_at(&self, height: u64, max_bytes: usize) -> Option<Arc<Block<T>>> {
        self.cached_body(&self.recent_row(height)?.hash, max_bytes)
    }

    /// The block of the best chain with this hash, if its row and its body are cached and it has at most this
    /// many canonical bytes.
    pub(in crate::chain) fn cached_block(&self, hash: &Hash, max_bytes: usize) -> Option<Arc<Block<T>>> {
        let block = self.cached_body(hash, max_bytes)?;
        (self.recent_row(block.height())?.hash == *hash).then_some(block)
    }

    /// The cached body with this hash, on any branch or on none.
    pub(in crate::chain) fn cached_body(&self, hash: &Hash, max_bytes: usize) -> Option<Arc<Block<T>>> {
        self.bodies.get(hash).filter(|block| block.size() <= max_bytes)
    }
}
