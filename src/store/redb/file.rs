//! The directory and the file of a store, and the lock that gives the file to one process at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ::redb::StorageBackend;
use ::redb::backends::FileBackend;

use super::expected::Expected;
use super::failure::{contain, from_io};
use crate::store::StoreError;

/// The name of the store's file. Never changes.
const FILE_NAME: &str = "chain.redb";

/// The name of a new file before it replaces the store's file.
const NEW_NAME: &str = "chain.redb.new";

/// Opens and locks the file. Creates the file and the directory if they do not exist.
pub(super) fn open(directory: &Path) -> Result<(PathBuf, Locked), StoreError> {
    fs::create_dir_all(directory).map_err(|error| {
        let named = match error.kind() {
            io::ErrorKind::AlreadyExists if directory.is_file() => {
                io::Error::new(io::ErrorKind::NotADirectory, "it is a file, not a directory")
            }
            // For example if the disk that it leads to is not mounted.
            io::ErrorKind::AlreadyExists if !directory.exists() => {
                io::Error::new(io::ErrorKind::NotFound, "it is a link to a place that does not exist")
            }
            _ => error,
        };
        from_io(directory, named)
    })?;
    let path = directory.join(FILE_NAME);
    let is_new = !path.exists();
    let backend = open_file(&path)?;
    if is_new {
        sync_name(directory).map_err(|error| from_io(directory, error))?;
    }
    Ok((path, backend))
}

/// Creates an empty file beside the store's file.
pub(super) fn open_new(directory: &Path) -> Result<Locked, StoreError> {
    let path = directory.join(NEW_NAME);
    let backend = open_file(&path)?;
    // An earlier attempt may have left data in it.
    backend.set_len(0).map_err(|error| from_io(&path, error))?;
    Ok(backend)
}

/// Replaces the store's file by the new one.
pub(super) fn put_in_place(directory: &Path) -> Result<(), StoreError> {
    let renamed = fs::rename(directory.join(NEW_NAME), directory.join(FILE_NAME));
    renamed.and_then(|()| sync_name(directory)).map_err(|error| from_io(directory, error))
}

pub(super) fn remove_new(directory: &Path) {
    // A leftover file is harmless: it is truncated before it is used again.
    let _ = fs::remove_file(directory.join(NEW_NAME));
}

fn open_file(path: &Path) -> Result<Locked, StoreError> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    take(path, file.map_err(|error| from_io(path, error))?, File::try_lock)
}

/// Opens the file read-only, with a lock that other readers share. Creates and changes nothing.
pub(super) fn open_read_only(directory: &Path) -> Result<(PathBuf, Locked), StoreError> {
    let path = directory.join(FILE_NAME);
    let file = File::open(&path).map_err(|error| from_io(&path, error))?;
    let file = take(&path, file, File::try_lock_shared)?;
    Ok((path, file))
}

fn take(
    path: &Path,
    file: File,
    try_lock: fn(&File) -> Result<(), TryLockError>,
) -> Result<Locked, StoreError> {
    let lock = file.try_clone().map_err(|error| from_io(path, error))?;
    // Held while the file is locked, so that every file that this process has locked is in the list.
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|place| place.strong_count() > 0);
    match try_lock(&file) {
        Ok(()) => {
            let place = Arc::new(Place::new(path, lock));
            open.push(Arc::downgrade(&place));
            contain(path, || {
                Ok(Locked { file: FileBackend::new(file)?, place, is_checked: AtomicBool::new(false) })
            })
        }
        Err(TryLockError::WouldBlock) => {
            let asked = Place::new(path, lock);
            let is_here = open.iter().filter_map(Weak::upgrade).any(|place| place.is_same(&asked));
            let path = path.to_owned();
            Err(if is_here { StoreError::InUseHere { path } } else { StoreError::InUse { path } })
        }
        Err(TryLockError::Error(error)) => Err(from_io(path, error)),
    }
}

/// The files that this process has open. A lock does not say which process holds it, and the list tells
/// [`StoreError::InUseHere`] from [`StoreError::InUse`].
static OPEN: Mutex<Vec<Weak<Place>>> = Mutex::new(Vec::new());

/// A locked file. Outlives every database that redb opens over it, so that the lock is held from the first to
/// the last of them.
#[derive(Debug)]
pub(super) struct Locked {
    file: FileBackend,
    /// Has the same open file description as `file`, and with it the lock.
    place: Arc<Place>,
    /// The place was checked after the last synchronisation.
    is_checked: AtomicBool,
}

impl Locked {
    pub(super) fn place(&self) -> Arc<Place> {
        Arc::clone(&self.place)
    }

