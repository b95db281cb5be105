//! Many short runs with random faults. `HASHLOOM_SEEDS` sets their number, and `HASHLOOM_SEED` runs a single
//! seed.

use std::collections::BTreeSet;

use super::*;

const DEFAULT_SEEDS: u64 = 500;

/// The command that replays a failing seed.
const REPLAY: &str = "HASHLOOM_SEED={seed} cargo test --features test-utils --lib sim::tests::sweep";

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{variable}={text}: {error}")))
}

#[test]
fn random_faults_break_no_invariant_and_end_in_one_chain() {
    let seeds = match number("HASHLOOM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HASHLOOM_SEEDS").unwrap_or(DEFAULT_SEEDS),
    };
    let mut blocks = 0;
    let mut records = 0;
    let mut events = 0;
    let runs = seeds.end - seeds.start;
    for seed in seeds {
        let network = checked(random_faults(seed, REPLAY));
        assert_same_chain(&network);
        let chain = network.protocol(0).unwrap().chain();
        assert!(chain.height() > 0, "seed {seed} mined nothing");
        let is_left = |node| !network.protocol(node).unwrap().mempool().is_empty();
        assert!(!(0..network.config().nodes).any(is_left), "seed {seed} left transactions pending");
        assert_eq!(
            chain.blocks(..).map(|block| block.unwrap().data().len() as u64).sum::<u64>(),
            chain.state().count
        );
        let honest: BTreeSet<&Hash> = network.measurements().blocks().map(|(hash, _)| hash).collect();
        let forged = chain.blocks(1..).map(Result::unwrap).find(|block| !honest.contains(block.hash()));
        assert_eq!(forged, None, "seed {seed}: a block that no honest node has mined");
        blocks += chain.height();
        records += chain.state().count;
        events += network.events();
    }
    println!("{runs} runs, {events} events, {blocks} blocks, {records} records");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [1, 7, 42] {
        let runs = [(); 2].map(|()| {
            let network = checked(random_faults(seed, REPLAY));
            (network.trace_hash(), network.events(), network.elapsed(), tip(&network, 0))
        });
        assert_eq!(runs[0], runs[1], "seed {seed}");
    }
    let [one, other] = [1, 2].map(|seed| checked(random_faults(seed, REPLAY)).trace_hash());
    assert_ne!(one, other);
}
