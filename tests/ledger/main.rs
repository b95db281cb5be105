//! The ledger, through the public interface.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests, which fail by panicking")]

mod address;
mod conservation;
mod golden;
mod kit;
mod mempool;
#[cfg(feature = "ws-postcard")]
mod nodes;
mod parameters;
mod proof;
mod rules;
#[path = "../skip.rs"]
mod skip;
