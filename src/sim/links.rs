//! The connections between the nodes and the delivery of messages over them. Independent of the protocol and
//! the contents of messages.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crate::protocol::PeerId;

/// All connections, and the cuts between nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    connections: BTreeMap<u64, [End; 2]>,
    /// The connections of each node whose end at that node is open.
    open: BTreeMap<usize, BTreeSet<u64>>,
    next: u64,
    pub(super) cuts: Vec<Cut>,
}

/// One end of a connection; index 0 is the dialling node's.
#[derive(Clone, Debug)]
struct End {
    node: usize,
    is_open: bool,
    /// Whether a message from this end was lost. No later message can arrive then, because a stream has no
    /// gaps.
    is_dead: bool,
    /// The arrival time of the last message sent from this end.
    last_arrival: Duration,
}

/// Nodes whose messages do not reach certain other nodes.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub(super) from: BTreeSet<usize>,
    pub(super) to: BTreeSet<usize>,
}

/// One end of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) connection: u64,
    /// The index of the end, 0 or 1.
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
    /// Opens a connection between two nodes, with both ends open.
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

    /// Returns the node at this end; `None` if the connection does not exist any more.
    pub(super) fn node(&self, place: Place) -> Option<usize> {
        self.end(place).map(|end| end.node)
    }

    pub(super) fn is_open(&self, place: Place) -> bool {
        self.end(place).is_some_and(|end| end.is_open)
    }

    /// Closes this end. A connection without an open end is removed.
    pub(super) fn close(&mut self, place: Place) {
        let Some(ends) = self.connections.get_mut(&place.connection) else { return };
        let end = &mut ends[place.end];
        end.is_open = false;
        let node = end.node;
        let is_gone = ends.iter().all(|end| !end.is_open);
        if is_gone {
            self.connections.remove(&place.connection);
        }
        // Both ends of a node's connection to itself are at that node.
        let other = self.connections.get(&place.connection).map(|ends| &ends[1 - place.end]);
        if !other.is_some_and(|other| other.node == node && other.is_open)
            && let Some(open) = self.open.get_mut(&node)
        {
            open.remove(&place.connection);
        }
    }

    /// Returns the open ends of this node's connections.
    pub(super) fn of_node(&self, node: usize) -> Vec<Place> {
        let connections = self.open.get(&node).into_iter().flatten();
        let places =
            connections.flat_map(|connection| [0, 1].map(|end| Place { connection: *connection, end }));
        places.filter(|place| self.is_open(*place) && self.node(*place) == Some(node)).collect()
    }

    /// Returns the number of connections that are open at this node's end.
    pub(super) fn count_of_node(&self, node: usize) -> usize {
        self.open.get(&node).map_or(0, BTreeSet::len)
    }

    /// Whether no message from the one node reaches the other.
    pub(super) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cuts.iter().any(|cut| cut.from.contains(&from) && cut.to.contains(&to))
    }

    /// Returns the arrival time of a message with this latency that is sent from this end now; `None` if the
    /// message is lost, and all later ones with it.
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

    /// Loses all later messages in both directions.
    pub(super) fn kill(&mut self, connection: u64) {
        for end in self.connections.get_mut(&connection).into_iter().flatten() {
            end.is_dead = true;
        }
    }

    /// Returns when the other end learns that this end was closed; `None` if never. The notification arrives
    /// after all messages sent before, but, unlike a message, also over a stream with a gap.
    pub(super) fn send_end(&self, from: Place, now: Duration, latency: Duration) -> Option<Duration> {
        let end = self.end(from)?;
        let receiver = self.node(from.other())?;
        (!self.is_cut(end.node, receiver)).then(|| end.last_arrival.max(now + latency))
    }

    fn end(&self, place: Place) -> Option<&End> {
        self.connections.get(&place.connection).map(|ends| &ends[place.end])
    }
}
