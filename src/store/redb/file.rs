//! Where the store is: a directory with one file, which belongs to one process at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use ::redb::StorageBackend;
use ::redb::backends::FileBackend;

use super::failure::{contain, from_io};
use crate::store::StoreError;

/// The name of the file in its directory. Never changes.
const FILE_NAME: &str = "chain.redb";

/// The name of the one that is to take its place.
const NEW_NAME: &str = "chain.redb.new";

/// How often a lock is tried that another has, and the pause in between: a child that this process starts has copies of
/// its open files for a moment, and with them locks that were just let go.
const LOCK_ATTEMPTS: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Opens the file and takes it for this process; creates it, and the directory, where they are missing.
pub(super) fn open(directory: &Path) -> Result<(PathBuf, FileBackend), StoreError> {
    fs::create_dir_all(directory).map_err(|error| from_io(directory, error))?;
    let path = directory.join(FILE_NAME);
    let is_new = !path.exists();
    let backend = open_file(&path)?;
    if is_new {
        sync_name(directory).map_err(|error| from_io(directory, error))?;
    }
    Ok((path, backend))
}

/// Begins a new file beside the one that is there.
pub(super) fn open_new(directory: &Path) -> Result<FileBackend, StoreError> {
    let path = directory.join(NEW_NAME);
    let backend = open_file(&path)?;
    // What an earlier attempt has left.
    backend.set_len(0).map_err(|error| from_io(&path, error))?;
    Ok(backend)
}

/// Puts the new file in the place of the other.
pub(super) fn put_in_place(directory: &Path) -> Result<(), StoreError> {
    let renamed = fs::rename(directory.join(NEW_NAME), directory.join(FILE_NAME));
    renamed.and_then(|()| sync_name(directory)).map_err(|error| from_io(directory, error))
}

pub(super) fn remove_new(directory: &Path) {
    // It is only in the way, and is emptied before it is used again.
    let _ = fs::remove_file(directory.join(NEW_NAME));
}

fn open_file(path: &Path) -> Result<FileBackend, StoreError> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let file = file.map_err(|error| from_io(path, error))?;
    // For as long as the file is open, which is longer than any one of redb's databases over it.
    match lock(&file) {
        Ok(()) => contain(path, || Ok(FileBackend::new(file)?)),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(from_io(path, error)),
    }
}

/// Takes the file for this process.
#[expect(clippy::disallowed_methods, reason = "a lock tells nobody that it is let go")]
fn lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..LOCK_ATTEMPTS {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            result => return result,
        }
    }
    file.try_lock()
}

/// Makes the names of a new file and of its directory as durable as what will be written.
#[cfg(unix)]
fn sync_name(directory: &Path) -> io::Result<()> {
    let directory = directory.canonicalize()?;
    File::open(&directory)?.sync_all()?;
    // The directory may be new, too. One above that we may not read was there before.
    if let Some(parent) = directory.parent().and_then(|parent| File::open(parent).ok()) {
        parent.sync_all()?;
    }
    Ok(())
}

/// Elsewhere a directory cannot be opened like this, and names are journalled.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
fn sync_name(_directory: &Path) -> io::Result<()> {
    Ok(())
}
