//! Public test suites. An implementation of a trait of this crate can run the suite that the crate's own
//! implementations pass.

pub mod store;
mod transaction;
#[cfg(feature = "node")]
pub mod transport;
#[cfg(feature = "websocket")]
pub mod wire;

pub use transaction::transaction;
