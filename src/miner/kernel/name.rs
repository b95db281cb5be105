//! The names of the mining kernels, and which kernels this processor can run.

use core::fmt;
use core::str::FromStr;

/// An implementation of the attempts of a search. All kernels find the same nonces; they differ in speed.
///
/// A [`Miner`](crate::Miner) selects the fastest kernel that the processor can run, and reports it by
/// [`Miner::kernel`](crate::Miner::kernel). A kernel's name is for logs, tests and comparisons:
/// [`Display`](fmt::Display) writes it and [`FromStr`] parses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MiningKernel {
    /// `sha2`: the `sha2` crate's block function, one attempt at a time.
    Sha2,
    /// `sha2-by-four`: the `sha2` crate's block function for four attempts in a row, which the processor
    /// overlaps.
    Sha2ByFour,
    /// `avx2`: 8 attempts at once, in the lanes of a vector.
    Avx2,
    /// `avx512`: 16 attempts at once, in the lanes of a vector.
    Avx512,
}

/// The kernel does not exist, or this processor cannot run it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MiningKernelError {
    /// No kernel has this name.
    #[error("no mining kernel is called {name:?}")]
    Unknown {
        /// The text that is not the name of a kernel.
        name: String,
    },
    /// This processor lacks the instructions.
    #[error("this processor cannot run the mining kernel {kernel}")]
    Unavailable {
        /// The requested kernel.
        kernel: MiningKernel,
    },
}

impl MiningKernel {
    /// The kernels that this processor can run, the fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::by_speed().filter(|kernel| kernel.is_available())
    }

    /// Whether this processor can run the kernel.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Sha2 | Self::Sha2ByFour => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => fearless_simd::Level::new().as_avx2().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => fearless_simd::Level::new().as_avx512().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// All kernels, the fastest first.
    pub(super) fn by_speed() -> impl Iterator<Item = Self> {
        [Self::Avx512, Self::Avx2, Self::Sha2ByFour, Self::Sha2].into_iter()
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sha2 => "sha2",
            Self::Sha2ByFour => "sha2-by-four",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

impl fmt::Display for MiningKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for MiningKernel {
    type Err = MiningKernelError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::by_speed().find(|kernel| kernel.name() == name);
        known.ok_or_else(|| MiningKernelError::Unknown { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_shown() {
        for kernel in MiningKernel::by_speed() {
            assert_eq!(kernel.to_string().parse(), Ok(kernel));
        }
        let name = "sha3".to_owned();
        assert_eq!("sha3".parse::<MiningKernel>(), Err(MiningKernelError::Unknown { name }));
    }

    #[test]
    fn one_kernel_runs_everywhere() {
        assert!(MiningKernel::available().any(|kernel| kernel == MiningKernel::Sha2));
    }
}
