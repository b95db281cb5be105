//! Maps and sets by hash. A synchronisation looks up each of its hashes a dozen times, which takes an ordered map
//! several times as long, and the standard hasher a good part of what everything else takes together.
//!
//! Hashes are random, except that their makers can search for similar ones, so the position in a map depends
//! on a seed.

use super::hash::Hash;

/// A map by hash, without an order: code that iterates over it takes a maximum or sorts.
#[expect(clippy::disallowed_types, reason = "no order of its entries is ever used")]
pub(crate) type ByHash<V> = std::collections::HashMap<Hash, V, foldhash::fast::RandomState>;

/// A set of hashes, without an order, like [`ByHash`].
#[expect(clippy::disallowed_types, reason = "is asked for members, never for their order")]
pub(crate) type HashSet = std::collections::HashSet<Hash, foldhash::fast::RandomState>;
