//! Tests of the network and, through it, of the protocol: many short runs with random faults, and a few long
//! ones with faults of one kind. They check the final state of the nodes, not only progress.

mod dials;
mod discovery;
mod large;
mod measured;
mod sweep;
mod watched;

use core::time::Duration;

use super::*;
use crate::primitives::Hash;

const SECOND: Duration = Duration::from_secs(1);

/// Asserts that all honest nodes of a network have the same chain, block by block, and the same state.
#[track_caller]
fn assert_same_chain(network: &Simulation) {
    let nodes = network.config().nodes;
    let first = network.protocol(0).expect("node 0 is up").chain();
    for node in 1..nodes {
        let chain = network.protocol(node).expect("every node is up").chain();
        assert_eq!(chain.tip().hash(), first.tip().hash(), "tip of node {node}");
        assert!(chain.blocks(..).map(Result::unwrap).eq(first.blocks(..).map(Result::unwrap)));
        assert_eq!(chain.state(), first.state(), "state of node {node}");
    }
}

/// Panics with the `Display` form of the violation, so that the replay command can be copied.
#[track_caller]
fn checked<T>(result: Result<T, Violation>) -> T {
    result.unwrap_or_else(|violation| panic!("{violation}"))
}

fn tip(network: &Simulation, node: usize) -> Hash {
    *network.protocol(node).expect("the node is up").chain().tip().hash()
}
