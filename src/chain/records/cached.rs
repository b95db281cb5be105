//! What can be said of the best chain without asking the store, for whoever must not wait for a disk.

use std::sync::Arc;

use super::Records;
use crate::primitives::{Block, Hash, Transaction};

impl<T: Transaction> Records<T> {
    /// The block of the best chain at this height, if its row and its body are in memory and it has at most so many
    /// canonical bytes.
    pub(in crate::chain) fn cached_block_at(&self, height: u64, max_bytes: usize) -> Option<Arc<Block<T>>> {
        self.cached_body(&self.recent_row(height)?.hash, max_bytes)
    }

    /// The block of the best chain with this hash, on the same terms.
    pub(in crate::chain) fn cached_block(&self, hash: &Hash, max_bytes: usize) -> Option<Arc<Block<T>>> {
        let block = self.cached_body(hash, max_bytes)?;
        (self.recent_row(block.height())?.hash == *hash).then_some(block)
    }

    /// The body with this hash, on whichever branch or on none.
    pub(in crate::chain) fn cached_body(&self, hash: &Hash, max_bytes: usize) -> Option<Arc<Block<T>>> {
        self.bodies.get(hash).filter(|block| block.size() <= max_bytes)
    }
}
