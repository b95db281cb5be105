//! A file with a checksum for each sector: a read returns what was written, or an error. Knows nothing of
//! redb's format.
//!
//! What this catches that the checksums of values and the hashes of blocks do not: they cover what is found.
//! Measured without the verification, on the file of a chain of 2,600 blocks that was damaged, read, extended
//! by 30 blocks and opened again. Of 400 flipped bits, 17 made a stored block unknown without an error, and
//! after 10 the file no longer opened. Of 60 sectors that were replaced by another one, 8 made blocks unknown,
//! after 1 the file no longer opened, and 1 aborted the process. With the verification, the same damages do
//! none of that. `a_changed_key_is_noticed_by_the_checksums_of_sectors_alone` in `tests/damage.rs` shows one.

use core::ops::Range;
use std::io;
use std::path::Path;

use ::redb::StorageBackend;

use super::failure::from_io;
use crate::primitives::Hash;
use crate::store::StoreError;

/// The number of bytes that share one checksum. A page of redb is one sector or several.
pub(super) const SECTOR: usize = 4096;

/// A file whose sectors are verified when they are read.
///
/// redb does not verify what it reads. One flipped bit can change a key, overwrite a page that is in use,
/// allocate gigabytes for a page of an absurd size, or cause a panic during unwinding, which aborts the
/// process.
///
/// `docs/storage.md` specifies the format. A checksum covers a sector's number, in redb's numbering, and the
/// sector's bytes.
///
/// A sector and its checksum are synchronised together. After a power failure in between, the two may not
/// match; but only for sectors that were free, and redb writes a free sector before it reads it. The
/// exception is redb's header in the first sector, which is overwritten in place. The header has no checksum
/// here, because redb protects it.
#[derive(Debug)]
pub(super) struct Checked<B> {
    file: B,
    /// Checksums are not verified.
    is_lenient: bool,
}

const MAGIC: [u8; 8] = *b"\x89HLS\r\n\x1a\n";

/// The only version of the format.
const VERSION: u32 = 1;

const CHECKSUM: usize = 8;

/// The length of the file's head without padding.
const HEAD: usize = MAGIC.len() + size_of::<u32>() + CHECKSUM;

/// How many sectors share one sector of checksums.
const GROUP: u64 = (SECTOR / CHECKSUM) as u64;

/// The length of a file that is empty for redb: the head, and one sector for checksums.
const EMPTY: u64 = 2 * SECTOR as u64;

/// The upper limit of an unfinished file. A longer file has data, because redb creates shorter ones.
const MAX_UNFINISHED: u64 = 8 << 20;

/// The length of redb's magic number, none of whose bytes is zero.
const REDB_MAGIC: usize = 9;

impl<B: StorageBackend> Checked<B> {
    /// Opens a file and checks its version. Initialises the file if it is empty or if its creation did not
    /// finish.
    pub(super) fn open(path: &Path, file: B) -> Result<Self, StoreError> {
        let checked = Self { file, is_lenient: false };
        let version = checked.begin();
        Self::of_version(path, checked, version)
    }

    /// Opens a file read-only. Refuses a file whose creation did not finish.
    pub(super) fn open_begun(path: &Path, file: B) -> Result<Self, StoreError> {
        Self::open_as(path, Self { file, is_lenient: false })
    }

    /// Opens a file read-only without verification of its checksums, even if its end is missing.
    pub(super) fn open_lenient(path: &Path, file: B) -> Result<Self, StoreError> {
        Self::open_as(path, Self { file, is_lenient: true })
    }

    fn open_as(path: &Path, checked: Self) -> Result<Self, StoreError> {
        let is_begun = checked.file.len().and_then(|len| Ok(len > 0 && !checked.is_unfinished()?));
        let version = is_begun.and_then(|is_begun| {
            if is_begun {
                checked.version()
            } else {
                Err(io::Error::new(io::ErrorKind::NotFound, "nothing was stored in it yet"))
            }
        });
        Self::of_version(path, checked, version)
    }

    fn of_version(path: &Path, checked: Self, version: io::Result<u32>) -> Result<Self, StoreError> {
        match version.map_err(|error| from_io(path, error))? {
            VERSION => Ok(checked),
            got => Err(StoreError::NewerFormat { path: path.to_owned(), got, known: VERSION }),
        }
    }

    /// Initialises the file if necessary. Returns its format version.
    fn begin(&self) -> io::Result<u32> {
        if self.file.len()? == 0 {
            // The length is made durable before anything else is written, so that a truncated file does not
            // pass for a new one.
            self.file.set_len(EMPTY)?;
            self.file.sync_data()?;
        }
        if self.is_unfinished()? {
            self.file.set_len(EMPTY)?;
            self.file.write(0, &head())?;
            self.file.sync_data()?;
            return Ok(VERSION);
        }
        self.version()
    }

    /// Reads the format version of the file.
    fn version(&self) -> io::Result<u32> {
        let mut found = [0; HEAD];
        let len = HEAD.min(usize::try_from(self.file.len()?).unwrap_or(HEAD));
        self.file.read(0, &mut found[..len])?;
        if !found.starts_with(&MAGIC) {
            return Err(damaged("it is not the store of a chain"));
        }
        let (parts, checksum) = found.split_at(HEAD - CHECKSUM);
        if checksum != short(&[parts]) {
            return Err(damaged("its head is not what was written"));
        }
        if self.len()? == 0 {
            return Err(cut_off());
        }
        let mut version = [0; size_of::<u32>()];
        version.copy_from_slice(&parts[MAGIC.len()..]);
        Ok(u32::from_be_bytes(version))
    }

