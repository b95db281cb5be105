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
