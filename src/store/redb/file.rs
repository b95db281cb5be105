//! Where the store is: a directory with one file, which belongs to one process at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ::redb::StorageBackend;
use ::redb::backends::FileBackend;

use super::failure::{contain, from_io};
use crate::store::StoreError;

/// The name of the file in its directory. Never changes.
const FILE_NAME: &str = "chain.redb";

/// The name of the one that is to take its place.
const NEW_NAME: &str = "chain.redb.new";

/// Opens the file and takes it for this process; creates it, and the directory, where they are missing.
pub(super) fn open(directory: &Path) -> Result<(PathBuf, Locked), StoreError> {
    fs::create_dir_all(directory).map_err(|error| {
        let is_file = error.kind() == io::ErrorKind::AlreadyExists && directory.is_file();
        let file = || io::Error::new(io::ErrorKind::NotADirectory, "it is a file, not a directory");
        from_io(directory, if is_file { file() } else { error })
    })?;
    let path = directory.join(FILE_NAME);
    let is_new = !path.exists();
    let backend = open_file(&path)?;
    if is_new {
        sync_name(directory).map_err(|error| from_io(directory, error))?;
    }
    Ok((path, backend))
}

/// Begins a new file beside the one that is there.
pub(super) fn open_new(directory: &Path) -> Result<Locked, StoreError> {
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

fn open_file(path: &Path) -> Result<Locked, StoreError> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    take(path, file.map_err(|error| from_io(path, error))?, File::try_lock)
}

/// Opens the file to read it, with others who do the same. Nothing is created or changed.
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
    // Held while the lock is taken, so that a file which is locked by this process is among those that are open.
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|place| place.strong_count() > 0);
    match try_lock(&file) {
        Ok(()) => {
            let place = Arc::new(Place { directory: directory_of(path), file: lock });
            open.push(Arc::downgrade(&place));
            contain(path, || Ok(Locked { file: FileBackend::new(file)?, place }))
        }
        Err(TryLockError::WouldBlock) => {
            let asked = Place { directory: directory_of(path), file: lock };
            let is_here = open.iter().filter_map(Weak::upgrade).any(|place| place.is_same(&asked));
            let path = path.to_owned();
            Err(if is_here { StoreError::InUseHere { path } } else { StoreError::InUse { path } })
        }
        Err(TryLockError::Error(error)) => Err(from_io(path, error)),
    }
}

/// The files that this process has open, for the error that says so: a lock does not tell who has it.
static OPEN: Mutex<Vec<Weak<Place>>> = Mutex::new(Vec::new());

/// A file that no other process has, for as long as this is there, which is longer than any one of redb's databases
/// over it.
#[derive(Debug)]
pub(super) struct Locked {
    file: FileBackend,
    /// Has the same open file, and with it the lock.
    place: Arc<Place>,
}

impl Locked {
    pub(super) fn place(&self) -> Arc<Place> {
        Arc::clone(&self.place)
    }
}

/// Where an open file has its name.
#[derive(Debug)]
pub(super) struct Place {
    directory: PathBuf,
    file: File,
}

/// What [`Place::check`] finds. Inside of an [`io::Error`] it passes through redb.
#[derive(Debug, thiserror::Error)]
#[error("the file was deleted, moved or replaced while it was open")]
pub(super) struct Removed;

impl Place {
    /// Checks that the open file is still in its directory, under its name or the one that it has before it replaces
    /// another.
    ///
    /// # Errors
    ///
    /// [`Removed`], and what the system says if it cannot tell.
    #[cfg(unix)]
    pub(super) fn check(&self) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt;
        // Asked anew, because some file systems number their files as they are looked up.
        let open = self.file.metadata()?;
        for name in [FILE_NAME, NEW_NAME] {
            match fs::metadata(self.directory.join(name)) {
                Ok(found) if (found.dev(), found.ino()) == (open.dev(), open.ino()) => return Ok(()),
                Ok(_) => {}
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::NotFound, Removed))
    }

    /// The standard library does not say which file has a name here.
    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "as on Unix")]
    pub(super) fn check(&self) -> io::Result<()> {
        Ok(())
    }

    /// Whether both have the same file. If the system cannot tell, they do not.
    #[cfg(unix)]
    fn is_same(&self, other: &Self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let number = |place: &Self| place.file.metadata().map(|found| (found.dev(), found.ino())).ok();
        number(self).is_some_and(|own| number(other) == Some(own))
    }

    /// The standard library does not say which file is open, so the directories are compared.
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
        // To close it is not enough: a child process that is being started has copies of all files that are open, and
        // with them the lock, until it runs its program. Where this fails, closing it has to do.
        let _ = self.place.file.unlock();
    }
}

impl StorageBackend for Locked {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()?;
        // Data in a file that cannot be opened again is not durable.
        self.place.check()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }
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
