//! An accepted transaction is mined eventually, and only once.

use std::collections::{BTreeMap, BTreeSet};

use super::{Breach, Invariant, Observation};
use crate::primitives::{Block, Hash};
use crate::protocol::{Event, Output};
use crate::sim::record::Record;

/// A transaction that a node has accepted is pending there until it is on the best chain, and again if its
/// block is disconnected. No transaction is on the best chain twice. The mempools of a simulation are never
/// full, and its records can always be applied.
#[derive(Clone, Debug, Default)]
pub struct TransactionsStay {
    nodes: BTreeMap<usize, Known>,
    steps: u64,
}

#[derive(Clone, Debug, Default)]
struct Known {
    pending: BTreeSet<Hash>,
    mined: BTreeSet<Hash>,
}

/// The interval in steps of the check, which is always made after a block was disconnected.
const SAMPLED: u64 = 64;

impl Invariant for TransactionsStay {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        self.steps += 1;
        let mut is_due = self.steps.is_multiple_of(SAMPLED);
        if observed.cause.is_start() {
            self.nodes.insert(observed.node, Known::of(observed));
        }
        let known = self.nodes.entry(observed.node).or_default();
        for output in observed.outputs {
            let Output::Event(event) = output else { continue };
            match event {
                Event::TransactionAccepted { id } => {
                    known.pending.insert(*id);
                }
                Event::BlockConnected { block, .. } => {
                    for id in ids(block) {
                        known.pending.remove(&id);
                        if !known.mined.insert(id) {
                            return Err(Breach::MinedTwice { id });
                        }
                    }
                }
                Event::BlockDisconnected(block) => {
                    is_due = true;
                    for id in ids(block) {
                        known.mined.remove(&id);
                        known.pending.insert(id);
                    }
                }
                _ => {}
            }
        }
        let mempool = observed.protocol.mempool();
        match known.pending.iter().find(|id| is_due && !mempool.contains(id)) {
            Some(id) => Err(Breach::TransactionLost { id: *id }),
            None => Ok(()),
        }
    }
}

impl Known {
    /// Returns what a node has when it starts. A crash may lose the last transactions, which are written
    /// after a delay.
    fn of(observed: &Observation<'_>) -> Self {
        let blocks = observed.protocol.chain().blocks(..).filter_map(Result::ok);
        Self {
            pending: observed.protocol.mempool().iter().map(|(id, _)| *id).collect(),
            mined: blocks.flat_map(|block| ids(&block)).collect(),
        }
    }
}

fn ids(block: &Block<Record>) -> Vec<Hash> {
    block.digest().map(|digest| digest.ids).unwrap_or_default()
}
