//! Data that survives a restart can be removed by the operator, and is deleted when it is obsolete.

use super::bench::{Bench, closed};
use super::*;
use crate::mempool::MempoolConfig;
use crate::protocol::PeerHost;
use crate::store::{ALL_KEYS, Memory, Order, Store, Table};
use crate::testing::store::Faulty;

type TestStore = Faulty<Memory>;

fn open_at(store: &TestStore, wall: Timestamp) -> Bench {
    let config = ProtocolConfig::default().with_seed(1).with_discovery(true);
    let chain = Blockchain::open(spec("test"), config.chain.clone(), Box::new(store.clone())).unwrap();
    Bench::over_at(chain, config, wall)
}

/// The keys in a table, as text.
fn keys(store: &TestStore, table: Table) -> Vec<String> {
    let rows = store.scan(table, ALL_KEYS, Order::Ascending, usize::MAX).unwrap();
    rows.iter().map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect()
}

fn ban(bench: &mut Bench, host: &str, duration: Duration) {
    bench.node.ban(&host.parse::<PeerHost>().unwrap(), duration, bench.now);
}

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn a_ban_that_has_ended_leaves_the_store_at_the_next_start() {
    let store = TestStore::default();
    let mut bench = open_at(&store, START);
    ban(&mut bench, "10.0.0.1", HOUR);
    ban(&mut bench, "10.0.0.2", 3 * HOUR);
    bench.node.shutdown(bench.now);
    assert_eq!(keys(&store, Table::Peers), ["\u{2}10.0.0.1", "\u{2}10.0.0.2"]);
    drop(bench);
    let mut bench = open_at(&store, START.saturating_add(2 * HOUR));
    bench.pass(limits::SAVE_INTERVAL);
    assert_eq!(keys(&store, Table::Peers), ["\u{2}10.0.0.2"]);
}

#[test]
fn a_ban_that_ends_leaves_the_store_of_a_running_node() {
    let store = TestStore::default();
    let mut bench = open_at(&store, START);
    ban(&mut bench, "10.0.0.1", HOUR);
    bench.pass(limits::SAVE_INTERVAL);
    assert_eq!(keys(&store, Table::Peers), ["\u{2}10.0.0.1"]);
    // Inputs arrive now and then.
    bench.node.connect("test://nobody".parse().unwrap(), bench.now).unwrap();
    let address: PeerAddr = "test://nobody".parse().unwrap();
    let error: Arc<dyn core::error::Error + Send + Sync> = Arc::new(Rejected::new("nobody", "there"));
    for _ in 0..60 {
        bench.handle(Input::DialFailed { address: address.clone(), error: Arc::clone(&error) });
        bench.pass(Duration::from_secs(90));
    }
    assert_eq!(keys(&store, Table::Peers), [""; 0]);
}

#[test]
fn a_transaction_that_was_saved_and_is_of_no_use_leaves_the_store_at_the_next_start() {
    let store = TestStore::default();
    let mut bench = open_at(&store, START);
    let first = bench.node.submit(note("one"), bench.now).unwrap();
    bench.node.submit(note("two"), bench.now).unwrap();
    bench.node.shutdown(bench.now);
    drop(bench);
    store.flip_bit(Table::Mempool, first.as_bytes(), 8 * 9).unwrap();
    let before = keys(&store, Table::Mempool).len();
    let mut bench = open_at(&store, START);
    bench.pass(limits::SAVE_INTERVAL);
    assert_eq!((keys(&store, Table::Mempool).len(), bench.node.mempool().len()), (before - 1, 1));
    let commits = store.commits();
    drop(bench);
    open_at(&store, START).pass(HOUR);
    assert_eq!(store.commits(), commits, "nothing is stale any more");
}

#[test]
fn a_transaction_that_was_removed_does_not_come_back_with_a_restart() {
    let store = TestStore::default();
    let mut bench = open_at(&store, START);
    let ids = ["one", "two"].map(|text| bench.node.submit(note(text), bench.now).unwrap());
    bench.pass(limits::SAVE_INTERVAL);
    assert!(bench.node.remove_transaction(&ids[0], bench.now));
    bench.pass(limits::SAVE_INTERVAL);
    drop(bench);
    let bench = open_at(&store, START);
    assert!(bench.node.mempool().iter().map(|(id, _)| *id).eq([ids[1]]));
}

