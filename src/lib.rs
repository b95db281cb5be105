//! hashloom

mod chain;
mod consensus;
#[cfg(feature = "http")]
pub mod http;
mod mempool;
mod miner;
#[cfg(feature = "node")]
mod node;
mod primitives;
mod protocol;
#[cfg(feature = "test-utils")]
pub mod testing;
#[cfg(feature = "node")]
pub mod transport;
#[cfg(feature = "node")]
pub mod wire;

pub use chain::{Blockchain, ChainConfig, Imported};
pub use consensus::*;
pub use mempool::{Mempool, MempoolConfig, MempoolError, Source};
pub use miner::*;
#[cfg(feature = "node")]
pub use node::{
    ChainRef, EventError, Events, MineError, MiningStatus, Node, NodeBuilder, NodeHandle, PeerError,
    StartError, Status, Stopped, SubmitError,
};
pub use primitives::*;
pub use protocol::*;
#[cfg(feature = "node")]
pub use transport::Transport;
#[cfg(feature = "ws-bincode")]
pub use transport::WsBincode;
#[cfg(feature = "ws-json")]
pub use transport::WsJson;
#[cfg(feature = "websocket")]
pub use wire::WireFormat;
