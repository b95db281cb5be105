//! The inner loop: one attempt is one SHA-256 compression from a midstate. Knows bytes and numbers, neither
//! templates nor lanes, and is not generic, so that it is compiled in this crate: an embedder's debug build
//! mines at a useful speed once its own profile optimises this crate, whatever it does with its own code.

use core::ops::Range;
use core::slice;

use sha2::block_api::compress256;

use crate::{Header, Target};

/// A header reduced to what an attempt needs.
///
/// The header's 180 bytes and SHA-256's padding are three blocks of 64 bytes. The first two do not hold the
/// nonce, so they are compressed once, into the midstate; the third holds it in bytes 44..52.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    midstate: [u32; 8],
    last_block: [u8; 64],
    /// Most significant word first, as SHA-256 leaves its state.
    target: [u32; 8],
}

impl Kernel {
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

    /// The first of these nonces whose hash meets the target.
    ///
    /// The nonces are consecutive so that an implementation may try several at once.
    #[inline(never)]
    pub(super) fn find(&self, mut nonces: Range<u64>) -> Option<u64> {
        let mut block = self.last_block;
        nonces.find(|nonce| {
            block[NONCE].copy_from_slice(&nonce.to_be_bytes());
            let mut state = self.midstate;
            compress256(&mut state, slice::from_ref(&block));
            // The first word alone decides nearly every attempt.
            state[0] <= self.target[0] && state <= self.target
        })
    }
}

/// Where the nonce stands in the last block.
const NONCE: Range<usize> = 44..52;

/// SHA-256's initial hash value: FIPS 180-4, section 5.3.3.
const INITIAL_STATE: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

#[cfg(test)]
mod tests {
    use super::super::testing::naive;
    use super::*;
    use crate::CompactTarget;
    use proptest::prelude::*;
    use ruint::aliases::U256;

    fn any_header() -> impl Strategy<Value = Header> {
        proptest::collection::vec(any::<u8>(), Header::LEN)
            .prop_map(|bytes| Header::from_bytes(bytes.as_slice().try_into().unwrap()))
    }

    proptest! {
        /// A target equal to the header's hash is met, the next smaller one is not: the kernel's hash is
        /// the header's, to the last bit.
        #[test]
        fn an_attempt_hashes_as_the_header_does(header in any_header()) {
            let nonce = header.nonce.min(u64::MAX - 1);
            let hash = U256::from_be_bytes(*Header { nonce, ..header }.hash().as_bytes());
            let at = Kernel::new(&header, Target::from_uint(hash));
            prop_assert_eq!(at.find(nonce..nonce + 1), Some(nonce));
            let below = Kernel::new(&header, Target::from_uint(hash - U256::ONE));
            prop_assert_eq!(below.find(nonce..nonce + 1), None);
        }

        #[test]
        fn the_first_nonce_is_found(
            header in any_header(),
            start in 0..u64::MAX - 256,
            bits in 0x2000_8000_u32..0x207f_ffff,
        ) {
            let header = Header { target: CompactTarget::from_bits(bits), ..header };
            let kernel = Kernel::new(&header, Target::try_from(header.target).unwrap());
            let nonces = start..start + 256;
            prop_assert_eq!(kernel.find(nonces.clone()), naive(header, nonces).next());
        }
    }
}
