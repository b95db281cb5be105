//! The rules of the next block.

use crate::primitives::{CompactTarget, Hash, Timestamp};

/// The requirements for the block after the tip.
#[derive(Clone, Copy, Debug)]
pub(super) struct NextBlockRules {
    /// The tip for which the others were computed.
    pub(super) parent: Hash,
    pub(super) target: CompactTarget,
    /// The timestamp has to be later than this.
    pub(super) median: Timestamp,
}
