//! The routes of a node, through the public interface: what a client of the HTTP API sees.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests, which fail by panicking")]

mod access;
mod chain;
#[cfg(feature = "client")]
mod client;
#[cfg(feature = "client")]
mod client_events;
mod cors;
mod events;
mod kit;
#[cfg(feature = "metrics")]
mod metrics;
mod plain;
mod server;
#[cfg(feature = "metrics")]
#[path = "../skip.rs"]
mod skip;
mod state;
mod transactions;
