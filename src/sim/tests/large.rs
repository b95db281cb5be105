//! Faults of one kind, and a large network.

use super::*;
use crate::protocol::{CloseReason, ProtocolConfig};
use rstest::rstest;

fn config() -> SimulationConfig {
    SimulationConfig::default().with_seed(3)
}

#[test]
fn a_thousand_nodes_reach_one_tip() {
    let config = config()
        .with_nodes(1_000)
        .with_topology(Topology::Random { outbound: 7 })
        .with_block_interval(Some(20 * SECOND));
    let mut network = checked(Simulation::new(config));
    checked(network.run_for(200 * SECOND));
    checked(network.run_until_agreed(60 * SECOND));
    assert_same_chain(&network);
    checked(network.verify());
    let height = network.protocol(999).unwrap().chain().height();
    assert!(height >= 5, "{height}");
}

#[rstest]
#[case::both_ways(true)]
#[case::one_way(false)]
fn what_was_cut_in_two_becomes_one_again(#[case] both_ways: bool) {
    let mut network = checked(Simulation::new(config().with_nodes(6)));
    checked(network.run_for(60 * SECOND));
    checked(network.run_until_agreed(60 * SECOND));
    let common = network.protocol(0).unwrap().chain().height();
    checked(network.apply(Fault::Cut { from: [0, 1].into(), to: [2, 3, 4, 5].into(), both_ways }));
    checked(network.run_for(300 * SECOND));
    // The two sides have diverged.
    assert_ne!(tip(&network, 0), tip(&network, 5));
    let lost = network.protocol(0).unwrap().chain().tip().clone();
    assert!(lost.height() > common);
    checked(network.apply(Fault::Heal));
    checked(network.run_for(60 * SECOND));
    checked(network.run_until_agreed(60 * SECOND));
    assert_same_chain(&network);
    checked(network.verify());
    // The side with a third of the hash rate has less work.
    assert!(!network.protocol(0).unwrap().chain().is_best(lost.hash()).unwrap());
}

#[rstest]
#[case::with_its_store(true)]
#[case::without_its_store(false)]
fn a_node_comes_back(#[case] keeps_store: bool) {
    let config = config().with_nodes(3).with_transaction_interval(Some(SECOND));
    let mut network = checked(Simulation::new(config));
    checked(network.run_for(100 * SECOND));
    let before = network.protocol(2).unwrap().chain().height();
    assert!(before > 0);
    checked(network.apply(Fault::Crash(2)));
    assert!(!network.is_up(2) && network.protocol(2).is_none());
    checked(network.run_for(100 * SECOND));
    checked(network.run_until_agreed(100 * SECOND));
    // No new block is announced from here on, so the node has to make requests.
    network.set_block_interval(None);
    checked(network.apply(Fault::Restart { node: 2, keeps_store }));
    let after = network.protocol(2).unwrap().chain().height();
    assert_eq!(after, if keeps_store { before } else { 0 });
    checked(network.run_until_agreed(30 * SECOND));
    assert_same_chain(&network);
    assert!(network.protocol(2).unwrap().chain().state().count > 50);
}

#[test]
fn byzantine_nodes_do_not_stop_honest_ones() {
    let config = config()
        .with_nodes(5)
        .with_byzantine(4)
        .with_attack_interval(Duration::from_millis(100))
        .with_transaction_interval(Some(SECOND))
        // Long enough for each ban to have an effect, and short enough for many attacks.
        .with_protocol(ProtocolConfig::default().with_ban_duration(10 * SECOND));
    let mut network = checked(Simulation::new(config));
    let closed = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    network.watch(Box::new(watched::Closed(std::sync::Arc::clone(&closed))));
    checked(network.run_for(600 * SECOND));
    checked(network.run_until_agreed(60 * SECOND));
    assert_same_chain(&network);
    checked(network.verify());
    let chain = network.protocol(0).unwrap().chain();
    assert!(chain.height() > 30, "{}", chain.height());
    assert!(chain.state().count > 400, "{}", chain.state().count);
    // The attacks had an effect and were identified.
    let closed = closed.lock().unwrap();
    let named = |such: fn(&CloseReason) -> bool| assert!(closed.iter().any(such), "{closed:?}");
    named(|reason| matches!(reason, CloseReason::WrongGenesis { .. }));
    named(|reason| matches!(reason, CloseReason::WrongProtocol { .. }));
    named(|reason| matches!(reason, CloseReason::ExpectedHello { .. }));
    named(|reason| matches!(reason, CloseReason::SecondHello));
    named(|reason| matches!(reason, CloseReason::TextTooLong { .. }));
    named(|reason| matches!(reason, CloseReason::TooManyItems { .. }));
    named(|reason| matches!(reason, CloseReason::Unsolicited { .. }));
    named(|reason| matches!(reason, CloseReason::InvalidBlock { .. }));
    named(|reason| matches!(reason, CloseReason::Malformed(_)));
}

#[test]
fn hash_rate_is_shared_as_configured() {
    let config = config().with_hash_rates([0, 1, 0, 3]).with_block_interval(Some(SECOND));
    let mut network = checked(Simulation::new(config));
    checked(network.run_for(2_000 * SECOND));
    let mut mined = [0_usize; 4];
    network.measurements().blocks().for_each(|(_, block)| mined[block.miner] += 1);
    assert_eq!((mined[0], mined[2]), (0, 0));
    assert!((1_850..2_150).contains(&(mined[1] + mined[3])), "{mined:?}");
    assert!((mined[1] * 26..mined[1] * 36).contains(&(mined[3] * 10)), "{mined:?}");
}
