//! Maps and sets by hash. A synchronisation looks up each of its hashes a dozen times, which takes an ordered map
//! several times as long, and the standard hasher a good part of what everything else takes together.
//!
//! Hashes are random but for what their makers try out to find similar ones, so the place in a map depends on a seed.

use super::hash::Hash;

/// Of no order: whatever goes through all entries takes the best or sorts.
#[expect(clippy::disallowed_types, reason = "no order of its entries is ever used")]
pub(crate) type ByHash<V> = std::collections::HashMap<Hash, V, foldhash::fast::RandomState>;

/// Of no order, like [`ByHash`].
#[expect(clippy::disallowed_types, reason = "is asked for members, never for their order")]
pub(crate) type HashSet = std::collections::HashSet<Hash, foldhash::fast::RandomState>;
