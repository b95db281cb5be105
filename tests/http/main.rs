//! The routes of a node, through the public interface: what a client of the HTTP API sees.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests, which fail by panicking")]

mod access;
mod chain;
mod cors;
mod kit;
mod plain;
mod server;
mod state;
mod transactions;
