//! Faults while no blocks are mined: one at a time, at a critical moment. No later block repairs a missed
//! one, so a node reaches the others' chain only by its own requests.

use core::time::Duration;
use std::collections::BTreeSet;

use fastrand::Rng;

use super::AGREEMENT;
use crate::sim::latency::{below, index};
use crate::sim::{Fault, Simulation, Topology, Violation};

/// Maximum length of a branch.
const MAX_BRANCH: u32 = 4;

/// A node restarts with an empty store. While it synchronises, another node is struck by a fault, usually the
/// one from which it is downloading.
pub(super) fn newcomer(network: &mut Simulation, rng: &mut Rng) -> Result<(), Violation> {
    let (node, other) = two(network, rng);
    network.apply(Fault::Crash(node))?;
    network.apply(Fault::Restart { node, keeps_store: false })?;
    if rng.u8(0..4) == 0 {
        network.run_for(moment(network, rng))?;
        return strike(network, rng, node, other);
    }
    network.run_until(AGREEMENT, |network| network.downloads_from(node).is_some())?;
    let source = network.downloads_from(node).filter(|source| *source < network.config().nodes);
    strike(network, rng, node, source.unwrap_or(other))
}

/// A node finds a block, and while the block propagates, a node is struck by a fault.
pub(super) fn news(network: &mut Simulation, rng: &mut Rng) -> Result<(), Violation> {
    let (node, other) = two(network, rng);
    network.submit(other)?;
    network.mine(node)?;
    network.submit(node)?;
    network.run_for(moment(network, rng))?;
    strike(network, rng, node, other)
}

/// Two partitioned groups find blocks, one with more work than the other, and the partition ends. If blocks
/// differ in work, the longer branch may have less work: the clock of its miner is ahead, so its blocks seem
/// to take longer.
pub(super) fn rivals(network: &mut Simulation, rng: &mut Rng) -> Result<(), Violation> {
    let nodes = network.config().nodes;
    let (one, other) = two(network, rng);
    for _ in 0..rng.u32(0..MAX_BRANCH) {
        network.mine(one)?;
    }
    network.run_until_agreed(AGREEMENT)?;
    let ahead = Duration::from_secs(9).min(network.config().spec.max_future_drift());
    let millis = i64::try_from(below(rng, ahead).as_millis()).unwrap_or(0);
    network.apply(Fault::ClockSkew { node: other, millis })?;
    let from: BTreeSet<usize> =
        (0..nodes).filter(|node| *node == one || *node != other && rng.bool()).collect();
    let to = (0..nodes).filter(|node| !from.contains(node)).collect();
    network.apply(Fault::Cut { from, to, both_ways: true })?;
    let work = |network: &Simulation, node| network.protocol(node).map(|protocol| protocol.chain().work());
    for node in [one, other] {
        for _ in 0..rng.u32(1..MAX_BRANCH) {
            network.submit(node)?;
            network.mine(node)?;
            network.run_for(below(rng, Duration::from_secs(2)))?;
        }
    }
    for _ in 0..MAX_BRANCH {
        if work(network, one) == work(network, other) {
            network.mine(one)?;
        }
    }
    network.apply(Fault::ClockSkew { node: other, millis: 0 })?;
    // Some connections have timed out by then, and some have not.
    network.run_for(below(rng, Duration::from_secs(90)))?;
    network.apply(Fault::Heal)?;
    network.run_until_agreed(AGREEMENT)
}

/// A node whose clock is ahead finds a block that the other nodes must not accept yet.
pub(super) fn early_block(network: &mut Simulation, rng: &mut Rng) -> Result<(), Violation> {
    let (node, _) = two(network, rng);
    let drift = network.config().spec.max_future_drift();
    let ahead = drift + Duration::from_secs(1) + below(rng, Duration::from_secs(20));
    let millis = i64::try_from(ahead.as_millis()).unwrap_or(i64::MAX);
    network.apply(Fault::ClockSkew { node, millis })?;
    network.mine(node)?;
    network.run_until_agreed(AGREEMENT)?;
    network.apply(Fault::ClockSkew { node, millis: 0 })
}

/// Draws a time of up to a few message latencies.
fn moment(network: &Simulation, rng: &mut Rng) -> Duration {
    below(rng, network.config().latency.mean() * 12)
}

/// Injects a fault at `other` and ends it. All honest nodes must agree afterwards.
fn strike(network: &mut Simulation, rng: &mut Rng, node: usize, other: usize) -> Result<(), Violation> {
    match rng.u8(0..4) {
        0 | 1 => {
            network.apply(Fault::Crash(other))?;
            // The other nodes can agree without it, unless it was the only path between two groups.
            if network.config().topology == Topology::Mesh {
                network.run_until_agreed(AGREEMENT)?;
            }
        }
        2 => {
            let rest = (0..network.config().nodes).filter(|node| *node != other).collect();
            network.apply(Fault::Cut { from: [other].into(), to: rest, both_ways: rng.bool() })?;
            network.run_for(below(rng, AGREEMENT))?;
        }
        _ => network.apply(Fault::Break(node, other))?,
    }
    network.apply(Fault::Heal)?;
    network.apply(Fault::Restart { node: other, keeps_store: true })?;
    network.run_until_agreed(AGREEMENT)
}

/// Draws two different nodes.
fn two(network: &Simulation, rng: &mut Rng) -> (usize, usize) {
    let nodes = network.config().nodes;
    let node = index(rng, nodes);
    (node, (node + 1 + index(rng, nodes - 1)) % nodes)
}
