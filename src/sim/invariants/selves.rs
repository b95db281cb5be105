//! No node has a connection to itself.

use super::{Breach, Invariant, Observation};
use crate::protocol::{Event, Output};

/// A node never completes a handshake with itself, whichever addresses it dials.
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
