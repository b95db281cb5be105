//! Entries of a file in which the way to them is missing: every sector that reads as the beginning of a leaf of redb's
//! trees is taken for one. A leaf does not say of which table it is, and may be an old one; so only entries count that
//! say themselves what they are.

use ::redb::StorageBackend;

use super::checked::SECTOR;
use crate::store::{StoreError, Table, unseal};

/// The first byte of a leaf.
const LEAF: u8 = 1;

/// A leaf begins with its kind, a byte without meaning, and the number of its entries: two bytes, little-endian. Then
/// come the ends of the keys and those of the values, four bytes each, counted from the beginning of the leaf.
const HEAD: usize = 4;
const END: usize = 4;

/// More than the largest entry of a chain has, which is a block or a state. What says that it is longer is no leaf: 64 MiB.
const MAX_LEAF: usize = 64 << 20;

/// The tables in which an old entry does no harm, and whose entries can be told. What was removed from the others would
/// be there again.
pub(super) const TABLES: [Table; 5] =
    [Table::Meta, Table::Chain, Table::Heights, Table::Blocks, Table::States];

/// Finds entries of [`TABLES`] in a file, and calls `found` for each. Sectors that cannot be read are passed over.
///
/// # Errors
///
/// Those of `found`.
pub(super) fn each(
    file: &impl StorageBackend,
    mut found: impl FnMut(Table, &[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let len = file.len().unwrap_or(0);
    let mut sector = vec![0; SECTOR];
    // redb's header is in the first.
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

/// The leaf that begins here, as far as the file has it. `None`, if there is none.
fn read(file: &impl StorageBackend, offset: u64, len: u64, sector: &[u8]) -> Option<Vec<u8>> {
    let count = count(sector)?;
    let available = usize::try_from(len - offset).unwrap_or(MAX_LEAF).min(MAX_LEAF);
    let ends = extend(file, offset, sector, (HEAD + 2 * END * count).min(available));
    let last = end(&ends, 2 * count - 1)?;
    Some(extend(file, offset, sector, last.min(available)))
}

/// As many sectors from here on as these bytes are in.
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

/// The entries of a leaf up to the first that is not all there.
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

/// One of the ends that a leaf begins with.
fn end(leaf: &[u8], number: usize) -> Option<usize> {
    let end = u32::from_le_bytes(*leaf.get(HEAD + END * number..)?.first_chunk()?);
    usize::try_from(end).ok()
}

/// Which table an entry is of, by its checksum, or by the length of a key that no other table has.
fn table_of(key: &[u8], value: &[u8]) -> Option<Table> {
    let is_sealed = |table: &Table| unseal(*table, key, value).is_some();
    match (key.len(), value.len()) {
        (40, _) => Some(Table::Blocks),
        (32, 8) => Some(Table::Heights),
        _ => [Table::Meta, Table::Chain, Table::States].into_iter().find(is_sealed),
    }
}
