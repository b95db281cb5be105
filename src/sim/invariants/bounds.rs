//! The memory that peers can make a node use is bounded.

use super::{Breach, Invariant, Observation};

/// A node stores no more orphans, transactions and connections than its settings permit.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryIsBounded;

impl Invariant for MemoryIsBounded {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        let (node, config) = (observed.protocol, observed.config);
        let kept = [
            ("orphans", node.chain().orphan_count(), config.chain.max_orphans),
            ("transactions", node.mempool().len(), config.mempool.max_transactions),
            // Two connections to one peer may coexist for a moment, as may a new inbound peer and the evicted
            // one.
            ("connections", observed.connection_count(), config.max_inbound + 2 * config.max_outbound + 1),
        ];
        match kept.into_iter().find(|(_, got, limit)| got > limit) {
            Some((what, got, limit)) => Err(Breach::TooMuchKept { what, got, limit }),
            None => Ok(()),
        }
    }
}
