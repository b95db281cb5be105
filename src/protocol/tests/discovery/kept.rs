//! The addresses and bans in the store.

use super::*;
use crate::protocol::Ban;
use crate::store::{Memory, Store, Table};
use crate::testing::store::Faulty;

type TestStore = Faulty<Memory>;

fn open(store: &TestStore, config: &ProtocolConfig) -> Bench {
    open_at(store, config, START)
}

fn open_at(store: &TestStore, config: &ProtocolConfig, wall: Timestamp) -> Bench {
    let store: Box<dyn Store> = Box::new(store.clone());
    let chain = Blockchain::open(spec("test"), config.chain.clone(), store).unwrap();
    Bench::over_at(chain, config.clone(), wall)
}

#[test]
fn addresses_and_bans_are_kept_over_a_restart() {
    let store = TestStore::default();
    let mut bench = open(&store, &config());
    let (peer, _) = meet(&mut bench, 1, Direction::Outbound, "ws://192.0.2.1:1", None);
    bench.receive(peer, peers(&["ws://192.0.2.2:1", "ws://192.0.2.3:1"]));
    let host: PeerHost = "192.0.2.3".parse().unwrap();
    bench.node.ban(&host, Duration::from_secs(3_600), bench.now);
    bench.node.ban(&"gone.example.org".parse().unwrap(), Duration::from_secs(1), bench.now);
    bench.pass(limits::SAVE_INTERVAL);
    let before = bench.node.addresses();
    assert_eq!(before.len(), 2);
    drop(bench);

    // As after a crash: the monotonic clock of the new run starts at zero, and the wall clock continues.
    let later = START.saturating_add(Duration::from_secs(600));
    let mut bench = open_at(&store, &config().with_seed(2), later);
    assert_eq!(bench.node.addresses(), before);
    let bans: Vec<Ban> = bench.node.bans(bench.now);
    assert_eq!(bans.len(), 1);
    assert_eq!((bans[0].host.clone(), bans[0].remaining), (host.clone(), Duration::from_secs(3_000)));
    assert!(bench.node.connect(addr("ws://192.0.2.3:1"), bench.now).is_err());
    let mut dialled = dials(&bench.pass(Duration::from_secs(2)));
    dialled.sort();
    assert_eq!(dialled, ["ws://192.0.2.1:1", "ws://192.0.2.2:1"]);
    assert!(bench.node.unban(&host, bench.now));
    bench.node.shutdown(bench.now);
    drop(bench);

    let bench = open(&store, &config());
    assert_eq!(bench.node.bans(bench.now), []);
    // Without discovery the book is not loaded, and stays in the store.
    drop(bench);
    let mut closed = open(&store, &config().with_discovery(false));
    assert_eq!(known(&closed), [""; 0]);
    closed.node.ban(&"192.0.2.2".parse().unwrap(), Duration::from_secs(60), closed.now);
    closed.node.shutdown(closed.now);
    drop(closed);
    let mut bench = open(&store, &config());
    assert_eq!(known(&bench), ["ws://192.0.2.1:1", "ws://192.0.2.2:1"]);
    assert_eq!(dials(&bench.pass(Duration::from_secs(30))), ["ws://192.0.2.1:1"], "the other one is banned");
}

#[test]
fn a_damaged_row_costs_what_it_says_and_goes_away() {
    let store = TestStore::default();
    let mut bench = open(&store, &config());
    let (peer, _) = meet(&mut bench, 1, Direction::Outbound, "ws://192.0.2.1:1", None);
    bench.receive(peer, peers(&["ws://192.0.2.2:1"]));
    for host in ["192.0.2.7", "192.0.2.8"] {
        bench.node.ban(&host.parse().unwrap(), Duration::from_secs(3_600), bench.now);
    }
    bench.node.shutdown(bench.now);
    drop(bench);
    let damaged = [b"\x01ws://192.0.2.2:1".as_slice(), b"\x02192.0.2.7"];
    for key in damaged {
        store.flip_bit(Table::Peers, key, 3).unwrap();
    }
    let mut bench = open(&store, &config());
    assert_eq!(known(&bench), ["ws://192.0.2.1:1"]);
    let bans = bench.node.bans(bench.now);
    assert_eq!(bans.iter().map(|ban| ban.host.as_str()).collect::<Vec<_>>(), ["192.0.2.8"]);
    bench.node.shutdown(bench.now);
    for key in damaged {
        assert_eq!(store.get(Table::Peers, key).unwrap(), None);
    }
}

#[test]
fn while_nobody_is_connected_no_address_is_lost() {
    let store = TestStore::default();
    let mut bench = open(&store, &config());
    let (peer, _) = meet(&mut bench, 1, Direction::Outbound, "ws://192.0.2.1:1", None);
    bench.receive(peer, peers(&["ws://192.0.2.2:1"]));
    bench.node.shutdown(bench.now);
    drop(bench);
    let mut bench = open(&store, &config());
    let mut attempts = 0;
    for _ in 0..24 * 60 {
        for address in dials(&bench.pass(Duration::from_secs(60))) {
            fail(&mut bench, &address);
            attempts += 1;
        }
    }
    assert_eq!(known(&bench), ["ws://192.0.2.1:1", "ws://192.0.2.2:1"]);
    assert!((20..100).contains(&attempts), "{attempts} attempts in a day");
}