    /// Whether nothing was ever committed to the file, because its creation did not finish.
    ///
    /// redb sets a new file's length, writes its header, then its magic number, and refuses a file without
    /// one.
    fn is_unfinished(&self) -> io::Result<bool> {
        let len = self.file.len()?;
        if !(EMPTY..=MAX_UNFINISHED).contains(&len) {
            return Ok(false);
        }
        let mut start = [0; 2 * SECTOR];
        self.file.read(0, &mut start)?;
        let (found, zeros) = start.split_at(HEAD);
        let is_head = found.iter().zip(head()).all(|(&found, expected)| found == 0 || found == expected);
        if !is_head || !are_zero(zeros) {
            return Ok(false);
        }
        let mut rest = vec![0; usize::try_from(len - EMPTY).map_err(io::Error::other)?];
        self.file.read(EMPTY, &mut rest)?;
        let has_magic = rest.get(..REDB_MAGIC).is_some_and(|magic| !magic.contains(&0));
        Ok(!has_magic && rest.get(SECTOR..).is_none_or(are_zero))
    }

    /// Calls `work` for the sectors of a range, split at the boundaries of checksum groups, with the number
    /// of the first sector of each part and the part's range within the data.
    fn each_run(
        offset: u64,
        len: usize,
        mut work: impl FnMut(u64, Range<usize>) -> io::Result<()>,
    ) -> io::Result<()> {
        if !is_aligned(offset) || !is_aligned(len as u64) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a range of whole sectors"));
        }
        let mut done = 0;
        while done < len {
            let number = offset / SECTOR as u64 + (done / SECTOR) as u64;
            let left = GROUP - number % GROUP;
            let end = len.min(done + SECTOR * usize::try_from(left).map_err(io::Error::other)?);
            work(number, done..end)?;
            done = end;
        }
        Ok(())
    }
}

impl<B: StorageBackend> StorageBackend for Checked<B> {
    fn len(&self) -> io::Result<u64> {
        let len = self.file.len()?;
        if len < EMPTY {
            return Err(cut_off());
        }
        if !is_aligned(len) && !self.is_lenient {
            return Err(damaged(
                "it has a length that was never written: its end is missing, or something follows it",
            ));
        }
        // After the head, each group of sectors follows the sector with its checksums.
        let body = len / SECTOR as u64 - 1;
        let sectors = body / (GROUP + 1) * GROUP + (body % (GROUP + 1)).saturating_sub(1);
        Ok(sectors * SECTOR as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if is_in_header(offset, out.len()) {
            return self.file.read(place(0) + offset, out);
        }
        Self::each_run(offset, out.len(), |number, run| {
            let sectors = &mut out[run];
            self.file.read(place(number), sectors)?;
            if self.is_lenient {
                return Ok(());
            }
            let mut checksums = vec![0; sectors.len() / SECTOR * CHECKSUM];
            self.file.read(place_of_checksum(number), &mut checksums)?;
            let sectors = (number..).zip(sectors.chunks(SECTOR));
            for ((number, sector), found) in sectors.zip(checksums.chunks(CHECKSUM)) {
                if found != checksum(number, sector) {
                    return Err(damaged(format!("sector {number} is not what was written")));
                }
            }
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if !is_aligned(len) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a number of whole sectors"));
        }
        let end = (len / SECTOR as u64).checked_sub(1).map_or(EMPTY, |last| place(last) + SECTOR as u64);
        self.file.set_len(end)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if is_in_header(offset, data.len()) {
            return self.file.write(place(0) + offset, data);
        }
        Self::each_run(offset, data.len(), |number, run| {
            let sectors = &data[run];
            self.file.write(place(number), sectors)?;
            let checksums = (number..).zip(sectors.chunks(SECTOR));
            let checksums: Vec<u8> =
                checksums.flat_map(|(number, sector)| checksum(number, sector)).collect();
            self.file.write(place_of_checksum(number), &checksums)
        })
    }
}

/// The offset of a sector in the file, by redb's number.
const fn place(number: u64) -> u64 {
    (1 + number / GROUP * (GROUP + 1) + 1 + number % GROUP) * SECTOR as u64
}

/// The offset of a sector's checksum in the file.
const fn place_of_checksum(number: u64) -> u64 {
    (1 + number / GROUP * (GROUP + 1)) * SECTOR as u64 + number % GROUP * CHECKSUM as u64
}

const fn is_in_header(offset: u64, len: usize) -> bool {
    offset < SECTOR as u64 && len as u64 <= SECTOR as u64 - offset
}

const fn is_aligned(len: u64) -> bool {
    len.is_multiple_of(SECTOR as u64)
}

fn head() -> [u8; HEAD] {
    let mut head = [0; HEAD];
    let (parts, checksum) = head.split_at_mut(HEAD - CHECKSUM);
    parts[..MAGIC.len()].copy_from_slice(&MAGIC);
    parts[MAGIC.len()..].copy_from_slice(&VERSION.to_be_bytes());
    checksum.copy_from_slice(&short(&[parts]));
    head
}

/// The checksum of a sector. Covers the number, so that a sector in the wrong place is detected.
fn checksum(number: u64, sector: &[u8]) -> [u8; CHECKSUM] {
    short(&[&number.to_be_bytes(), sector])
}

fn short(parts: &[&[u8]]) -> [u8; CHECKSUM] {
    let mut short = [0; CHECKSUM];
    short.copy_from_slice(&Hash::digest_parts(parts).as_bytes()[..CHECKSUM]);
    short
}

fn are_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

fn cut_off() -> io::Error {
    damaged("its end is missing")
}

fn damaged(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}
