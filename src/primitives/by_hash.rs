//! Maps and sets with hashes as keys. A synchronisation looks up each hash a dozen times. An ordered map
//! takes several times as long, and the standard hasher would take a large part of the total time.
//!
//! Hashes are nearly random, but an attacker can search for hashes that collide in a map, so the positions
//! depend on a seed.

use super::hash::Hash;

/// A map with hashes as keys, without an order: code that iterates over it takes a maximum or sorts.
#[expect(clippy::disallowed_types, reason = "no order of its entries is ever used")]
pub(crate) type ByHash<V> = std::collections::HashMap<Hash, V, foldhash::fast::RandomState>;

/// A set of hashes, or of values that are found by the hash in them, without an order, like [`ByHash`].
#[expect(clippy::disallowed_types, reason = "no order of its members is ever used")]
pub(crate) type HashSet<V = Hash> = std::collections::HashSet<V, foldhash::fast::RandomState>;
