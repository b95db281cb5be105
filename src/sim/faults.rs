//! What can go wrong, other than a node that lies.

use core::time::Duration;
use std::collections::BTreeSet;

use super::links::{Cut, Place};
use super::queue::Action;
use super::{Simulation, Violation};

/// Something that goes wrong, or that ends what went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing that the nodes of one group send reaches those of the other. Open connections stay open: both
    /// sides find out by waiting in vain.
    Cut {
        /// The one group.
        from: BTreeSet<usize>,
        /// The other.
        to: BTreeSet<usize>,
        /// Whether the other direction is cut too.
        both_ways: bool,
    },
    /// All cuts end. A connection over which something was lost stays useless until somebody gives it up.
    Heal,
    /// The process of a node ends without a word. The other ends of its connections are told by its operating
    /// system, as far as that reaches them.
    Crash(usize),
    /// A node starts that is down: with what it had in its store, or with nothing.
    Restart {
        /// Which node.
        node: usize,
        /// Whether its store is still there.
        keeps_store: bool,
    },
    /// The connections between two nodes break.
    Break(usize, usize),
    /// From now on so many of a million messages break the connection that they are sent over.
    BreaksPerMillion(u32),
    /// A node's clock is set: it is wrong by so many milliseconds from now on.
    ClockSkew {
        /// Which node.
        node: usize,
        /// Milliseconds ahead of the right time; negative where it is behind.
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
    /// Lets something go wrong at a later time.
    pub fn schedule(&mut self, after: Duration, fault: Fault) {
        self.queue.plan(self.elapsed + after, Action::Fault(fault));
    }

    /// Lets something go wrong now.
    ///
    /// # Errors
    ///
    /// [`Violation`], where a node does what it may not in answer to that.
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

    /// Breaks a connection: whatever is sent from now on is lost, and both ends hear of it.
    pub(super) fn break_off(&mut self, at: Place) {
        self.links.kill(at.connection);
        for at in [at, at.other()] {
            // Reported by the own system, so no cut can hold it back.
            let after = self.config.latency.sample(&mut self.rng);
            self.queue.plan(self.elapsed + after, Action::Ended { at, is_lost: true });
        }
    }
}
