//! The tests that see the crate as a user does, in one binary.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(all(feature = "ws-json", feature = "ws-bincode"))]
mod arbitrary;
#[cfg(all(feature = "ws-json", feature = "ws-bincode"))]
mod golden;
#[cfg(all(feature = "ws-json", feature = "ws-bincode", feature = "test-utils"))]
mod transport;
#[cfg(all(feature = "ws-json", feature = "ws-bincode"))]
mod wire;
