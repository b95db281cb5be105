//! L0: the basic types that all other layers use. No consensus rules, no state, no I/O.

pub(crate) mod application;
pub mod authenticated_map;
mod block;
mod bounded;
mod by_hash;
pub(crate) mod bytes;
mod cache;
#[cfg(any(feature = "evidence", feature = "signed"))]
pub(crate) mod ed25519;
mod hash;
mod header;
pub mod merkle;
mod public_key;
pub(crate) mod serde_form;
pub(crate) mod sha256;
mod target;
mod transaction;
mod units;
mod work;

pub use application::Panicked;
#[cfg(feature = "node")]
pub(crate) use application::encode_and_measure;
pub use authenticated_map::{AuthenticatedMap, MapProof, MapProofError};
pub(crate) use block::transactions;
pub use block::{Block, BodyDigest, transaction_id};
pub(crate) use bounded::{bounded_by_weight, bounded_vec};
pub(crate) use by_hash::{ByHash, HashSet};
pub use bytes::ParseHexError;
pub(crate) use cache::cache_of_bytes;
pub use hash::Hash;
pub use header::Header;
pub use public_key::PublicKey;
pub use target::{CompactTarget, CompactTargetError, Difficulty, Target};
pub use transaction::{Author, Context, EncodeError, Rejected, Transaction};
pub use units::{Address, Timestamp};
pub(crate) use units::{Span, millis};
pub use work::Work;

/// The number type of [`Target`] and [`Work`], re-exported so that a caller needs no dependency on ruint.
pub use ruint::aliases::U256;
