//! hashloom

mod chain;
mod consensus;
mod mempool;
mod miner;
mod primitives;
mod protocol;

pub use chain::{Blockchain, ChainConfig, Imported};
pub use consensus::*;
pub use mempool::{Mempool, MempoolConfig, MempoolError, Source};
pub use miner::*;
pub use primitives::*;
pub use protocol::*;
