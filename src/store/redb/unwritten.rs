//! A read-only file as a backend for redb. Knows nothing of pages or tables.

use core::ops::Bound;
use std::io;

use ::redb::{BackendError, StorageBackend};

use super::backend::Shared;

/// A read-only backend for a read-only database of redb in the concurrency mode that shares the file with a
/// writer. In that mode redb reads the last commit, and needs neither the file's length nor redb's list of
/// free pages. So the file can be opened after a crash, and even if parts of it are missing.
///
/// All range locks, with which redb coordinates processes in that mode, are granted: the file is already
/// locked as a whole.
#[derive(Debug)]
pub(super) struct Unwritten(Shared);

/// The offset of the flags in redb's header, and the flag that says that the file was not closed. The flag is
/// cleared on reading: every commit of this store has two phases, so that the last commit is readable even if
/// the file was not closed.
const FLAGS: u64 = 9;
const IS_OPEN: u8 = 2;

impl Unwritten {
    pub(super) const fn new(file: Shared) -> Self {
        Self(file)
    }
}

impl StorageBackend for Unwritten {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)?;
        let flags = FLAGS.checked_sub(offset).and_then(|at| usize::try_from(at).ok());
        if let Some(flags) = flags.and_then(|at| out.get_mut(at)) {
            *flags &= !IS_OPEN;
        }
        Ok(())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(false)
    }
}
