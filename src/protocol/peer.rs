//! What names a connection, and what an application can see of it.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::address::PeerAddr;
use crate::primitives::Timestamp;

/// The number of one connection. The driver assigns the numbers and never reuses one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct PeerId(pub u64);

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Which side opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The peer opened the connection.
    Inbound,
    /// This node opened the connection.
    Outbound,
}

/// What an application can see of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct PeerInfo {
    /// The number of the connection.
    pub id: PeerId,
    /// The address that was dialled, or the remote address of an inbound connection.
    pub address: PeerAddr,
    /// Which side opened the connection.
    pub direction: Direction,
    /// The software name and version that the peer claims; empty before the handshake is completed.
    pub agent: String,
    /// The wire format of the connection, such as `hashloom.v1.json`.
    pub format: String,
    /// The height of the peer's best header that this node knows.
    pub height: Option<u64>,
    /// The number of blocks that were requested from the peer and have not arrived.
    pub blocks_in_flight: usize,
}

/// An address in the book of discovery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct KnownAddress {
    /// The address.
    pub address: PeerAddr,
    /// When a peer of this chain was last reached at the address; `None` if never.
    pub reached: Option<Timestamp>,
    /// Consecutive failures since then.
    pub failures: u32,
}
