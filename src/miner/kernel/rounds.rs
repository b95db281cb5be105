//! The parts of SHA-256 that all attempts on one header share: the rounds before the word that holds the
//! nonce's low half, and the constant terms of the later rounds and schedule words. Scalar code, no SIMD.

use crate::primitives::sha256::ROUND_CONSTANTS;

/// The index of the word in the last SHA-256 block that holds the nonce's low half. The words before it are
/// equal for all nonces with the same high half.
pub(super) const NONCE_WORD: usize = 12;

/// For each word of the message schedule, whether it depends on the nonce's low half.
pub(super) const VARIES: [bool; 64] = {
    let mut varies = [false; 64];
    varies[NONCE_WORD] = true;
    let mut index = 16;
    while index < 64 {
        varies[index] = varies[index - 2] || varies[index - 7] || varies[index - 15] || varies[index - 16];
        index += 1;
    }
    varies
};

/// The part of an attempt that is computed once for all nonces with the same high half.
#[derive(Clone, Debug)]
pub(super) struct Rounds {
    /// The state after round [`NONCE_WORD`] for a low half of zero. An attempt adds its low half to the first
    /// and the fifth word.
    pub(super) state: [u32; 8],
    /// For each schedule word, the sum of its terms that do not vary: the whole word if none varies.
    pub(super) words: [u32; 64],
    /// For each round, the round constant plus the schedule word if that does not vary. The term of the last
    /// round includes the first word of the midstate, so that the round's result is the first word of the
    /// hash.
    pub(super) terms: [u32; 64],
}

impl Rounds {
    /// `block` is the last SHA-256 block, with the nonce's high half; the low half in it is ignored.
    pub(super) fn new(midstate: &[u32; 8], block: &[u8; 64]) -> Self {
        let mut words = [0; 64];
        for (word, bytes) in words.iter_mut().zip(block.as_chunks().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        words[NONCE_WORD] = 0;
        for index in 16..64 {
            let term = |back: usize, value: u32| if VARIES[index - back] { 0 } else { value };
            words[index] = term(2, schedule_1(words[index - 2]))
                .wrapping_add(term(7, words[index - 7]))
                .wrapping_add(term(15, schedule_0(words[index - 15])))
                .wrapping_add(term(16, words[index - 16]));
        }

        let mut terms = ROUND_CONSTANTS;
        for index in 0..64 {
            if !VARIES[index] {
                terms[index] = terms[index].wrapping_add(words[index]);
            }
        }
        let mut state = *midstate;
        for term in &terms[..=NONCE_WORD] {
            state = round(state, *term);
        }
        terms[63] = terms[63].wrapping_add(midstate[0]);
        Self { state, words, terms }
    }
}

/// One round: FIPS 180-4, section 6.2.2. `term` is the round's constant plus its word.
#[expect(clippy::many_single_char_names, reason = "as the standard calls them")]
fn round([a, b, c, d, e, f, g, h]: [u32; 8], term: u32) -> [u32; 8] {
    let sum_1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
    let choice = (e & f) ^ (!e & g);
    let first = h.wrapping_add(sum_1).wrapping_add(choice).wrapping_add(term);
    let sum_0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
    let majority = (a & b) ^ (a & c) ^ (b & c);
    [first.wrapping_add(sum_0).wrapping_add(majority), a, b, c, d.wrapping_add(first), e, f, g]
}

/// The lower-case sigma 0 of FIPS 180-4, section 4.1.2.
fn schedule_0(word: u32) -> u32 {
    word.rotate_right(7) ^ word.rotate_right(18) ^ (word >> 3)
}

/// The lower-case sigma 1 of FIPS 180-4, section 4.1.2.
fn schedule_1(word: u32) -> u32 {
    word.rotate_right(17) ^ word.rotate_right(19) ^ (word >> 10)
}
