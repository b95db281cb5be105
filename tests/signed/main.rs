//! Signed transactions, through the public interface.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests, which fail by panicking")]

mod chain;
mod form;
mod golden;
#[cfg(feature = "keyfile")]
mod key_file;
mod kit;
mod page;
mod peers;
#[path = "../skip.rs"]
mod skip;
mod vectors;
