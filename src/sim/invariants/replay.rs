//! The state equals a replay of the blocks, whether the chain was built by extension, by reorganisation or
//! from the store.

use super::{Breach, Invariant, Observation};
use crate::chain::Blockchain;
use crate::consensus::headers::work_of;
use crate::primitives::Transaction;
use crate::sim::record::{Record, Tally};

/// A node's state equals a replay from genesis. Too slow for every step, so it is checked at a fixed
/// interval, at the node of that step.
#[derive(Clone, Debug, Default)]
pub struct StateIsReplay {
    steps: u64,
}

/// The interval in steps of the check.
const SAMPLED: u64 = 512;

impl Invariant for StateIsReplay {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        self.steps += 1;
        if self.steps.is_multiple_of(SAMPLED) { replay(observed.protocol.chain()) } else { Ok(()) }
    }
}

/// Replays a chain from genesis and checks that every block extends the one before it, and that the state and
/// the work equal those of the chain. Skips a chain that has pruned bodies, which cannot be replayed.
///
/// # Errors
///
/// [`Breach`], if the chain is not contiguous, cannot be read or differs from the replay.
pub fn replay(chain: &Blockchain<Record>) -> Result<(), Breach> {
    if chain.first_body() > 0 {
        return Ok(());
    }
    let mut state = Tally::default();
    let genesis = chain.genesis().hash();
    let mut parent = *genesis;
    let mut height = 0;
    let mut work = chain.work_at(&parent).ok().flatten().unwrap_or_default();
    for block in chain.blocks(1..) {
        let block = block.map_err(|error| Breach::Unreadable { error })?;
        height += 1;
        if (block.header().previous_hash, block.height()) != (parent, height) {
            return Err(Breach::NotContiguous { hash: *block.hash(), height: block.height(), parent });
        }
        let context = block.header().context(genesis);
        let applied = block.data().iter().try_for_each(|record| record.apply(&mut state, &context));
        applied
            .and_then(|()| Record::end_block(&mut state, &context))
            .map_err(|_| Breach::StateDiffers { height })?;
        parent = *block.hash();
        work = work + work_of(block.header().target);
        if block.header().state_root != Record::state_root(&state) {
            return Err(Breach::StateDiffers { height });
        }
    }
    if parent != *chain.tip().hash() || height != chain.height() || state != *chain.state() {
        return Err(Breach::StateDiffers { height: chain.height() });
    }
    if work != chain.work() {
        return Err(Breach::WorkDiffers { got: chain.work(), expected: work });
    }
    Ok(())
}
