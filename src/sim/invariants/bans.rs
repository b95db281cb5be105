//! Banned hosts stay disconnected.

use core::time::Duration;
use std::collections::BTreeMap;

use super::{Breach, Invariant, Observation};
use crate::protocol::{Event, Output, PeerHost};

/// No peer of a host that the node has banned completes a handshake, in either direction, until the ban ends
/// or the node restarts.
#[derive(Clone, Debug, Default)]
pub struct BansHold {
    /// The end of each ban, by node and host.
    bans: BTreeMap<(usize, PeerHost), Duration>,
}

impl Invariant for BansHold {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        let node = observed.node;
        if observed.cause.is_start() {
            self.bans.retain(|(of, _), _| *of != node);
        }
        for output in observed.outputs {
            match output {
                Output::Event(Event::HostBanned { host, duration }) => {
                    self.bans.insert((node, host.clone()), observed.at.saturating_add(*duration));
                }
                Output::Event(Event::PeerConnected { peer, address, .. }) => {
                    let host = PeerHost::from(address);
                    let until = self.bans.get(&(node, host.clone()));
                    if until.is_some_and(|until| *until > observed.at) {
                        return Err(Breach::BannedPeer { host, peer: *peer });
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}
