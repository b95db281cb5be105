//! W: encodes messages as frames and decodes frames to messages. This layer knows nothing of sockets or of
//! the meaning of a message: a format is a pair of functions and a name.
//!
//! The formats of this crate are `Json`, `Bincode` and `Postcard`, each behind the feature of its transport.
//! Consensus never depends on wire bytes, so the format may differ from peer to peer.

#[cfg(feature = "ws-bincode")]
mod bincode;
mod error;
#[cfg(feature = "websocket")]
mod format;
#[cfg(feature = "ws-json")]
mod json;
#[cfg(feature = "ws-postcard")]
mod postcard;

#[cfg(feature = "ws-bincode")]
pub use bincode::Bincode;
pub use error::{FrameKind, WireError};
#[cfg(feature = "websocket")]
pub(crate) use format::Payload;
#[cfg(feature = "websocket")]
pub use format::{Frame, WireFormat};
#[cfg(feature = "ws-json")]
pub use json::Json;
#[cfg(feature = "ws-postcard")]
pub use postcard::Postcard;

use crate::consensus::ChainSpec;
use crate::protocol::limits;

/// The default limit of one frame, in bytes: 25 MiB.
///
/// This limit applies to the kinds of messages that carry transactions; other kinds have smaller limits of
/// their own, which [`MessageKind::max_frame_bytes`](crate::protocol::MessageKind::max_frame_bytes) returns.
/// The largest honest message carries one block of [`ChainSpec::MAX_BLOCK_BYTES`], which counts canonical
/// bytes. A format adds bytes of its own: text grows by a factor of up to six in JSON, for which the limit
/// has room, but a list of small values with field names may grow by more.
pub const DEFAULT_MAX_FRAME_BYTES: usize = limits::TEXT_EXPANSION * ChainSpec::MAX_BLOCK_BYTES + (1 << 20);

#[cfg(test)]
#[cfg(all(feature = "ws-json", feature = "ws-bincode", feature = "ws-postcard"))]
mod tests;
