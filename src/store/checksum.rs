//! The checksum of values that have no other protection against corruption: the first eight bytes of a
//! SHA-256 over the table's name, the key and the value.

use super::Table;
use crate::primitives::Hash;

pub(crate) const CHECKSUM_LEN: usize = 8;

/// Appends the checksum to a value.
pub(crate) fn seal(table: Table, key: &[u8], mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = checksum(table, key, &bytes);
    bytes.extend(checksum);
    bytes
}

/// [`seal`] for several values, whose checksums are computed together.
pub(crate) fn seal_all<const KEY: usize>(
    table: Table,
    entries: impl IntoIterator<Item = ([u8; KEY], Vec<u8>)>,
) -> Vec<([u8; KEY], Vec<u8>)> {
    let mut entries: Vec<_> = entries.into_iter().collect();
    let whole = |(key, bytes): &([u8; KEY], Vec<u8>)| [table.name().as_bytes(), key, bytes].concat();
    let hashes = Hash::digest_many([], &entries.iter().map(whole).collect::<Vec<_>>());
    for ((_, bytes), hash) in entries.iter_mut().zip(&hashes) {
        bytes.extend(&hash.as_bytes()[..CHECKSUM_LEN]);
    }
    entries
}

/// Verifies and removes the checksum. `None` if it is wrong or missing.
pub(crate) fn unseal<'a>(table: Table, key: &[u8], bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (bytes, found) = bytes.split_last_chunk::<CHECKSUM_LEN>()?;
    (*found == checksum(table, key, bytes)).then_some(bytes)
}

fn checksum(table: Table, key: &[u8], bytes: &[u8]) -> [u8; CHECKSUM_LEN] {
    let hash = Hash::digest_parts(&[table.name().as_bytes(), key, bytes]);
    let mut checksum = [0; CHECKSUM_LEN];
    checksum.copy_from_slice(&hash.as_bytes()[..CHECKSUM_LEN]);
    checksum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_sealed_together_are_sealed_like_each_alone() {
        let entries: Vec<_> =
            (0..40_u8).map(|index| ([index, 1], vec![index; usize::from(index) * 9])).collect();
        let alone = |(key, bytes): ([u8; 2], Vec<u8>)| (key, seal(Table::Chain, &key, bytes));
        let expected: Vec<_> = entries.iter().cloned().map(alone).collect();
        assert_eq!(seal_all(Table::Chain, entries), expected);
        assert_eq!(unseal(Table::Chain, &[7, 1], &expected[7].1), Some(&[7; 63][..]));
    }
}
