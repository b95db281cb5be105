//! The inner loop of mining: one attempt is one SHA-256 compression from a midstate. Depends on neither
//! templates nor searches, and its interface is not generic, so that it is compiled in this crate: a debug
//! build of an embedding program mines at a useful speed if its profile optimises this crate, however the
//! program's own code is compiled.

mod attempt;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod name;
#[cfg(target_arch = "x86_64")]
mod rounds;

use core::ops::Range;

pub use name::{MiningKernel, MiningKernelError};

use crate::Header;
use crate::primitives::Target;
use attempt::Attempt;

/// The header of a search, prepared for a kernel.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    attempt: Attempt,
    engine: Engine,
}

/// The state of a [`MiningKernel`] for one header. The SIMD variants hold a token which proves that this
/// processor has the instructions.
#[derive(Clone, Debug)]
enum Engine {
    Sha2,
    Sha2ByFour,
    #[cfg(target_arch = "x86_64")]
    Avx2(lanes::Lanes<fearless_simd::x86::Avx2>),
    #[cfg(target_arch = "x86_64")]
    Avx512(lanes::Lanes<fearless_simd::x86::Avx512>),
}

impl Kernel {
    /// Prepares a search with the fastest kernel that this processor can run.
    pub(super) fn new(header: &Header, target: Target) -> Self {
        let attempt = Attempt::new(header, target);
        let engine = MiningKernel::by_speed().find_map(|kernel| Engine::new(kernel, &attempt));
        Self { attempt, engine: engine.unwrap_or(Engine::Sha2) }
    }

    /// Switches the search to this kernel, if the processor can run it.
    pub(super) fn with(self, kernel: MiningKernel) -> Result<Self, MiningKernelError> {
        let engine = Engine::new(kernel, &self.attempt).ok_or(MiningKernelError::Unavailable { kernel })?;
        Ok(Self { engine, ..self })
    }

    /// Prepares another header for the same kernel as this one.
    pub(super) fn renewed(&self, header: &Header, target: Target) -> Self {
        let attempt = Attempt::new(header, target);
        let engine = Engine::new(self.kernel(), &attempt);
        Self { attempt, engine: engine.unwrap_or(Engine::Sha2) }
    }

    pub(super) const fn kernel(&self) -> MiningKernel {
        match self.engine {
            Engine::Sha2 => MiningKernel::Sha2,
            Engine::Sha2ByFour => MiningKernel::Sha2ByFour,
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2(_) => MiningKernel::Avx2,
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512(_) => MiningKernel::Avx512,
        }
    }

    /// The first of these nonces whose hash meets the target. The nonces are consecutive, so that a kernel
    /// can try several at once.
    #[inline(never)]
    pub(super) fn find(&mut self, nonces: Range<u64>) -> Option<u64> {
        match &mut self.engine {
            Engine::Sha2 => self.attempt.find(nonces),
            Engine::Sha2ByFour => self.attempt.find_by_four(nonces),
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2(lanes) => lanes.find(&self.attempt, nonces),
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512(lanes) => lanes.find(&self.attempt, nonces),
        }
    }
}

