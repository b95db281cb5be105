//! The log of signed checkpoints.

use serde::{Deserialize, Serialize};

use crate::primitives::Hash;

/// The proof that a log extends an earlier state of itself: `GET /log/consistency`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct LogConsistency {
    /// The number of blocks of the earlier log.
    pub old_size: u64,
    /// The root of the earlier log, which the path omits if the old size is a power of two.
    pub old_root: Hash,
    /// The number of blocks of the later log.
    pub new_size: u64,
    /// The root of the later log.
    pub new_root: Hash,
    /// The path of RFC 6962.
    pub path: Vec<Hash>,
}
