//! Nobody talks to himself.

use super::{Breach, Invariant, Observation};
use crate::protocol::{Event, Output};

/// A node has no peer that is the node itself, whichever addresses it is told to dial.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeersAreOthers;

impl Invariant for PeersAreOthers {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        for output in observed.outputs {
            let Output::Event(Event::PeerConnected { peer, .. }) = output else { continue };
            if observed.remote(*peer).is_some_and(|remote| remote.node == observed.node) {
                return Err(Breach::OwnPeer { peer: *peer });
            }
        }
        Ok(())
    }
}
