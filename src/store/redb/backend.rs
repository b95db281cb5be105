//! The backend that redb gets.

use std::io;
use std::sync::Arc;

use ::redb::StorageBackend;

/// A shared handle to the file. redb takes ownership of its backend and closes it, but the file must outlive
/// it, because redb is reopened after a failure. Has no locks, because the file is already locked.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<dyn StorageBackend>);

impl Shared {
    pub(super) fn new(backend: impl StorageBackend) -> Self {
        Self(Arc::new(backend))
    }
}

impl StorageBackend for Shared {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}
