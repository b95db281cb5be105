//! What must hold in every run, whatever goes wrong: one rule per file, checked at the node that was just touched.
//! They look at what a node says and shows, never into it.

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

/// A node after one step, before what it wants done is done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Observation<'a> {
    /// The virtual time.
    pub at: Duration,
    /// The time that the node's own clock shows.
    pub wall: Timestamp,
    /// The node.
    pub node: usize,
    /// What the step was.
    pub cause: &'a Cause,
    /// The node's settings.
    pub config: &'a ProtocolConfig,
    /// The node itself.
    pub protocol: &'a Protocol<Record>,
    /// What it wants done, in this order.
    pub outputs: &'a [Output<Record>],
    links: &'a Links,
    /// How many honest nodes there are; they have the lowest numbers.
    honest: usize,
}

/// What made a node do something.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Cause {
    /// It was just started.
    Started {
        /// Whether with what it had in its store, or with nothing.
        keeps_store: bool,
    },
    /// Its deadline came.
    Timeout,
    /// A message came.
    Received {
        /// Over which connection.
        peer: PeerId,
        /// Which message.
        message: Message<Record>,
    },
    /// Something else.
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
    /// The node there.
    pub node: usize,
    /// Whether it follows the protocol.
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

    /// How many of the node's connections were open when the step began.
    pub fn connection_count(&self) -> usize {
        self.links.count_of_node(self.node)
    }

    /// The connections that the node closes with this step.
    pub fn closed(&self) -> impl Iterator<Item = PeerId> {
        self.outputs.iter().filter_map(|output| match output {
            Output::Close { peer, .. } => Some(*peer),
            _ => None,
        })
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
