//! A block is downloaded from one peer at a time.

use std::collections::BTreeMap;

use super::{Breach, Cause, Invariant, Observation};
use crate::primitives::Hash;
use crate::protocol::{Message, Output, PeerId};

/// No block is requested from a peer while another peer has an outstanding request for it.
#[derive(Clone, Debug, Default)]
pub struct BlocksAreAskedForOnce {
    /// The peer that each block was requested from, by node.
    asked: BTreeMap<usize, BTreeMap<Hash, PeerId>>,
}

impl Invariant for BlocksAreAskedForOnce {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        let asked = self.asked.entry(observed.node).or_default();
        asked.retain(|_, peer| observed.is_open(*peer));
        match observed.cause {
            Cause::Received { peer, message: Message::Blocks(blocks) } => {
                asked.retain(|hash, of| of != peer || !blocks.iter().any(|block| block.hash() == hash));
            }
            Cause::Received { peer, message: Message::NotFound { hashes } } => {
                asked.retain(|hash, of| of != peer || !hashes.contains(hash));
            }
            _ => {}
        }
        for closed in observed.closed() {
            asked.retain(|_, peer| *peer != closed);
        }
        for output in observed.outputs {
            let Output::Send { peers, message: Message::GetBlocks { hashes } } = output else { continue };
            for (second, hash) in peers.iter().flat_map(|peer| hashes.iter().map(move |hash| (*peer, *hash)))
            {
                if let Some(first) = asked.insert(hash, second) {
                    return Err(Breach::AskedTwice { hash, first, second });
                }
            }
        }
        Ok(())
    }
}
