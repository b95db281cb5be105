//! W: how a message becomes a frame and a frame a message. Knows nothing of sockets, nor of what a message
//! means: a format is a pair of functions and a name.
//!
//! The formats of this crate are `Json`, `Bincode` and `Postcard`, each behind the feature of its transport. Nothing that
//! consensus looks at is computed from wire bytes, so formats may differ from peer to peer.

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

/// The most bytes in one frame, unless a transport is configured otherwise: 25 MiB.
///
/// It is the limit for the kinds of messages that carry transactions; the others have smaller ones of their own
/// ([`limits::max_frame_bytes`]). The largest honest message holds one block of
/// [`ChainSpec::MAX_BLOCK_BYTES`]. That counts canonical bytes, to which a format adds its own: text is up to six
/// times larger in JSON, for which there is room, a list of small values with names may be more than that.
pub const DEFAULT_MAX_FRAME_BYTES: usize = limits::TEXT_EXPANSION * ChainSpec::MAX_BLOCK_BYTES + (1 << 20);

#[cfg(test)]
#[cfg(all(feature = "ws-json", feature = "ws-bincode", feature = "ws-postcard"))]
mod tests;
