//! Attempts by the block function of the `sha2` crate: one at a time, which also checks the candidates of the
//! SIMD kernels, and four in a row. Scalar code, no SIMD of its own.

use core::ops::Range;
use core::slice;

use sha2::block_api::compress256;

use crate::Header;
use crate::primitives::Target;
use crate::primitives::sha256::INITIAL_STATE;

/// A header prepared for attempts.
///
/// The header's 180 bytes and the padding are three SHA-256 blocks of 64 bytes. The first two do not contain
/// the nonce and are compressed once, into the midstate. The third contains the nonce in bytes 44..52.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    midstate: [u32; 8],
    last_block: [u8; 64],
    /// Most significant word first, like the words of SHA-256's state.
    pub(super) target: [u32; 8],
}

impl Attempt {
    pub(super) fn new(header: &Header, target: Target) -> Self {
        let bytes = header.to_bytes();
        let (blocks, rest) = bytes.as_chunks();
        let mut midstate = INITIAL_STATE;
        compress256(&mut midstate, blocks);

        let mut last_block = [0; 64];
        last_block[..rest.len()].copy_from_slice(rest);
        last_block[rest.len()] = 0x80;
        last_block[56..].copy_from_slice(&(8 * Header::LEN as u64).to_be_bytes());

        let target = target.as_uint().to_be_bytes::<32>();
        let (words, _) = target.as_chunks();
        let target = core::array::from_fn(|index| u32::from_be_bytes(words[index]));
        Self { midstate, last_block, target }
    }

    /// The values that all attempts with this high half of the nonce share.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn rounds(&self, nonce: u64) -> super::rounds::Rounds {
        let mut block = self.last_block;
        block[NONCE].copy_from_slice(&nonce.to_be_bytes());
        super::rounds::Rounds::new(&self.midstate, &block)
    }

    /// Whether the hash with this nonce meets the target.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn succeeds(&self, nonce: u64) -> bool {
        self.find(nonce..nonce + 1).is_some()
    }

    /// The first of these nonces whose hash meets the target.
    pub(super) fn find(&self, mut nonces: Range<u64>) -> Option<u64> {
        let mut block = self.last_block;
        nonces.find(|nonce| {
            block[NONCE].copy_from_slice(&nonce.to_be_bytes());
            let mut state = self.midstate;
            compress256(&mut state, slice::from_ref(&block));
            self.is_met_by(&state)
        })
    }

    /// [`find`](Self::find), but computes four independent hashes before it compares the first one, so that
    /// the processor overlaps them: the instructions of a single hash depend on each other.
    pub(super) fn find_by_four(&self, nonces: Range<u64>) -> Option<u64> {
        let mut blocks = [self.last_block; 4];
        let mut next = nonces.start;
        while nonces.end - next >= 4 {
            let mut states = [self.midstate; 4];
            for (block, nonce) in blocks.iter_mut().zip(next..) {
                block[NONCE].copy_from_slice(&nonce.to_be_bytes());
            }
            for (state, block) in states.iter_mut().zip(&blocks) {
                compress256(state, slice::from_ref(block));
            }
            for (state, nonce) in states.iter().zip(next..) {
                if self.is_met_by(state) {
                    return Some(nonce);
                }
            }
            next += 4;
        }
        self.find(next..nonces.end)
    }

    /// Whether this hash meets the target.
    fn is_met_by(&self, state: &[u32; 8]) -> bool {
        // The first word alone decides nearly every attempt.
        state[0] <= self.target[0] && *state <= self.target
    }
}

/// The position of the nonce in the last block.
const NONCE: Range<usize> = 44..52;
