//! Attempts in SIMD lanes: as many nonces at once as a vector register has 32-bit words. Computes only the
//! first word of each hash. A nonce whose first word passes is a candidate, which [`Attempt`] checks in full.
//!
//! The rounds themselves are in `primitives/sha256/lanes.rs`, which also says why they are unrolled.

use core::ops::Range;

use fearless_simd::prelude::*;

use super::attempt::Attempt;
use super::rounds::{NONCE_WORD, Rounds, VARIES};
use crate::primitives::sha256::lanes;

/// A SIMD search for one header. Generic over the instruction set; the token `simd` proves that the processor
/// has it.
#[derive(Clone, Debug)]
pub(super) struct Lanes<S> {
    simd: S,
    /// The high half of the nonce for which `rounds` was computed.
    high: u64,
    rounds: Rounds,
}

/// A group of lanes with at least one candidate.
struct Candidates {
    /// The number of nonces before the group.
    before: u64,
    /// The candidates: one bit for each lane, the lowest bit for the first lane.
    mask: u64,
}

impl<S: Simd> Lanes<S> {
    pub(super) fn new(simd: S, attempt: &Attempt) -> Self {
        Self { simd, high: 0, rounds: attempt.rounds(0) }
    }

    /// The first of these nonces whose hash meets the target.
    pub(super) fn find(&mut self, attempt: &Attempt, nonces: Range<u64>) -> Option<u64> {
        let mut next = nonces.start;
        while next < nonces.end {
            let (high, low) = (next & HIGH, next & !HIGH);
            if self.high != high {
                *self = Self { simd: self.simd, high, rounds: attempt.rounds(high) };
            }
            let end = nonces.end.min((high | !HIGH).saturating_add(1));
            #[expect(clippy::cast_possible_truncation, reason = "the low half")]
            let candidates = self.candidates(attempt.target[0], low as u32, end - next);
            let Some(Candidates { before, mut mask }) = candidates else {
                next = end;
                continue;
            };
            let left = end - next - before;
            next += before;
            while mask != 0 {
                let lane = u64::from(mask.trailing_zeros());
                // Lanes beyond the end of the range are computed with the others and ignored here.
                if lane < left && attempt.succeeds(next + lane) {
                    return Some(next + lane);
                }
                mask &= mask - 1;
            }
            next += left.min(S::u32s::LEN as u64);
        }
        None
    }

    /// The first candidates among `count` nonces from `low` on.
    fn candidates(&self, target: u32, low: u32, count: u64) -> Option<Candidates> {
        let Self { simd, ref rounds, .. } = *self;
        simd.vectorize(
            // Only this closure has the wider instructions, so its callees must be inlined into it.
            #[inline(always)]
            || search(simd, rounds, target, low, count),
        )
    }
}

/// Selects the high half of a nonce.
const HIGH: u64 = !0 << 32;

/// The first group with candidates among `count` nonces from the low half `low` on.
#[expect(clippy::inline_always, reason = "as a function of its own it has no wider instructions")]
#[inline(always)]
fn search<S: Simd>(simd: S, rounds: &Rounds, target: u32, low: u32, count: u64) -> Option<Candidates> {
    let target = S::u32s::splat(simd, target);
    let mut nonces = S::u32s::splat(simd, low);
    for (index, offset) in (0..S::u32s::LEN).zip(0..) {
        nonces[index] = nonces[index].wrapping_add(offset);
    }
    #[expect(clippy::cast_possible_truncation, reason = "a vector has no more lanes than bits")]
    let lanes = S::u32s::LEN as u32;
    let mut before = 0;
    while before < count {
        let mask = first_words(simd, rounds, nonces).simd_le(target).to_bitmask();
        if mask != 0 {
            return Some(Candidates { before, mask });
        }
        nonces += S::u32s::splat(simd, lanes);
        before += u64::from(lanes);
    }
    None
}

/// The first words of the hashes.
#[expect(clippy::inline_always, reason = "as a function of its own it has no wider instructions")]
#[inline(always)]
fn first_words<S: Simd>(simd: S, rounds: &Rounds, nonces: S::u32s) -> S::u32s {
    let mut state = [nonces; 8];
    macro_rules! state {
        ($($index:literal)*) => {
            $(state[(7 * (NONCE_WORD + 1) + $index) % 8] = S::u32s::splat(simd, rounds.state[$index]);)*
        };
    }
    state!(0 1 2 3 4 5 6 7);
    state[(7 * (NONCE_WORD + 1)) % 8] += nonces;
    state[(7 * (NONCE_WORD + 1) + 4) % 8] += nonces;
    // Only words that vary are read, and each of them is written before it is read.
    let mut words = [nonces; 16];
    macro_rules! rounds {
        ($($round:literal)*) => { $(round::<$round, S>(simd, rounds, &mut state, &mut words);)* };
    }
    rounds!(13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38);
    rounds!(39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63);
    state[0]
}

/// One round and its message word, if that varies.
#[expect(clippy::inline_always, reason = "as a function of its own it has no wider instructions")]
#[inline(always)]
fn round<const ROUND: usize, S: Simd>(
    simd: S,
    rounds: &Rounds,
    state: &mut [S::u32s; 8],
    words: &mut [S::u32s; 16],
) {
    let mut term = S::u32s::splat(simd, rounds.terms[ROUND]);
    if VARIES[ROUND] {
        let word = word::<ROUND, S>(simd, rounds, words);
        words[ROUND % 16] = word;
        term += word;
    }
    lanes::round::<ROUND, S>(state, term);
}

/// One word of the message schedule: the terms that vary, plus the precomputed sum of those that do not.
#[expect(clippy::inline_always, reason = "as a function of its own it has no wider instructions")]
#[inline(always)]
fn word<const INDEX: usize, S: Simd>(simd: S, rounds: &Rounds, words: &[S::u32s; 16]) -> S::u32s {
    let (before_2, before_15) = (words[(INDEX - 2) % 16], words[(INDEX - 15) % 16]);
    // The compiler removes the zero and the first addition.
    let mut sum = S::u32s::splat(simd, 0);
    if VARIES[INDEX - 16] {
        sum += words[INDEX % 16];
    }
    if VARIES[INDEX - 7] {
        sum += words[(INDEX - 7) % 16];
    }
    if VARIES[INDEX - 15] {
        sum += lanes::schedule_0::<S>(before_15);
    }
    if VARIES[INDEX - 2] {
        sum += lanes::schedule_1::<S>(before_2);
    }
    if VARIES[INDEX - 2] && VARIES[INDEX - 7] && VARIES[INDEX - 15] && VARIES[INDEX - 16] {
        return sum;
    }
    sum + S::u32s::splat(simd, rounds.words[INDEX])
}
