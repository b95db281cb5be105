//! The trace of a run: a running hash over all events, and the last few events as text. Two runs with equal
//! hashes are identical, byte for byte.

use core::fmt;
use core::time::Duration;
use std::collections::VecDeque;

use sha2::{Digest, Sha256};

use crate::primitives::Hash;

/// The number of events kept for the report of a violation.
const KEPT: usize = 40;

/// One event, as printed in a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceEvent {
    /// The virtual time of the event.
    pub at: Duration,
    /// The node of the event; `None` for an event of the whole network.
    pub node: Option<usize>,
    /// The node at the other end of the connection, if there is one.
    pub from: Option<usize>,
    /// The kind of the message or of the event.
    pub kind: &'static str,
}

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12.6} s", self.at.as_secs_f64())?;
        match (self.from, self.node) {
            (Some(from), Some(node)) => write!(f, "  {from} -> {node}")?,
            (_, Some(node)) => write!(f, "  {node}")?,
            (_, None) => write!(f, "  all")?,
        }
        write!(f, "  {}", self.kind)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    hasher: Sha256,
    events: u64,
    last: VecDeque<TraceEvent>,
}

impl Trace {
    /// Adds an event, with the bytes that distinguish it from other events of its kind.
    pub(super) fn record(&mut self, event: TraceEvent, bytes: &[u8]) {
        let number = |node: Option<usize>| node.map_or(u64::MAX, |node| node as u64).to_be_bytes();
        self.hasher.update(event.at.as_nanos().to_be_bytes());
        self.hasher.update(number(event.node));
        self.hasher.update(number(event.from));
        self.hasher.update((event.kind.len() as u64).to_be_bytes());
        self.hasher.update(event.kind);
        self.hasher.update((bytes.len() as u64).to_be_bytes());
        self.hasher.update(bytes);
        self.events += 1;
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(event);
    }

    /// Adds the outcome of an event.
    pub(super) fn result(&mut self, tip: &Hash) {
        self.hasher.update(tip.as_bytes());
    }

    pub(super) fn hash(&self) -> Hash {
        Hash::from_bytes(self.hasher.clone().finalize().into())
    }

    pub(super) const fn events(&self) -> u64 {
        self.events
    }

    pub(super) fn last(&self) -> impl ExactSizeIterator<Item = &TraceEvent> {
        self.last.iter()
    }
}
