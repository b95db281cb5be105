//! Dials whose connection breaks immediately.

use super::*;

#[test]
fn a_connection_that_breaks_before_its_caller_has_it_is_dialled_again() {
    let config = SimulationConfig::default()
        .with_nodes(2)
        .with_topology(Topology::Line)
        .with_breaks_per_million(500_000);
    let mut network = checked(Simulation::new(config));
    checked(network.run_for(120 * SECOND));
    checked(network.apply(Fault::BreaksPerMillion(0)));
    // Longer than the longest wait between two dials.
    checked(network.run_for(30 * SECOND));
    for node in 0..2 {
        assert_eq!(network.protocol(node).unwrap().peers().len(), 1, "node {node}");
    }
}
