//! The planned actions, ordered by time and, at equal times, by the order in which they were planned.

use core::time::Duration;
use std::collections::BTreeMap;

use super::faults::Fault;
use super::links::Place;
use super::record::Record;
use crate::protocol::{Message, PeerAddr};

#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    actions: BTreeMap<(Duration, u64), Action>,
    planned: u64,
}

/// A planned action. The epoch of a node distinguishes it from its state before a restart.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Deliver {
        to: Place,
        message: Message<Record>,
    },
    /// Bytes arrive that are not a valid message.
    Garbage {
        to: Place,
    },
    /// A request for a connection arrives.
    Dialled {
        from: usize,
        epoch: u64,
        address: PeerAddr,
    },
    /// The dialling node learns that its connection was accepted.
    Accepted {
        at: Place,
        from: usize,
        epoch: u64,
        address: PeerAddr,
    },
    DialFailed {
        from: usize,
        epoch: u64,
        address: PeerAddr,
    },
    /// This end of the connection is notified that the other end closed it or that it broke.
    Ended {
        at: Place,
        is_lost: bool,
    },
    Timer {
        node: usize,
        epoch: u64,
    },
    /// A node finds a block, unless the interval was changed since this was planned.
    Mine {
        round: u64,
    },
    /// A node receives a transaction, unless the interval was changed since this was planned.
    Submit {
        round: u64,
    },
    /// A Byzantine node attacks.
    Attack {
        node: usize,
        epoch: u64,
    },
    Fault(Fault),
}

impl Queue {
    pub(super) fn plan(&mut self, at: Duration, action: Action) {
        self.actions.insert((at, self.planned), action);
        self.planned += 1;
    }

    /// Returns the time of the next action.
    pub(super) fn next(&self) -> Option<Duration> {
        self.actions.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn pop(&mut self) -> Option<(Duration, Action)> {
        self.actions.pop_first().map(|((at, _), action)| (at, action))
    }
}
