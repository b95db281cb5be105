//! Freezes every value that a chain and its node write to a store: format version 2. A change needs a new
//! version with a golden file of its own, because existing stores, also those of version 1, must stay readable.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hashloom::chain::FORMAT_VERSION;
use hashloom::primitives::Work;
use hashloom::protocol::{Direction, Hello, Input, KnownAddress, Now, PeerId, Tip};
use hashloom::store::{ALL_KEYS, Batch, Entries, Keys, Memory, Order, Table};
use hashloom::{
    Address, Block, Blockchain, ChainConfig, Context, Message, Protocol, ProtocolConfig, Rejected, Store,
    StoreError, Timestamp, Transaction,
};
use rstest::rstest;
use serde::{Deserialize, Serialize};

use super::golden_chain::{check, path, spec};

const FILE: &str = "store-v2.txt";
const OLD_FILE: &str = "store-v1.txt";
const PEERS_FILE: &str = "store-v1.peers.txt";
const TRANSACTIONS_FILE: &str = "store-v1.transactions.txt";
const NOW: Now = Now { elapsed: Duration::ZERO, wall: Timestamp::from_millis(1_767_225_700_000) };

/// A text. The state is the number of texts and the last one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line(String);

impl Transaction for Line {
    type State = (u64, String);

    fn apply(&self, state: &mut Self::State, _: &Context<'_>) -> Result<(), Rejected> {
        *state = (state.0 + 1, self.0.clone());
        Ok(())
    }
}

fn line(text: &str) -> Line {
    Line(text.to_owned())
}

/// A store that the test can inspect.
#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<Memory>>);

impl Store for Shared {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.lock().unwrap().get(table, key)
    }

    fn scan(&self, table: Table, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError> {
        self.0.lock().unwrap().scan(table, keys, order, limit)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.0.lock().unwrap().commit(batch)
    }
}

impl Shared {
    /// The lines of the golden file.
    fn lines(&self) -> Vec<(String, String)> {
        // The index of transactions is an option, and has a golden file of its own.
        let tables = Table::ALL.into_iter().filter(|table| *table != Table::Transactions);
        let entries = tables.flat_map(|table| {
            let entries = self.scan(table, ALL_KEYS, Order::Ascending, usize::MAX).unwrap();
            assert!(!entries.is_empty(), "nothing of {} is frozen", table.name());
            entries.into_iter().map(move |(key, value)| (table, key, value))
        });
        entries
            .map(|(table, key, value)| (format!("{} {}", table.name(), hex::encode(key)), hex::encode(value)))
            .collect()
    }

    /// A store with the entries of the golden file.
    fn frozen(file: &str) -> Self {
        let mut batch = Batch::new();
        let file = fs::read_to_string(path(file)).unwrap();
        for line in file.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.split_once(": ").unwrap();
            let (name, key) = name.split_once(' ').unwrap();
            let table = Table::ALL.into_iter().find(|table| table.name() == name).unwrap();
            batch.put(table, hex::decode(key).unwrap(), hex::decode(value).unwrap());
        }
        let mut store = Self::default();
        store.commit(&batch).unwrap();
        store
    }
}

/// Prunes the bodies of all but the last two blocks, as far as the state snapshots allow.
fn config() -> ChainConfig {
    ChainConfig::default().with_keep_bodies(Some(2))
}

/// Six blocks, and a side branch of one block at the height of the fifth.
fn blocks() -> (Vec<Arc<Block<Line>>>, Arc<Block<Line>>) {
    let mut chain = Blockchain::new(spec());
    let mut beside = None;
    let mut best = Vec::new();
    for height in 1..=6_u64 {
        let block = |text: String| {
            let now = Timestamp::from_millis(1_767_225_600_000 + 1_000 * height);
            let template = chain.template_for(Address::from_bytes([9; 20]), vec![Line(text)], now).unwrap();
            Arc::new(template.mine().unwrap())
        };
        if height == 5 {
            beside = Some(block("beside".to_owned()));
        }
        best.push(block(format!("block {height}")));
        let _ = chain.import(Arc::clone(&best[best.len() - 1]), NOW.wall).unwrap();
    }
    (best, beside.unwrap())
}

/// A node that shuts down cleanly, with pending transactions and a peer that it has reached.
fn write(store: &Shared) {
    let mut chain = Blockchain::open(spec(), config(), Box::new(store.clone())).unwrap();
    let (best, beside) = blocks();
    for block in &best[..5] {
        let _ = chain.import(Arc::clone(block), NOW.wall).unwrap();
        if block.height() % 3 == 0 {
            chain.checkpoint().unwrap();
        }
    }
    let _ = chain.import_all([beside, Arc::clone(&best[5])], NOW.wall).unwrap();
    let mut node = Protocol::with_chain(chain, ProtocolConfig::default(), NOW.wall).unwrap();
    for text in ["first", "second"] {
        node.submit(line(text), NOW).unwrap();
    }
    reach_a_peer(&mut node);
    node.shutdown(NOW);
}

