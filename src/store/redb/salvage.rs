//! A damaged file, and what can still be read of it in a new one. Nothing of the old file's structure is kept,
//! because nobody can say what else in it is wrong.

use core::mem::{self, ManuallyDrop};
use core::ops::Bound;
use std::path::{Path, PathBuf};

use ::redb::{Builder, Database, Error, StorageBackend};

use super::backend::Shared;
use super::checked::Checked;
use super::failure::{contain, from_io};
use super::overlay::Overlay;
use super::session::{Session, scan};
use crate::store::{Batch, Entries, Order, StoreError, Table};

/// How many entries are read at once. Where that fails, it is tried with single ones.
const STEP: usize = 16;

/// The bytes of a batch that is committed to the new file: 8 MiB.
const MAX_BATCH: usize = 8 << 20;

/// Cache for reading a damaged file, which is read from one end to the other.
const CACHE: usize = 1 << 20;

/// Copies the entries of a damaged file, right or wrong, to a new one. Returns how many they were.
pub(super) fn copy(
    path: &Path,
    damaged: impl StorageBackend,
    into: &mut Session,
) -> Result<usize, StoreError> {
    let file = Shared::new(Checked::open(path, damaged)?.into_lenient());
    let mut wreck = Wreck { path: path.to_owned(), file, database: None };
    let mut copy = Copy { into, batch: Batch::new(), bytes: 0, count: 0 };
    for table in Table::ALL {
        let walked = wreck.walk(table, Order::Ascending, Bound::Unbounded, &mut copy)?;
        if !walked.to_the_end {
            // What is behind the damage is reached from the other end.
            let end = walked.last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            wreck.walk(table, Order::Descending, end, &mut copy)?;
        }
    }
    copy.commit()?;
    Ok(copy.count)
}

/// A damaged file. Nothing is written to it.
struct Wreck {
    path: PathBuf,
    file: Shared,
    /// Never closed, which costs its memory: to close it is to commit, and a commit with damaged lists of pages is
    /// what ends a process.
    database: Option<ManuallyDrop<Database>>,
}

/// How far a walk through a table has come.
struct Walked {
    last: Option<Vec<u8>>,
    to_the_end: bool,
}

impl Wreck {
    /// Copies the entries of a table in order, up to `end` or to one that cannot be read.
    fn walk(
        &mut self,
        table: Table,
        order: Order,
        end: Bound<&[u8]>,
        copy: &mut Copy<'_>,
    ) -> Result<Walked, StoreError> {
        let mut step = STEP;
        let mut last = None;
        loop {
            match self.read_after(last.as_deref(), table, order, end, step) {
                Ok(entries) if entries.is_empty() => return Ok(Walked { last, to_the_end: true }),
                Ok(entries) => {
                    last = entries.last().map(|(key, _)| key.clone());
                    copy.add(table, entries)?;
                }
                Err(_) if step > 1 => step = 1,
                Err(_) => return Ok(Walked { last, to_the_end: false }),
            }
        }
    }

    fn read_after(
        &mut self,
        last: Option<&[u8]>,
        table: Table,
        order: Order,
        end: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Entries, StoreError> {
        let next = last.map_or(Bound::Unbounded, Bound::Excluded);
        let keys = match order {
            Order::Ascending => (next, end),
            Order::Descending => (end, next),
        };
        let path = self.path.clone();
        let database = self.open()?;
        let entries = contain(&path, || {
            let entries = scan(database, table, keys, order, limit)?;
            // Pages that point at each other would go on for ever.
            let ordered = last.into_iter().chain(entries.iter().map(|(key, _)| &key[..]));
            if ordered.is_sorted_by(|a, b| if order == Order::Ascending { a < b } else { a > b }) {
                Ok(entries)
            } else {
                Err(Error::Corrupted("keys are out of order".to_owned()))
            }
        });
        if entries.is_err() {
            self.database = None;
        }
        entries
    }

    fn open(&mut self) -> Result<&Database, StoreError> {
        if self.database.is_none() {
            let overlay = Overlay::new(self.file.clone()).map_err(|error| from_io(&self.path, error))?;
            let database = contain(&self.path, || {
                Ok(Builder::new().set_cache_size(CACHE).create_with_backend(overlay)?)
            })?;
            self.database = Some(ManuallyDrop::new(database));
        }
        self.database.as_deref().ok_or(StoreError::Closed)
    }
}

/// What goes to the new file.
struct Copy<'a> {
    into: &'a mut Session,
    batch: Batch,
    bytes: usize,
    count: usize,
}

impl Copy<'_> {
    fn add(&mut self, table: Table, entries: Entries) -> Result<(), StoreError> {
        for (key, value) in entries {
            self.bytes += key.len() + value.len();
            self.count += 1;
            self.batch.put(table, key, value);
        }
        if self.bytes < MAX_BATCH { Ok(()) } else { self.commit() }
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.bytes = 0;
        self.into.commit(&mem::take(&mut self.batch))
    }
}
