//! L1: the storage interface of a chain. A store holds tables of keys and values, all bytes, which change in
//! atomic batches. The encoding of the values belongs to the chain and not to the store.

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
pub(crate) use checksum::{CHECKSUM_LEN, seal, seal_all, unseal};
#[cfg(feature = "node")]
pub(crate) use closed::Closed;
pub use error::{Cause, StoreError};
pub use memory::Memory;
#[cfg(feature = "redb")]
pub use redb::{DEFAULT_CACHE_BYTES, Redb};

/// Ordered tables of keys and values that change in atomic, durable batches.
///
/// The crate provides [`Memory`] and `Redb` (feature `redb`). To use another database, implement this trait
/// and pass the store to [`Blockchain::open`](crate::Blockchain::open) or to the builder of a node.
/// `testing::store::suite` (feature `test-utils`) tests an implementation.
///
/// A chain is a single writer with several concurrent readers. It validates every value that it reads, and
/// requires nothing of a store beyond what this trait documents.
pub trait Store: Debug + Send + Sync + 'static {
    /// The value of a key, or `None` if the table does not contain the key.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the value cannot be read.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The first `limit` entries of a table whose keys are in `keys`, in this order. Keys compare byte by
    /// byte.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if an entry cannot be read.
    fn scan(&self, table: Table, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError>;

    /// Applies all changes of a batch or none of them. The changes are durable when this call returns `Ok`:
    /// they survive a crash of the process and of the machine.
    ///
    /// If this call fails, the store is unchanged and stays readable. A later call tries again, so that a
    /// store that was full works as soon as there is free space.
    ///
    /// # Errors
    ///
    /// [`StoreError::Full`] if the disk is full; another [`StoreError`] for any other failure.
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// Checks that the store is still where the next opening looks for it. A node calls this every
    /// [`STORE_CHECK`](crate::protocol::limits::STORE_CHECK), even if it has nothing to write, and accepts no
    /// more blocks after an error.
    ///
    /// The default implementation returns `Ok`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the next opening would not find what was committed.
    fn check_place(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Whether no call does disk I/O. Before a node on a multi-threaded runtime calls a store that may block,
    /// it lets the other tasks of its thread move to another thread, which takes some microseconds for each
    /// call.
    ///
    /// The default implementation returns `false`.
    fn is_in_memory(&self) -> bool {
        false
    }
}

/// A range of keys.
pub type Keys<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// Keys and their values.
pub type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// All keys of a table.
pub const ALL_KEYS: Keys<'static> = (Bound::Unbounded, Bound::Unbounded);

/// The order in which keys are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The smallest key first.
    Ascending,
    /// The largest key first.
    Descending,
}

/// The tables of a chain. Keys are small, and integers in them are big-endian, so that they sort by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Table {
    /// The format of the store, and single values about the chain.
    Meta,
    /// The best chain by height: headers, cumulative work, and the history tree.
    Chain,
    /// The heights of the blocks of the best chain, by hash.
    Heights,
    /// The transactions of the blocks of the best chain and of side branches, by height and hash.
    Blocks,
    /// Headers and cumulative work of the blocks on side branches, by hash.
    Branches,
    /// The application's state after some of the blocks (snapshots), by height.
    States,
    /// Transactions in the mempool, by id.
    Mempool,
    /// Addresses at which peers were reached.
    Peers,
    /// The places of transactions in the best chain, by id, if the chain keeps them.
    Transactions,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 9] = [
        Self::Meta,
        Self::Chain,
        Self::Heights,
        Self::Blocks,
        Self::Branches,
        Self::States,
        Self::Mempool,
        Self::Peers,
        Self::Transactions,
    ];

    /// The table's name, for databases that name their tables and for error messages. Never changes.
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
            Self::Transactions => "transactions",
        }
    }
}

/// Whether a range ends before it begins. `BTreeMap::range` panics for such a range.
pub(crate) fn is_empty(keys: Keys<'_>) -> bool {
    use core::ops::Bound::{Excluded, Included};
    match keys {
        (Excluded(start), Excluded(end)) => start >= end,
        (Included(start) | Excluded(start), Included(end) | Excluded(end)) => start > end,
        _ => false,
    }
}
