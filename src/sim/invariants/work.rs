//! A node never loses work, neither in a step nor in a crash that its store survives.

use std::collections::BTreeMap;

use super::{Breach, Cause, Invariant, Observation};
use crate::primitives::{Hash, Work};

/// The work of a node's best chain never decreases, the tip changes only to one with more work, and the tip
/// has the height that the chain reports. A node still has after a crash what it has announced.
#[derive(Clone, Debug, Default)]
pub struct WorkGrows {
    last: BTreeMap<usize, (Work, Hash)>,
}

impl Invariant for WorkGrows {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        let chain = observed.protocol.chain();
        let (after, tip) = (chain.work(), *chain.tip().hash());
        let last = self.last.insert(observed.node, (after, tip));
        let starts_over = matches!(observed.cause, Cause::Started { keeps_store: false });
        match last.filter(|_| !starts_over) {
            Some((before, _)) if after < before => Err(Breach::WorkFell { before, after }),
            Some((before, was)) if after == before && was != tip => {
                Err(Breach::TieLost { before: was, after: tip })
            }
            _ if chain.tip().height() != chain.height() => Err(Breach::NotContiguous {
                hash: tip,
                height: chain.tip().height(),
                parent: chain.tip().header().previous_hash,
            }),
            _ => Ok(()),
        }
    }
}
