//! A store on disk: one file, managed by the crate redb. This module adapts what redb does differently from
//! what [`Store`] promises; no other module of the project depends on redb.

mod backend;
mod checked;
mod expected;
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

/// The cache for pages of the file, unless the caller chooses another size with [`Redb::open_with_cache`]: 32
/// MiB.
///
/// The inner pages of redb's trees stay in the cache, so that some hundred bytes for each block of a chain
/// are found without disk I/O, whatever the size of the blocks. At most half of the cache holds the pages
/// that a batch is about to write. A larger batch is written in parts, and is still committed atomically.
pub const DEFAULT_CACHE_BYTES: usize = 32 << 20;

/// A store on disk: the file `chain.redb` in a directory of its own.
///
/// - Committed data survives a crash of the process and of the machine, as far as the disk does what it
///   promises. Opening after a crash takes as long as after a clean shutdown, and does not take longer for a
///   larger file: every commit also writes which pages are free, which is about an 8,000th of the file's
///   length.
/// - Only one process at a time can have the store open. Another process gets [`StoreError::InUse`]. This
///   process can open the store again after the `Redb` is dropped; until then, opening fails with
///   [`StoreError::InUseHere`]. A node drops its store when it ends.
/// - If the disk is full, commits fail with [`StoreError::Full`] and reads continue. Commits work again as
///   soon as there is free space. An empty batch does not detect a full disk: it writes nothing, and always
///   succeeds.
/// - If the file is deleted, moved or replaced while it is open, commits fail with [`StoreError::Removed`]
///   and reads continue. This is detected on Unix only. A commit that began earlier may still be written to
///   the deleted file.
/// - If another program writes to the file while it is open, for example `cp` with a copy that is restored, commits
///   and reads of the file fail with [`StoreError::Changed`], and the file stays as the other program left it. The
///   store has to be opened again. This is detected on Unix only, before the next commit, and misses a write that
///   leaves redb's header unchanged.
/// - Reads return what was committed: every 4 KiB of the file have a checksum. An operation that needs
///   damaged data fails with [`StoreError::Damaged`]; all others continue. Opening does not search for
///   damage, because that would read the whole file. Panics of redb, which a truncated file can cause, become
///   errors like any other, unless the program is built with `panic = "abort"`.
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
    /// Readers share the session. After a failure, one of them reopens redb under the write lock.
    session: RwLock<Session>,
    /// `None` for a store that is not in a file.
    place: Option<Arc<Place>>,
}

impl Redb {
    /// Opens the store in a directory. Creates the directory and the store if they do not exist.
    ///
    /// An empty file is a new store. If the disk is too full to open an existing store for writing, the store
    /// is readable only, until the first commit that finds free space.
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`] if another process has the store open; [`StoreError::InUseHere`] if another
    /// `Redb` of this process has it open; [`StoreError::Damaged`] if the file is damaged, truncated, or not
    /// a store; [`StoreError::Full`] and [`StoreError::Io`] if the file system fails.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with_cache(directory, DEFAULT_CACHE_BYTES)
    }

    /// [`Redb::open`] with a cache of another size than [`DEFAULT_CACHE_BYTES`].
    ///
    /// # Errors
    ///
    /// As [`Redb::open`].
    pub fn open_with_cache(directory: impl AsRef<Path>, cache_bytes: usize) -> Result<Self, StoreError> {
        let (path, backend) = file::open(directory.as_ref())?;
        let place = backend.place();
        Ok(Self { place: Some(place), ..Self::with_backend(&path, backend, cache_bytes)? })
    }

    /// [`Redb::open`] of an existing store in read-only mode. Nothing is created or written, not even after a
    /// crash, so that the file may belong to another user or be on a read-only file system. Several readers
    /// can have the store open at once. Commits fail with [`StoreError::ReadOnly`].
    ///
    /// # Errors
    ///
    /// As [`Redb::open`]. [`StoreError::InUse`] and [`StoreError::InUseHere`] if the store is open for
    /// writing; [`StoreError::Io`] if the store does not exist or nothing was ever stored in it.
    pub fn open_read_only(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_to_read(directory.as_ref(), Checked::open_begun)
    }

    /// [`Redb::open_read_only`] without verification of the file's checksums, so that reads may return
    /// corrupted data. The chain validates every value itself, so that
    /// [`Blockchain::verify`](crate::Blockchain::verify) finds which of the values in a damaged block of 4
    /// KiB is wrong. Also opens a truncated file.
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

    /// [`Redb::open`] that reads the whole file first. If the file is damaged, every readable entry is copied
    /// to a new file, which then replaces the damaged one.
    ///
    /// For [`Blockchain::repair`](crate::Blockchain::repair), which finds missing and wrong values: values
    /// are copied without validation. The copy takes time and disk space in proportion to the chain.
    ///
    /// # Errors
    ///
    /// As [`Redb::open`]: [`StoreError::Damaged`] if nothing at all can be read. The damaged file is
    /// unchanged then.
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
        // The damaged file stays in place until every readable entry has been copied.
        let new = file::open_new(directory)?;
        let place = new.place();
        let salvaged = salvage(&path, file, new).and_then(|session| {
            let session = session.ok_or(damage)?;
            file::put_in_place(directory)?;
            Ok(Self { place: Some(place), ..Self::with_session(session) })
        });
        salvaged.inspect_err(|_| file::remove_new(directory))
    }

    /// A store in another backend than a file. The path is for messages only.
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

    /// Runs a read. If an earlier operation failed, reopens redb first.
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

/// A new store with every readable entry of a damaged one. `None` if nothing is readable.
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
        if !batch.is_empty() {
            // Before redb reads, which would take what another program has written for damage.
            self.check_place()?;
        }
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
