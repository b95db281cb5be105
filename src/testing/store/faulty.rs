//! A store that fails on request.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::store::{Batch, Cause, Entries, Keys, Order, Store, StoreError, Table};

/// Wraps another store. Commits and reads fail on request, and values can be damaged.
///
/// Clones share the store, so that a test can keep one while a chain owns another, and can open a second
/// chain after the first was dropped, as after a restart:
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
    /// Fails with [`StoreError::Full`].
    Full,
    /// Fails with [`StoreError::Io`].
    Io,
    /// Fails with [`StoreError::Damaged`].
    Damaged,
}

#[derive(Debug, Default)]
struct Plan {
    /// The number of batches that were committed, including empty ones.
    commits: u64,
    /// The number of commits after which every commit fails, and how.
    commits_fail: Option<(u64, Failure)>,
    reads_fail: Option<Failure>,
}

impl<S: Store> Faulty<S> {
    /// A store that does not fail until a test requests it.
    pub fn new(inner: S) -> Self {
        Self { inner: Arc::new(RwLock::new(inner)), plan: Arc::default() }
    }

    /// Lets this many more commits succeed. All later commits fail and change nothing.
    pub fn fail_commits_after(&self, commits: u64, failure: Failure) {
        self.plan(|plan| plan.commits_fail = Some((plan.commits.saturating_add(commits), failure)));
    }

    /// Makes every read fail.
    pub fn fail_reads(&self, failure: Failure) {
        self.plan(|plan| plan.reads_fail = Some(failure));
    }

    /// Ends all failures.
    pub fn heal(&self) {
        self.plan(|plan| (plan.commits_fail, plan.reads_fail) = (None, None));
    }

    /// The number of commits that succeeded.
    pub fn commits(&self) -> u64 {
        self.plan(|plan| plan.commits)
    }

    /// Flips one bit of a value. Bit 0 is the lowest bit of the first byte, and `bit` wraps around at the end
    /// of the value. Does nothing if the value is empty or missing.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the wrapped store fails.
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

    /// Gives access to the wrapped store, which does not fail, to inspect it or to change it without the
    /// knowledge of the clones.
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
