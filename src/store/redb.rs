//! A store on disk: one file, kept by the crate redb. What that crate does differently from what a [`Store`]
//! promises is put right here; nobody else in the project knows it.

mod backend;
mod checked;
mod failure;
mod file;
mod leaves;
mod overlay;
mod salvage;
mod session;
#[cfg(test)]
mod tests;
mod unwritten;

use core::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use ::redb::StorageBackend;

use self::backend::Shared;
use self::checked::Checked;
use self::file::{Locked, Place};
use self::session::Session;
use super::{Batch, Entries, Keys, Order, Store, StoreError, Table};

/// The memory for pages of the file, unless [`Redb::open_with_cache`] says otherwise: 32 MiB.
///
/// The pages that a random read passes on its way down stay in it: some hundred bytes for each block of a chain
/// are found without the disk, whatever the blocks' own size. Half of it at most holds what a batch is about to
/// write; a batch that is larger is written in parts, and is still committed as one.
pub const DEFAULT_CACHE_BYTES: usize = 32 << 20;

/// A store on disk: the file `chain.redb` in a directory of its own.
///
/// - What is committed stays, through a crash of the process or of the machine, as far as the disk keeps its own
///   promises. Opening after a crash takes as long as after a clean end, and no longer for a larger file: every
///   commit also writes which pages are free, about an 8,000th of the file's length.
/// - One process at a time has it: the next one is told [`StoreError::InUse`]. It can be opened again in the same process
///   when this is dropped; until then that fails with [`StoreError::InUseHere`]. A node drops its store when it ends.
/// - When the disk is full, commits fail with [`StoreError::Full`] and reads go on. Once there is room, commits
///   work again. An empty batch is no way to find out: it writes nothing, and always succeeds.
/// - When the file is deleted, moved or replaced under a running program, commits fail with [`StoreError::Removed`] and
///   reads go on. On Unix only; a commit that began before may still be in the file that is gone.
/// - What is read is what was committed: each 4 KiB of the file have a checksum. Where they are damaged, whatever
///   needs them fails with [`StoreError::Damaged`], and the rest goes on. Opening does not look for damage, which
///   would be to read the whole file. Panics of redb, which a file without its end leads to, are errors like
///   others, unless the program is built with `panic = "abort"`.
///
/// ```
/// use hashloom::store::{Batch, Redb, Store, Table};
///
/// # let directory = tempfile::tempdir()?;
/// # let directory = directory.path();
/// let mut store = Redb::open(directory)?;
/// let mut batch = Batch::new();
/// batch.put(Table::Peers, *b"ws://localhost:5001", []);
/// store.commit(&batch)?;
/// drop(store);
///
/// let store = Redb::open(directory)?;
/// assert_eq!(store.get(Table::Peers, b"ws://localhost:5001")?, Some(vec![]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Redb {
    /// Reads share it; a failure has redb opened afresh.
    session: RwLock<Session>,
    /// `None` for a store that is not in a file.
    place: Option<Arc<Place>>,
}

