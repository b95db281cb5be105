//! The measurements agree with the settings.

use std::collections::BTreeSet;

use super::*;

#[test]
fn two_miners_fork_as_often_as_the_formula_says() {
    let (delay, interval) = (SECOND / 2, 5 * SECOND);
    let config = SimulationConfig::default()
        .with_nodes(2)
        .with_latency(Latency::Constant(delay))
        .with_block_interval(Some(interval));
    let mut network = checked(Simulation::new(config));
    checked(network.run_for(20_000 * SECOND));
    let measured = network.measurements();
    assert!(measured.delays().iter().all(|took| *took == delay));
    let chain = network.protocol(0).unwrap().chain();
    let best: BTreeSet<Hash> = chain.blocks(..).map(|block| *block.unwrap().hash()).collect();
    let stale = u32::try_from(measured.stale(&best)).unwrap();
    let all = u32::try_from(measured.blocks().len()).unwrap();
    // Half of the hash rate learns of a block after the full delay, and the other half at once.
    let expected = 1.0 - (-(delay / 2).as_secs_f64() / interval.as_secs_f64()).exp();
    let rate = f64::from(stale) / f64::from(all);
    assert!((expected * 0.8..expected * 1.2).contains(&rate), "{rate} for {expected}");
}
