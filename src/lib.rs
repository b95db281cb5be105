//! hashloom

mod consensus;
mod primitives;
mod protocol;

pub use consensus::*;
pub use primitives::*;
pub use protocol::*;
