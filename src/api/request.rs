//! The bodies of requests. Unknown fields are refused.

use serde::{Deserialize, Deserializer, Serialize};

/// The body of `POST /mine`: a list of transactions, or one that is no list itself. Without `data`, the pending
/// transactions are mined; an empty list mines an empty block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, bound(deserialize = "D: Deserialize<'de>"))]
pub struct MineRequest<D> {
    /// The transactions, usually a `Vec`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub data: Option<D>,
}

/// The body of `POST /transactions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SubmitRequest<T> {
    /// The transaction.
    pub data: T,
}

/// The body of `POST /peers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ConnectRequest {
    /// The address of the peer, such as `ws://localhost:5001`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[!-~]+$", max_length = 300))]
    pub address: String,
}

/// The body of `POST /bans`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BanRequest {
    /// A name, an address, an IPv6 network of 64 bits, or the address of a peer on the host.
    #[cfg_attr(feature = "openapi", schema(min_length = 1))]
    pub host: String,
    /// The duration of the ban, from a second to a hundred years; an hour if there is none.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 3_155_760_000_usize))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

/// Keeps an explicit `null` as a value, which serde's own `Option` would drop: it may be a transaction.
fn present<'de, D: Deserializer<'de>, V: Deserialize<'de>>(deserializer: D) -> Result<Option<V>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}
