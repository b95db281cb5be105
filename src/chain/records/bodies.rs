//! Blocks that were read or written lately, within a bound of bytes.

use core::fmt;
use std::sync::Arc;

use quick_cache::sync::{Cache, DefaultLifecycle};

use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use crate::primitives::{Block, Hash, Transaction};

pub(super) struct Bodies<T: Transaction>(Cache<Hash, (Arc<Block<T>>, usize), Size>);

/// What a block beside its canonical bytes takes, roughly.
const OVERHEAD: usize = 256;

#[derive(Clone)]
struct Size;

impl<T> Weighter<Hash, (Arc<Block<T>>, usize)> for Size {
    fn weight(&self, _: &Hash, (_, size): &(Arc<Block<T>>, usize)) -> u64 {
        (size + OVERHEAD) as u64
    }
}

impl<T: Transaction> Bodies<T> {
    pub(super) fn new(max_bytes: usize) -> Self {
        // Only a first guess of how many blocks that will be.
        let blocks = max_bytes / 4_096;
        let mut options = OptionsBuilder::new();
        // A shard takes nothing that is larger than its part of the whole.
        options.shards(1).estimated_items_capacity(blocks).weight_capacity(max_bytes as u64);
        match options.build() {
            Ok(options) => Self(Cache::with_options(
                options,
                Size,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            )),
            Err(_) => Self(Cache::with_weighter(blocks, max_bytes as u64, Size)),
        }
    }

    /// A block and its canonical size.
    pub(super) fn get(&self, hash: &Hash) -> Option<(Arc<Block<T>>, usize)> {
        self.0.get(hash)
    }

    pub(super) fn insert(&self, hash: Hash, block: &Arc<Block<T>>, size: usize) {
        self.0.insert(hash, (Arc::clone(block), size));
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
    fn a_block_counts_with_its_bytes_and_what_it_takes_beside_them() {
        let cache: Bodies<String> = Bodies::new(10_000);
        let block = Arc::new(Block::new(Header::from_bytes(&[0; Header::LEN]), Vec::new()));
        let is_kept = |size| {
            cache.insert(*block.hash(), &block, size);
            let is_kept = cache.get(block.hash()).is_some();
            cache.remove(block.hash());
            is_kept
        };
        assert!(is_kept(5_000));
        assert!(!is_kept(10_001 - OVERHEAD), "larger than all that may be kept");
    }
}
