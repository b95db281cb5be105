//! A node and its store: what survives a restart, and how the node behaves while the store fails.

use super::bench::{Bench, asked_of, closed, kinds, sent_to};
use super::*;
use crate::mempool::MempoolError;
use crate::store::{Memory, Store, StoreError};
use crate::testing::store::{Failure, Faulty};
use crate::{BlockError, ChainConfig};

type TestStore = Faulty<Memory>;

fn open(store: &TestStore, config: &ProtocolConfig) -> Bench {
    let store: Box<dyn Store> = Box::new(store.clone());
    let chain = Blockchain::open(spec("test"), config.chain.clone(), store).unwrap();
    Bench::over(chain, config.clone())
}

fn config() -> ProtocolConfig {
    ProtocolConfig::default().with_seed(1)
}

fn events(outputs: &[Output<Note>]) -> Vec<String> {
    let text = |output: &Output<Note>| match output {
        Output::Event(Event::BlockConnected { block, .. }) => Some(format!("connected {}", block.height())),
        Output::Event(Event::StoreFailed { error }) => Some(format!("failed: {error}")),
        Output::Event(Event::StoreRecovered) => Some("recovered".to_owned()),
        _ => None,
    };
    outputs.iter().filter_map(text).collect()
}

fn pending(bench: &Bench) -> Vec<String> {
    bench.node.mempool().iter().map(|(_, note)| note.0.clone()).collect()
}

#[test]
fn a_mined_block_that_cannot_be_kept_is_neither_announced_nor_acknowledged() {
    let store = TestStore::default();
    let mut bench = open(&store, &config());
    let blocks = chain_of(2, "block");
    assert!(bench.node.mined(&blocks[0], bench.now).unwrap());
    let peer = bench.join();
    bench.outputs();
    store.fail_commits_after(0, Failure::Full);

    let refused = bench.node.mined(&blocks[1], bench.now).unwrap_err();
    assert!(matches!(refused, BlockError::Store(StoreError::Full(_))), "{refused}");
    let outputs = bench.outputs();
    assert_eq!(kinds(&outputs, peer), [""; 0]);
    assert!(matches!(&events(&outputs)[..], [event] if event.starts_with("failed: no room to write")));
    assert_eq!(bench.node.chain().tip(), &blocks[0]);
    assert!(bench.node.is_halted());
    let refused = bench.node.template(None, Address::ZERO, START).unwrap_err();
    assert!(matches!(refused, BlockError::Store(StoreError::Full(_))), "{refused}");

    // The refused block is submitted again, and is announced this time.
    store.heal();
    let outputs = bench.pass(limits::STORE_RETRY);
    assert_eq!(events(&outputs), ["recovered"]);
    assert!(bench.node.mined(&blocks[1], bench.now).unwrap());
    assert_eq!(kinds(&bench.outputs(), peer), ["new_block"]);
}

#[test]
fn a_halted_node_serves_what_it_has_and_catches_up_by_itself() {
    let store = TestStore::default();
    let mut bench = open(&store, &config());
    let blocks = chain_of(6, "block");
    for block in &blocks[..2] {
        bench.node.mined(block, bench.now).unwrap();
    }
    let peer = bench.join_ahead();
    let headers = blocks[2..].iter().map(|block| *block.header()).collect::<Vec<_>>();
    let outputs = bench.receive(peer, Message::Headers(headers.clone()));
    assert_eq!(asked_of(&outputs, peer), blocks[2..].iter().map(|block| *block.hash()).collect::<Vec<_>>());
    store.fail_commits_after(0, Failure::Io);
    let outputs = bench.receive(peer, Message::Blocks(blocks[2..5].to_vec()));
    assert!(matches!(&events(&outputs)[..], [event] if event.starts_with("failed: cannot read or write")));
    assert_eq!(kinds(&outputs, peer), [""; 0], "asks for what it cannot keep");
    assert_eq!(bench.node.chain().height(), 2);

    // While the node is halted, messages from peers have no effect, and reads continue.
    let outputs = bench.receive(peer, Message::Blocks(blocks[5..].to_vec()));
    assert_eq!((outputs.len(), bench.node.chain().height()), (0, 2));
    let next = bench.following(&[]);
    assert!(next.is_empty());
    for message in [Message::Announce(headers[3]), Message::NewBlock(Arc::clone(&blocks[2]))] {
        let outputs = bench.receive(peer, message);
        assert_eq!((closed(&outputs, peer).is_none(), bench.node.chain().height()), (true, 2));
    }
    let outputs = bench.receive(peer, Message::GetBlocks { hashes: vec![*blocks[0].hash()] });
    assert_eq!(sent_to(&outputs, peer), [&Message::Blocks(vec![Arc::clone(&blocks[0])])]);
    let asks = Message::GetHeaders { locator: vec![*blocks[0].hash()], limit: 10 };
    let outputs = bench.receive(peer, asks);
    assert_eq!(sent_to(&outputs, peer), [&Message::Headers(vec![*blocks[1].header()])]);

    // The node retries repeatedly and reports the failure once.
    let outputs = bench.pass(limits::STORE_RETRY);
    assert_eq!((events(&outputs), bench.node.is_halted()), (Vec::new(), true));
    store.heal();
    let outputs = bench.pass(limits::STORE_RETRY);
    assert_eq!(events(&outputs), ["recovered"]);
    assert_eq!(bench.node.store_error(), None);
    assert!(kinds(&outputs, peer).contains(&"get_headers"), "{outputs:?}");
    let outputs = bench.receive(peer, Message::Headers(headers));
    assert_eq!(asked_of(&outputs, peer).len(), 4);
    let outputs = bench.receive(peer, Message::Blocks(blocks[2..].to_vec()));
    assert_eq!(events(&outputs), ["connected 3", "connected 4", "connected 5", "connected 6"]);
    assert_eq!(bench.node.chain().tip(), &blocks[5]);
}

