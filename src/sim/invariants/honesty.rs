//! Whoever follows the protocol is never taken for somebody who does not.

use super::{Breach, Invariant, Observation};
use crate::protocol::{CloseReason, Output};

/// No honest node closes a connection to another for misbehaviour, whatever a third one made either believe.
#[derive(Clone, Copy, Debug, Default)]
pub struct HonestPeersStay;

impl Invariant for HonestPeersStay {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        for output in observed.outputs {
            let Output::Close { peer, reason } = output else { continue };
            let Some(remote) = observed.remote(*peer).filter(|remote| remote.is_honest) else { continue };
            // A node that was told its own address finds itself there.
            let is_itself = remote.node == observed.node && matches!(reason, CloseReason::SelfConnection);
            if is_misbehaviour(reason) && !is_itself {
                return Err(Breach::HonestBlamed { remote: remote.node, reason: reason.clone() });
            }
        }
        Ok(())
    }
}

/// Whether the reason counts against the peer, or says that the two are not made for each other. Being late does not:
/// the network may be at fault.
fn is_misbehaviour(reason: &CloseReason) -> bool {
    let is_mismatch = matches!(
        reason,
        CloseReason::WrongGenesis { .. } | CloseReason::WrongProtocol { .. } | CloseReason::SelfConnection
    );
    is_mismatch || reason.penalty() > 0
}
