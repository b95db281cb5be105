//! No block is accepted before its timestamp permits it.

use std::collections::BTreeMap;

use super::{Breach, Invariant, Observation};
use crate::primitives::Timestamp;
use crate::protocol::{Event, Output};

/// No block is connected to the best chain whose timestamp is further ahead of the node's clock than the
/// consensus rules permit. The clock may be set back between a header and its body, so the limit uses the
/// latest time that the clock has had.
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
            let Output::Event(Event::BlockConnected { block, .. }) = output else { continue };
            let got = block.header().timestamp;
            if got > limit {
                return Err(Breach::FromTheFuture { hash: *block.hash(), got, limit });
            }
        }
        Ok(())
    }
}