impl Engine {
    /// `None` if this processor cannot run the kernel.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(unused_variables, reason = "only vectors compute something in advance")
    )]
    fn new(kernel: MiningKernel, attempt: &Attempt) -> Option<Self> {
        match kernel {
            MiningKernel::Sha2 => Some(Self::Sha2),
            MiningKernel::Sha2ByFour => Some(Self::Sha2ByFour),
            #[cfg(target_arch = "x86_64")]
            MiningKernel::Avx2 => {
                let simd = fearless_simd::Level::new().as_avx2()?;
                Some(Self::Avx2(lanes::Lanes::new(simd, attempt)))
            }
            #[cfg(target_arch = "x86_64")]
            MiningKernel::Avx512 => {
                let simd = fearless_simd::Level::new().as_avx512()?;
                Some(Self::Avx512(lanes::Lanes::new(simd, attempt)))
            }
            #[cfg(not(target_arch = "x86_64"))]
            MiningKernel::Avx2 | MiningKernel::Avx512 => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use core::iter;

    use super::super::testing::naive;
    use super::*;
    use crate::CompactTarget;
    use proptest::prelude::*;
    use ruint::aliases::U256;

    fn any_header() -> impl Strategy<Value = Header> {
        proptest::collection::vec(any::<u8>(), Header::LEN)
            .prop_map(|bytes| Header::from_bytes(bytes.as_slice().try_into().unwrap()))
    }

    fn kernels(header: &Header, target: Target) -> Vec<Kernel> {
        let kernel = Kernel::new(header, target);
        MiningKernel::available().map(|name| kernel.clone().with(name).unwrap()).collect()
    }

    fn find_all(kernel: &mut Kernel, mut nonces: Range<u64>) -> Vec<u64> {
        iter::from_fn(|| {
            let found = kernel.find(nonces.clone())?;
            nonces.start = found + 1;
            Some(found)
        })
        .collect()
    }

    /// The start of a range of nonces: any number, or one near a boundary at which a kernel behaves
    /// differently.
    fn any_start() -> impl Strategy<Value = u64> {
        let near = |place: u64| (0..80_u64).prop_map(move |before| place.saturating_sub(before));
        prop_oneof![
            0..u64::MAX - 256,
            0..Header::NONCE_LIMIT,
            near(80),
            (1..=1_u64 << 21).prop_flat_map(move |high| near(high << 32)),
            near(Header::NONCE_LIMIT),
            near(u64::MAX - 256),
        ]
    }

    /// A group of lanes that starts shortly before `u64::MAX` extends beyond it.
    #[test]
    fn all_kernels_find_the_same_up_to_the_last_nonce() {
        let bits = CompactTarget::from_bits(0x201f_ffff);
        let target = Target::try_from(bits).unwrap();
        for byte in 0..16 {
            let header = Header { target: bits, ..Header::from_bytes(&[byte; Header::LEN]) };
            for mut kernel in kernels(&header, target) {
                for len in 0..40 {
                    let nonces = u64::MAX - len..u64::MAX;
                    let expected: Vec<_> = naive(header, nonces.clone()).collect();
                    assert_eq!(find_all(&mut kernel, nonces), expected, "{}", kernel.kernel());
                }
            }
        }
    }

    proptest! {
        /// A target equal to the header's hash is met, the next smaller one is not: every kernel's hash is
        /// the header's, to the last bit.
        #[test]
        fn an_attempt_hashes_as_the_header_does(header in any_header(), before in 0..40_u64, after in 0..40_u64) {
            let nonce = header.nonce.clamp(40, u64::MAX - 41);
            let hash = U256::from_be_bytes(*Header { nonce, ..header }.hash().as_bytes());
            for target in [Target::from_uint(hash), Target::from_uint(hash - U256::ONE)] {
                let nonces = nonce - before..nonce + 1 + after;
                let expected: Vec<_> = nonces
                    .clone()
                    .filter(|nonce| target.is_met_by(&Header { nonce: *nonce, ..header }.hash()))
                    .collect();
                prop_assert_eq!(expected.contains(&nonce), target == Target::from_uint(hash));
                for mut kernel in kernels(&header, target) {
                    let found = find_all(&mut kernel, nonces.clone());
                    prop_assert_eq!(&found, &expected, "{}", kernel.kernel());
                }
            }
        }

        /// For any start and end of the range, and for several targets.
        #[test]
        fn all_kernels_find_the_same(
            header in any_header(),
            start in any_start(),
            len in prop_oneof![0..70_u64, 0..256_u64],
            bits in prop_oneof![0x2000_8000_u32..0x207f_ffff, 0x1f7f_ffff..0x1f80_0000_u32],
        ) {
            let header = Header { target: CompactTarget::from_bits(bits), ..header };
            let target = Target::try_from(header.target).unwrap();
            let expected: Vec<_> = naive(header, start..start + len).collect();
            for mut kernel in kernels(&header, target) {
                prop_assert_eq!(&find_all(&mut kernel, start..start + len), &expected, "{}", kernel.kernel());
            }
        }

        /// A kernel caches values for one high half of the nonce; the ranges may go back and forth between
        /// halves.
        #[test]
        fn a_kernel_forgets_the_last_range(header in any_header(), starts in [any_start(), any_start()]) {
            let header = Header { target: CompactTarget::from_bits(0x2003_ffff), ..header };
            let target = Target::try_from(header.target).unwrap();
            for mut kernel in kernels(&header, target) {
                for start in [starts[0], starts[1], starts[0]] {
                    let expected: Vec<_> = naive(header, start..start + 100).collect();
                    prop_assert_eq!(find_all(&mut kernel, start..start + 100), expected, "{}", kernel.kernel());
                }
            }
        }

        #[test]
        fn a_kernel_stays_the_same_for_another_header(first in any_header(), second in any_header()) {
            let target = Target::from_uint(U256::MAX >> 6);
            let expected = find_all(&mut Kernel::new(&second, target).with(MiningKernel::Sha2).unwrap(), 0..100);
            for kernel in kernels(&first, target) {
                let mut renewed = kernel.renewed(&second, target);
                prop_assert_eq!(renewed.kernel(), kernel.kernel());
                prop_assert_eq!(&find_all(&mut renewed, 0..100), &expected, "{}", kernel.kernel());
            }
        }
    }
}
