//! A closed connection is not used.

use std::collections::BTreeSet;

use super::{Breach, Invariant, Observation};
use crate::protocol::Output;

/// A node sends only to open connections, and closes each connection once.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenConnections;

impl Invariant for OpenConnections {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        let mut closed = BTreeSet::new();
        for output in observed.outputs {
            let (peers, name) = match output {
                Output::Send { peers, message } => (peers.as_slice(), message.kind()),
                Output::SendBlocks { peer, .. } => (core::slice::from_ref(peer), "blocks"),
                Output::Close { peer, .. } => (core::slice::from_ref(peer), "close"),
                Output::Dial { .. } | Output::Event(_) => continue,
            };
            for peer in peers {
                if closed.contains(peer) || observed.remote(*peer).is_none() {
                    return Err(Breach::ClosedPeer { peer: *peer, output: name });
                }
            }
            if let Output::Close { peer, .. } = output {
                closed.insert(*peer);
            }
        }
        Ok(())
    }
}
