//! Opens redb over a file, and reopens it after each failure, because redb refuses all work after one.

use core::mem;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, Ordering};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use ::redb::{
    Builder, ConcurrencyMode, Database, Durability, Error as RedbError, ReadOnlyDatabase, ReadOnlyTable,
    ReadableDatabase, StorageBackend, TableDefinition, TableError, WriteTransaction,
};

use super::backend::Shared;
use super::checked::Checked;
use super::failure::{contain, from_io};
use super::overlay::Overlay;
use super::unwritten::Unwritten;
use crate::store::{Batch, Entries, Keys, Order, StoreError, Table, is_empty};

/// A file, and the redb database over it.
pub(super) struct Session {
    path: PathBuf,
    file: Shared,
    cache_bytes: usize,
    database: Contained,
    /// The file could not be opened for writing; the database is over an [`Overlay`], or is read-only.
    is_view: bool,
    /// The caller opened the store read-only.
    is_read_only: bool,
    /// redb has failed since it was last opened.
    has_failed: AtomicBool,
    /// Undoes a failed commit that may have reached the file. Empty if no commit is in doubt.
    undo: Batch,
}

impl Session {
    pub(super) fn open(
        path: &Path,
        file: Checked<impl StorageBackend>,
        cache_bytes: usize,
    ) -> Result<Self, StoreError> {
        let mut session = Self::closed(path, file, cache_bytes);
        if let Err(error) = session.reopen() {
            // A full disk does not prevent reading. A file that could not be initialised has nothing to read.
            if !matches!(error, StoreError::Full(_)) || session.reopen_as_view().is_err() {
                return Err(error);
            }
        }
        Ok(session)
    }

    /// Opens a file read-only.
    pub(super) fn open_read_only(
        path: &Path,
        file: Checked<impl StorageBackend>,
        cache_bytes: usize,
    ) -> Result<Self, StoreError> {
        let mut session = Self { is_read_only: true, ..Self::closed(path, file, cache_bytes) };
        session.reopen_as_view()?;
        Ok(session)
    }

    fn closed(path: &Path, file: Checked<impl StorageBackend>, cache_bytes: usize) -> Self {
        Self {
            path: path.to_owned(),
            file: Shared::new(file),
            cache_bytes,
            database: Contained(None),
            is_view: false,
            is_read_only: false,
            has_failed: AtomicBool::new(false),
            undo: Batch::new(),
        }
    }

