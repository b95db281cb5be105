//! Evidence: checkpoints, receipts and audits, through the public interface.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests, which fail by panicking")]

mod audit;
mod checkpoint;
#[cfg(all(feature = "client", feature = "http"))]
mod client;
mod disk;
mod go;
mod golden;
mod log;
mod log_signer;
mod note;
mod receipt;
#[cfg(feature = "http")]
mod served;
#[path = "../skip.rs"]
mod skip;
mod tile;
mod witness;
