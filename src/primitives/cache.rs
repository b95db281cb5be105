//! Caches that are limited in bytes.

use core::hash::Hash;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

/// A cache whose values weigh at most `max_bytes` together. `expected_bytes` is the weight that is expected of one, for a
/// first guess of how many there will be.
pub(crate) fn cache_of_bytes<K: Eq + Hash, V: Clone, W: Weighter<K, V> + Clone>(
    max_bytes: usize,
    expected_bytes: usize,
    weighter: W,
) -> Cache<K, V, W> {
    let (items, limit) = (max_bytes / expected_bytes, max_bytes as u64);
    let mut options = OptionsBuilder::new();
    // A shard keeps no value that is larger than its part of the limit.
    options.shards(1).estimated_items_capacity(items).weight_capacity(limit);
    match options.build() {
        Ok(options) => {
            Cache::with_options(options, weighter, DefaultHashBuilder::default(), DefaultLifecycle::default())
        }
        Err(_) => Cache::with_weighter(items, limit, weighter),
    }
}
