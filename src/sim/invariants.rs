//! The invariants of every run, under any fault: one per file, checked at the node that has just processed an
//! input. They use only the outputs and the public state of a node.

mod bans;
mod bounds;
mod breach;
mod connections;
mod deadlines;
mod downloads;
mod echoes;
mod events;
mod honesty;
mod outputs;
mod proofs;
mod replay;
mod requests;
mod selves;
mod silence;
mod times;
mod transactions;
mod work;

use core::fmt::Debug;
use core::time::Duration;

pub use bans::BansHold;
pub use bounds::MemoryIsBounded;
pub use breach::Breach;
pub use connections::OpenConnections;
pub use deadlines::DeadlinesPass;
pub use downloads::BlocksAreAskedForOnce;
pub use echoes::NothingIsToldTwice;
pub use events::EventsFollowTheChain;
pub use honesty::HonestPeersStay;
pub use outputs::BoundedOutputs;
pub use proofs::HeadersCostWork;
pub use replay::{StateIsReplay, replay};
pub use requests::RequestsEnd;
pub use selves::PeersAreOthers;
pub use silence::SilentPeersGo;
pub use times::NothingIsFromTheFuture;
pub use transactions::TransactionsStay;
pub use work::WorkGrows;

use super::Simulation;
use super::links::{Links, Place};
use super::record::Record;
use crate::primitives::Timestamp;
use crate::protocol::{Message, Output, PeerId, Protocol, ProtocolConfig};

/// A rule that every honest node must satisfy.
pub trait Invariant: Debug + Send {
    /// Checks a node that has just processed an input.
    ///
    /// # Errors
    ///
    /// [`Breach`], if the rule is broken; ends the run.
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach>;
}

/// Returns all invariants of this crate.
pub fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(WorkGrows::default()),
        Box::new(EventsFollowTheChain::default()),
        Box::new(OpenConnections),
        Box::new(DeadlinesPass),
        Box::new(HonestPeersStay),
        Box::new(BoundedOutputs),
        Box::new(StateIsReplay::default()),
        Box::new(HeadersCostWork),
        Box::new(NothingIsFromTheFuture::default()),
        Box::new(TransactionsStay::default()),
        Box::new(RequestsEnd::default()),
        Box::new(BlocksAreAskedForOnce::default()),
        Box::new(NothingIsToldTwice::default()),
        Box::new(SilentPeersGo::default()),
        Box::new(PeersAreOthers),
        Box::new(BansHold::default()),
        Box::new(MemoryIsBounded),
    ]
}

/// A node after one step, before its outputs are performed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Observation<'a> {
    /// The virtual time.
    pub at: Duration,
    /// The time on the node's own clock.
    pub wall: Timestamp,
    /// The number of the node.
    pub node: usize,
    /// The input of the step.
    pub cause: &'a Cause,
    /// The node's settings.
    pub config: &'a ProtocolConfig,
    /// The protocol of the node.
    pub protocol: &'a Protocol<Record>,
    /// The outputs of the step, in order.
    pub outputs: &'a [Output<Record>],
    links: &'a Links,
    /// The number of honest nodes, which have the lowest numbers.
    honest: usize,
}

/// The input that a node has processed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Cause {
    /// The node was started.
    Started {
        /// Whether it started with the contents of its store.
        keeps_store: bool,
    },
    /// Its deadline has passed.
    Timeout,
    /// A message was received.
    Received {
        /// The connection.
        peer: PeerId,
        /// The message.
        message: Message<Record>,
    },
    /// Any other input.
    Input,
}

impl Cause {
    /// Whether the node was just started.
    pub const fn is_start(&self) -> bool {
        matches!(self, Self::Started { .. })
    }
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remote {
    /// The node at that end.
    pub node: usize,
    /// Whether that node follows the protocol.
    pub is_honest: bool,
}

impl<'a> Observation<'a> {
    pub(super) fn new(
        simulation: &'a Simulation,
        node: usize,
        cause: &'a Cause,
        protocol: Option<&'a Protocol<Record>>,
        outputs: &'a [Output<Record>],
    ) -> Option<Self> {
        Some(Self {
            at: simulation.elapsed,
            wall: simulation.now(node).wall,
            node,
            cause,
            config: &simulation.config.protocol,
            protocol: protocol?,
            outputs,
            links: &simulation.links,
            honest: simulation.config.nodes,
        })
    }

    /// Whether this end of a connection was open when the step began.
    pub fn is_open(&self, peer: PeerId) -> bool {
        self.links.is_open(Place::of(peer))
    }

    /// Returns the number of the node's connections that were open when the step began.
    pub fn connection_count(&self) -> usize {
        self.links.count_of_node(self.node)
    }

    /// Returns the connections that the node closes in this step.
    pub fn closed(&self) -> impl Iterator<Item = PeerId> {
        self.outputs.iter().filter_map(|output| match output {
            Output::Close { peer, .. } => Some(*peer),
            _ => None,
        })
    }

    /// Returns the other end of a connection; `None` if the node's own end was not open when the step began.
    pub fn remote(&self, peer: PeerId) -> Option<Remote> {
        let place = Place::of(peer);
        if !self.links.is_open(place) || self.links.node(place) != Some(self.node) {
            return None;
        }
        let node = self.links.node(place.other())?;
        Some(Remote { node, is_honest: node < self.honest })
    }
}
