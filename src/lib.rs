//! hashloom

mod consensus;
mod miner;
mod primitives;
mod protocol;

pub use consensus::*;
pub use miner::*;
pub use primitives::*;
pub use protocol::*;
