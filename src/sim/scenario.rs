//! A short run with random faults, all of it drawn from one seed: what a sweep over many seeds is made of.

mod lull;

use core::time::Duration;
use std::collections::BTreeSet;

use fastrand::Rng;

use super::config::{SimulationConfig, Topology};
use super::faults::Fault;
use super::latency::{Latency, below, index};
use super::{Simulation, Violation};
use crate::chain::ChainConfig;
use crate::consensus::Retarget;
use crate::protocol::{ProtocolConfig, limits};

/// How long faults are planned for.
const TROUBLE: Duration = Duration::from_secs(120);

/// What half-open connections and dialling may take once everything works again: silence is noticed after 30 s,
/// an answer waited for 20 s, an address left alone for 15 s.
const RECOVERY: Duration = Duration::from_secs(75);

/// Blocks at the end of a run, each of which may have to hold what the last one held.
const MAX_LAST_BLOCKS: usize = 3;

/// How long an agreement may take after that.
const AGREEMENT: Duration = Duration::from_secs(300);

/// Runs a small network of honest and dishonest nodes for two minutes of virtual time, in which groups are cut off,
/// nodes crash and come back, connections break and clocks are set. Then everything works again, except that the
/// dishonest nodes go on, and the honest ones must come to one chain that holds block by block.
///
/// Then nobody mines unless he is told to, so that no later block makes up for what was missed: one thing goes wrong
/// at a time, and each time all must come to the same chain again by what they know and ask for, and have the same
/// transactions pending. At last one block must hold these. `replay` is the command that replays it,
/// with `{seed}` in the place of the seed.
///
/// # Errors
///
/// [`Violation`], where a node did what it may not, or the honest nodes came to no agreement.
pub fn random_faults(seed: u64, replay: &str) -> Result<Simulation, Violation> {
    // Of another stream than the run itself.
    let mut rng = Rng::with_seed(seed ^ 0x5eed_5eed_5eed_5eed);
    let mut config = random_config(&mut rng).with_seed(seed).with_replay(replay);
    // Every second network also finds its peers by itself.
    config.protocol.discovery = seed % 2 == 1;
    let (nodes, liars) = (config.nodes, config.byzantine);
    let mut network = Simulation::new(config)?;
    for _ in 0..rng.u32(2..9) {
        plan_fault(&mut network, &mut rng, nodes);
    }
    network.run_for(TROUBLE)?;
    network.apply(Fault::Heal)?;
    network.apply(Fault::BreaksPerMillion(0))?;
    for node in 0..nodes {
        // Does nothing to a node that is up.
        network.apply(Fault::Restart { node, keeps_store: true })?;
        network.apply(Fault::ClockSkew { node, millis: 0 })?;
    }
    network.run_for(RECOVERY)?;
    network.run_until_agreed(AGREEMENT)?;
    network.set_block_interval(None);
    network.set_transaction_interval(None);
    // Those who call again and again keep a node awake that would sleep.
    if rng.bool() {
        for liar in nodes..nodes + liars {
            network.apply(Fault::Crash(liar))?;
        }
    }
    for _ in 0..rng.u32(2..6) {
        match rng.u8(0..5) {
            0 | 1 => lull::newcomer(&mut network, &mut rng)?,
            2 => lull::news(&mut network, &mut rng)?,
            3 => lull::rivals(&mut network, &mut rng)?,
            _ => lull::early_block(&mut network, &mut rng)?,
        }
        network.run_until_pools_agree(AGREEMENT)?;
    }
    for _ in 0..MAX_LAST_BLOCKS {
        // A tip that a clock ahead has found lets nobody else mine for a moment.
        network.run_for(Duration::from_secs(1))?;
        network.mine(index(&mut rng, nodes))?;
        network.run_until_agreed(AGREEMENT)?;
        // A branch that comes to light late may take the place of the block, and send its transactions back.
        if (0..nodes).all(|node| network.protocol(node).is_none_or(|protocol| protocol.mempool().is_empty()))
        {
            break;
        }
    }
    network.verify()?;
    Ok(network)
}

fn random_config(rng: &mut Rng) -> SimulationConfig {
    let millis = |from: u64, to: u64, rng: &mut Rng| Duration::from_millis(rng.u64(from..to));
    let latency = match rng.u8(0..3) {
        0 => Latency::Constant(millis(1, 200, rng)),
        1 => Latency::Uniform { min: millis(1, 50, rng), max: millis(50, 400, rng) },
        _ => Latency::Exponential { floor: millis(1, 50, rng), mean: millis(10, 200, rng) },
    };
    let nodes = 3 + index(rng, 4);
    let topology = match rng.u8(0..4) {
        0 => Topology::Line,
        1 => Topology::Random { outbound: 1 },
        _ => Topology::Mesh,
    };
    // In half of the runs the clocks are further apart than the rules allow.
    let drift = Duration::from_secs(if rng.bool() { 120 } else { 10 });
    let interval = millis(3_000, 10_000, rng);
    // In a third of them blocks differ in work.
    let retarget = if rng.u8(0..3) == 0 { Retarget::Lwma { blocks: 3 } } else { Retarget::Fixed };
    let spec = SimulationConfig::easy_spec_with(drift, retarget, interval * 8 / 10);
    // Where bans do not last, those who lie go on with it for the whole run.
    let ban = if rng.bool() { limits::BAN_DURATION } else { Duration::ZERO };
    let chain = if rng.bool() { ChainConfig::default() } else { ChainConfig::default().with_max_orphans(2) };
    SimulationConfig::default()
        .with_spec(spec)
        .with_protocol(ProtocolConfig::default().with_ban_duration(ban).with_chain(chain))
        .with_nodes(nodes)
        .with_byzantine(index(rng, 3))
        .with_withholding(index(rng, 3))
        .with_topology(topology)
        .with_dials_itself(rng.bool())
        .with_latency(latency)
        .with_breaks_per_million(rng.u32(0..3_000))
        .with_block_interval(Some(interval))
        .with_hash_rates((0..nodes).map(|_| rng.u32(1..5)).collect::<Vec<_>>())
        .with_clock_skews((0..nodes).map(|_| rng.i64(-20_000..20_000)).collect::<Vec<_>>())
        .with_transaction_interval(rng.bool().then(|| millis(500, 5_000, rng)))
        .with_attack_interval(millis(200, 3_000, rng))
}

/// A fault at some time, and its end at a later one.
fn plan_fault(network: &mut Simulation, rng: &mut Rng, nodes: usize) {
    let at = below(rng, TROUBLE);
    let until = at + below(rng, TROUBLE.saturating_sub(at));
    let node = index(rng, nodes);
    match rng.u8(0..6) {
        0 | 1 => {
            let from: BTreeSet<usize> = (0..nodes).filter(|_| rng.bool()).collect();
            let to = (0..nodes).filter(|node| !from.contains(node)).collect();
            network.schedule(at, Fault::Cut { from, to, both_ways: rng.bool() });
            network.schedule(until, Fault::Heal);
        }
        2 | 3 => {
            network.schedule(at, Fault::Crash(node));
            network.schedule(until, Fault::Restart { node, keeps_store: rng.u8(0..4) > 0 });
        }
        4 => network.schedule(at, Fault::Break(node, index(rng, nodes))),
        _ => network.schedule(at, Fault::ClockSkew { node, millis: rng.i64(-20_000..20_000) }),
    }
}