fn reach_a_peer(node: &mut Protocol<Line>) {
    let address = "ws://localhost:5001".parse().unwrap();
    node.connect("ws://localhost:5001".parse().unwrap(), NOW).unwrap();
    let peer = PeerId(1);
    node.handle(Input::Connected { peer, direction: Direction::Outbound, address, format: "none" }, NOW);
    let genesis = *node.chain().genesis().hash();
    let hello = Hello {
        protocol: 1,
        genesis,
        nonce: 1,
        tip: Tip { hash: genesis, height: 0, work: Work::ZERO },
        agent: "test".to_owned(),
        listen: Some("ws://localhost:5001".parse().unwrap()),
        wants_new_blocks: false,
        keeps_bodies: None,
    };
    node.handle(Input::Received { peer, message: Message::Hello(hello) }, NOW);
    assert_eq!(node.peers().len(), 1);
}

#[test]
fn the_values_of_format_version_2() {
    assert_eq!(FORMAT_VERSION, 2, "keep the golden file of version 2, and write one for the new version");
    let store = Shared::default();
    write(&store);
    check(
        FILE,
        "What a store of format version 2 has: the table and the key, then the value.",
        &store.lines(),
    );
}

#[rstest]
#[case::version_1(OLD_FILE)]
#[case::version_2(FILE)]
fn the_values_of_every_format_version_are_read(#[case] file: &str) {
    let store = Shared::frozen(file);
    let before = store.lines();
    let chain: Blockchain<Line> = Blockchain::open(spec(), config(), Box::new(store.clone())).unwrap();
    let (best, beside) = blocks();
    assert_eq!((chain.height(), chain.first_body()), (6, 4));
    assert_eq!(chain.state(), &(6, "block 6".to_owned()));
    for block in &best {
        assert_eq!(chain.header_at(block.height()).unwrap().as_ref(), Some(block.header()));
        let kept = (block.height() >= 4).then_some(block);
        assert_eq!(chain.block_at(block.height()).unwrap().as_ref(), kept);
    }
    assert_eq!(chain.block(beside.hash()).unwrap(), Some(beside));
    chain.verify(..).unwrap();

    let mut node = Protocol::with_chain(chain, ProtocolConfig::default(), NOW.wall).unwrap();
    assert!(node.mempool().iter().map(|(_, line)| line).eq(&[line("first"), line("second")]));
    let peers: Vec<String> =
        node.remembered_peers().unwrap().iter().map(|peer| peer.as_str().to_owned()).collect();
    assert_eq!(peers, ["ws://localhost:5001"]);
    assert_eq!(store.lines(), before, "reading changes nothing");
}

/// A store of version 1 gets the new version in the batch of the first change, and keeps its old values.
#[test]
fn a_store_of_version_1_goes_on_in_version_2() {
    let (store, old) = (Shared::frozen(OLD_FILE), Shared::frozen(OLD_FILE));
    let open = || Blockchain::<Line>::open(spec(), config(), Box::new(store.clone())).unwrap();
    let mut chain = open();
    let now = NOW.wall;
    let (best, beside) = blocks();
    let seventh = Arc::new(chain.template(vec![line("block 7")], now).unwrap().mine().unwrap());
    assert!(chain.import(Arc::clone(&seventh), now).unwrap().is_extension());
    let format = store.get(Table::Meta, b"format").unwrap().unwrap();
    assert_eq!(format[..4], 2_u32.to_be_bytes());
    for table in [Table::Chain, Table::Blocks] {
        let [old, new] =
            [&old, &store].map(|store| store.scan(table, ALL_KEYS, Order::Ascending, usize::MAX).unwrap());
        assert!(old.iter().all(|entry| new.contains(entry)), "{}", table.name());
        assert_eq!((new.len(), new.last().unwrap().1[0]), (old.len() + 1, 2));
    }

    // Both forms are read by one chain, also in a repair and after a cut.
    let check = |chain: &Blockchain<Line>| {
        assert_eq!(chain.tip(), &seventh);
        assert_eq!(chain.block(best[5].hash()).unwrap().as_ref(), Some(&best[5]));
        assert_eq!(chain.block(beside.hash()).unwrap().as_ref(), Some(&beside));
        chain.verify(..).unwrap();
    };
    check(&chain);
    check(&open());
    let repaired = Blockchain::<Line>::repair(spec(), config(), Box::new(store.clone())).unwrap();
    assert_eq!(repaired.1, None);
    check(&repaired.0);
    let mut chain = open();
    chain.drop_above(6).unwrap();
    assert_eq!((chain.tip(), chain.state()), (&best[5], &(6, "block 6".to_owned())));
    let _ = chain.import(Arc::clone(&seventh), now).unwrap();
    assert_eq!(chain.tip(), &seventh);
    chain.verify(..).unwrap();
}

