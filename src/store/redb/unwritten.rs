//! A file that is only read, as redb wants to see it. Knows nothing of pages or tables.

use core::ops::Bound;
use std::io;

use ::redb::{BackendError, StorageBackend};

use super::backend::Shared;

/// A file to which nothing is written, for a read-only database of redb in the mode that shares it with a writer: such
/// a one reads the last commit, and neither needs the file's length nor what redb keeps of free pages. So it opens after
/// a crash, and also where parts of the file are missing.
///
/// The locks, by which redb tells such processes of each other, are all granted: the file is locked as a whole.
#[derive(Debug)]
pub(super) struct Unwritten(Shared);

/// Where redb's header has its flags, and the one that says that the file was not closed. A commit in two phases, as all
/// of this store are, can be read all the same.
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
