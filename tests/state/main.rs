//! `AuthenticatedMap`, through the public interface.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests, which fail by panicking")]

mod chain;
mod end_block;
mod form;
mod golden;
mod javascript;
mod kit;
mod model;
mod proof;
#[path = "../skip.rs"]
mod skip;
