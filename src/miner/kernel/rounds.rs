//! The parts of SHA-256 that all attempts on one header share: the rounds before the word that holds the
//! nonce's low half, and the constant terms of the later rounds and schedule words. Scalar code, no SIMD.

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

/// FIPS 180-4, section 4.2.2.
#[rustfmt::skip]
const ROUND_CONSTANTS: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];