#[test]
fn blocks_that_come_together_are_committed_together() {
    let store = TestStore::default();
    let mut bench = open(&store, &config());
    let blocks = chain_of(64, "block");
    let peer = bench.join_ahead();
    bench.receive(peer, Message::Headers(blocks.iter().map(|block| *block.header()).collect()));
    let before = store.commits();
    bench.receive(peer, Message::Blocks(blocks.clone()));
    assert_eq!(bench.node.chain().tip(), &blocks[63]);
    assert_eq!(store.commits() - before, 1);
}

#[test]
fn a_block_that_cannot_be_read_is_not_served_and_stops_nobody() {
    let store = TestStore::default();
    let settings = config().with_chain(ChainConfig::default().with_max_cached_bytes(0));
    let mut bench = open(&store, &settings);
    let blocks = chain_of(3, "block");
    for block in &blocks {
        bench.node.mined(block, bench.now).unwrap();
    }
    let peer = bench.join();
    bench.outputs();
    let key = [&2_u64.to_be_bytes()[..], blocks[1].hash().as_bytes()].concat();
    store.flip_bit(crate::store::Table::Blocks, &key, 8 * 200).unwrap();
    let hashes: Vec<Hash> = blocks.iter().map(|block| *block.hash()).collect();
    let outputs = bench.receive(peer, Message::GetBlocks { hashes: hashes.clone() });
    let served = Message::Blocks(vec![Arc::clone(&blocks[0]), Arc::clone(&blocks[2])]);
    assert_eq!(sent_to(&outputs, peer), [&served, &Message::NotFound { hashes: vec![hashes[1]] }]);
    let told = events(&outputs);
    assert!(told.len() == 1 && told[0].contains(&format!("blocks 2 {}", hashes[1])), "{told:?}");
    let again = bench.receive(peer, Message::GetBlocks { hashes });
    assert_eq!((events(&again), bench.node.is_halted()), (Vec::new(), false));
}

#[test]
fn headers_that_a_failed_read_kept_from_being_requested_are_requested_later() {
    let store = TestStore::default();
    // One header in each request.
    let settings = config().with_chain(ChainConfig::default().with_max_side_headers(4));
    let mut bench = open(&store, &settings);
    let blocks = chain_of(2, "block");
    for block in &blocks {
        bench.node.mined(block, bench.now).unwrap();
    }
    let peer = bench.join_ahead();
    store.fail_reads(Failure::Io);
    let outputs = bench.receive(peer, bench::headers(&blocks[..1]));
    assert!(matches!(&events(&outputs)[..], [event] if event.starts_with("failed: cannot read or write")));
    assert_eq!(kinds(&outputs, peer), [""; 0]);

    store.heal();
    let outputs = bench.pass(limits::FULL_PAUSE.saturating_sub(Duration::from_millis(1)));
    assert_eq!(kinds(&outputs, peer), [""; 0]);
    assert_eq!(kinds(&bench.pass(Duration::from_millis(1)), peer), ["get_headers"]);
}

