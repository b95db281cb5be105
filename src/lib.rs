#![doc = include_str!("../README.md")]
//! # Layers
//!
//! Dependencies point down only: a layer uses the layers below it and none above.
//!
//! ```text
//! L6  http         async routes and a bounded server                          feature http
//! L5  node         tasks, clocks, timers, mining threads                      feature node
//! L4  transport    connections to peers: in memory, over WebSocket            feature node, ws-*
//! W   wire         encodings of messages: JSON, bincode, postcard             feature ws-*
//! L3  protocol     the peer protocol, as a pure state machine                 always
//! L2  chain, mempool, miner, archive                                          always
//! L1  consensus    the rules of a chain, and whether a block follows them     always
//!     store        tables of bytes                                            always, on disk: redb
//! L0  primitives   hashes, targets, headers, transactions, blocks, proofs     always
//! ```
// Badges that say which feature an item needs: unstable, so only where docs.rs builds the page.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[macro_use]
mod flaw;

mod primitives;

pub mod store;

mod consensus;

mod chain;
mod mempool;
mod miner;

mod archive;

mod protocol;

#[cfg(feature = "node")]
pub mod transport;
#[cfg(feature = "node")]
pub mod wire;

#[cfg(feature = "node")]
mod node;

#[cfg(feature = "http")]
pub mod http;

#[cfg(feature = "test-utils")]
pub mod sim;
#[cfg(any(feature = "test-utils", test))]
pub mod testing;

pub use primitives::{
    Address, Block, BodyDigest, CompactTarget, CompactTargetError, Context, Difficulty, EncodeError, Hash,
    Header, Panicked, ParseHexError, Rejected, Target, Timestamp, Transaction, Work, merkle, transaction_id,
};
/// The number type of [`Target`] and [`Work`], re-exported so that a caller needs no dependency on ruint.
pub use ruint::aliases::U256;

pub use store::{Store, StoreError};

pub use consensus::{
    ChainSpec, ChainSpecBuilder, GenesisError, HeaderChain, Retarget, RetargetError, RuleError, SpecError,
    retarget,
};

pub use archive::{
    ARCHIVE_VERSION, ArchivePosition, ExportError, Exporter, ImportError, Importer, max_record_bytes,
};
pub use chain::{
    BlockError, Blockchain, ChainConfig, FORMAT_VERSION, Imported, OpenError, Progress, ProveError, Verdict,
    VerifiedBlock, Verifier, VerifyError,
};
pub use mempool::{Mempool, MempoolConfig, MempoolError, RemovalReason, Source};
pub use miner::{
    Miner, MiningJob, MiningKernel, MiningKernelError, MiningOutcome, MiningThreadError, SearchError,
    SearchOutcome, Template,
};

pub use protocol::{
    Ban, BlocksAnswer, ClockBehind, CloseReason, ConnectError, Direction, Event, Hello, HostError, Input,
    KnownAddress, Message, MessageKind, Now, Output, PeerAddr, PeerAddrError, PeerHost, PeerId, PeerInfo,
    Protocol, ProtocolConfig, Reach, RefusedBranch, TemplateError, Tip, limits,
};

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

#[cfg(feature = "node")]
pub use node::{
    ChainRef, EventError, Events, MineError, MiningStatus, Node, NodeBuilder, NodeFailure, NodeHandle,
    PeerError, StartError, Status, Stopped, SubmitError, WaitError, WaitProgress,
};
