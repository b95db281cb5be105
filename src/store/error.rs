//! Errors of a store.

use core::error::Error;
use core::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::Table;

/// Why a store operation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no free space. Nothing was written, and commits work again as soon as there is free space.
    #[error("no room to write: {0}; free some space, nothing else is needed")]
    Full(#[source] Cause),
    /// An I/O operation failed.
    #[error("cannot read or write: {0}")]
    Io(#[source] Cause),
    /// Another process has the store open.
    #[error("{path} is in use by another process: stop that one, or choose another directory", path = .path.display())]
    InUse {
        /// Where the store is.
        path: PathBuf,
    },
    /// This process already has the store open.
    #[error(
        "{path} is in use by this process: shut down the node that has it, or drop the store that was opened before",
        path = .path.display()
    )]
    InUseHere {
        /// Where the store is.
        path: PathBuf,
    },
    /// The store was opened read-only.
    #[error("{path} is open for reading only: nothing is written to it", path = .path.display())]
    ReadOnly {
        /// Where the store is.
        path: PathBuf,
    },
    /// The store's file was deleted, moved or replaced while it was open. A later opening would not find what
    /// is written to the open file.
    #[error(
        "{path} was deleted, moved or replaced while it was open: put it back, or start the program again",
        path = .path.display()
    )]
    Removed {
        /// Where the store was.
        path: PathBuf,
    },
    /// Another program has written to the store's file while it was open, for example a copy that was restored
    /// over it. The store reads and writes nothing more, so that the file stays as that program left it.
    #[error(
        "{path} was changed by another program while it was open: start this program again to continue from what it holds now",
        path = .path.display()
    )]
    Changed {
        /// Where the store is.
        path: PathBuf,
    },
    /// The store was written by a newer version of this crate.
    #[error(
        "{path} has format version {got}, this program knows up to {known}: use a newer program",
        path = .path.display()
    )]
    NewerFormat {
        /// Where the store is.
        path: PathBuf,
        /// The format version of the store.
        got: u32,
        /// The newest version that this crate reads.
        known: u32,
    },
    /// A value of the application cannot be encoded: serde's postcard refuses it.
    #[error("{what} cannot be written: {cause}")]
    Unwritable {
        /// The kind of value, such as "the state".
        what: &'static str,
        /// The error of postcard.
        #[source]
        cause: Cause,
    },
    /// The node that used the store has ended and closed it, or the store has not been reopened yet after a
    /// failure.
    #[error("the store is closed: its node has ended, or it could not be opened again after a failure")]
    Closed,
    /// The store as a whole is damaged and cannot be used.
    #[error(
        "the store is damaged: {0}; restore it from a copy, or remove it and let the peers send the chain again"
    )]
    Damaged(#[source] Cause),
    /// A single value differs from what was written.
    #[error(
        "the store is damaged: {table} {key} {reason}; a repair drops the chain from the damage on",
        table = .table.name()
    )]
    DamagedValue {
        /// The table of the value.
        table: Table,
        /// The key of the value: a height, a hash, or both.
        key: String,
        /// What is wrong with the value.
        reason: &'static str,
    },
}

impl StoreError {
    /// Whether the error is about corrupted data. Other values of the store may still be readable.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::DamagedValue { .. })
    }

    /// The error for a value that differs from what was written.
    pub(crate) fn damaged(table: Table, key: impl fmt::Display, reason: &'static str) -> Self {
        Self::DamagedValue { table, key: key.to_string(), reason }
    }
}

/// The error of the library or system below a store. Two causes are equal if their messages are equal.
#[derive(Clone, Debug)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl Cause {
    /// Wraps an error.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into().into())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Cause {}
