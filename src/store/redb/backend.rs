//! What redb is given for a file.

use std::io;
use std::sync::Arc;

use ::redb::StorageBackend;

/// The file, for as long as the store is open: redb takes a backend for itself and closes it, and is opened
/// afresh after a failure. Has no locks, because the file is locked already.
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