/// A node with discovery that has reached one peer, has received another address from it, and has banned two
/// hosts.
fn write_peers(store: &Shared) {
    let config = ProtocolConfig::default().with_discovery(true);
    let chain = Blockchain::open(spec(), ChainConfig::default(), Box::new(store.clone())).unwrap();
    let mut node = Protocol::with_chain(chain, config, NOW.wall).unwrap();
    reach_a_peer(&mut node);
    let addresses = vec!["ws://127.0.0.1:5002".parse().unwrap()];
    node.handle(Input::Received { peer: PeerId(1), message: Message::Peers { addresses } }, NOW);
    node.handle(
        Input::DialFailed {
            address: "ws://127.0.0.1:5002".parse().unwrap(),
            error: Arc::new(hashloom::protocol::PeerAddrError::Empty),
        },
        NOW,
    );
    node.ban(&"10.0.0.1".parse().unwrap(), Duration::from_secs(60), NOW);
    node.ban(&"2001:db8::1".parse().unwrap(), Duration::MAX, NOW);
    node.shutdown(NOW);
}

#[test]
fn the_rows_of_discovery_and_bans() {
    let store = Shared::default();
    write_peers(&store);
    let entries = store.scan(Table::Peers, ALL_KEYS, Order::Ascending, usize::MAX).unwrap();
    let lines: Vec<_> = entries
        .iter()
        .map(|(key, value)| (format!("peers {}", hex::encode(key)), hex::encode(value)))
        .collect();
    check(
        PEERS_FILE,
        "What a store has of discovery and of bans: the table and the key, then the value.",
        &lines,
    );
}

#[test]
fn the_rows_of_discovery_and_bans_are_read() {
    let store = Shared::frozen(PEERS_FILE);
    let chain: Blockchain<Line> =
        Blockchain::open(spec(), ChainConfig::default(), Box::new(store.clone())).unwrap();
    let config = ProtocolConfig::default().with_discovery(true);
    let mut node = Protocol::with_chain(chain, config, NOW.wall).unwrap();
    let known: Vec<_> = node
        .addresses()
        .into_iter()
        .map(|KnownAddress { address, reached, failures, .. }| (address.to_string(), reached, failures))
        .collect();
    let expected =
        [("ws://127.0.0.1:5002".to_owned(), None, 1), ("ws://localhost:5001".to_owned(), Some(NOW.wall), 0)];
    assert_eq!(known, expected);
    let bans: Vec<_> = node.bans(NOW).into_iter().map(|ban| (ban.host.to_string(), ban.remaining)).collect();
    assert_eq!(bans[0], ("10.0.0.1".to_owned(), Duration::from_secs(60)));
    assert_eq!(bans[1].0, "2001:db8::/64");
    assert!(bans[1].1 > Duration::from_secs(1 << 40), "for ever");
    assert_eq!(node.remembered_peers().unwrap().len(), 1, "what is kept stands beside them");
}

#[test]
fn the_index_of_transactions() {
    let store = Shared::default();
    let config = ChainConfig::default().with_index_transactions(true);
    let mut chain = Blockchain::open(spec(), config.clone(), Box::new(store.clone())).unwrap();
    let (best, beside) = blocks();
    let _ = chain.import_all(best[..3].iter().cloned().chain([beside]), NOW.wall).unwrap();
    let entries = store.scan(Table::Transactions, ALL_KEYS, Order::Ascending, usize::MAX).unwrap();
    let lines: Vec<_> = entries
        .iter()
        .map(|(key, value)| (format!("transactions {}", hex::encode(key)), hex::encode(value)))
        .collect();
    check(
        TRANSACTIONS_FILE,
        "What a store has of the index of transactions: the table and the key, then the value.",
        &lines,
    );

    let frozen = Shared::frozen(TRANSACTIONS_FILE);
    let mut batch = Batch::new();
    for table in Table::ALL.into_iter().filter(|table| *table != Table::Transactions) {
        for (key, value) in store.scan(table, ALL_KEYS, Order::Ascending, usize::MAX).unwrap() {
            batch.put(table, key, value);
        }
    }
    frozen.clone().commit(&batch).unwrap();
    let chain: Blockchain<Line> = Blockchain::open(spec(), config, Box::new(frozen)).unwrap();
    let id = best[1].digest().unwrap().ids[0];
    assert_eq!(chain.find_transaction(&id).unwrap().map(|place| (place.height, place.index)), Some((2, 0)));
}
