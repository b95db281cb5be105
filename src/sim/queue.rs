//! What is to happen, in order of time; what is due at the same time in the order in which it was planned.

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

/// One thing that is to happen. An epoch tells a node from what it was before a crash.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Deliver {
        to: Place,
        message: Message<Record>,
    },
    /// Bytes arrive that are no message.
    Garbage {
        to: Place,
    },
    /// A request for a connection arrives.
    Dialled {
        from: usize,
        epoch: u64,
        address: PeerAddr,
    },
    /// The dialling node learns that its call was answered.
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
    /// The connection ends here, because it ended at the other end or broke.
    Ended {
        at: Place,
        is_lost: bool,
    },
    Timer {
        node: usize,
        epoch: u64,
    },
    /// Some node finds a block, unless the interval was changed since this was planned.
    Mine {
        round: u64,
    },
    /// Some node is handed a transaction, unless the interval was changed since this was planned.
    Submit {
        round: u64,
    },
    /// A Byzantine node does something.
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

    /// When the next thing happens.
    pub(super) fn next(&self) -> Option<Duration> {
        self.actions.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn pop(&mut self) -> Option<(Duration, Action)> {
        self.actions.pop_first().map(|((at, _), action)| (at, action))
    }
}
