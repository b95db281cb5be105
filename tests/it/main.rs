//! Tests of the public interface, in one binary.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests, which fail by panicking")]

#[cfg(all(feature = "ws-json", feature = "ws-bincode", feature = "ws-postcard"))]
mod arbitrary;
#[cfg(feature = "tls")]
mod authority;
#[cfg(all(feature = "node", feature = "test-utils"))]
mod cluster;
#[cfg(all(feature = "ws-json", feature = "ws-bincode", feature = "ws-postcard"))]
mod conformance;
#[cfg(all(feature = "ws-json", feature = "ws-bincode", feature = "ws-postcard"))]
mod golden;
mod golden_chain;
mod golden_retarget;
mod golden_store;
#[cfg(all(feature = "http", feature = "test-utils"))]
mod http;
#[cfg(all(feature = "node", feature = "test-utils"))]
mod kit;
mod layers;
#[cfg(all(feature = "node", feature = "test-utils"))]
mod node;
#[cfg(all(unix, feature = "http", feature = "ws-json", feature = "test-utils"))]
mod process;
#[cfg(any(
    all(feature = "ws-json", feature = "ws-bincode", feature = "ws-postcard"),
    all(target_os = "linux", feature = "http", feature = "ws-json", feature = "test-utils")
))]
#[path = "../skip.rs"]
mod skip;
#[cfg(feature = "redb")]
mod storage;
mod transactions;
#[cfg(all(feature = "ws-json", feature = "ws-bincode", feature = "ws-postcard", feature = "test-utils"))]
mod transport;
#[cfg(all(feature = "ws-json", feature = "ws-bincode", feature = "ws-postcard"))]
mod wire;
