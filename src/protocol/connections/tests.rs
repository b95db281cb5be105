//! What the tests of the protocol see of the connections.

use super::*;

impl Connections {
    /// Returns the number of addresses that the node keeps a connection to.
    pub(in crate::protocol) fn kept(&self) -> usize {
        self.dialer.kept()
    }
}
