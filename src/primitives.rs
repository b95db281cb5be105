//! L0: the values that everything else is made of. No rules, no state, no I/O.

mod block;
mod bytes;
mod hash;
mod header;
pub mod merkle;
mod target;
mod transaction;
mod units;
mod work;

pub(crate) use block::bounded_vec;
pub use block::{Block, BodyDigest, transaction_id};
pub use bytes::ParseHexError;
pub use hash::Hash;
pub use header::Header;
pub use target::{CompactTarget, CompactTargetError, Difficulty, Target};
pub use transaction::{Context, EncodeError, Rejected, Transaction};
pub use units::{Address, Timestamp};
pub use work::Work;
