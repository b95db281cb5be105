//! Recovers entries of a damaged file without the inner nodes of redb's trees: scans for sectors that look
//! like the beginning of a leaf. A leaf does not name its table and may be outdated, so only entries whose
//! table can be recognised are used.

use ::redb::StorageBackend;

use super::checked::SECTOR;
use crate::store::{StoreError, Table, unseal};

/// The first byte of a leaf page.
const LEAF: u8 = 1;

/// The layout of a leaf: its type, an unused byte, and the number of its entries (two bytes, little-endian);
/// then the end offset of each key, and the end offset of each value, four bytes each, relative to the
/// beginning of the leaf.
const HEAD: usize = 4;
const END: usize = 4;

/// The upper limit of a leaf's length: 64 MiB, more than the largest entry of a chain, which is a block or a
/// state. A longer leaf is malformed.
const MAX_LEAF: usize = 64 << 20;

/// The tables whose entries can be recognised, and in which an outdated entry does no harm. In the other
/// tables, removed entries would reappear.
pub(super) const TABLES: [Table; 5] =
    [Table::Meta, Table::Chain, Table::Heights, Table::Blocks, Table::States];

/// Finds entries of [`TABLES`] in a file, and calls `found` for each. Unreadable sectors are skipped.
///
/// # Errors
///
/// Returns the first error of `found`.
pub(super) fn each(
    file: &impl StorageBackend,
    mut found: impl FnMut(Table, &[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let len = file.len().unwrap_or(0);
    let mut sector = vec![0; SECTOR];
    // The first sector is redb's header.
    for offset in (SECTOR as u64..len).step_by(SECTOR) {
        if file.read(offset, &mut sector).is_err() || sector[0] != LEAF {
            continue;
        }
        let Some(leaf) = read(file, offset, len, &sector) else { continue };
        for (key, value) in entries(&leaf) {
            if let Some(table) = table_of(key, value) {
                found(table, key, value)?;
            }
        }
    }
    Ok(())
}

/// Reads the leaf that begins at this offset, as far as the file contains it. `None` if the sector is not a
/// leaf.
fn read(file: &impl StorageBackend, offset: u64, len: u64, sector: &[u8]) -> Option<Vec<u8>> {
    let count = count(sector)?;
    let available = usize::try_from(len - offset).unwrap_or(MAX_LEAF).min(MAX_LEAF);
    let ends = extend(file, offset, sector, (HEAD + 2 * END * count).min(available));
    // The end of the last value is the end of the leaf.
    let last = end(&ends, 2 * count - 1)?;
    Some(extend(file, offset, sector, last.min(available)))
}

/// Reads further sectors until the leaf has this many bytes, or until a sector is unreadable.
fn extend(file: &impl StorageBackend, offset: u64, sector: &[u8], bytes: usize) -> Vec<u8> {
    let mut leaf = sector.to_vec();
    while leaf.len() < bytes {
        let at = leaf.len();
        leaf.resize(at + SECTOR, 0);
        if file.read(offset + at as u64, &mut leaf[at..]).is_err() {
            leaf.truncate(at);
            break;
        }
    }
    leaf
}

/// The entries of a leaf, up to the first that is truncated.
fn entries(leaf: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let count = count(leaf).unwrap_or(0);
    let start = HEAD + 2 * END * count;
    (0..count).map_while(move |number| {
        let key_start = number.checked_sub(1).map_or(Some(start), |before| end(leaf, before))?;
        let first_value = end(leaf, count - 1)?;
        let value_start =
            number.checked_sub(1).map_or(Some(first_value), |before| end(leaf, count + before))?;
        let key = leaf.get(key_start..end(leaf, number)?)?;
        let value = leaf.get(value_start..end(leaf, count + number)?)?;
        Some((key, value))
    })
}

fn count(leaf: &[u8]) -> Option<usize> {
    let count = u16::from_le_bytes(*leaf.get(2..)?.first_chunk()?);
    (count > 0).then_some(usize::from(count))
}

/// The end offset with this number.
fn end(leaf: &[u8], number: usize) -> Option<usize> {
    let end = u32::from_le_bytes(*leaf.get(HEAD + END * number..)?.first_chunk()?);
    usize::try_from(end).ok()
}

/// The table of an entry, recognised by the length of its key and value or by its checksum.
fn table_of(key: &[u8], value: &[u8]) -> Option<Table> {
    let is_sealed = |table: &Table| unseal(*table, key, value).is_some();
    match (key.len(), value.len()) {
        (40, _) => Some(Table::Blocks),
        (32, 8) => Some(Table::Heights),
        _ => [Table::Meta, Table::Chain, Table::States].into_iter().find(is_sealed),
    }
}
