//! What the tests of the protocol see of the relay.

use super::*;

impl Relay {
    /// Returns the ids that a peer offered and that are still to be processed, and those that are requested from it.
    pub(in crate::protocol) fn ids_of(&self, id: PeerId) -> (&VecDeque<Hash>, Option<&[Hash]>) {
        let peer = &self.peers[&id];
        (&peer.offered, peer.request.as_ref().map(|(ids, _)| ids.as_slice()))
    }
}
