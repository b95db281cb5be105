//! SHA-256 of inputs that are completely in memory, by the `sha2` crate's block function. Most inputs of this
//! crate are a few SHA-256 blocks long, and the buffer of a streaming hasher costs as much as hashing one
//! block.

#[cfg(target_arch = "x86_64")]
pub(crate) mod lanes;

use core::slice;

use sha2::block_api::compress256;

const BLOCK: usize = 64;

/// The position of the length in bits in the last block.
const LENGTH: usize = BLOCK - 8;

/// SHA-256's initial hash value: FIPS 180-4, section 5.3.3.
pub(crate) const INITIAL_STATE: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The round constants: FIPS 180-4, section 4.2.2.
#[rustfmt::skip]
pub(crate) const ROUND_CONSTANTS: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

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

/// SHA-256 of a one-byte prefix and two hashes.
pub(super) fn digest_pair(prefix: u8, left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut blocks: Padded<2> = padding::<1, 64, 2>([prefix]);
    write_pair([left, right], content::<1, 64, 2>(&mut blocks));
    digest_blocks(&blocks)
}

/// Writes two hashes one after the other.
#[inline]
pub(super) fn write_pair([left, right]: [&[u8; 32]; 2], to: &mut [u8; 64]) {
    to[..32].copy_from_slice(left);
    to[32..].copy_from_slice(right);
}

/// A message with its padding, in whole blocks.
type Padded<const BLOCKS: usize> = [[u8; BLOCK]; BLOCKS];

/// The padding of a prefix and `LEN` bytes that are still zero: FIPS 180-4, section 5.1.1.
fn padding<const N: usize, const LEN: usize, const BLOCKS: usize>(prefix: [u8; N]) -> Padded<BLOCKS> {
    const { assert!((N + LEN + 1 + 8).div_ceil(BLOCK) == BLOCKS, "the padding ends in the last block") };
    let mut blocks = [[0; BLOCK]; BLOCKS];
    let bytes = blocks.as_flattened_mut();
    bytes[..N].copy_from_slice(&prefix);
    bytes[N + LEN] = 0x80;
    bytes[BLOCKS * BLOCK - 8..].copy_from_slice(&(8 * (N + LEN) as u64).to_be_bytes());
    blocks
}

/// The bytes between a prefix and the padding.
fn content<const N: usize, const LEN: usize, const BLOCKS: usize>(
    blocks: &mut Padded<BLOCKS>,
) -> &mut [u8; LEN] {
    #[expect(clippy::expect_used, reason = "`padding` has more bytes, which is asserted")]
    blocks.as_flattened_mut()[N..].first_chunk_mut().expect("blocks for a prefix and its message")
}

/// SHA-256 of blocks that end with their padding.
fn digest_blocks(blocks: &[[u8; BLOCK]]) -> [u8; 32] {
    let mut state = INITIAL_STATE;
    compress256(&mut state, blocks);
    to_bytes(&state)
}

/// SHA-256 of each of these messages of one length behind the prefix. `write` writes a message, and `of` makes a
/// digest what the caller has for it. Like [`digest_many`], but without a copy of any message.
pub(super) fn digest_fixed<const N: usize, const LEN: usize, const BLOCKS: usize, M, D>(
    prefix: [u8; N],
    mut messages: impl ExactSizeIterator<Item = M>,
    write: impl Fn(M, &mut [u8; LEN]),
    of: impl Fn([u8; 32]) -> D,
) -> Vec<D> {
    let mut digests = Vec::with_capacity(messages.len());
    #[cfg(target_arch = "x86_64")]
    if let Some(lanes) = best_lanes() {
        let digested = |digest| digests.push(of(digest));
        digest_groups::<N, LEN, BLOCKS, M>(lanes, prefix, &mut messages, &write, digested);
    }
    let mut blocks: Padded<BLOCKS> = padding::<N, LEN, BLOCKS>(prefix);
    digests.extend(messages.map(|message| {
        write(message, content::<N, LEN, BLOCKS>(&mut blocks));
        of(digest_blocks(&blocks))
    }));
    digests
}

/// Calls `digested` with the SHA-256 of each message. Leaves the last ones if they would leave most lanes empty: those
/// are faster one after the other.
#[cfg(target_arch = "x86_64")]
fn digest_groups<const N: usize, const LEN: usize, const BLOCKS: usize, M>(
    lanes: lanes::Lanes,
    prefix: [u8; N],
    messages: &mut impl ExactSizeIterator<Item = M>,
    write: impl Fn(M, &mut [u8; LEN]),
    mut digested: impl FnMut([u8; 32]),
) {
    // The padding stays, only the messages are written for each group.
    let mut group = [padding::<N, LEN, BLOCKS>(prefix); lanes::MAX_LANES];
    while messages.len() >= lanes.count() / 2 {
        let filled = messages.len().min(lanes.count());
        for (blocks, message) in group[..filled].iter_mut().zip(&mut *messages) {
            write(message, content::<N, LEN, BLOCKS>(blocks));
        }
        lanes.digest_padded(&group)[..filled].iter().copied().for_each(&mut digested);
    }
}

