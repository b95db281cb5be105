//! A whole network of nodes in one thread, on virtual time: years of faults in seconds, and every run again from
//! its seed.
//!
//! A [`Simulation`] drives the very [`Protocol`](crate::Protocol)s that a node drives, with real blocks, real
//! hashes and a real store, and puts its own network and its own clock around them. Messages take the time that
//! [`Latency`] says, connections break, groups of nodes are cut off, processes crash and come back with their
//! store or without it ([`Fault`]), clocks are wrong, Byzantine nodes say what no honest node says, and withholding
//! ones never send what they are asked for. After every single step the [`invariants`] are checked; what breaks one is a [`Violation`], which names the seed, the
//! time and the command that replays the run.
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
//! Peers speak over streams, which repeat what is lost on the way and never skip anything. So a single message
//! cannot be lost here either: the connection breaks, at both ends ([`SimulationConfig::breaks_per_million`]), or,
//! where a [`Fault::Cut`] swallowed something, stays silent in that direction until one side gives it up.
//!
//! What is not simulated: bandwidth and the size of messages, full queues, disks that fail (`testing::store` has
//! one), and the time that a node itself takes.

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
