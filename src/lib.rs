//! hashloom

mod chain;
mod consensus;
mod mempool;
mod miner;
mod primitives;
mod protocol;
#[cfg(feature = "node")]
pub mod wire;

pub use chain::{Blockchain, ChainConfig, Imported};
pub use consensus::*;
pub use mempool::{Mempool, MempoolConfig, MempoolError, Source};
pub use miner::*;
pub use primitives::*;
pub use protocol::*;
#[cfg(feature = "websocket")]
pub use wire::WireFormat;
