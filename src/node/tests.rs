//! Complete nodes over the real WebSocket transport, with a simulated network and clock: partitioned hosts,
//! delayed messages, a crash. A run is determined by its seed.

mod cluster;
mod recorder;

use core::time::Duration;

use cluster::{Cluster, HOSTS};

/// How long nodes may take to agree after all links are repaired: a silent peer is disconnected after a
/// minute, and its address is dialled again at most 15 seconds later.
const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn a_block_takes_as_long_as_its_links() {
    let mut cluster = Cluster::new(1);
    cluster.run_for(Duration::from_secs(5));
    cluster.mine(0, "first");
    let taken = cluster.run_until_equal(PATIENCE);
    // The hosts are fully connected, so a block takes one message, or an announcement, a request and the
    // body.
    assert!(taken >= cluster::MIN_LATENCY && taken <= 4 * cluster::MAX_LATENCY, "{taken:?}");
    assert_eq!(cluster.contents(0), [["first"]]);
}

#[test]
fn two_halves_that_are_cut_apart_end_with_the_chain_of_more_work() {
    let mut cluster = Cluster::new(2);
    cluster.run_for(Duration::from_secs(5));
    cluster.split(2);
    cluster.mine(0, "of the few");
    for data in ["of the many", "of the many, too"] {
        cluster.mine(2, data);
        cluster.run_for(Duration::from_secs(5));
    }
    let tips: Vec<_> = (0..HOSTS).map(|host| cluster.contents(host)).collect();
    assert_eq!(tips[0], [["of the few"]]);
    assert_eq!(tips[1], tips[0], "the few agree with each other");
    assert_eq!(tips[2], [["of the many"], ["of the many, too"]]);
    assert!(tips[3] == tips[2] && tips[4] == tips[2], "and the many: {tips:?}");

    // Long enough for both halves to drop the connections between them, so that they have to dial each other
    // again.
    cluster.run_for(Duration::from_secs(60));
    cluster.repair();
    let taken = cluster.run_until_equal(PATIENCE);
    assert_eq!(cluster.contents(0), [["of the many"], ["of the many, too"]]);
    assert!(
        taken > Duration::from_millis(500),
        "connections that were cut do not come back by themselves: {taken:?}"
    );
}

#[test]
fn messages_that_are_held_up_arrive_when_they_are_let_go() {
    let mut cluster = Cluster::new(3);
    cluster.run_for(Duration::from_secs(5));
    cluster.hold(0);
    cluster.mine(0, "held up");
    cluster.run_for(Duration::from_secs(5));
    assert_eq!(cluster.contents(0), [["held up"]]);
    assert!((1..HOSTS).all(|host| cluster.contents(host).is_empty()), "nobody has heard of it");
    cluster.release(0);
    let taken = cluster.run_until_equal(PATIENCE);
    assert!(taken <= Duration::from_secs(1), "over the connections that there were: {taken:?}");
}

#[test]
fn a_host_that_crashed_gets_the_chain_again() {
    let mut cluster = Cluster::new(4);
    cluster.run_for(Duration::from_secs(5));
    cluster.mine(0, "before");
    cluster.run_until_equal(PATIENCE);
    cluster.crash(3);
    cluster.mine(1, "meanwhile");
    cluster.run_for(Duration::from_secs(5));
    cluster.restart(3);
    cluster.run_until_equal(PATIENCE);
    assert_eq!(cluster.contents(3), [["before"], ["meanwhile"]]);
}

#[test]
fn trouble_of_every_kind_ends_with_one_chain_and_the_same_seed_repeats_it() {
    let [first, other] = [20, 21].map(|seed| {
        let seen = trouble(seed);
        assert!(seen.0.len() > 200, "only {} lines were recorded", seen.0.len());
        let again = trouble(seed);
        assert_eq!(seen.first_difference(&again), None, "seed {seed}");
        assert_eq!(seen.hash(), again.hash(), "seed {seed}");
        seen.hash()
    });
    assert_ne!(first, other, "another seed is another run");
}

/// Injects faults that the seed determines, repairs them, and waits until all hosts agree. Returns the record
/// of the run.
fn trouble(seed: u64) -> recorder::Seen {
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut cluster = Cluster::new(seed);
    cluster.run_for(Duration::from_secs(2));
    for round in 0..12 {
        let host = dice.usize(..HOSTS);
        match dice.u8(..8) {
            0..3 => cluster.mine(host, &format!("round {round}")),
            3 => cluster.submit(host, &format!("round {round}")),
            4 => cluster.split(1 + dice.usize(..HOSTS - 1)),
            5 => cluster.hold(host),
            6 => cluster.repair(),
            _ => {
                cluster.crash(host);
                cluster.restart(host);
            }
        }
        cluster.run_for(Duration::from_millis(dice.u64(50..8_000)));
    }
    cluster.repair();
    // By then every host has every block, so tips differ only between branches of equal work.
    cluster.run_for(PATIENCE);
    cluster.mine(0, "the last");
    cluster.run_until_equal(4 * cluster::MAX_LATENCY);
    cluster.seen()
}