    pub(super) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.attempt(|database| {
            let Some(entries) = open_table(database.reader(), table)? else { return Ok(None) };
            Ok(entries.get(key)?.map(|value| value.value().to_vec()))
        })
    }

    pub(super) fn scan(
        &self,
        table: Table,
        keys: Keys<'_>,
        order: Order,
        limit: usize,
    ) -> Result<Entries, StoreError> {
        self.attempt(|database| scan(database.reader(), table, keys, order, limit))
    }

    pub(super) fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        // The disk may have free space again, or work again.
        if self.is_view || self.has_failed() {
            self.reopen()?;
        }
        let mut undo = Batch::new();
        let Err(error) = self.write(batch, &mut undo) else { return Ok(()) };
        if matches!(error, StoreError::Damaged(_)) {
            // A read failed, and redb does all reads before the write that makes a commit valid.
            return Err(error);
        }
        // If only the last step of the commit failed, the batch is in the file. It is durable after the
        // reopening: its pages were synchronised before the last step, and opening writes and synchronises
        // the header that points at them.
        match self.reopen().and_then(|()| self.holds(batch)) {
            Ok(true) => Ok(()),
            Ok(false) => Err(error),
            Err(_) => {
                self.undo = undo;
                self.database = Contained(None);
                Err(error)
            }
        }
    }

    /// Reads all data of the file and redb's own structures, and verifies them.
    pub(super) fn check(&mut self) -> Result<(), StoreError> {
        let Some(Opened::Database(database)) = &mut self.database.0 else { return Err(StoreError::Closed) };
        contain(&self.path, || Ok(database.check_integrity().map(drop)?))
    }

    /// Whether the database has to be reopened.
    pub(super) fn has_failed(&self) -> bool {
        self.database.0.is_none() || self.has_failed.load(Ordering::Acquire)
    }

    /// Reopens the database if it has failed: for writing, or else for reading.
    pub(super) fn recover(&mut self) -> Result<(), StoreError> {
        if self.has_failed() {
            return self.reopen().or_else(|_| self.reopen_as_view());
        }
        Ok(())
    }

    /// Opens the file for writing, and undoes a commit that is in doubt.
    fn reopen(&mut self) -> Result<(), StoreError> {
        if self.is_read_only {
            return Err(StoreError::ReadOnly { path: self.path.clone() });
        }
        self.open_database(self.file.clone(), false)?;
        let undo = mem::take(&mut self.undo);
        if undo.is_empty() {
            return Ok(());
        }
        self.write(&undo, &mut Batch::new()).inspect_err(|_| self.undo = undo)
    }

    /// Opens the file for reading. A commit that is in doubt is undone in the overlay only.
    fn reopen_as_view(&mut self) -> Result<(), StoreError> {
        if self.is_read_only {
            let file = Unwritten::new(self.file.clone());
            return self.replace_database(true, |builder| {
                builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
                Ok(Opened::ReadOnly(builder.open_read_only_with_backend(file)?))
            });
        }
        let overlay = Overlay::new(self.file.clone()).map_err(|error| from_io(&self.path, error))?;
        self.open_database(overlay, true)?;
        if self.undo.is_empty() {
            return Ok(());
        }
        let undone = self.write(&self.undo, &mut Batch::new());
        undone.inspect_err(|_| self.database = Contained(None))
    }

    fn open_database(&mut self, backend: impl StorageBackend, is_view: bool) -> Result<(), StoreError> {
        self.replace_database(is_view, |builder| Ok(Opened::Database(builder.create_with_backend(backend)?)))
    }

    fn replace_database(
        &mut self,
        is_view: bool,
        open: impl FnOnce(&mut Builder) -> Result<Opened, RedbError>,
    ) -> Result<(), StoreError> {
        // Closed first: two databases over one file do not know of each other's pages.
        self.database = Contained(None);
        let opened = contain(&self.path, || open(Builder::new().set_cache_size(self.cache_bytes)));
        self.database = Contained(Some(opened?));
        self.has_failed.store(false, Ordering::Release);
        self.is_view = is_view;
        Ok(())
    }

    /// Whether the store has all changes of a batch.
    fn holds(&self, batch: &Batch) -> Result<bool, StoreError> {
        for (table, key, value) in batch.iter() {
            if self.get(table, key)?.as_deref() != value {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Commits a batch, and collects the changes that would undo it.
    fn write(&self, batch: &Batch, undo: &mut Batch) -> Result<(), StoreError> {
        self.attempt(|database| {
            let Opened::Database(database) = database else { return Err(RedbError::DatabaseClosed) };
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            // Quick repair includes two-phase commits: after a crash redb does not have to test whether the
            // last commit is complete, on which the checksums of `Checked` depend. Without quick repair,
            // opening after a crash reads the whole file: 2.5 s for a million blocks of 1 KB, against 1 ms.
            // The cost is a second fsync and an 8,000th of the file's length in each commit: 0.6 ms against
            // 0.3 ms for a commit of one block, 17 µs against 12 µs for each block of a commit of a thousand.
            transaction.set_quick_repair(true);
            change(&transaction, batch, undo)?;
            transaction.commit()?;
            Ok(())
        })
    }

    fn attempt<R>(&self, work: impl FnOnce(&Opened) -> Result<R, RedbError>) -> Result<R, StoreError> {
        let database = self.database.0.as_ref().ok_or(StoreError::Closed)?;
        let result = contain(&self.path, || work(database));
        result.inspect_err(|_| self.has_failed.store(true, Ordering::Release))
    }
}

/// A database, if one is open. Catches a panic while it is closed, because redb may panic on a damaged file.
struct Contained(Option<Opened>);

enum Opened {
    Database(Database),
    ReadOnly(ReadOnlyDatabase),
}

impl Opened {
    fn reader(&self) -> &dyn ReadableDatabase {
        match self {
            Self::Database(database) => database,
            Self::ReadOnly(database) => database,
        }
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        let database = self.0.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(database)));
    }
}

fn scan(
    database: &dyn ReadableDatabase,
    table: Table,
    keys: Keys<'_>,
    order: Order,
    limit: usize,
) -> Result<Entries, RedbError> {
    if is_empty(keys) {
        return Ok(Vec::new());
    }
    let Some(entries) = open_table(database, table)? else { return Ok(Vec::new()) };
    let mut range = entries.range::<&[u8]>(keys)?;
    let next = || match order {
        Order::Ascending => range.next(),
        Order::Descending => range.next_back(),
    };
    let found = core::iter::from_fn(next).take(limit).map(|entry| {
        let (key, value) = entry?;
        Ok((key.value().to_vec(), value.value().to_vec()))
    });
    found.collect()
}

type ByteTable = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// Opens a table for reading. `None` if nothing was ever written to it.
fn open_table(database: &dyn ReadableDatabase, table: Table) -> Result<Option<ByteTable>, RedbError> {
    match database.begin_read()?.open_table(definition(table)) {
        Ok(entries) => Ok(Some(entries)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The redb table for a table of the store.
const fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name())
}

/// Applies the changes of a batch, and collects the changes that undo them.
fn change(transaction: &WriteTransaction, batch: &Batch, undo: &mut Batch) -> Result<(), RedbError> {
    // A batch is ordered by table, so each table is opened once.
    let mut open = None;
    for (table, key, value) in batch.iter() {
        if open.as_ref().is_none_or(|(name, _)| *name != table) {
            drop(open.take());
            open = Some((table, transaction.open_table(definition(table))?));
        }
        let Some((_, entries)) = &mut open else { continue };
        let before = match value {
            Some(value) => entries.insert(key, value)?,
            None => entries.remove(key)?,
        };
        match before {
            Some(before) => undo.put(table, key, before.value()),
            None => undo.delete(table, key),
        }
    }
    Ok(())
}
