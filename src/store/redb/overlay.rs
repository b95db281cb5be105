//! A copy-on-write overlay, which lets redb open a file that cannot be written. Knows nothing of pages or
//! tables.

use core::ops::Range;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use ::redb::StorageBackend;

use super::backend::Shared;
use super::checked::SECTOR;

/// Keeps everything that redb writes in memory and leaves the file below unchanged.
///
/// The amount is small: redb marks a file as open before it reads from it, and a failed commit may have to be
/// undone.
#[derive(Debug)]
pub(super) struct Overlay {
    below: Shared,
    above: Mutex<Above>,
}

#[derive(Debug)]
struct Above {
    len: u64,
    /// The length up to which the file below is still valid. Bytes that were cut off must not reappear if the
    /// file grows again.
    below_len: u64,
    /// The sectors that were written, by sector number.
    sectors: BTreeMap<u64, Box<[u8; SECTOR]>>,
}

impl Overlay {
    pub(super) fn new(below: Shared) -> io::Result<Self> {
        let len = below.len()?;
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self { below, above: Mutex::new(Above { len, below_len: len, sectors: BTreeMap::new() }) })
    }

    fn with<R>(&self, work: impl FnOnce(&mut Above) -> R) -> R {
        work(&mut self.above.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads from the file below, with zeros beyond its end.
    fn read_below(&self, below_len: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let present = below_len.saturating_sub(offset).min(out.len() as u64);
        let (present, missing) = out.split_at_mut(usize::try_from(present).map_err(io::Error::other)?);
        missing.fill(0);
        if present.is_empty() { Ok(()) } else { self.below.read(offset, present) }
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.with(|above| above.len))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.with(|above| {
            if offset.saturating_add(out.len() as u64) > above.len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            // Each piece is read on its own: a sector that was written to the overlay may not exist in the
            // file below.
            for piece in pieces(offset, out.len()) {
                let out = &mut out[piece.of_data];
                if let Some(sector) = above.sectors.get(&piece.sector) {
                    out.copy_from_slice(&sector[piece.of_sector]);
                } else {
                    let offset = piece.sector * SECTOR as u64 + piece.of_sector.start as u64;
                    self.read_below(above.below_len, offset, out)?;
                }
            }
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|above| {
            above.len = len;
            above.below_len = above.below_len.min(len);
            // redb sets only lengths of whole pages.
            above.sectors.split_off(&len.div_ceil(SECTOR as u64));
        });
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with(|above| {
            for piece in pieces(offset, data.len()) {
                let kept = above.sectors.remove(&piece.sector);
                // Read only for a partial write: the sector may not exist in the file below.
                let is_patched = kept.is_none() && piece.of_sector.len() < SECTOR;
                let mut sector = kept.unwrap_or_else(|| Box::new([0; SECTOR]));
                if is_patched {
                    self.read_below(above.below_len, piece.sector * SECTOR as u64, &mut sector[..])?;
                }
                sector[piece.of_sector].copy_from_slice(&data[piece.of_data]);
                above.sectors.insert(piece.sector, sector);
            }
            above.len = above.len.max(offset + data.len() as u64);
            Ok(())
        })
    }
}

/// The part of a read or write that falls into one sector.
struct Piece {
    sector: u64,
    of_sector: Range<usize>,
    of_data: Range<usize>,
}

/// Splits a read or write at sector boundaries.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = Piece> {
    let mut done = 0;
    core::iter::from_fn(move || {
        let at = offset + done as u64;
        let start = within_sector(at);
        let taken = (SECTOR - start).min(len - done);
        let piece = Piece {
            sector: at / SECTOR as u64,
            of_sector: start..start + taken,
            of_data: done..done + taken,
        };
        done += taken;
        (taken > 0).then_some(piece)
    })
}

#[expect(clippy::cast_possible_truncation, reason = "less than a sector")]
const fn within_sector(offset: u64) -> usize {
    (offset % SECTOR as u64) as usize
}
