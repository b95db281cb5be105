//! Dead connections are detected.

use core::time::Duration;
use std::collections::BTreeMap;

use super::{Breach, Cause, Invariant, Observation};
use crate::protocol::{Message, Output, PeerId, limits};

/// A connection without incoming messages is closed: after the handshake timeout, or after an unanswered ping
/// once the handshake is completed.
#[derive(Clone, Debug, Default)]
pub struct SilentPeersGo {
    /// When the last message arrived on each connection, or when the connection was opened if none has
    /// arrived.
    heard: BTreeMap<usize, BTreeMap<PeerId, Duration>>,
}

/// How long a peer may be silent after the handshake.
const LIMIT: Duration = limits::PING_INTERVAL.saturating_add(limits::REQUEST_TIMEOUT);

impl Invariant for SilentPeersGo {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        let heard = self.heard.entry(observed.node).or_default();
        for output in observed.outputs {
            // The first message over a connection.
            if let Output::Send { peers, message: Message::Hello(_) } = output {
                heard.extend(peers.iter().map(|peer| (*peer, observed.at)));
            }
        }
        match observed.cause {
            Cause::Received { peer, .. } => {
                if let Some(last) = heard.get_mut(peer) {
                    *last = observed.at;
                }
                return Ok(());
            }
            Cause::Timeout => {}
            _ => return Ok(()),
        }
        heard.retain(|peer, _| observed.is_open(*peer));
        for closed in observed.closed() {
            heard.remove(&closed);
        }
        let known = observed.protocol.peers();
        for (peer, last) in heard {
            let is_known = known.iter().any(|known| known.id == *peer);
            let silent_for = observed.at.saturating_sub(*last);
            if silent_for > if is_known { LIMIT } else { limits::HANDSHAKE_TIMEOUT } {
                return Err(Breach::SilentPeer { peer: *peer, silent_for });
            }
        }
        Ok(())
    }
}
