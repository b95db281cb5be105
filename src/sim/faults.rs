//! Faults of the network, of processes and of clocks. Byzantine behaviour is in `byzantine`.

use core::time::Duration;
use std::collections::BTreeSet;

use super::links::{Cut, Place};
use super::queue::Action;
use super::{Simulation, Violation};

/// A fault, or the end of one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// No message from one group of nodes reaches the other. Open connections stay open: both sides detect
    /// the cut only by their timeouts.
    Cut {
        /// The group of senders.
        from: BTreeSet<usize>,
        /// The group of receivers.
        to: BTreeSet<usize>,
        /// Whether the opposite direction is cut too.
        both_ways: bool,
    },
    /// All cuts end. A connection that has lost a message stays unusable until one side closes it.
    Heal,
    /// The process of a node is killed. Its operating system closes its connections, and the remote ends
    /// learn of that unless a cut prevents it.
    Crash(usize),
    /// A node that is down starts, with its store or with an empty one.
    Restart {
        /// The node.
        node: usize,
        /// Whether the contents of its store are kept.
        keeps_store: bool,
    },
    /// The connections between two nodes break.
    Break(usize, usize),
    /// Sets the number of messages per million that break the connection they are sent over.
    BreaksPerMillion(u32),
    /// Sets the clock skew of a node.
    ClockSkew {
        /// The node.
        node: usize,
        /// Milliseconds ahead of the correct time; negative if the clock is behind.
        millis: i64,
    },
}

impl Fault {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Cut { both_ways: true, .. } => "partition",
            Self::Cut { .. } => "one-way partition",
            Self::Heal => "heal",
            Self::Crash(_) => "crash",
            Self::Restart { keeps_store: true, .. } => "restart with its store",
            Self::Restart { .. } => "restart without its store",
            Self::Break(..) => "break",
            Self::BreaksPerMillion(_) => "breaks per million",
            Self::ClockSkew { .. } => "clock skew",
        }
    }

    pub(super) const fn node(&self) -> Option<usize> {
        match self {
            Self::Crash(node)
            | Self::Restart { node, .. }
            | Self::Break(node, _)
            | Self::ClockSkew { node, .. } => Some(*node),
            Self::Cut { .. } | Self::Heal | Self::BreaksPerMillion(_) => None,
        }
    }
}

impl Simulation {
    /// Plans a fault for a later time.
    pub fn schedule(&mut self, after: Duration, fault: Fault) {
        self.queue.plan(self.elapsed + after, Action::Fault(fault));
    }

    /// Applies a fault now.
    ///
    /// # Errors
    ///
    /// [`Violation`], if a node breaks an invariant in response.
    pub fn apply(&mut self, fault: Fault) -> Result<(), Violation> {
        self.record(fault.node(), None, fault.kind(), format!("{fault:?}").as_bytes());
        match fault {
            Fault::Cut { from, to, both_ways } => {
                if both_ways {
                    self.links.cuts.push(Cut { from: to.clone(), to: from.clone() });
                }
                self.links.cuts.push(Cut { from, to });
            }
            Fault::Heal => self.links.cuts.clear(),
            Fault::Crash(node) => self.crash(node),
            Fault::Restart { node, keeps_store } => self.start(node, keeps_store)?,
            Fault::Break(one, other) => {
                for place in self.links.of_node(one) {
                    if self.links.node(place.other()) == Some(other) {
                        self.break_off(place);
                    }
                }
            }
            Fault::BreaksPerMillion(messages) => self.config.breaks_per_million = messages,
            Fault::ClockSkew { node, millis } => {
                if let Some(node) = self.nodes.get_mut(node) {
                    node.skew_ms = millis;
                }
            }
        }
        Ok(())
    }

    /// Breaks a connection: all later messages are lost, and both ends are notified.
    pub(super) fn break_off(&mut self, at: Place) {
        self.links.kill(at.connection);
        for at in [at, at.other()] {
            // Reported by the local operating system, so no cut can prevent it.
            let after = self.config.latency.sample(&mut self.rng);
            self.queue.plan(self.elapsed + after, Action::Ended { at, is_lost: true });
        }
    }
}
