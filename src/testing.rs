//! Public test suites, and faults to inject. An implementation of a trait of this crate can run the suite that
//! the crate's own implementations pass.

pub mod store;
#[cfg(feature = "node")]
mod switch;
mod transaction;
#[cfg(feature = "node")]
pub mod transport;
#[cfg(feature = "websocket")]
pub mod wire;

#[cfg(feature = "node")]
pub use switch::Switch;
pub use transaction::transaction;
