//! Maps errors and panics of redb to [`StoreError`].

use core::any::Any;
use core::error::Error;
use core::panic::AssertUnwindSafe;
use std::io;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use ::redb::Error as RedbError;

use super::expected::Changed;
use super::file::Removed;
use crate::store::{Cause, StoreError};

/// An error with the path of the file that it is about.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}", path = .path.display())]
struct InFile {
    path: PathBuf,
    source: Box<dyn Error + Send + Sync>,
}

/// redb found a state of the file that its code rules out, and panicked.
#[derive(Debug, thiserror::Error)]
#[error("its pages contradict each other ({0})")]
struct Impossible(String);

/// Runs an operation of redb, and turns its errors and panics into a [`StoreError`].
///
/// A truncated file or a damaged header violates some of redb's assertions. For the user of the store that is
/// an ordinary error, so the panic is caught here. `AssertUnwindSafe` is sound because a database that
/// panicked is closed. In a program that is built with `panic = "abort"`, the panic ends the process.
pub(super) fn contain<R>(path: &Path, work: impl FnOnce() -> Result<R, RedbError>) -> Result<R, StoreError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| from_redb(path, error)),
        Err(panic) => Err(StoreError::Damaged(in_file(path, Impossible(message(&*panic))))),
    }
}

/// Maps an error of redb to the kind of [`StoreError`] that a caller can act on.
fn from_redb(path: &Path, error: RedbError) -> StoreError {
    match error {
        RedbError::Io(error) => from_io(path, error),
        RedbError::Backend(_)
        | RedbError::PreviousIo
        | RedbError::Unsupported
        | RedbError::ValueTooLarge(_) => StoreError::Io(in_file(path, error)),
        RedbError::DatabaseAlreadyOpen => StoreError::InUse { path: path.to_owned() },
        // A table of the wrong type, an old format version, a poisoned lock: an intact file of this store
        // causes none of these.
        _ => StoreError::Damaged(in_file(path, error)),
    }
}

/// Maps an error of the file system to the kind of [`StoreError`] that a caller can act on.
pub(super) fn from_io(path: &Path, error: io::Error) -> StoreError {
    use io::ErrorKind::{FileTooLarge, InvalidData, QuotaExceeded, StorageFull, UnexpectedEof};
    match error.get_ref() {
        Some(cause) if cause.is::<Removed>() => return StoreError::Removed { path: path.to_owned() },
        Some(cause) if cause.is::<Changed>() => return StoreError::Changed { path: path.to_owned() },
        _ => {}
    }
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => StoreError::Full(in_file(path, error)),
        // redb reports `InvalidData` for a file of another kind. `UnexpectedEof` is the end of the file in
        // place of a page.
        InvalidData | UnexpectedEof => StoreError::Damaged(in_file(path, error)),
        _ => StoreError::Io(in_file(path, error)),
    }
}

fn in_file(path: &Path, source: impl Into<Box<dyn Error + Send + Sync>>) -> Cause {
    Cause::new(InFile { path: path.to_owned(), source: source.into() })
}

/// The message of a panic.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref().map(String::as_str));
    text.unwrap_or("no reason given").to_owned()
}
