//! The events of a node describe each change of its best chain, block by block and without a gap.

use std::collections::BTreeMap;

use super::{Breach, Invariant, Observation};
use crate::primitives::Hash;
use crate::protocol::{Event, Output};

/// The events of a node lead from its old tip to its new one.
#[derive(Clone, Debug, Default)]
pub struct EventsFollowTheChain {
    /// The block to which the events have led so far, by node: hash and height.
    told: BTreeMap<usize, (Hash, u64)>,
}

impl Invariant for EventsFollowTheChain {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        let tip = observed.protocol.chain().tip();
        let mut told = match self.told.get(&observed.node) {
            Some(told) if !observed.cause.is_start() => *told,
            _ => (*tip.hash(), tip.height()),
        };
        for output in observed.outputs {
            match output {
                Output::Event(Event::BlockConnected { block, .. }) => {
                    if (block.header().previous_hash, block.height()) != (told.0, told.1 + 1) {
                        let (hash, height) = (*block.hash(), block.height());
                        return Err(Breach::NotContiguous { hash, height, parent: told.0 });
                    }
                    told = (*block.hash(), block.height());
                }
                Output::Event(Event::BlockDisconnected(block)) => {
                    if (*block.hash(), block.height()) != told {
                        return Err(Breach::EventsDiffer { told: told.0, tip: *block.hash() });
                    }
                    told = (block.header().previous_hash, block.height() - 1);
                }
                _ => {}
            }
        }
        if told != (*tip.hash(), tip.height()) {
            return Err(Breach::EventsDiffer { told: told.0, tip: *tip.hash() });
        }
        self.told.insert(observed.node, told);
        Ok(())
    }
}
