//! A store that fails when it is told to.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::store::{Batch, Cause, Entries, Keys, Order, Store, StoreError, Table};

/// Another store, whose commits and reads fail when they are told to, and whose values can be damaged.
///
/// A clone is the same store. So a test keeps one while a chain has the other, and can open a second chain where
/// the first has ended, as after a restart:
///
/// ```
/// use hashloom::store::{Batch, Memory, Store, StoreError, Table};
/// use hashloom::testing::store::{Failure, Faulty};
///
/// let store = Faulty::new(Memory::new());
/// let mut same = store.clone();
/// let mut batch = Batch::new();
/// batch.put(Table::Meta, *b"key", *b"value");
///
/// store.fail_commits_after(1, Failure::Full);
/// assert!(same.commit(&batch).is_ok());
/// assert!(matches!(same.commit(&batch), Err(StoreError::Full(_))));
/// assert_eq!(same.get(Table::Meta, b"key")?, Some(b"value".to_vec()));
///
/// store.heal();
/// assert!(same.commit(&batch).is_ok());
///
/// store.flip_bit(Table::Meta, b"key", 0)?;
/// assert_eq!(same.get(Table::Meta, b"key")?, Some(b"walue".to_vec()));
/// # Ok::<(), StoreError>(())
/// ```
#[derive(Debug, Default)]
pub struct Faulty<S> {
    inner: Arc<RwLock<S>>,
    plan: Arc<Mutex<Plan>>,
}

/// How a [`Faulty`] store fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// With [`StoreError::Full`].
    Full,
    /// With [`StoreError::Io`].
    Io,
    /// With [`StoreError::Damaged`].
    Damaged,
}

#[derive(Debug, Default)]
struct Plan {
    /// Batches that were committed. Those without a change count, too.
    commits: u64,
    /// How commits fail once so many were made.
    commits_fail: Option<(u64, Failure)>,
    reads_fail: Option<Failure>,
}

impl<S: Store> Faulty<S> {
    /// A store that does not fail yet.
    pub fn new(inner: S) -> Self {
        Self { inner: Arc::new(RwLock::new(inner)), plan: Arc::default() }
    }

    /// Lets so many more commits pass, and has those after them fail and change nothing.
    pub fn fail_commits_after(&self, commits: u64, failure: Failure) {
        self.plan(|plan| plan.commits_fail = Some((plan.commits.saturating_add(commits), failure)));
    }

    /// Has every read fail.
    pub fn fail_reads(&self, failure: Failure) {
        self.plan(|plan| plan.reads_fail = Some(failure));
    }

    /// Fails no more.
    pub fn heal(&self) {
        self.plan(|plan| (plan.commits_fail, plan.reads_fail) = (None, None));
    }

    /// The number of commits that have passed.
    pub fn commits(&self) -> u64 {
        self.plan(|plan| plan.commits)
    }

    /// Flips one bit of a value, counted from the first byte's lowest and around the end. An empty value and a
    /// missing one have none.
    ///
    /// # Errors
    ///
    /// [`StoreError`], where the store itself fails.
    pub fn flip_bit(&self, table: Table, key: &[u8], bit: usize) -> Result<(), StoreError> {
        self.with_inner(|inner| {
            let mut value = inner.get(table, key)?.unwrap_or_default();
            let place = bit / 8 % value.len().max(1);
            let Some(byte) = value.get_mut(place) else { return Ok(()) };
            *byte ^= 1 << (bit % 8);
            let mut batch = Batch::new();
            batch.put(table, key, value);
            inner.commit(&batch)
        })
    }

    /// The store itself, which does not fail, to look into it or to change it behind the other's back.
    pub fn with_inner<R>(&self, work: impl FnOnce(&mut S) -> R) -> R {
        work(&mut self.inner.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn plan<R>(&self, work: impl FnOnce(&mut Plan) -> R) -> R {
        work(&mut self.plan.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn read<R>(&self, work: impl FnOnce(&S) -> Result<R, StoreError>) -> Result<R, StoreError> {
        if let Some(failure) = self.plan(|plan| plan.reads_fail) {
            return Err(failure.into());
        }
        work(&self.inner.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: Store> Store for Faulty<S> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|inner| inner.get(table, key))
    }

    fn scan(&self, table: Table, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError> {
        self.read(|inner| inner.scan(table, keys, order, limit))
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if let Some((passed, failure)) = self.plan(|plan| plan.commits_fail)
            && self.commits() >= passed
        {
            return Err(failure.into());
        }
        self.with_inner(|inner| inner.commit(batch))?;
        self.plan(|plan| plan.commits += 1);
        Ok(())
    }
}

impl<S> Clone for Faulty<S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), plan: Arc::clone(&self.plan) }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        let cause = Cause::new("the test has it so");
        match failure {
            Failure::Full => Self::Full(cause),
            Failure::Io => Self::Io(cause),
            Failure::Damaged => Self::Damaged(cause),
        }
    }
}
