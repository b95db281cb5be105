//! One node of the network and what surrounds it: its disk, its clock, its timer.

use core::time::Duration;

use super::byzantine::Byzantine;
use super::disk::Disk;
use super::record::Record;
use crate::protocol::{PeerAddr, Protocol};

#[derive(Debug)]
pub(super) struct Node {
    pub(super) role: Role,
    /// How often it was started.
    pub(super) epoch: u64,
    pub(super) disk: Disk,
    /// By how much its clock is ahead of the right time.
    pub(super) skew_ms: i64,
    /// Whom it dials when it starts.
    pub(super) dials: Vec<PeerAddr>,
    /// The earliest timer in the queue that counts.
    pub(super) timer: Option<Duration>,
}

#[derive(Debug)]
pub(super) enum Role {
    /// Nothing runs there.
    Down,
    Honest(Box<Protocol<Record>>),
    /// Follows the protocol, and keeps to itself what it is asked for.
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

    /// What runs there, honest or not, where it is the protocol.
    pub(super) fn running(&mut self) -> Option<&mut Protocol<Record>> {
        match &mut self.role {
            Role::Honest(protocol) | Role::Withholding(protocol) => Some(protocol),
            Role::Down | Role::Byzantine(_) => None,
        }
    }
}

/// Where a node listens.
#[expect(clippy::expect_used, reason = "printable, not empty and short")]
pub(super) fn address(node: usize) -> PeerAddr {
    format!("sim://{node}").parse().expect("a valid address")
}

/// The node that listens there.
pub(super) fn listener(address: &PeerAddr) -> Option<usize> {
    address.as_str().strip_prefix("sim://")?.parse().ok()
}
