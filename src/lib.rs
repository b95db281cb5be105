//! hashloom

mod chain;
mod consensus;
mod miner;
mod primitives;
mod protocol;

pub use chain::{Blockchain, ChainConfig, Imported};
pub use consensus::*;
pub use miner::*;
pub use primitives::*;
pub use protocol::*;
