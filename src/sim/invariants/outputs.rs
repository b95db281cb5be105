//! The number of outputs of one input is bounded.

use super::{Breach, Invariant, Observation};
use crate::protocol::{Output, limits};

/// The number of outputs of one step is proportional to the connections and to the blocks that one message
/// may deliver, not to the length of the chain.
#[derive(Clone, Copy, Debug, Default)]
pub struct BoundedOutputs;

/// Maximum outputs of one step for one peer: a ping, an announcement, three requests, an answer, a `Bye` and
/// the close.
const PER_PEER: usize = 8;

impl Invariant for BoundedOutputs {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        let mut got = 0;
        let mut closed = 0;
        for output in observed.outputs {
            match output {
                Output::Close { .. } => closed += 1,
                // Not counted: one missing block can connect many orphans at once.
                Output::Event(_) => continue,
                Output::Send { .. } | Output::SendBlocks { .. } | Output::Dial { .. } => {}
            }
            got += 1;
        }
        let peers = observed.protocol.peers().len() + closed;
        let limit = limits::MAX_OUTBOUND + limits::MAX_BLOCKS + PER_PEER * (peers + 1);
        if got > limit { Err(Breach::TooManyOutputs { got, limit }) } else { Ok(()) }
    }
}
