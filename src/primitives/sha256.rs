//! SHA-256 of inputs that are completely in memory, by the `sha2` crate's block function. Most inputs of this
//! crate are a few SHA-256 blocks long, and the buffer of a streaming hasher costs as much as hashing one
//! block.

use core::slice;

use sha2::block_api::compress256;

const BLOCK: usize = 64;

/// The position of the length in bits in the last block.
const LENGTH: usize = BLOCK - 8;

/// SHA-256's initial hash value: FIPS 180-4, section 5.3.3.
pub(crate) const INITIAL_STATE: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// SHA-256 of a prefix shorter than a block, followed by `bytes`.
pub(super) fn digest_behind<const N: usize>(prefix: [u8; N], bytes: &[u8]) -> [u8; 32] {
    const { assert!(N < BLOCK, "the prefix is to leave room in the first block") };
    let mut state = INITIAL_STATE;
    let mut block = [0; BLOCK];
    block[..N].copy_from_slice(&prefix);
    let Some((first, rest)) = bytes.split_at_checked(BLOCK - N) else {
        let end = N + bytes.len();
        block[N..end].copy_from_slice(bytes);
        return finish(state, block, end, end);
    };
    block[N..].copy_from_slice(first);
    compress256(&mut state, slice::from_ref(&block));
    let (blocks, rest) = rest.as_chunks();
    if !blocks.is_empty() {
        compress256(&mut state, blocks);
    }
    block = [0; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    finish(state, block, rest.len(), N + bytes.len())
}

/// Pads the last block, which is zero from `end` on, and compresses it. `len` bytes were hashed in all.
fn finish(mut state: [u32; 8], mut block: [u8; BLOCK], end: usize, len: usize) -> [u8; 32] {
    block[end] = 0x80;
    if end >= LENGTH {
        compress256(&mut state, slice::from_ref(&block));
        block = [0; BLOCK];
    }
    block[LENGTH..].copy_from_slice(&(8 * len as u64).to_be_bytes());
    compress256(&mut state, slice::from_ref(&block));
    to_bytes(&state)
}

fn to_bytes(state: &[u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    bytes
}

/// SHA-256 of a one-byte prefix and two hashes: always two blocks with the same padding.
pub(super) fn digest_pair(prefix: u8, left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    /// The prefix and both hashes.
    const LEN: usize = 1 + 2 * 32;
    let mut blocks = [[0; BLOCK]; 2];
    let bytes = blocks.as_flattened_mut();
    bytes[0] = prefix;
    bytes[1..33].copy_from_slice(left);
    bytes[33..LEN].copy_from_slice(right);
    bytes[LEN] = 0x80;
    bytes[BLOCK + LENGTH..].copy_from_slice(&(8 * LEN as u64).to_be_bytes());
    let mut state = INITIAL_STATE;
    compress256(&mut state, &blocks);
    to_bytes(&state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn is_sha256_at_every_length() {
        let bytes: Vec<u8> = (0..=255).chain(0..=255).collect();
        for len in 0..bytes.len() {
            let bytes = &bytes[..len];
            assert_eq!(digest_behind([], bytes), *Sha256::digest(bytes), "{len} bytes");
            let prefixed = [&[9, 8], bytes].concat();
            assert_eq!(digest_behind([9, 8], bytes), *Sha256::digest(prefixed), "{len} bytes behind two");
        }
    }

    #[test]
    fn a_pair_is_its_bytes() {
        let (left, right) = ([3; 32], [0xfe; 32]);
        let bytes = [&[1][..], &left, &right].concat();
        assert_eq!(digest_pair(1, &left, &right), *Sha256::digest(bytes));
    }
}
