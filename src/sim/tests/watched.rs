//! Tests of the invariants: each detects its violation, and a violation tells how to reproduce it.

use std::sync::{Arc, Mutex};

use super::*;
use crate::protocol::{CloseReason, Output};
use crate::sim::invariants::{Breach, Invariant, Observation};

/// Collects the reasons for which honest nodes closed connections.
#[derive(Debug)]
pub(super) struct Closed(pub(super) Arc<Mutex<Vec<CloseReason>>>);

impl Invariant for Closed {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        let closed = observed.outputs.iter().filter_map(|output| match output {
            Output::Close { reason, .. } => Some(reason.clone()),
            _ => None,
        });
        self.0.lock().unwrap().extend(closed);
        Ok(())
    }
}

/// An invariant that fails once a chain has three blocks.
#[derive(Debug)]
struct StaysLow;

impl Invariant for StaysLow {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        let height = observed.protocol.chain().height();
        if height < 3 { Ok(()) } else { Err(Breach::Other { rule: "stays low", detail: height.to_string() }) }
    }
}

#[test]
fn a_violation_names_its_seed_and_the_command_that_replays_it() {
    let config = SimulationConfig::default().with_seed(99).with_replay("SEED={seed} run");
    let mut network = checked(Simulation::new(config));
    network.watch(Box::new(StaysLow));
    let violation = network.run_for(1_000 * SECOND).unwrap_err();
    assert_eq!((violation.seed(), violation.replay()), (99, "SEED=99 run"));
    assert!(matches!(violation.breach(), Breach::Other { rule: "stays low", .. }));
    assert_eq!(violation.at(), network.elapsed());
    assert_eq!(violation.trace().last().map(|event| event.node), Some(violation.node()));
    let text = violation.to_string();
    assert!(text.starts_with("seed 99, after "), "{text}");
    assert!(text.contains(": stays low: 3\nreplay it with: SEED=99 run\n"), "{text}");
}

#[test]
fn nodes_that_stay_apart_are_reported() {
    let mut network = checked(Simulation::new(SimulationConfig::default().with_nodes(2)));
    checked(network.apply(Fault::Cut { from: [0].into(), to: [1].into(), both_ways: true }));
    checked(network.run_for(100 * SECOND));
    let violation = network.run_until_agreed(100 * SECOND).unwrap_err();
    assert!(matches!(violation.breach(), Breach::NoAgreement { tips: 2, .. }), "{violation}");
}
