//! SHA-256 in SIMD lanes: as many independent compressions at once as a vector register has 32-bit words. The
//! one file that knows the rounds in vectors; the miner builds its attempts from them.
//!
//! Rounds are unrolled, with constant indices and no closures: the compiler makes closures over lanes
//! (`from_fn`, `map`) functions without the wider instructions, which costs all that the vectors gain.
#![expect(
    clippy::inline_always,
    reason = "as a function of its own, code of lanes has no wider instructions"
)]

use fearless_simd::prelude::*;
use fearless_simd::{Level, x86};

use super::{BLOCK, INITIAL_STATE, LENGTH, Padded, ROUND_CONSTANTS};

/// The lanes of the widest vectors.
pub(super) const MAX_LANES: usize = 16;

/// An instruction set that this processor has, as the token that proves it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lanes {
    /// 8 lanes.
    Avx2(x86::Avx2),
    /// 16 lanes.
    Avx512(x86::Avx512),
}

impl Lanes {
    /// The instruction sets that this processor has, the fastest first.
    pub(super) fn available() -> impl Iterator<Item = Self> {
        let level = Level::new();
        level.as_avx512().map(Self::Avx512).into_iter().chain(level.as_avx2().map(Self::Avx2))
    }

    /// The number of messages that are hashed at once.
    pub(super) const fn count(self) -> usize {
        match self {
            Self::Avx2(_) => 8,
            Self::Avx512(_) => 16,
        }
    }

    /// Writes the digests of messages behind a prefix to their indices in `digests`. There are at most
    /// [`count`](Self::count) messages, and all fill the same number of blocks with their padding.
    pub(super) fn digest<const N: usize>(
        self,
        prefix: [u8; N],
        blocks: usize,
        messages: &[(usize, &[u8])],
        digests: &mut [[u8; 32]],
    ) {
        match self {
            Self::Avx2(simd) => digest(simd, prefix, blocks, messages, digests),
            Self::Avx512(simd) => digest(simd, prefix, blocks, messages, digests),
        }
    }

    /// The digests of messages with their padding. Only the first [`count`](Self::count) are digested.
    pub(super) fn digest_padded<const BLOCKS: usize>(
        self,
        messages: &[Padded<BLOCKS>; MAX_LANES],
    ) -> [[u8; 32]; MAX_LANES] {
        match self {
            Self::Avx2(simd) => digest_padded(simd, messages),
            Self::Avx512(simd) => digest_padded(simd, messages),
        }
    }
}

fn digest_padded<S: Simd, const BLOCKS: usize>(
    simd: S,
    messages: &[Padded<BLOCKS>; MAX_LANES],
) -> [[u8; 32]; MAX_LANES] {
    simd.vectorize(
        // Only this closure has the wider instructions, so its callees must be inlined into it.
        #[inline(always)]
        || {
            let mut state = INITIAL_STATE.map(|word| S::u32s::splat(simd, word));
            for index in 0..BLOCKS {
                compress(simd, &mut state, words(simd, messages, index));
            }
            digests(simd, &state)
        },
    )
}

fn digest<S: Simd, const N: usize>(
    simd: S,
    prefix: [u8; N],
    blocks: usize,
    messages: &[(usize, &[u8])],
    to: &mut [[u8; 32]],
) {
    let mut state = INITIAL_STATE.map(|word| S::u32s::splat(simd, word));
    let mut side_by_side = [[[0; BLOCK]]; MAX_LANES];
    for index in 0..blocks {
        for ([block], (_, message)) in side_by_side.iter_mut().zip(messages) {
            pad(block, prefix, message, index, blocks);
        }
        simd.vectorize(
            #[inline(always)]
            || compress(simd, &mut state, words(simd, &side_by_side, 0)),
        );
    }
    let digests = simd.vectorize(
        #[inline(always)]
        || digests(simd, &state),
    );
    for ((index, _), digest) in messages.iter().zip(digests) {
        to[*index] = digest;
    }
}

/// Writes the block at `index` of the `blocks` that a message behind a prefix fills with its padding.
fn pad<const N: usize>(
    block: &mut [u8; BLOCK],
    prefix: [u8; N],
    message: &[u8],
    index: usize,
    blocks: usize,
) {
    let from = if index == 0 {
        block[..N].copy_from_slice(&prefix);
        if let Some(first) = message.get(..BLOCK - N) {
            block[N..].copy_from_slice(first);
            return;
        }
        0
    } else {
        index * BLOCK - N
    };
    let rest = message.get(from..).unwrap_or_default();
    if let Some(whole) = rest.first_chunk() {
        *block = *whole;
        return;
    }
    let at = if index == 0 { N } else { 0 };
    block[at..].fill(0);
    block[at..at + rest.len()].copy_from_slice(rest);
    // The bit behind the message is in the block before if the message ends with it.
    if from <= message.len() {
        block[at + rest.len()] = 0x80;
    }
    if index + 1 == blocks {
        block[LENGTH..].copy_from_slice(&(8 * (N + message.len()) as u64).to_be_bytes());
    }
}

