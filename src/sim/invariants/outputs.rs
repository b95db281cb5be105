//! What one input costs is bounded.

use super::{Breach, Invariant, Observation};
use crate::protocol::{Output, limits};

/// One step has outputs in proportion to the connections, and to the blocks that one message may bring, not to
/// the chain.
#[derive(Clone, Copy, Debug, Default)]
pub struct BoundedOutputs;

/// Messages for one peer that one step may cause: a ping, an announcement, three requests, an answer, a goodbye
/// and the close.
const PER_PEER: usize = 8;

impl Invariant for BoundedOutputs {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        let mut got = 0;
        let mut closed = 0;
        for output in observed.outputs {
            match output {
                Output::Close { .. } => closed += 1,
                // Blocks that had waited for one that was missing come with it.
                Output::Event(_) => continue,
                Output::Send { .. } | Output::SendBlocks { .. } | Output::Dial { .. } => {}
            }
            got += 1;
        }
        let peers = observed.protocol.peers().len() + closed;
        let limit = limits::MAX_OUTBOUND + limits::MAX_BLOCKS_IN_FLIGHT + PER_PEER * (peers + 1);
        if got > limit { Err(Breach::TooManyOutputs { got, limit }) } else { Ok(()) }
    }
}
