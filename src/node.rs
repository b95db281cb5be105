//! L5: a running node. The tasks, timers, sockets and mining threads around the protocol. The protocol makes
//! every decision; this layer performs I/O.

mod builder;
mod clock;
mod command;
mod connection;
#[cfg(all(feature = "client", feature = "evidence"))]
mod cosigning;
#[cfg(feature = "metrics")]
mod counts;
mod driver;
mod end;
mod error;
mod events;
mod handle;
mod inbox;
mod incoming;
mod log;
#[cfg(feature = "metrics")]
mod metrics;
mod mining;
mod shared;
mod status;
#[cfg(test)]
#[cfg(feature = "ws-json")]
mod tests;
#[cfg(feature = "metrics")]
mod timed_store;

pub use crate::api::Status;
#[cfg(feature = "http")]
pub(crate) use crate::chain::BlockId;
pub use builder::{Node, NodeBuilder, StartError};
pub use end::NodeFailure;
#[cfg(feature = "evidence")]
pub use error::{CosignError, SignCheckpointError};
pub use error::{MineError, PeerError, Stopped, SubmitError};
pub use events::{EventError, Events};
pub use handle::{ChainRef, NodeHandle, TransactionStatus, WaitError, WaitProgress};
#[cfg(feature = "metrics")]
pub use metrics::NodeMetrics;
#[cfg(all(feature = "http", feature = "metrics"))]
pub(crate) use metrics::{BYTES, Encoder, SECONDS};
/// Re-exported for its `Registry`, in which an application registers [`NodeMetrics`].
#[cfg(feature = "metrics")]
pub use prometheus_client;