/// The words of the block at `index` in each lane: the first vector has the first word of each block.
#[inline(always)]
fn words<S: Simd, const BLOCKS: usize>(
    simd: S,
    messages: &[Padded<BLOCKS>; MAX_LANES],
    index: usize,
) -> [S::u32s; 16] {
    let mut words = [S::u32s::splat(simd, 0); 16];
    let lanes = S::u32s::LEN;
    for part in 0..16 / lanes {
        let mut rows = [S::u32s::splat(simd, 0); MAX_LANES];
        for lane in 0..lanes {
            let row = &messages[lane][index][part * 4 * lanes..(part + 1) * 4 * lanes];
            rows[lane] = swap_bytes::<S>(simd, S::u8s::from_slice(simd, row)).bitcast();
        }
        transpose::<S>(&mut rows);
        words[part * lanes..(part + 1) * lanes].copy_from_slice(&rows[..lanes]);
    }
    words
}

/// The digest in each lane.
#[inline(always)]
fn digests<S: Simd>(simd: S, state: &[S::u32s; 8]) -> [[u8; 32]; MAX_LANES] {
    let mut rows = [S::u32s::splat(simd, 0); MAX_LANES];
    rows[..8].copy_from_slice(state);
    transpose::<S>(&mut rows);
    let mut digests = [[0; 32]; MAX_LANES];
    for lane in 0..S::u32s::LEN {
        let bytes = swap_bytes::<S>(simd, rows[lane].bitcast());
        digests[lane].copy_from_slice(&bytes.as_slice()[..32]);
    }
    digests
}

/// Transposes the square of as many rows as there are lanes, as a perfect shuffle of the rows, once for each bit of
/// a lane's index.
#[inline(always)]
fn transpose<S: Simd>(rows: &mut [S::u32s; MAX_LANES]) {
    let lanes = S::u32s::LEN;
    for _ in 0..lanes.ilog2() {
        let before = *rows;
        for pair in 0..lanes / 2 {
            (rows[2 * pair], rows[2 * pair + 1]) = before[pair].interleave(before[pair + lanes / 2]);
        }
    }
}

/// Reverses the bytes of each word, which a vector loads and stores in the order of the processor.
#[inline(always)]
fn swap_bytes<S: Simd>(simd: S, bytes: S::u8s) -> S::u8s {
    /// The places of the bytes, for each 16 of them.
    const PLACES: [u8; 64] = {
        let mut places = [0; 64];
        let mut at = 0;
        while at < 64 {
            #[expect(clippy::cast_possible_truncation, reason = "below 16")]
            let place = ((at % 16) ^ 3) as u8;
            places[at] = place;
            at += 1;
        }
        places
    };
    bytes.swizzle_dyn_within_blocks(S::u8s::from_slice(simd, &PLACES[..S::u8s::LEN]))
}

/// Compresses one block in each lane: FIPS 180-4, section 6.2.2.
#[inline(always)]
fn compress<S: Simd>(simd: S, state: &mut [S::u32s; 8], mut words: [S::u32s; 16]) {
    let before = *state;
    let mut after = before;
    macro_rules! rounds {
        ($($round:literal)*) => { $(
            if $round >= 16 {
                words[$round % 16] += schedule_1::<S>(words[($round + 14) % 16]);
                words[$round % 16] += words[($round + 9) % 16];
                words[$round % 16] += schedule_0::<S>(words[($round + 1) % 16]);
            }
            let term = words[$round % 16] + S::u32s::splat(simd, ROUND_CONSTANTS[$round]);
            round::<$round, S>(&mut after, term);
        )* };
    }
    rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
    rounds!(32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63);
    macro_rules! add {
        ($($index:literal)*) => { $(state[$index] = before[$index] + after[$index];)* };
    }
    add!(0 1 2 3 4 5 6 7);
}

/// One round. `term` is the round's constant plus its word. Instead of moving the eight state words, each round
/// indexes them with another offset.
#[expect(clippy::many_single_char_names, reason = "as the standard calls them")]
#[inline(always)]
pub(crate) fn round<const ROUND: usize, S: Simd>(state: &mut [S::u32s; 8], term: S::u32s) {
    let at = 7 * ROUND;
    let [a, b, c] = [state[at % 8], state[(at + 1) % 8], state[(at + 2) % 8]];
    let [e, f, g] = [state[(at + 4) % 8], state[(at + 5) % 8], state[(at + 6) % 8]];
    let mut first = state[(at + 7) % 8] + term;
    let sum_1 = rotate::<6, S>(e) ^ rotate::<11, S>(e) ^ rotate::<25, S>(e);
    first += ((f ^ g) & e) ^ g;
    first += sum_1;
    let sum_0 = rotate::<2, S>(a) ^ rotate::<13, S>(a) ^ rotate::<22, S>(a);
    let majority = ((a ^ b) & (b ^ c)) ^ b;
    state[(at + 3) % 8] += first;
    state[(at + 7) % 8] = first + sum_0 + majority;
}

/// The lower-case sigma 0 of FIPS 180-4, section 4.1.2.
#[inline(always)]
pub(crate) fn schedule_0<S: Simd>(word: S::u32s) -> S::u32s {
    rotate::<7, S>(word) ^ rotate::<18, S>(word) ^ (word >> 3)
}

/// The lower-case sigma 1 of FIPS 180-4, section 4.1.2.
#[inline(always)]
pub(crate) fn schedule_1<S: Simd>(word: S::u32s) -> S::u32s {
    rotate::<17, S>(word) ^ rotate::<19, S>(word) ^ (word >> 10)
}

#[inline(always)]
fn rotate<const BITS: u32, S: Simd>(word: S::u32s) -> S::u32s {
    (word >> BITS) | (word << (32 - BITS))
}
