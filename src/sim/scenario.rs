//! A short run with random faults, drawn from one seed: the unit of a sweep over many seeds.

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

/// The time in which faults are planned.
const TROUBLE: Duration = Duration::from_secs(120);

/// The time that half-open connections and dials may take to recover once everything works again: silence is
/// detected after 30 s, a request times out after 20 s, and an address is redialled after at most 15 s.
const RECOVERY: Duration = Duration::from_secs(75);

/// Maximum blocks mined at the end of a run. More than one may be necessary, because a reorganisation can
/// return transactions to the mempool.
const MAX_LAST_BLOCKS: usize = 3;

/// The time limit of an agreement after the recovery.
const AGREEMENT: Duration = Duration::from_secs(300);

/// Runs a small network of honest and dishonest nodes for two minutes of virtual time, during which groups
/// are partitioned, nodes crash and restart, connections break and clocks are set. Then everything works
/// again, except that the dishonest nodes continue, and the honest ones must agree on one chain that is valid
/// block by block.
///
/// In the second part no blocks are mined except on command, so that no later block repairs a missed one.
/// Single faults are injected one by one, and after each, all honest nodes must reach the same chain by their
/// own requests, and have the same transactions pending. Finally, blocks are mined until these transactions
/// are confirmed. `replay` is the command that replays the run, in which `{seed}` stands for the seed.
///
/// # Errors
///
/// [`Violation`], if a node broke an invariant or the honest nodes did not agree.
pub fn random_faults(seed: u64, replay: &str) -> Result<Simulation, Violation> {
    // Independent of the random stream of the run itself.
    let mut rng = Rng::with_seed(seed ^ 0x5eed_5eed_5eed_5eed);
    let mut config = random_config(&mut rng).with_seed(seed).with_replay(replay);
    // Every second network also uses discovery.
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
        // No effect on a node that is up.
        network.apply(Fault::Restart { node, keeps_store: true })?;
        network.apply(Fault::ClockSkew { node, millis: 0 })?;
    }
    network.run_for(RECOVERY)?;
    network.run_until_agreed(AGREEMENT)?;
    network.set_block_interval(None);
    network.set_transaction_interval(None);
    // Repeated inbound connections could mask a node that has stopped making requests.
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
        // After a tip from a clock that is ahead, the other nodes cannot mine for a moment.
        network.run_for(Duration::from_secs(1))?;
        network.mine(index(&mut rng, nodes))?;
        network.run_until_agreed(AGREEMENT)?;
        // A late branch may replace the block and return its transactions to the mempool.
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
    // In half of the runs the clocks differ by more than the rules permit.
    let drift = Duration::from_secs(if rng.bool() { 120 } else { 10 });
    let interval = millis(3_000, 10_000, rng);
    // In a third of the runs blocks differ in work.
    let retarget = if rng.u8(0..3) == 0 { Retarget::Lwma { blocks: 3 } } else { Retarget::Fixed };
    let spec = SimulationConfig::easy_spec_with(drift, retarget, interval * 8 / 10);
    // With bans of zero length, dishonest nodes stay active for the whole run.
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

/// Plans a fault at a random time, and its end at a later one.
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
