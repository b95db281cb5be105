//! An honest peer is never disconnected for misbehaviour.

use super::{Breach, Invariant, Observation};
use crate::protocol::{CloseReason, Output};

/// No honest node closes a connection to another honest node for misbehaviour, whatever a third node made
/// either believe.
#[derive(Clone, Copy, Debug, Default)]
pub struct HonestPeersStay;

impl Invariant for HonestPeersStay {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        for output in observed.outputs {
            let Output::Close { peer, reason } = output else { continue };
            let Some(remote) = observed.remote(*peer).filter(|remote| remote.is_honest) else { continue };
            // A node that dials its own address correctly finds itself there.
            let is_itself = remote.node == observed.node && matches!(reason, CloseReason::SelfConnection);
            if is_misbehaviour(reason) && !is_itself {
                return Err(Breach::HonestBlamed { remote: remote.node, reason: reason.clone() });
            }
        }
        Ok(())
    }
}

/// Whether the reason adds to the score of the peer's host or states a mismatch between the nodes. A timeout
/// does not count, because the network may be at fault.
fn is_misbehaviour(reason: &CloseReason) -> bool {
    let is_mismatch = matches!(
        reason,
        CloseReason::WrongGenesis { .. } | CloseReason::WrongProtocol { .. } | CloseReason::SelfConnection
    );
    is_mismatch || reason.penalty() > 0
}
