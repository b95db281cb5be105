//! The connections between the nodes and what becomes of what is sent over them. Knows no protocol: which
//! message it is does not matter here.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crate::protocol::PeerId;

/// All connections, and who cannot reach whom.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    connections: BTreeMap<u64, [End; 2]>,
    /// Those of each node whose own end is open.
    open: BTreeMap<usize, BTreeSet<u64>>,
    next: u64,
    pub(super) cuts: Vec<Cut>,
}

/// One end of a connection: that of the dialling node is the first.
#[derive(Clone, Debug)]
struct End {
    node: usize,
    is_open: bool,
    /// Whether something sent from here was lost. Nothing that follows can arrive then: a stream has no gaps.
    is_dead: bool,
    /// When the last of what was sent from here arrives.
    last_arrival: Duration,
}

/// Nodes whose messages do not reach certain others.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub(super) from: BTreeSet<usize>,
    pub(super) to: BTreeSet<usize>,
}

/// One direction of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) connection: u64,
    /// The end at which it is, 0 or 1.
    pub(super) end: usize,
}

impl Place {
    pub(super) const fn peer(self) -> PeerId {
        PeerId(self.connection * 2 + self.end as u64)
    }

    pub(super) const fn of(peer: PeerId) -> Self {
        Self { connection: peer.0 / 2, end: (peer.0 % 2) as usize }
    }

    pub(super) const fn other(self) -> Self {
        Self { end: 1 - self.end, ..self }
    }
}

impl Links {
    /// A connection between two nodes, both of whose ends are open.
    pub(super) fn open(&mut self, dialling: usize, accepting: usize, now: Duration) -> Place {
        let end = |node| End { node, is_open: true, is_dead: false, last_arrival: now };
        let connection = self.next;
        self.next += 1;
        self.connections.insert(connection, [end(dialling), end(accepting)]);
        for node in [dialling, accepting] {
            self.open.entry(node).or_default().insert(connection);
        }
        Place { connection, end: 0 }
    }

    /// The node at this end; `None` when the connection is gone.
    pub(super) fn node(&self, place: Place) -> Option<usize> {
        self.end(place).map(|end| end.node)
    }

    pub(super) fn is_open(&self, place: Place) -> bool {
        self.end(place).is_some_and(|end| end.is_open)
    }

    /// Closes this end. A connection without an open end is forgotten.
    pub(super) fn close(&mut self, place: Place) {
        let Some(ends) = self.connections.get_mut(&place.connection) else { return };
        let end = &mut ends[place.end];
        end.is_open = false;
        let node = end.node;
        let is_gone = ends.iter().all(|end| !end.is_open);
        if is_gone {
            self.connections.remove(&place.connection);
        }
        // A connection of a node with itself has both its ends there.
        let other = self.connections.get(&place.connection).map(|ends| &ends[1 - place.end]);
        if !other.is_some_and(|other| other.node == node && other.is_open)
            && let Some(open) = self.open.get_mut(&node)
        {
            open.remove(&place.connection);
        }
    }

    /// The open ends of this node's connections.
    pub(super) fn of_node(&self, node: usize) -> Vec<Place> {
        let connections = self.open.get(&node).into_iter().flatten();
        let places =
            connections.flat_map(|connection| [0, 1].map(|end| Place { connection: *connection, end }));
        places.filter(|place| self.is_open(*place) && self.node(*place) == Some(node)).collect()
    }

    /// How many connections this node's own end is open of.
    pub(super) fn count_of_node(&self, node: usize) -> usize {
        self.open.get(&node).map_or(0, BTreeSet::len)
    }

    /// Whether nothing that one node sends reaches the other.
    pub(super) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cuts.iter().any(|cut| cut.from.contains(&from) && cut.to.contains(&to))
    }

    /// When something that takes `latency` arrives that is sent from here now; `None` when it is lost, and then
    /// so is all that follows.
    pub(super) fn send(&mut self, from: Place, now: Duration, latency: Duration) -> Option<Duration> {
        let (sender, receiver) = (self.node(from)?, self.node(from.other())?);
        let is_cut = self.is_cut(sender, receiver);
        let end = &mut self.connections.get_mut(&from.connection)?[from.end];
        end.is_dead |= is_cut;
        if end.is_dead {
            return None;
        }
        end.last_arrival = end.last_arrival.max(now + latency);
        Some(end.last_arrival)
    }

    /// Lets nothing more through in either direction.
    pub(super) fn kill(&mut self, connection: u64) {
        for end in self.connections.get_mut(&connection).into_iter().flatten() {
            end.is_dead = true;
        }
    }

    /// When the news that this end is closed, which takes `latency`, reaches the other; `None` when it never
    /// does. It comes after all that was sent before, but also over a stream with a gap.
    pub(super) fn send_end(&self, from: Place, now: Duration, latency: Duration) -> Option<Duration> {
        let end = self.end(from)?;
        let receiver = self.node(from.other())?;
        (!self.is_cut(end.node, receiver)).then(|| end.last_arrival.max(now + latency))
    }

    fn end(&self, place: Place) -> Option<&End> {
        self.connections.get(&place.connection).map(|ends| &ends[place.end])
    }
}