/// SHA-256 of each message behind the prefix. Hashes messages that fill the same number of blocks side by side
/// in SIMD lanes, if the processor has them, and the rest of them one after the other.
pub(super) fn digest_many<const N: usize>(prefix: [u8; N], messages: &[impl AsRef<[u8]>]) -> Vec<[u8; 32]> {
    #[cfg(target_arch = "x86_64")]
    if let Some(lanes) = best_lanes()
        && messages.len() >= lanes.count() / 2
    {
        return digest_in(lanes, prefix, messages);
    }
    messages.iter().map(|message| digest_behind(prefix, message.as_ref())).collect()
}

/// The lanes to use, if the processor has any.
///
/// Without optimisation, every operation on a vector is a call, and lanes take hundreds of times as long as `sha2`:
/// a build with debug assertions, which usually lacks it, does without lanes.
#[cfg(target_arch = "x86_64")]
fn best_lanes() -> Option<lanes::Lanes> {
    lanes::Lanes::available().next().filter(|_| !cfg!(debug_assertions))
}

/// [`digest_many`] in these lanes.
#[cfg(target_arch = "x86_64")]
fn digest_in<const N: usize>(
    lanes: lanes::Lanes,
    prefix: [u8; N],
    messages: &[impl AsRef<[u8]>],
) -> Vec<[u8; 32]> {
    let blocks = |message: &[u8]| (N + message.len() + 1 + 8).div_ceil(BLOCK);
    let mut order: Vec<_> = messages.iter().map(AsRef::as_ref).enumerate().collect();
    order.sort_by_key(|(_, message)| blocks(message));
    let mut digests = vec![[0; 32]; messages.len()];
    for equal in order.chunk_by(|(_, left), (_, right)| blocks(left) == blocks(right)) {
        for group in equal.chunks(lanes.count()) {
            // A group that leaves most lanes empty is faster one after the other.
            if group.len() < lanes.count() / 2 {
                for (index, message) in group {
                    digests[*index] = digest_behind(prefix, message);
                }
                continue;
            }
            lanes.digest(prefix, blocks(group[0].1), group, &mut digests);
        }
    }
    digests
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
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

    /// Checks the digests of messages of this length, in all kernels and without.
    fn check_fixed<const N: usize, const LEN: usize, const BLOCKS: usize>(prefix: [u8; N], count: usize) {
        let messages = messages(vec![LEN; count]);
        let expected: Vec<[u8; 32]> = messages.iter().map(|message| digest_behind(prefix, message)).collect();
        let write = |message: &Vec<u8>, to: &mut [u8; LEN]| to.copy_from_slice(message);
        let digests = digest_fixed::<N, LEN, BLOCKS, _, _>(prefix, messages.iter(), write, |digest| digest);
        assert_eq!(digests, expected);
        #[cfg(target_arch = "x86_64")]
        for lanes in lanes::Lanes::available() {
            let (mut rest, mut digests) = (messages.iter(), Vec::new());
            let digested = |digest| digests.push(digest);
            digest_groups::<N, LEN, BLOCKS, _>(lanes, prefix, &mut rest, write, digested);
            assert!(rest.len() < lanes.count() / 2, "{lanes:?} leave {} of {count}", rest.len());
            assert_eq!(digests, expected[..count - rest.len()], "{lanes:?}");
        }
    }

    #[test]
    fn messages_of_a_fixed_length_have_their_own_digests() {
        for count in 0..50 {
            check_fixed::<1, 32, 1>([0], count);
            check_fixed::<0, 55, 1>([], count);
            check_fixed::<1, 64, 2>([1], count);
            check_fixed::<2, 54, 2>([1, 2], count);
            check_fixed::<0, 180, 3>([], count);
            check_fixed::<0, 183, 3>([], count);
        }
    }

    /// Messages of these lengths, with different bytes.
    fn messages(lengths: impl IntoIterator<Item = usize>) -> Vec<Vec<u8>> {
        let message = |(seed, len): (usize, usize)| {
            (0..len).map(|index| (seed * 31 + index * 7).to_le_bytes()[0]).collect()
        };
        lengths.into_iter().enumerate().map(message).collect()
    }

    /// Checks the digests of messages by all kernels.
    fn check_all<const N: usize>(prefix: [u8; N], messages: &[Vec<u8>]) {
        let expected: Vec<[u8; 32]> = messages
            .iter()
            .map(|message| Sha256::new().chain_update(prefix).chain_update(message).finalize().into())
            .collect();
        assert_eq!(digest_many(prefix, messages), expected);
        #[cfg(target_arch = "x86_64")]
        for lanes in lanes::Lanes::available() {
            assert_eq!(digest_in(lanes, prefix, messages), expected, "{lanes:?}");
        }
    }

    #[test]
    fn many_messages_of_every_length_and_number_have_their_own_digests() {
        for len in 0..200 {
            check_all([], &messages([len; 16]));
            check_all([0], &messages([len; 17]));
            check_all([9, 8], &messages([len; 13]));
        }
        for count in 0..70 {
            check_all([0], &messages((0..count).map(|_| 64)));
            check_all([0], &messages((0..count).map(|index| 40 + index)));
        }
    }

    proptest! {
        #[test]
        fn messages_of_different_lengths_keep_their_order(lengths in vec(0..300_usize, 0..90)) {
            check_all([7], &messages(lengths));
        }
    }
}
