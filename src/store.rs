//! L1: where a chain keeps what must survive. Tables of bytes under keys of bytes, changed in atomic batches;
//! what the bytes mean is the chain's own business.

mod batch;
mod checksum;
#[cfg(feature = "node")]
mod closed;
mod error;
mod key;
mod memory;
#[cfg(feature = "redb")]
mod redb;

use core::fmt::Debug;
use core::ops::Bound;

pub use batch::Batch;
pub(crate) use checksum::{CHECKSUM_LEN, seal, unseal};
#[cfg(feature = "node")]
pub(crate) use closed::Closed;
pub use error::{Cause, StoreError};
pub use memory::Memory;
#[cfg(feature = "redb")]
pub use redb::{DEFAULT_CACHE_BYTES, Redb};

/// Ordered tables of bytes that change in atomic, durable batches.
///
/// [`Memory`] and `Redb` (feature `redb`) come with the crate. Implement it for a store of your own and hand it to
/// [`Blockchain::open`](crate::Blockchain::open) or to the builder of a node; `testing::store::suite` (feature
/// `test-utils`) then proves it.
///
/// A chain writes from one place at a time and reads from several. It never asks a store to understand a value,
/// checks every value that it reads, and expects nothing of a store beyond what stands here.
pub trait Store: Debug + Send + Sync + 'static {
    /// The value of a key; `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`], where it cannot be read.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The first `limit` entries of a table with keys in this range, in the order asked for. Keys compare byte by
    /// byte.
    ///
    /// # Errors
    ///
    /// [`StoreError`], where one of them cannot be read.
    fn scan(&self, table: Table, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError>;

    /// Makes all the changes of a batch or none. When it returns `Ok`, they are durable: neither a crash of the
    /// process nor of the machine takes them back.
    ///
    /// After an error the store is as it was before the call, and goes on being read. A later call tries afresh,
    /// so that a store which was full works again once there is room.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; [`StoreError::Full`] where only room is missing.
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// Checks that the store is still where the next opening looks for it. A node asks every
    /// [`STORE_CHECK`](crate::limits::STORE_CHECK), also if it has nothing to write, and takes no more blocks on an error.
    ///
    /// Provided: `Ok`.
    ///
    /// # Errors
    ///
    /// [`StoreError`], if what was committed would not be found again.
    fn check_place(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Whether no call ever waits for a device. A node makes way for other tasks before it calls a store that may wait,
    /// which takes some microseconds each time.
    ///
    /// Provided: `false`.
    fn is_in_memory(&self) -> bool {
        false
    }
}

/// A range of keys.
pub type Keys<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// Keys with their values.
pub type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// All the keys of a table.
pub const ALL_KEYS: Keys<'static> = (Bound::Unbounded, Bound::Unbounded);

/// In which order keys are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The smallest first.
    Ascending,
    /// The largest first.
    Descending,
}

/// The tables of a chain. Keys are small, and integers in them are big-endian, so that they sort by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Table {
    /// What the store is, and single facts about the chain.
    Meta,
    /// The best chain by height: headers, work, and the history tree.
    Chain,
    /// The heights of the blocks of the best chain, by hash.
    Heights,
    /// Blocks by height and hash, on whichever branch.
    Blocks,
    /// Headers and work of the blocks beside the best chain, by hash.
    Branches,
    /// The application's state after some of the blocks, by height.
    States,
    /// Transactions that wait to be mined, by id.
    Mempool,
    /// Addresses at which peers were reached.
    Peers,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 8] = [
        Self::Meta,
        Self::Chain,
        Self::Heights,
        Self::Blocks,
        Self::Branches,
        Self::States,
        Self::Mempool,
        Self::Peers,
    ];

    /// The table's name, for stores that need one, and for errors. Never changes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Chain => "chain",
            Self::Heights => "heights",
            Self::Blocks => "blocks",
            Self::Branches => "branches",
            Self::States => "states",
            Self::Mempool => "mempool",
            Self::Peers => "peers",
        }
    }
}

/// Whether a range ends before it begins, which a `BTreeMap` does not forgive.
pub(crate) fn is_empty(keys: Keys<'_>) -> bool {
    use core::ops::Bound::{Excluded, Included};
    match keys {
        (Excluded(start), Excluded(end)) => start >= end,
        (Included(start) | Excluded(start), Included(end) | Excluded(end)) => start > end,
        _ => false,
    }
}
