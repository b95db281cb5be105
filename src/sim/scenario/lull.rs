//! What goes wrong while nobody mines: one thing at a time, at a moment that counts. No later block makes up for what a
//! node misses, so it comes to the others' chain by what it asks for or not at all.

use core::time::Duration;
use std::collections::BTreeSet;

use fastrand::Rng;

use super::AGREEMENT;
use crate::sim::latency::{below, index};
use crate::sim::{Fault, Simulation, Topology, Violation};

/// Branches are this long at most.
const MAX_BRANCH: u32 = 4;

/// A node starts over with nothing, and while it catches up, something happens to another one: as a rule to that from
/// which it is fetching blocks.
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

/// A node finds a block, and while it spreads, something happens to a node.
pub(super) fn news(network: &mut Simulation, rng: &mut Rng) -> Result<(), Violation> {
    let (node, other) = two(network, rng);
    network.submit(other)?;
    network.mine(node)?;
    network.submit(node)?;
    network.run_for(moment(network, rng))?;
    strike(network, rng, node, other)
}

/// Two groups that do not hear each other find blocks, the one with more work than the other, and hear each other
/// again. Where blocks differ in work, the longer branch may be the one with less: its clock is ahead, so its blocks
/// seem to take longer.
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
    // Some connections are given up before that, and some are not.
    network.run_for(below(rng, Duration::from_secs(90)))?;
    network.apply(Fault::Heal)?;
    network.run_until_agreed(AGREEMENT)
}

/// A node whose clock is ahead finds a block that the others may not take yet.
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

/// As long as a few messages take at most.
fn moment(network: &Simulation, rng: &mut Rng) -> Duration {
    below(rng, network.config().latency.mean() * 12)
}

/// Something happens to `other`. In the end all must agree.
fn strike(network: &mut Simulation, rng: &mut Rng, node: usize, other: usize) -> Result<(), Violation> {
    match rng.u8(0..4) {
        0 | 1 => {
            network.apply(Fault::Crash(other))?;
            // The rest needs nothing from it, unless it was the only way from the ones to the others.
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

/// A node and another one.
fn two(network: &Simulation, rng: &mut Rng) -> (usize, usize) {
    let nodes = network.config().nodes;
    let node = index(rng, nodes);
    (node, (node + 1 + index(rng, nodes - 1)) % nodes)
}