    /// Checks the place before the first write after a synchronisation, so that nothing is written to a file that
    /// another program has replaced or changed since.
    fn check_before_writing(&self) -> io::Result<()> {
        if !self.is_checked.load(Ordering::Acquire) {
            self.place.check()?;
            self.is_checked.store(true, Ordering::Release);
        }
        self.place.expected.ensure_unchanged()
    }
}

/// An open file, and the directory in which it was opened.
#[derive(Debug)]
pub(super) struct Place {
    directory: PathBuf,
    file: File,
    expected: Expected,
}

/// The error of [`Place::check`]. Wrapped in an [`io::Error`], it passes through redb unchanged.
#[derive(Debug, thiserror::Error)]
#[error("the file was deleted, moved or replaced while it was open")]
pub(super) struct Removed;

impl Place {
    fn new(path: &Path, file: File) -> Self {
        Self { directory: directory_of(path), file, expected: Expected::default() }
    }

    /// Checks that the open file is still in its directory, under the store's name or under the name of a new
    /// file that has not replaced the store's file yet, and that no other program has written to it.
    ///
    /// # Errors
    ///
    /// [`Removed`] if it is not in its directory; [`Changed`](super::expected::Changed) if another program has
    /// written to it; the error of the file system if that cannot be determined.
    #[cfg(unix)]
    pub(super) fn check(&self) -> io::Result<()> {
        use std::os::unix::fs::{FileExt, MetadataExt};
        // Read at every check, because some file systems assign inode numbers at lookup.
        let open = self.file.metadata()?;
        for name in [FILE_NAME, NEW_NAME] {
            match fs::metadata(self.directory.join(name)) {
                Ok(found) if (found.dev(), found.ino()) == (open.dev(), open.ino()) => {
                    let read = |offset, out: &mut [u8]| self.file.read_exact_at(out, offset);
                    return self.expected.check(found.len(), read);
                }
                Ok(_) => {}
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::NotFound, Removed))
    }

    /// Always `Ok`: the standard library cannot identify a file on this platform.
    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "as on Unix")]
    pub(super) fn check(&self) -> io::Result<()> {
        Ok(())
    }

    /// Whether both are the same file. `false` if the file system cannot tell.
    #[cfg(unix)]
    fn is_same(&self, other: &Self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let number = |place: &Self| place.file.metadata().map(|found| (found.dev(), found.ino())).ok();
        number(self).is_some_and(|own| number(other) == Some(own))
    }

    /// Compares the directories, because the standard library cannot identify a file on this platform.
    #[cfg(not(unix))]
    fn is_same(&self, other: &Self) -> bool {
        let directory = |place: &Self| place.directory.canonicalize().ok();
        directory(self).is_some_and(|own| directory(other) == Some(own))
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.join(FILE_NAME)
    }
}

fn directory_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(path).to_owned()
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing is not enough: a child process that is being spawned has copies of all open file
        // descriptors, and with them the lock, until it calls exec. If unlocking fails, the lock ends with
        // the last copy.
        let _ = self.place.file.unlock();
    }
}

impl StorageBackend for Locked {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.place.expected.ensure_unchanged()?;
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_before_writing()?;
        self.place.expected.set_len(len, || self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.is_checked.store(false, Ordering::Release);
        self.file.sync_data()?;
        // Data in a file that cannot be opened again is not durable.
        self.place.check()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check_before_writing()?;
        let range = offset..offset.saturating_add(data.len() as u64);
        let read = |offset, out: &mut [u8]| self.file.read(offset, out);
        self.place.expected.write(range, || self.file.write(offset, data), read)
    }
}

/// Makes the directory entries of a new file and of its directory durable.
#[cfg(unix)]
fn sync_name(directory: &Path) -> io::Result<()> {
    let directory = directory.canonicalize()?;
    File::open(&directory)?.sync_all()?;
    // The directory may be new, too. A parent without read permission existed before.
    if let Some(parent) = directory.parent().and_then(|parent| File::open(parent).ok()) {
        parent.sync_all()?;
    }
    Ok(())
}

/// Does nothing: on other platforms a directory cannot be opened as a file, and directory entries are
/// journalled.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
fn sync_name(_directory: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_in_a_child_keeps_no_lock() {
        let directory = tempfile::tempdir().unwrap();
        let (_, file) = open(directory.path()).unwrap();
        let copy = file.place.file.try_clone().unwrap();
        assert!(matches!(open(directory.path()), Err(StoreError::InUseHere { .. })));
        drop(file);
        drop(open(directory.path()).unwrap());
        drop(copy);
    }
}
