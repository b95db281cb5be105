//! The cache of recently read or written blocks, limited in memory.

use core::fmt;
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::primitives::{Block, Hash, Transaction, cache_of_bytes};

pub(super) struct Bodies<T: Transaction>(Cache<Hash, Arc<Block<T>>, Size>);

/// The approximate overhead of the cache per block.
const OVERHEAD: usize = 128;

/// The size that is expected of a block.
const EXPECTED_BYTES: usize = 4_096;

#[derive(Clone)]
struct Size;

impl<T: Transaction> Weighter<Hash, Arc<Block<T>>> for Size {
    fn weight(&self, _: &Hash, block: &Arc<Block<T>>) -> u64 {
        block.memory_size().saturating_add(OVERHEAD) as u64
    }
}

impl<T: Transaction> Bodies<T> {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self(cache_of_bytes(max_bytes, EXPECTED_BYTES, Size))
    }

    pub(super) fn get(&self, hash: &Hash) -> Option<Arc<Block<T>>> {
        self.0.get(hash)
    }

    pub(super) fn insert(&self, hash: Hash, block: &Arc<Block<T>>) {
        self.0.insert(hash, Arc::clone(block));
    }

    #[cfg(feature = "node")]
    pub(super) fn clear(&self) {
        self.0.clear();
    }

    pub(super) fn remove(&self, hash: &Hash) {
        self.0.remove(hash);
    }
}

impl<T: Transaction> fmt::Debug for Bodies<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bodies").field("len", &self.0.len()).field("weight", &self.0.weight()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Header;

    #[test]
    fn a_block_counts_with_its_memory_and_what_it_takes_beside_it() {
        let fixed = Block::<String>::FIXED_SIZE;
        let cache: Bodies<String> = Bodies::new(OVERHEAD + fixed + 25 * 400);
        // Of its room the cache keeps a part for what is new.
        let is_kept = |texts| {
            let data = vec![String::new(); texts];
            let block = Arc::new(Block::new(Header::from_bytes(&[0; Header::LEN]), data));
            cache.insert(*block.hash(), &block);
            let is_kept = cache.get(block.hash()).is_some();
            cache.remove(block.hash());
            is_kept
        };
        // An empty text has 24 bytes and a canonical one.
        assert!(is_kept(200));
        assert!(!is_kept(401), "larger than all that may be kept");
    }
}