#[test]
fn pending_transactions_come_back_in_order_without_those_that_were_mined() {
    let store = TestStore::default();
    let mut bench = open(&store, &config());
    for text in ["one", "two", "three", "four"] {
        bench.node.submit(note(text), bench.now).unwrap();
    }
    bench.pass(limits::SAVE_INTERVAL);
    // The transaction is mined, but a crash prevents the write of the mempool.
    let template = bench.node.template(Some(vec![note("two")]), Address::ZERO, START).unwrap();
    bench.node.mined(&Arc::new(template.mine().unwrap()), bench.now).unwrap();
    assert_eq!(pending(&bench), ["one", "three", "four"]);
    drop(bench);

    let mut bench = open(&store, &config());
    assert_eq!(pending(&bench), ["one", "three", "four"]);
    let late = bench.node.mempool().was_mined(&crate::primitives::transaction_id(&note("two")).unwrap());
    assert!(late, "a late relay would be mined twice");
    bench.node.submit(note("five"), bench.now).unwrap();
    bench.node.shutdown(bench.now);
    drop(bench);

    let mut bench = open(&store, &config());
    assert_eq!(pending(&bench), ["one", "three", "four", "five"]);
    let id = crate::primitives::transaction_id(&note("one")).unwrap();
    let twice = bench.node.submit(note("one"), bench.now).unwrap_err();
    assert_eq!(twice, MempoolError::AlreadyPending { id });
    let template = bench.node.template(None, Address::ZERO, START).unwrap();
    bench.node.mined(&Arc::new(template.mine().unwrap()), bench.now).unwrap();
    bench.pass(limits::SAVE_INTERVAL);
    drop(bench);
    assert_eq!(pending(&open(&store, &config())), [""; 0]);
}

#[test]
fn what_is_pending_is_written_a_moment_after_it_changed_and_not_without_need() {
    let store = TestStore::default();
    let mut bench = open(&store, &config());
    let before = store.commits();
    for text in ["one", "two", "three"] {
        bench.node.submit(note(text), bench.now).unwrap();
    }
    assert_eq!(store.commits(), before);
    bench.pass(limits::SAVE_INTERVAL);
    assert_eq!(store.commits(), before + 1);
    bench.pass(Duration::from_secs(3_600));
    assert_eq!(store.commits(), before + 1);
}

#[test]
fn a_saved_transaction_that_is_damaged_is_dropped() {
    let store = TestStore::default();
    let mut bench = open(&store, &config());
    let first = bench.node.submit(note("one"), bench.now).unwrap();
    bench.node.submit(note("two"), bench.now).unwrap();
    bench.node.shutdown(bench.now);
    drop(bench);
    store.flip_bit(crate::store::Table::Mempool, first.as_bytes(), 8 * 9).unwrap();
    assert_eq!(pending(&open(&store, &config())), ["two"]);
}

#[test]
fn addresses_at_which_a_peer_answered_are_remembered() {
    let store = TestStore::default();
    let mut bench = open(&store, &config());
    let [good, bad]: [PeerAddr; 2] = ["test://good", "test://bad"].map(|text| text.parse().unwrap());
    for address in [&good, &bad] {
        bench.node.connect(address.clone(), bench.now).unwrap();
    }
    let peer = PeerId(77);
    bench.handle(Input::Connected {
        peer,
        direction: Direction::Outbound,
        address: good.clone(),
        format: "none",
    });
    let hello = bench.hello();
    bench.receive(peer, Message::Hello(hello));
    bench.pass(limits::SAVE_INTERVAL);
    drop(bench);
    let mut bench = open(&store, &config());
    assert_eq!(bench.node.remembered_peers().unwrap(), [good]);
}

#[test]
fn a_pruned_node_says_so_and_is_not_asked_for_what_it_has_not() {
    let mut bench = Bench::new();
    let following = bench.following(&["4", "5", "6", "7", "8"]);
    let mut hello = bench.hello();
    let tip = &following[4];
    hello.tip = Tip { hash: *tip.hash(), height: 8, work: Work::from_uint(ruint::aliases::U256::MAX) };
    hello.keeps_bodies = Some(2);
    let pruned = bench.accept();
    bench.receive(pruned, Message::Hello(hello));
    let headers = following.iter().map(|block| *block.header()).collect();
    let outputs = bench.receive(pruned, Message::Headers(headers));
    assert_eq!(asked_of(&outputs, pruned), [*following[3].hash(), *tip.hash()]);

    // The rest is downloaded from a peer that has all bodies.
    let (whole, outputs) = bench.join_at(*tip.hash(), 8, Work::ZERO);
    assert_eq!(
        asked_of(&outputs, whole),
        following[..3].iter().map(|block| *block.hash()).collect::<Vec<_>>()
    );
    bench.receive(pruned, Message::Blocks(following[3..].to_vec()));
    bench.receive(whole, Message::Blocks(following[..3].to_vec()));
    assert_eq!(bench.node.chain().tip(), tip);

    let settings = config().with_chain(ChainConfig::default().with_keep_bodies(Some(5)));
    let mut bench = Bench::with_config(settings);
    let peer = PeerId(9);
    let address = "test://asks".parse().unwrap();
    let outputs =
        bench.handle(Input::Connected { peer, direction: Direction::Inbound, address, format: "none" });
    let [Message::Hello(hello)] = &sent_to(&outputs, peer)[..] else { panic!("{outputs:?}") };
    assert_eq!(hello.keeps_bodies, Some(5));
}
