//! A block counts when its time has come, and not before.

use std::collections::BTreeMap;

use super::{Breach, Invariant, Observation};
use crate::primitives::Timestamp;
use crate::protocol::{Event, Output};

/// No block joins the best chain that is further ahead of the node's clock than the rules allow. A clock may be set
/// back between a header and its body, so the latest time that it has shown is what counts.
#[derive(Clone, Debug, Default)]
pub struct NothingIsFromTheFuture {
    latest: BTreeMap<usize, Timestamp>,
}

impl Invariant for NothingIsFromTheFuture {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        let latest = self.latest.entry(observed.node).or_insert(observed.wall);
        *latest = observed.wall.max(*latest);
        let limit = latest.saturating_add(observed.protocol.chain().spec().max_future_drift());
        for output in observed.outputs {
            let Output::Event(Event::BlockConnected(block)) = output else { continue };
            let got = block.header().timestamp;
            if got > limit {
                return Err(Breach::FromTheFuture { hash: *block.hash(), got, limit });
            }
        }
        Ok(())
    }
}
