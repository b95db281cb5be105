//! Copies the readable entries of a damaged file to a new one. The structure of the old file is not copied,
//! because any other part of it may be damaged, too.

use core::mem;
use core::ops::Bound;
use std::path::Path;

use ::redb::StorageBackend;

use super::backend::Shared;
use super::checked::Checked;
use super::leaves;
use super::session::Session;
use crate::store::{Batch, Cause, Entries, Order, StoreError, Table};

/// How many entries are read at once. If such a read fails, entries are read one by one.
const STEP: usize = 16;

/// The size at which a batch is committed to the new file: 8 MiB.
const MAX_BATCH: usize = 8 << 20;

/// The cache for reading a damaged file: 1 MiB, because the file is read sequentially.
const CACHE: usize = 1 << 20;

/// Copies the readable entries of a damaged file to a new one, without validation. Returns their number.
pub(super) fn copy(
    path: &Path,
    damaged: impl StorageBackend,
    into: &mut Session,
) -> Result<usize, StoreError> {
    let damaged = Shared::new(damaged);
    let file = Checked::open_lenient(path, damaged.clone())?;
    // If the damaged file cannot be opened as a database, every table is incomplete.
    let mut wreck =
        Session::open_read_only(path, Checked::open_lenient(path, damaged)?, CACHE).ok().map(Wreck);
    let mut incomplete = Vec::new();
    let mut copy = Copy { into, batch: Batch::new(), bytes: 0, count: 0 };
    for table in Table::ALL {
        let Some(wreck) = &mut wreck else {
            incomplete.push(table);
            continue;
        };
        let walked = wreck.walk(table, Order::Ascending, Bound::Unbounded, &mut copy)?;
        if !walked.to_the_end {
            incomplete.push(table);
            // Entries behind the damage are read in descending order.
            let end = walked.last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            wreck.walk(table, Order::Descending, end, &mut copy)?;
        }
    }
    copy.commit()?;
    // The scan may find entries to which no intact inner node refers.
    if incomplete.iter().any(|table| leaves::TABLES.contains(table)) {
        leaves::each(&file, |table, key, value| {
            if incomplete.contains(&table) { copy.add_found(table, key, value) } else { Ok(()) }
        })?;
        copy.commit()?;
    }
    Ok(copy.count)
}

/// A damaged file, opened read-only.
struct Wreck(Session);

/// The progress of a walk through a table.
struct Walked {
    last: Option<Vec<u8>>,
    to_the_end: bool,
}

impl Wreck {
    /// Copies the entries of a table in order, up to `end` or up to the first unreadable entry.
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
        self.0.recover()?;
        let entries = self.0.scan(table, keys, order, limit)?;
        // Damaged pages that point at each other would make the walk endless.
        let ordered = last.into_iter().chain(entries.iter().map(|(key, _)| &key[..]));
        if ordered.is_sorted_by(|a, b| if order == Order::Ascending { a < b } else { a > b }) {
            Ok(entries)
        } else {
            Err(StoreError::Damaged(Cause::new("keys are out of order")))
        }
    }
}

/// Collects entries in batches and commits them to the new file.
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

    /// Adds an entry from a leaf that may be outdated, unless the new file already has the key. In
    /// [`Table::Meta`], the greater value is the later one: these values are heights that only increase.
    fn add_found(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let present = match self.batch.get(table, key) {
            Some(present) => present.map(<[u8]>::to_vec),
            None => self.into.get(table, key)?,
        };
        match present {
            Some(present) if table != Table::Meta || &present[..] >= value => Ok(()),
            _ => self.add(table, vec![(key.to_vec(), value.to_vec())]),
        }
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.bytes = 0;
        self.into.commit(&mem::take(&mut self.batch))
    }
}