#[test]
fn a_kept_address_that_is_damaged_leaves_the_store_with_the_next_change() {
    let store = TestStore::default();
    let mut bench = open_at(&store, START);
    let address: PeerAddr = "ws://10.0.0.1:1".parse().unwrap();
    bench.node.connect(address.clone(), bench.now).unwrap();
    let peer = PeerId(77);
    bench.handle(Input::Connected {
        peer,
        direction: Direction::Outbound,
        address: address.clone(),
        format: "none",
    });
    let hello = bench.hello();
    bench.receive(peer, Message::Hello(hello));
    bench.node.shutdown(bench.now);
    drop(bench);
    assert_eq!(keys(&store, Table::Peers), ["ws://10.0.0.1:1"]);
    store.flip_bit(Table::Peers, address.as_str().as_bytes(), 1).unwrap();
    let mut bench = open_at(&store, START);
    assert_eq!(bench.node.remembered_peers().unwrap(), []);
    bench.node.shutdown(bench.now);
    assert_eq!(keys(&store, Table::Peers), [""; 0]);
}

#[test]
fn an_address_is_forgotten_with_its_connection_and_over_a_restart() {
    let store = TestStore::default();
    let mut bench = open_at(&store, START);
    let [good, dead]: [PeerAddr; 2] =
        ["ws://10.0.0.1:1", "ws://10.0.0.2:1"].map(|text| text.parse().unwrap());
    for address in [&good, &dead] {
        bench.node.connect(address.clone(), bench.now).unwrap();
    }
    let peer = PeerId(77);
    bench.handle(Input::Connected {
        peer,
        direction: Direction::Outbound,
        address: good.clone(),
        format: "none",
    });
    let hello = Hello { listen: Some(good.clone()), ..bench.hello() };
    bench.receive(peer, Message::Hello(hello));
    bench.pass(limits::SAVE_INTERVAL);
    assert_eq!(keys(&store, Table::Peers), ["\u{1}ws://10.0.0.1:1", "ws://10.0.0.1:1"]);

    assert!(bench.node.forget_address(&dead, bench.now) && !bench.node.forget_address(&dead, bench.now));
    assert_eq!(bench.node.unconnected().count(), 0);
    bench.outputs();
    assert!(bench.node.forget_address(&good, bench.now));
    let outputs = bench.outputs();
    assert!(matches!(closed(&outputs, peer), Some(CloseReason::Requested)), "{outputs:?}");
    assert_eq!((bench.node.addresses(), bench.node.unconnected().count()), (Vec::new(), 0));
    bench.pass(limits::SAVE_INTERVAL);
    assert_eq!(keys(&store, Table::Peers), [""; 0]);
    drop(bench);
    assert_eq!(open_at(&store, START).node.remembered_peers().unwrap(), []);
}

#[test]
fn a_start_does_not_change_what_counts_as_mined() {
    let store = TestStore::default();
    let mut bench = open_at(&store, START);
    let blocks = chain_of(150, "block");
    for block in &blocks {
        assert!(bench.node.mined(block, bench.now).unwrap());
    }
    let data: Vec<Note> = blocks.iter().flat_map(|block| block.data().to_vec()).collect();
    let refused = |bench: &mut Bench, data: &[Note]| {
        let now = bench.now;
        data.iter().filter(|note| bench.node.submit((*note).clone(), now).is_err()).count()
    };
    assert_eq!((data.len(), refused(&mut bench, &data)), (150, 150));
    bench.node.shutdown(bench.now);
    drop(bench);
    assert_eq!(refused(&mut open_at(&store, START), &data), 150);
    // Only as many ids as the limit of the configuration.
    let mempool = MempoolConfig::default().with_max_mined_ids(10);
    let config = ProtocolConfig::default().with_mempool(mempool);
    let chain = Blockchain::open(spec("test"), config.chain.clone(), Box::new(store)).unwrap();
    let mut bench = Bench::over(chain, config);
    assert_eq!((refused(&mut bench, &data[140..]), refused(&mut bench, &data[..140])), (10, 0));
}
