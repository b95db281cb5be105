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
            if is_misbehaviour(reason) {
                return Err(Breach::HonestBlamed { remote: remote.node, reason: reason.clone() });
            }
        }
        Ok(())
    }
}

/// Whether the reason says that the peer did what no honest peer does. Being late is none: the network may be at
/// fault.
const fn is_misbehaviour(reason: &CloseReason) -> bool {
    match reason {
        CloseReason::WrongGenesis { .. }
        | CloseReason::WrongProtocol { .. }
        | CloseReason::SelfConnection
        | CloseReason::ExpectedHello { .. }
        | CloseReason::SecondHello
        | CloseReason::TextTooLong { .. }
        | CloseReason::TooManyItems { .. }
        | CloseReason::Unsolicited { .. }
        | CloseReason::BrokenHeaders { .. }
        | CloseReason::UnconnectedHeaders { .. }
        | CloseReason::InvalidBlock { .. }
        | CloseReason::InvalidTransaction(_)
        | CloseReason::Malformed(_) => true,
        CloseReason::AlreadyConnected
        | CloseReason::HandshakeTimeout(_)
        | CloseReason::RequestTimeout { .. }
        | CloseReason::TooManyPeers { .. }
        | CloseReason::QueueFull { .. }
        | CloseReason::WriteTimeout(_)
        | CloseReason::Bye { .. }
        | CloseReason::Ended
        | CloseReason::Lost(_)
        | CloseReason::Requested
        | CloseReason::Shutdown => false,
    }
}
