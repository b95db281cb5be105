//! One node of the network with its disk, its clock and its timer.

use core::time::Duration;

use super::byzantine::Byzantine;
use super::disk::Disk;
use super::record::Record;
use crate::protocol::{PeerAddr, Protocol};

#[derive(Debug)]
pub(super) struct Node {
    pub(super) role: Role,
    /// The number of times that the node was started.
    pub(super) epoch: u64,
    pub(super) disk: Disk,
    /// The clock skew: how far the node's clock is ahead of the correct time.
    pub(super) skew_ms: i64,
    /// The addresses that the node dials when it starts.
    pub(super) dials: Vec<PeerAddr>,
    /// The earliest valid timer in the queue.
    pub(super) timer: Option<Duration>,
}

#[derive(Debug)]
pub(super) enum Role {
    /// No process is running.
    Down,
    Honest(Box<Protocol<Record>>),
    /// Follows the protocol, except that it does not deliver requested blocks and transactions.
    Withholding(Box<Protocol<Record>>),
    Byzantine(Box<Byzantine>),
}

impl Node {
    pub(super) fn new(skew_ms: i64, dials: Vec<PeerAddr>) -> Self {
        Self { role: Role::Down, epoch: 0, disk: Disk::default(), skew_ms, dials, timer: None }
    }

    pub(super) const fn is_up(&self) -> bool {
        !matches!(self.role, Role::Down)
    }

    pub(super) fn protocol(&self) -> Option<&Protocol<Record>> {
        match &self.role {
            Role::Honest(protocol) => Some(protocol),
            Role::Down | Role::Byzantine(_) | Role::Withholding(_) => None,
        }
    }

    /// Returns the running protocol, of an honest or a withholding node.
    pub(super) fn running(&mut self) -> Option<&mut Protocol<Record>> {
        match &mut self.role {
            Role::Honest(protocol) | Role::Withholding(protocol) => Some(protocol),
            Role::Down | Role::Byzantine(_) => None,
        }
    }
}

/// Returns the listen address of a node.
#[expect(clippy::expect_used, reason = "printable, not empty and short")]
pub(super) fn address(node: usize) -> PeerAddr {
    format!("sim://{node}").parse().expect("a valid address")
}

/// Returns the node that listens at an address.
pub(super) fn listener(address: &PeerAddr) -> Option<usize> {
    address.as_str().strip_prefix("sim://")?.parse().ok()
}
