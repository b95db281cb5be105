//! A node never gives up work: neither by a step nor by a crash that its store outlives.

use std::collections::BTreeMap;

use super::{Breach, Cause, Invariant, Observation};
use crate::primitives::Work;

/// The work of a node's best chain never falls, and its tip has the height that the chain says.
#[derive(Clone, Debug, Default)]
pub struct WorkGrows {
    last: BTreeMap<usize, Work>,
}

impl Invariant for WorkGrows {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        let chain = observed.protocol.chain();
        let after = chain.work();
        let before = self.last.insert(observed.node, after);
        // A node that lost its store starts over, and only then with genesis alone.
        let starts_over = observed.cause == Cause::Started && chain.height() == 0;
        match before {
            Some(before) if after < before && !starts_over => Err(Breach::WorkFell { before, after }),
            _ if chain.tip().height() != chain.height() => Err(Breach::NotContiguous {
                hash: *chain.tip().hash(),
                height: chain.tip().height(),
                parent: chain.tip().header().previous_hash,
            }),
            _ => Ok(()),
        }
    }
}
