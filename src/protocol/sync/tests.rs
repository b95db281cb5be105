//! What the tests of the protocol see of the synchronisation.

use super::*;

impl ChainSync {
    /// Whether the next call looks for blocks to request.
    pub(in crate::protocol) const fn is_request_due(&self) -> bool {
        self.blocks_due
    }
}
