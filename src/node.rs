//! L5: a running node. The tasks, timers, sockets and mining threads around the protocol. The protocol makes
//! every decision; this layer performs I/O.

mod builder;
mod clock;
mod command;
mod connection;
#[cfg(all(feature = "client", feature = "evidence"))]
mod cosigning;
mod driver;
mod end;
mod error;
mod events;
mod handle;
mod incoming;
mod log;
mod mining;
mod shared;
mod status;
#[cfg(test)]
#[cfg(feature = "ws-json")]
mod tests;

pub use crate::api::{MiningStatus, Status};
#[cfg(feature = "http")]
pub(crate) use crate::chain::BlockId;
pub use builder::{Node, NodeBuilder, StartError};
pub use end::NodeFailure;
#[cfg(feature = "evidence")]
pub use error::{CosignError, SignCheckpointError};
pub use error::{MineError, PeerError, Stopped, SubmitError};
pub use events::{EventError, Events};
pub use handle::{ChainRef, NodeHandle, TransactionStatus, WaitError, WaitProgress};
