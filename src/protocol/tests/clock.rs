//! A clock that is behind the timestamps of peers, and that is then set.

use super::bench::{Bench, asked_of, kinds};
use super::*;
use crate::protocol::ClockBehind;

const HOUR: Duration = Duration::from_secs(3600);

fn reports(outputs: &[Output<Note>]) -> Vec<Option<ClockBehind>> {
    let report = |output: &Output<Note>| match output {
        Output::Event(Event::ClockBehind(behind)) => Some(Some(*behind)),
        Output::Event(Event::ClockCaughtUp) => Some(None),
        _ => None,
    };
    outputs.iter().filter_map(report).collect()
}

#[test]
fn headers_ahead_of_the_clock_are_reported_once_and_asked_for_when_it_is_set() {
    let mut bench = Bench::new();
    let peer = bench.join_ahead();
    let blocks = bench.following(&["next"]);
    let timestamp = bench.now.wall.saturating_add(HOUR);
    let early = sealed(Header { timestamp, ..*blocks[0].header() });
    let outputs = bench.receive(peer, Message::Headers(vec![early]));
    let [Some(behind)] = reports(&outputs)[..] else { panic!("{outputs:?}") };
    assert_eq!((behind.behind, behind.mining_in, behind.peers), (HOUR, Duration::ZERO, 1));
    assert_eq!(bench.node.clock_behind(bench.now.wall), Some(behind));
    assert_eq!(reports(&bench.receive(peer, Message::Announce(early))), []);

    // Only the monotonic clock advances, and nothing is requested before the wall clock is set.
    let outputs = bench.pass(Duration::from_secs(5));
    assert_eq!((reports(&outputs), kinds(&outputs, peer)), (vec![], vec![]));
    bench.now.wall = timestamp;
    let outputs = bench.pass(limits::CLOCK_CHECK);
    assert_eq!((reports(&outputs), kinds(&outputs, peer)), (vec![None], vec!["get_headers"]));
    assert_eq!(bench.node.clock_behind(bench.now.wall), None);
    let outputs = bench.receive(peer, Message::Headers(vec![early]));
    assert_eq!(asked_of(&outputs, peer), [early.hash()]);
}

#[test]
fn what_is_a_little_early_again_and_again_is_reported_seldom() {
    let mut bench = Bench::new();
    let peer = bench.join_ahead();
    let blocks = bench.following(&["next"]);
    let drift = bench.node.chain().spec().max_future_drift();
    let mut reported = Vec::new();
    for _ in 0..10 {
        let timestamp = bench.now.wall.saturating_add(drift + Duration::from_secs(2));
        let early = sealed(Header { timestamp, ..*blocks[0].header() });
        reported.extend(reports(&bench.receive(peer, Message::Announce(early))));
        reported.extend(reports(&bench.pass(Duration::from_secs(3))));
    }
    assert!(matches!(reported[..], [Some(_), None]), "{reported:?}");
}

/// A machine without a real-time clock starts in 1970.
#[test]
fn a_clock_before_genesis_is_reported_at_the_start() {
    let chain = Blockchain::new(spec("test"));
    let genesis = chain.genesis().header().timestamp;
    let drift = chain.spec().max_future_drift();
    let mut bench = Bench::over_at(chain, ProtocolConfig::default(), Timestamp::from_millis(0));
    let outputs = bench.handle(Input::Timeout);
    let ahead = genesis.saturating_since(Timestamp::from_millis(0)) + Duration::from_millis(1);
    let [Some(behind)] = reports(&outputs)[..] else { panic!("{outputs:?}") };
    assert_eq!((behind.behind, behind.mining_in, behind.peers), (ahead, ahead.saturating_sub(drift), 0));
    let refused = bench.node.template(None, Address::ZERO, bench.now.wall).unwrap_err();
    let (got, limit) =
        (Timestamp::from_millis(genesis.as_millis() + 1), bench.now.wall.saturating_add(drift));
    assert_eq!(refused, BlockError::Rule(RuleError::TimestampTooLate { got, limit }));

    bench.now.wall = genesis;
    assert_eq!(reports(&bench.pass(limits::CLOCK_CHECK)), [None]);
    bench.node.template(None, Address::ZERO, bench.now.wall).unwrap();
}
