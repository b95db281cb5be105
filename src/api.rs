//! L4: the JSON of the HTTP interface, as types: what the routes of a node answer, and the bodies of requests. A server
//! writes them and a client parses them. They are values only: no sockets, no HTTP.
//!
//! A client that does not trust the server converts a block or a header, which recomputes its hash:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use hashloom::api::BlockView;
//! use hashloom::{Block, ChainSpec};
//!
//! # let spec = ChainSpec::default();
//! # let genesis: Block = spec.genesis()?;
//! # let json = serde_json::to_string(&BlockView::new(&genesis, spec.easiest_target()))?;
//! let view: BlockView<String> = serde_json::from_str(&json)?;
//! let block = Block::try_from(view)?;
//! assert_eq!(block.height(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! Servers may add fields; a parser of these types ignores fields that it does not know. A request with unknown fields is
//! refused.

mod block;
mod error;
mod event;
mod log;
mod request;
#[cfg(feature = "openapi")]
pub(crate) mod schema;
mod status;
mod transaction;

pub use crate::protocol::{Ban, ClockBehind, Direction, KnownAddress, MiningStatus, PeerInfo};
pub use block::{BlockView, HeaderView, SideBlockView, ViewError};
pub use error::{ErrorBody, ErrorCode, ErrorFields};
pub use event::{BlockOrigin, BlockSummary, MiningReport, NodeEvent, RemovedTransaction};
pub use log::LogConsistency;
pub use request::{BanRequest, ConnectRequest, MineRequest, SubmitRequest};
pub use status::{Dialling, Health, HealthStatus, RefusedBranch, StateProof, StateView, Status};
pub use transaction::{PendingTransaction, Submitted, TransactionView};
