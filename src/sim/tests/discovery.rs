//! Networks that start as a ring and discover the other nodes.

use super::*;

fn ring(seed: u64, byzantine: usize) -> SimulationConfig {
    let protocol = crate::protocol::ProtocolConfig::default().with_discovery(true);
    SimulationConfig::default()
        .with_seed(seed)
        .with_nodes(20)
        .with_byzantine(byzantine)
        .with_topology(Topology::Random { outbound: 0 })
        .with_protocol(protocol)
}

fn peers(network: &Simulation, node: usize) -> usize {
    network.protocol(node).expect("the node is up").peers().len()
}

#[test]
fn a_ring_becomes_a_mesh_and_stays_one_chain() {
    let run = |seed| {
        let mut network = checked(Simulation::new(ring(seed, 0)));
        checked(network.run_for(SECOND * 900));
        network.set_block_interval(None);
        checked(network.run_until_agreed(SECOND * 300));
        checked(network.verify());
        network
    };
    let network = run(1);
    assert_same_chain(&network);
    let counts: Vec<usize> = (0..20).map(|node| peers(&network, node)).collect();
    assert!(counts.iter().all(|count| *count >= 8), "{counts:?}");
    assert_eq!(network.trace_hash(), run(1).trace_hash(), "the same seed gives the same run");
}

/// Nodes with some connections to Byzantine nodes still find the honest nodes, and waste only a few dials.
#[test]
fn liars_do_not_keep_honest_nodes_apart() {
    let mut network = checked(Simulation::new(ring(2, 4)));
    checked(network.run_for(SECOND * 1_800));
    checked(network.run_until_agreed(SECOND * 300));
    for node in 0..20 {
        let protocol = network.protocol(node).expect("the node is up");
        let honest = protocol.addresses().iter().filter(|known| known.reached.is_some()).count();
        assert!(honest >= 6 && peers(&network, node) >= 6, "node {node} reached {honest}");
        assert!(protocol.addresses().len() <= crate::protocol::limits::MAX_ADDRESSES);
    }
}
