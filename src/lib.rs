#![doc = include_str!("../README.md")]
//! # Layers
//!
//! Dependencies point down only: a layer uses the layers below it and none above.
//!
//! ```text
//! L6  http         async routes and a bounded server                          feature http
//! L5  node         tasks, clocks, timers, mining threads                      feature node
//! L4  transport    connections to peers: in memory, over WebSocket            feature node, ws-*
//!     api          the JSON of the HTTP interface                              feature node
//!     client       an HTTP client for nodes, logs and witnesses                   feature client
//! W   wire         encodings of messages: JSON, bincode, postcard             feature node; formats ws-*
//! L3  protocol     the peer protocol, as a pure state machine                 always
//! L2  chain, mempool, miner, archive                                          always
//!     evidence     receipts and signed checkpoints for outsiders              feature evidence
//! L1  consensus    the rules of a chain, and whether a block follows them     always
//!     signed       transactions with an author's signature                    feature signed
//!     ledger       accounts, transfers, rewards                               feature ledger
//!     store        tables of bytes                                            always, on disk: redb
//! L0  primitives   hashes, targets, headers, transactions, blocks, proofs,    always
//!                  the map that proves its entries
//! ```
// Badges that say which feature an item needs: unstable, so only where docs.rs builds the page.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod primitives;

pub mod store;

pub mod consensus;

#[cfg(feature = "ledger")]
pub mod ledger;
#[cfg(feature = "signed")]
pub mod signed;

pub mod chain;
pub mod mempool;
pub mod miner;

pub mod archive;
#[cfg(feature = "evidence")]
pub mod evidence;

pub mod protocol;

#[cfg(feature = "node")]
pub mod api;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "node")]
pub mod transport;
#[cfg(feature = "node")]
pub mod wire;

#[cfg(feature = "node")]
pub mod node;

#[cfg(feature = "http")]
pub mod http;

#[cfg(feature = "test-utils")]
pub mod sim;
#[cfg(any(feature = "test-utils", test))]
pub mod testing;

pub use chain::{BlockError, Blockchain, ChainConfig, OpenError};
pub use consensus::{ChainSpec, Retarget, RuleError};
pub use miner::Miner;
pub use primitives::{
    Address, AuthenticatedMap, Block, CompactTarget, Context, Hash, Header, MapProof, Rejected, Timestamp,
    Transaction,
};
pub use protocol::{Event, Message, PeerAddr, Protocol, ProtocolConfig};
pub use store::{Store, StoreError};

#[cfg(feature = "signed")]
pub use signed::Signed;

#[cfg(feature = "node")]
pub use node::{MineError, Node, NodeBuilder, NodeHandle, StartError, SubmitError};
#[cfg(feature = "node")]
pub use transport::Transport;
#[cfg(feature = "ws-bincode")]
pub use transport::WsBincode;
#[cfg(feature = "ws-json")]
pub use transport::WsJson;
#[cfg(feature = "ws-postcard")]
pub use transport::WsPostcard;
#[cfg(feature = "websocket")]
pub use wire::WireFormat;
