//! What a failure of redb means to whoever uses the store.

use core::any::Any;
use core::error::Error;
use core::panic::AssertUnwindSafe;
use std::io;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use ::redb::Error as RedbError;

use super::file::Removed;
use crate::store::{Cause, StoreError};

/// An error with the file that it is about.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}", path = .path.display())]
struct InFile {
    path: PathBuf,
    source: Box<dyn Error + Send + Sync>,
}

/// redb met something in the file that it takes to be impossible.
#[derive(Debug, thiserror::Error)]
#[error("its pages contradict each other ({0})")]
struct Impossible(String);

/// Does something with redb, and makes of its panics what they mean.
///
/// A file that was cut off, or whose header was damaged, makes some of redb's assertions fail. To whoever uses the
/// store that is an error like others, so a panic ends here. `AssertUnwindSafe`: a database that panicked is
/// closed. In a program that is built to abort on panics, this changes nothing.
pub(super) fn contain<R>(path: &Path, work: impl FnOnce() -> Result<R, RedbError>) -> Result<R, StoreError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| from_redb(path, error)),
        Err(panic) => Err(StoreError::Damaged(in_file(path, Impossible(message(&*panic))))),
    }
}

/// Which of the causes that a store distinguishes an error of redb is.
fn from_redb(path: &Path, error: RedbError) -> StoreError {
    match error {
        RedbError::Io(error) => from_io(path, error),
        RedbError::Backend(_)
        | RedbError::PreviousIo
        | RedbError::Unsupported
        | RedbError::ValueTooLarge(_) => StoreError::Io(in_file(path, error)),
        RedbError::DatabaseAlreadyOpen => StoreError::InUse { path: path.to_owned() },
        // A table of the wrong type, an old version of the format, a lock that a panic has poisoned: a file that
        // this store wrote and that is whole leads to none of them.
        _ => StoreError::Damaged(in_file(path, error)),
    }
}

/// The same for an error of the file system.
pub(super) fn from_io(path: &Path, error: io::Error) -> StoreError {
    use io::ErrorKind::{FileTooLarge, InvalidData, QuotaExceeded, StorageFull, UnexpectedEof};
    if error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<Removed>) {
        return StoreError::Removed { path: path.to_owned() };
    }
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => StoreError::Full(in_file(path, error)),
        // redb's word for a file of another kind, and the end of the file where a page should be.
        InvalidData | UnexpectedEof => StoreError::Damaged(in_file(path, error)),
        _ => StoreError::Io(in_file(path, error)),
    }
}

fn in_file(path: &Path, source: impl Into<Box<dyn Error + Send + Sync>>) -> Cause {
    Cause::new(InFile { path: path.to_owned(), source: source.into() })
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref().map(String::as_str));
    text.unwrap_or("no reason given").to_owned()
}
