//! What must hold in every run, whatever goes wrong: one rule per file, checked at the node that was just touched.
//! They look at what a node says and shows, never into it.

mod connections;
mod deadlines;
mod events;
mod honesty;
mod outputs;
mod replay;
mod work;

use core::fmt::Debug;
use core::time::Duration;

pub use connections::OpenConnections;
pub use deadlines::DeadlinesPass;
pub use events::EventsFollowTheChain;
pub use honesty::HonestPeersStay;
pub use outputs::BoundedOutputs;
pub use replay::{StateIsReplay, replay};
pub use work::WorkGrows;

use super::Simulation;
use super::links::{Links, Place};
use super::record::Record;
use crate::primitives::{Hash, Work};
use crate::protocol::{CloseReason, Output, PeerId, Protocol};

/// A rule that every honest node keeps.
pub trait Invariant: Debug + Send {
    /// Looks at a node that was just touched.
    ///
    /// # Errors
    ///
    /// [`Breach`], which ends the run.
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach>;
}

/// All rules of this crate.
pub fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(WorkGrows::default()),
        Box::new(EventsFollowTheChain::default()),
        Box::new(OpenConnections),
        Box::new(DeadlinesPass),
        Box::new(HonestPeersStay),
        Box::new(BoundedOutputs),
        Box::new(StateIsReplay::default()),
    ]
}

/// A node after one step, before what it wants done is done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Observation<'a> {
    /// The virtual time.
    pub at: Duration,
    /// The node.
    pub node: usize,
    /// What the step was.
    pub cause: Cause,
    /// The node itself.
    pub protocol: &'a Protocol<Record>,
    /// What it wants done, in this order.
    pub outputs: &'a [Output<Record>],
    links: &'a Links,
    /// How many honest nodes there are; they have the lowest numbers.
    honest: usize,
}

/// What made a node do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// It was just started.
    Started,
    /// Its deadline came.
    Timeout,
    /// Something else.
    Input,
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remote {
    /// The node there.
    pub node: usize,
    /// Whether it follows the protocol.
    pub is_honest: bool,
}

impl<'a> Observation<'a> {
    pub(super) fn new(
        simulation: &'a Simulation,
        node: usize,
        cause: Cause,
        protocol: Option<&'a Protocol<Record>>,
        outputs: &'a [Output<Record>],
    ) -> Option<Self> {
        let (links, honest) = (&simulation.links, simulation.config.nodes);
        Some(Self { at: simulation.elapsed, node, cause, protocol: protocol?, outputs, links, honest })
    }

    /// The other end of a connection whose own end was open when the step began.
    pub fn remote(&self, peer: PeerId) -> Option<Remote> {
        let place = Place::of(peer);
        if !self.links.is_open(place) || self.links.node(place) != Some(self.node) {
            return None;
        }
        let node = self.links.node(place.other())?;
        Some(Remote { node, is_honest: node < self.honest })
    }
}

/// How a rule was broken.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Breach {
    /// The best chain has less work than before.
    #[error("the best chain's work fell from {before} to {after}")]
    WorkFell {
        /// The work before the step.
        before: Work,
        /// And after it.
        after: Work,
    },
    /// The height is not that of the tip, or a block does not stand on the one before it.
    #[error("block {hash} at height {height} does not stand on {parent}")]
    NotContiguous {
        /// The block.
        hash: Hash,
        /// Its height.
        height: u64,
        /// The block that it should stand on.
        parent: Hash,
    },
    /// The events did not lead to the tip.
    #[error("the events lead to {told}, the chain to {tip}")]
    EventsDiffer {
        /// Where the events lead.
        told: Hash,
        /// The tip.
        tip: Hash,
    },
    /// Something was sent over a connection that is closed, or it was closed twice.
    #[error("{output} for {peer}, which is closed")]
    ClosedPeer {
        /// The connection.
        peer: PeerId,
        /// What was to be done.
        output: &'static str,
    },
    /// After a timeout, the next deadline has passed already.
    #[error("the deadline {deadline:?} has passed at {now:?}, after a timeout")]
    DeadlineStands {
        /// The deadline.
        deadline: Duration,
        /// The time.
        now: Duration,
    },
    /// An honest node was closed for what no honest node does.
    #[error("closed honest node {remote} for misbehaviour: {reason}")]
    HonestBlamed {
        /// The node.
        remote: usize,
        /// Why it was closed.
        reason: CloseReason,
    },
    /// One step had more outputs than it may.
    #[error("{got} outputs in one step, at most {limit} are allowed")]
    TooManyOutputs {
        /// How many.
        got: usize,
        /// The limit.
        limit: usize,
    },
    /// The state is not what the blocks add up to.
    #[error("the state at height {height} is not what the blocks add up to")]
    StateDiffers {
        /// The height of the tip.
        height: u64,
    },
    /// A block of the best chain cannot be read.
    #[error("the chain cannot be read: {error}")]
    Unreadable {
        /// What the store says.
        error: crate::StoreError,
    },
    /// The chain does not pass its own check.
    #[error("the chain does not verify: {error}")]
    Verify {
        /// What the check says.
        error: String,
    },
    /// A node cannot be started with what it had in its store.
    #[error("a kept chain cannot be opened: {error}")]
    Open {
        /// What the chain says.
        error: String,
    },
    /// A node refuses the block that it mined itself.
    #[error("a node's own block was refused: {error}")]
    OwnBlock {
        /// The rule.
        error: String,
    },
    /// The honest nodes have come to no agreement.
    #[error("{tips} different tips after {waited:?}")]
    NoAgreement {
        /// How many tips there are.
        tips: usize,
        /// How long it was waited for.
        waited: Duration,
    },
    /// A rule that this crate does not know.
    #[error("{rule}: {detail}")]
    Other {
        /// Its name.
        rule: &'static str,
        /// What it found.
        detail: String,
    },
}