impl Redb {
    /// Opens the store in a directory, and creates both where they are missing.
    ///
    /// A file that is there and empty is a new store, too. When the disk is too full to open an existing store for
    /// writing, it is open for reading until the first commit that has room.
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`], when another process has it; [`StoreError::InUseHere`], when another `Redb` of this process
    /// has it;
    /// [`StoreError::Damaged`], when the file is damaged, cut off, or not such a file at all;
    /// [`StoreError::Full`] and [`StoreError::Io`].
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with_cache(directory, DEFAULT_CACHE_BYTES)
    }

    /// [`Redb::open`] with another size of the cache than [`DEFAULT_CACHE_BYTES`].
    ///
    /// # Errors
    ///
    /// As [`Redb::open`].
    pub fn open_with_cache(directory: impl AsRef<Path>, cache_bytes: usize) -> Result<Self, StoreError> {
        let (path, backend) = file::open(directory.as_ref())?;
        let place = backend.place();
        Ok(Self { place: Some(place), ..Self::with_backend(&path, backend, cache_bytes)? })
    }

    /// [`Redb::open`] of a store that is there, to read it and nothing else: nothing is created or written, also after a
    /// crash, so that the file may be one of another user or on a file system that is read-only. Others may read it at
    /// once. Commits fail with [`StoreError::ReadOnly`].
    ///
    /// # Errors
    ///
    /// As [`Redb::open`]; [`StoreError::InUse`] and [`StoreError::InUseHere`], when a `Redb` has it that may write;
    /// [`StoreError::Io`] with the cause that it is not there, or that nothing was stored in it yet.
    pub fn open_read_only(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_to_read(directory.as_ref(), Checked::open_begun)
    }

    /// [`Redb::open_read_only`] without the checksums of the file: what it reads may not be what was written. The chain
    /// checks every value itself, so that [`Blockchain::verify`](crate::Blockchain::verify) finds out which of the values
    /// in 4 KiB is damaged. Also opens a file without its end.
    ///
    /// # Errors
    ///
    /// As [`Redb::open_read_only`].
    pub fn open_unchecked(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_to_read(directory.as_ref(), Checked::open_lenient)
    }

    fn open_to_read(
        directory: &Path,
        open: fn(&Path, Locked) -> Result<Checked<Locked>, StoreError>,
    ) -> Result<Self, StoreError> {
        let (path, file) = file::open_read_only(directory)?;
        let place = file.place();
        let session = Session::open_read_only(&path, open(&path, file)?, DEFAULT_CACHE_BYTES)?;
        Ok(Self { place: Some(place), ..Self::with_session(session) })
    }

    /// [`Redb::open`] that reads the whole file first. Where it is damaged, what can still be read is copied to a new
    /// file, which takes its place.
    ///
    /// For [`Blockchain::repair`](crate::Blockchain::repair), which finds out what is missing, and what is not what
    /// was written: values are copied as they are. Takes the time to copy a chain, and the room of a second one.
    ///
    /// # Errors
    ///
    /// As [`Redb::open`]: [`StoreError::Damaged`], when nothing at all can be read. The file is as it was, then.
    pub fn open_for_repair(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        let directory = directory.as_ref();
        let (path, file) = file::open(directory)?;
        let place = file.place();
        let file = Shared::new(file);
        let checked = Checked::open(&path, file.clone())
            .and_then(|checked| Session::open(&path, checked, DEFAULT_CACHE_BYTES))
            .and_then(|mut session| session.check().map(|()| session));
        let damage = match checked {
            Ok(session) => return Ok(Self { place: Some(place), ..Self::with_session(session) }),
            Err(damage @ StoreError::Damaged(_)) => damage,
            Err(error) => return Err(error),
        };
        let new = file::open_new(directory)?;
        let place = new.place();
        let salvaged = salvage(&path, file, new).and_then(|session| {
            let session = session.ok_or(damage)?;
            file::put_in_place(directory)?;
            Ok(Self { place: Some(place), ..Self::with_session(session) })
        });
        salvaged.inspect_err(|_| file::remove_new(directory))
    }

    /// A store in something else than a file. The path is for messages only.
    pub(crate) fn with_backend(
        path: &Path,
        backend: impl StorageBackend,
        cache_bytes: usize,
    ) -> Result<Self, StoreError> {
        let file = Checked::open(path, backend)?;
        Ok(Self::with_session(Session::open(path, file, cache_bytes)?))
    }

    const fn with_session(session: Session) -> Self {
        Self { session: RwLock::new(session), place: None }
    }

    /// Reads, and has redb opened afresh first where an earlier failure asks for it.
    fn read<R>(&self, work: impl Fn(&Session) -> Result<R, StoreError>) -> Result<R, StoreError> {
        {
            let session = self.session.read().unwrap_or_else(PoisonError::into_inner);
            if !session.has_failed() {
                return work(&session);
            }
        }
        let mut session = self.session.write().unwrap_or_else(PoisonError::into_inner);
        session.recover()?;
        work(&session)
    }
}

/// A new store with what can be read of a damaged one; `None`, where that is nothing.
fn salvage(
    path: &Path,
    damaged: impl StorageBackend,
    new: impl StorageBackend,
) -> Result<Option<Session>, StoreError> {
    let mut session = Session::open(path, Checked::open(path, new)?, DEFAULT_CACHE_BYTES)?;
    let count = salvage::copy(path, damaged, &mut session)?;
    Ok((count > 0).then_some(session))
}

impl Store for Redb {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|session| session.get(table, key))
    }

    fn scan(&self, table: Table, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError> {
        self.read(|session| session.scan(table, keys, order, limit))
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.session.get_mut().unwrap_or_else(PoisonError::into_inner).commit(batch)
    }

    fn check_place(&self) -> Result<(), StoreError> {
        let Some(place) = &self.place else { return Ok(()) };
        place.check().map_err(|error| failure::from_io(&place.path(), error))
    }
}

impl fmt::Debug for Redb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redb").finish_non_exhaustive()
    }
}
