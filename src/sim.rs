//! A simulated network of nodes in one thread, on virtual time. It simulates years of faults in seconds, and
//! a seed reproduces every run.
//!
//! A [`Simulation`] runs the production [`Protocol`](crate::Protocol) with real blocks, real hashes and a
//! real store, on a simulated network and a simulated clock. Messages are delayed by [`Latency`], connections
//! break, groups of nodes are partitioned, processes crash and restart with or without their store
//! ([`Fault`]), and clocks are wrong. Byzantine nodes send what no honest node sends, and withholding nodes
//! never deliver what is requested from them. The [`invariants`] are checked after every step. A broken
//! invariant is a [`Violation`], which contains the seed, the time and the command that replays the run.
//!
//! ```
//! use std::time::Duration;
//!
//! use hashloom::sim::{Fault, Simulation, SimulationConfig};
//!
//! # fn main() -> Result<(), hashloom::sim::Violation> {
//! let mut network = Simulation::new(SimulationConfig::default().with_seed(7).with_nodes(5))?;
//! network.schedule(
//!     Duration::from_secs(30),
//!     Fault::Cut { from: [0, 1].into(), to: [2, 3, 4].into(), both_ways: true },
//! );
//! network.schedule(Duration::from_secs(120), Fault::Heal);
//! network.run_for(Duration::from_secs(180))?;
//! network.run_until_agreed(Duration::from_secs(120))?;
//! network.verify()?;
//! assert!(network.protocol(4).unwrap().chain().height() > 0);
//! # Ok(())
//! # }
//! ```
//!
//! # A lost message is a lost connection
//!
//! Peers communicate over streams, which retransmit lost data and never skip any. A single message therefore
//! cannot be lost here either: the connection breaks at both ends ([`SimulationConfig::breaks_per_million`]),
//! or, if a [`Fault::Cut`] has lost a message, stays silent in that direction until one side closes it.
//!
//! Not simulated: bandwidth and message sizes, full queues, disk failures (`testing::store` simulates those),
//! and the processing time of nodes.

mod byzantine;
mod config;
mod disk;
mod drive;
mod faults;
pub mod invariants;
mod latency;
mod links;
mod measure;
mod node;
mod queue;
mod record;
mod scenario;
mod simulation;
mod trace;
mod violation;

pub use config::{SimulationConfig, Topology};
pub use faults::Fault;
pub use latency::Latency;
pub use measure::{BlockTimes, Measurements};
pub use record::{Record, Tally};
pub use scenario::random_faults;
pub use simulation::Simulation;
pub use trace::TraceEvent;
pub use violation::Violation;

#[cfg(test)]
mod tests;
