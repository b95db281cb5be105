//! No peer is sent an announcement or an offer of something that it already has.

use std::collections::{BTreeMap, BTreeSet};

use super::{Breach, Cause, Invariant, Observation};
use crate::primitives::{Hash, transaction_id};
use crate::protocol::{Message, Output, PeerId};
use crate::sim::record::Record;

/// Over one connection, a node announces each block and offers each transaction at most once, and none that
/// the peer has announced, offered or sent. Requested data is sent as often as it is requested.
#[derive(Clone, Debug, Default)]
pub struct NothingIsToldTwice {
    /// The hashes that the other end of a connection knows, according to the messages over it.
    known: BTreeMap<PeerId, BTreeSet<Hash>>,
    steps: u64,
}

/// The interval in steps at which the entries of closed connections are removed.
const SWEPT: u64 = 4_096;

impl Invariant for NothingIsToldTwice {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        self.steps += 1;
        if self.steps.is_multiple_of(SWEPT) {
            self.known.retain(|peer, _| observed.is_open(*peer));
        }
        if let Cause::Received { peer, message } = observed.cause {
            let known = self.known.entry(*peer).or_default();
            known.extend(told_of(message));
            if let Message::GetTransactions { ids } = message {
                // A peer does not have what it requests, and does not receive what is no longer pending.
                known.retain(|hash| !ids.contains(hash));
            }
        }
        for output in observed.outputs {
            let Output::Send { peers, message } = output else { continue };
            let is_answer = matches!(message, Message::Blocks(_) | Message::Transactions(_));
            let told = told_of(message);
            for peer in peers.iter().filter(|_| !told.is_empty()) {
                let known = self.known.entry(*peer).or_default();
                for hash in &told {
                    if !known.insert(*hash) && !is_answer {
                        return Err(Breach::ToldTwice { peer: *peer, hash: *hash, kind: message.kind() });
                    }
                }
            }
        }
        Ok(())
    }
}

/// Returns the blocks and transactions that the sender of a message has.
fn told_of(message: &Message<Record>) -> Vec<Hash> {
    match message {
        Message::Announce(header) => vec![header.hash()],
        Message::NewBlock(block) => vec![*block.hash()],
        Message::Blocks(blocks) => blocks.iter().map(|block| *block.hash()).collect(),
        Message::Offer { ids } => ids.clone(),
        Message::Transactions(transactions) => {
            transactions.iter().filter_map(|transaction| transaction_id(transaction).ok()).collect()
        }
        _ => Vec::new(),
    }
}
