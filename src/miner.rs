//! L2: the search for the nonce that makes a template a block. Has no clock, opens no file or connection, and
//! depends on neither the chain nor the protocol. The caller decides what to mine and when to stop.

mod kernel;
mod search;
mod template;
mod threads;

pub use kernel::{MiningKernel, MiningKernelError};
pub use search::{Miner, SearchError, SearchOutcome};
pub use template::Template;
pub use threads::{MiningJob, MiningOutcome, MiningThreadError};

/// Helpers for the tests of this folder: templates, and a naive search to compare with.
#[cfg(test)]
mod testing {
    use core::ops::Range;

    use super::Template;
    use crate::primitives::Target;
    use crate::{CompactTarget, Header, Timestamp};

    /// About every second hash meets this target.
    pub(super) const EVERY_SECOND: u32 = 0x207f_ffff;
    /// About one hash in 64 meets this target.
    pub(super) const ONE_IN_64: u32 = 0x2003_ffff;
    /// The target 1: no known hash meets it.
    pub(super) const IMPOSSIBLE: u32 = 0x0300_0001;

    pub(super) fn template(target: u32, timestamp: u64) -> Template {
        let mut header = Header::from_bytes(&[7; Header::LEN]);
        header.target = CompactTarget::from_bits(target);
        header.timestamp = Timestamp::from_millis(timestamp);
        Template::new(header, vec!["a".to_owned()])
    }

    /// The nonces of the range with which the header's hash meets its target, by the public functions alone.
    pub(super) fn naive(mut header: Header, nonces: Range<u64>) -> impl Iterator<Item = u64> {
        let target = Target::try_from(header.target).unwrap();
        nonces.filter(move |nonce| {
            header.nonce = *nonce;
            target.is_met_by(&header.hash())
        })
    }
}
