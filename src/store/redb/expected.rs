//! Detects that another program has written to the open file, for example `cp` with a copy that is restored. The lock
//! of the file prevents only programs that ask for it.

use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use std::io;
use std::sync::{Mutex, PoisonError};

use super::checked::SECTOR;

/// The error of [`Expected::check`]. Wrapped in an [`io::Error`], it passes through redb unchanged.
#[derive(Debug, thiserror::Error)]
#[error("the file was changed by another program while it was open")]
pub(super) struct Changed;

/// The file as this process wrote it last: its length, and redb's header, which every commit changes.
///
/// A copy of the file in its state after another commit has another header. A copy that is only partly written is
/// shorter, or has no header yet.
#[derive(Debug, Default)]
pub(super) struct Expected {
    known: Mutex<Known>,
    /// A difference was found. What this process knows of the file no longer holds.
    is_changed: AtomicBool,
}

#[derive(Debug, Default)]
struct Known {
    /// `None` until this process has set the length.
    len: Option<u64>,
    /// `None` until this process has written the header.
    header: Option<Box<[u8; SECTOR]>>,
}

/// Where redb's header is, after the head of the file and the first sector of checksums.
const HEADER: Range<u64> = 2 * SECTOR as u64..3 * SECTOR as u64;

impl Expected {
    /// Runs `set`, which sets the length of the file.
    pub(super) fn set_len(&self, len: u64, set: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        // Locked, so that a check does not see the file in between.
        self.with(|known| {
            let is_set = set();
            known.len = is_set.is_ok().then_some(len);
            is_set
        })
    }

    /// Runs `write`, which writes a range of the file. `read` reads the file from an offset on.
    pub(super) fn write(
        &self,
        range: Range<u64>,
        write: impl FnOnce() -> io::Result<()>,
        read: impl FnOnce(u64, &mut [u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        if range.start >= HEADER.end || range.end <= HEADER.start {
            return write();
        }
        // Locked, so that a check does not see the file in between.
        self.with(|known| {
            let written = write();
            let mut header = Box::new([0; SECTOR]);
            let is_known = written.is_ok() && read(HEADER.start, &mut header[..]).is_ok();
            known.header = is_known.then_some(header);
            written
        })
    }

    /// Compares the file with what this process wrote last.
    ///
    /// # Errors
    ///
    /// [`Changed`] if it differs, now or at an earlier call; the error of `read`.
    #[cfg_attr(not(unix), expect(dead_code, reason = "the file is checked on Unix only"))]
    pub(super) fn check(
        &self,
        len: u64,
        read: impl FnOnce(u64, &mut [u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        self.ensure_unchanged()?;
        let is_same = self.with(|known| {
            if known.len.is_some_and(|known| len < known) {
                return Ok(false);
            }
            let Some(known) = &known.header else { return Ok(true) };
            let mut found = [0; SECTOR];
            match read(HEADER.start, &mut found) {
                Ok(()) => Ok(found == **known),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
                Err(error) => Err(error),
            }
        })?;
        if !is_same {
            self.is_changed.store(true, Ordering::Release);
        }
        self.ensure_unchanged()
    }

    /// Fails if a difference was found earlier.
    ///
    /// # Errors
    ///
    /// [`Changed`].
    pub(super) fn ensure_unchanged(&self) -> io::Result<()> {
        if self.is_changed.load(Ordering::Acquire) { Err(io::Error::other(Changed)) } else { Ok(()) }
    }

    fn with<R>(&self, work: impl FnOnce(&mut Known) -> R) -> R {
        work(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
