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

/// The most bytes in one frame, unless a transport is configured otherwise: 16 MiB.
///
/// The largest honest message is a `Blocks` that ends with a block beyond
/// [`MAX_BLOCKS_BYTES`](crate::limits::MAX_BLOCKS_BYTES). Both are counted in canonical bytes, to which a format
/// adds its own: text is up to six times larger in JSON, a list of small values with names more than that.
pub const DEFAULT_MAX_FRAME_BYTES: usize = 16 << 20;
