//! The cost of messages, counted: ids processed, ids offered, blocks read, bytes queued.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::bench::{Bench, hashes, kinds, sent_to};
use super::*;
use crate::primitives::transaction_id;
use crate::store::{Batch, Entries, Keys, Memory, Order, Store, StoreError, Table};

fn ids(numbers: core::ops::Range<usize>) -> Vec<Hash> {
    numbers.map(|number| Hash::digest(&number.to_be_bytes())).collect()
}

/// Returns the ids that a peer is offered.
fn offered_to(outputs: &[Output<Note>], peer: PeerId) -> Vec<Hash> {
    let offered = |message: &Message<Note>| match message {
        Message::Offer { ids } => ids.clone(),
        _ => Vec::new(),
    };
    sent_to(outputs, peer).into_iter().flat_map(offered).collect()
}

#[test]
fn what_is_asked_for_many_times_in_one_message_is_answered_once() {
    let mut bench = Bench::new();
    let peer = bench.join();
    let block = Arc::clone(&bench.blocks[1]);
    let (known, unknown) = (*block.hash(), Hash::from_bytes([9; 32]));
    let hashes = [[known; 32], [unknown; 32]].concat();
    let outputs = bench.receive(peer, Message::GetBlocks { hashes });
    let answers = [Message::Blocks(vec![block]), Message::NotFound { hashes: vec![unknown] }];
    assert_eq!(sent_to(&outputs, peer), [&answers[0], &answers[1]]);
    let id = bench.node.submit(note("pay"), bench.now).unwrap();
    bench.outputs();
    let outputs = bench.receive(peer, Message::GetTransactions { ids: vec![id; limits::MAX_TRANSACTIONS] });
    assert_eq!(sent_to(&outputs, peer), [&Message::Transactions(vec![note("pay")])]);
}

/// The call that processes a request holds the node's write lock, so it must not read blocks.
#[test]
fn a_request_for_blocks_is_taken_in_without_reading_them() {
    let mut bench = Bench::new();
    let peer = bench.join();
    let mut asked = hashes(&bench.blocks);
    asked.insert(1, Hash::from_bytes([9; 32]));
    bench.node.handle(Input::Received { peer, message: Message::GetBlocks { hashes: asked } }, bench.now);
    let Some(Output::SendBlocks { peer: to, mut answer }) = bench.node.poll_output() else {
        panic!("not left for later");
    };
    assert_eq!((to, answer.len(), bench.node.poll_output().is_none()), (peer, 4, true));
    let mut messages = Vec::new();
    while let Some(message) = bench.node.next_blocks(&mut answer, |error| panic!("{error}")) {
        messages.push(message);
    }
    let missing = vec![Hash::from_bytes([9; 32])];
    assert_eq!(messages, [Message::Blocks(bench.blocks.clone()), Message::NotFound { hashes: missing }]);
    assert!(answer.is_empty());
}

#[test]
fn ids_that_another_peer_was_asked_for_are_looked_at_once() {
    let mut bench = Bench::new();
    let [first, second] = [bench.join(), bench.join()];
    let all = ids(0..limits::MAX_TRANSACTIONS);
    bench.receive(first, Message::Offer { ids: all.clone() });
    bench.receive(second, Message::Offer { ids: all.clone() });
    let is_idle = |bench: &Bench| {
        let (offered, requested) = bench.node.relay.ids_of(second);
        requested.is_none() && offered.is_empty()
    };
    assert!(is_idle(&bench), "nothing is left to look at for the next message");
    // No id is lost: if the first peer does not deliver, the second one is asked, in the order of its offer.
    let outputs = bench.receive(first, Message::Transactions(Vec::new()));
    assert_eq!(sent_to(&outputs, second), [&Message::GetTransactions { ids: all.clone() }]);
    bench.receive(second, Message::Offer { ids: all.clone() });
    bench.receive(second, Message::Transactions(Vec::new()));
    let (_, requested) = bench.node.relay.ids_of(second);
    assert_eq!(requested, Some(&all[..]), "offered again");
}

#[test]
fn an_id_that_one_peer_offers_many_times_is_asked_for_once() {
    let mut bench = Bench::new();
    let peer = bench.join();
    let id = ids(0..1)[0];
    let outputs = bench.receive(peer, Message::Offer { ids: vec![id; limits::MAX_TRANSACTIONS] });
    assert_eq!(sent_to(&outputs, peer), [&Message::GetTransactions { ids: vec![id] }]);
    assert_eq!(
        sent_to(&bench.receive(peer, Message::Transactions(Vec::new())), peer),
        [&Message::Ping(0); 0]
    );
}

/// Blocks on top of those of the bench, each with this many transactions.
fn branch(bench: &Bench, label: &str, blocks: usize, transactions: usize) -> Vec<Arc<Block<Note>>> {
    let mut chain = bench.copy_of_chain();
    let mut mined = Vec::new();
    for height in 0..blocks {
        let time = chain.spec().genesis_time().saturating_add(Duration::from_secs(chain.height() + 1));
        let data = (0..transactions).map(|number| note(format!("{label} {height} {number}"))).collect();
        let block = Arc::new(chain.template(data, time).unwrap().mine().unwrap());
        let _ = chain.import(Arc::clone(&block), START).unwrap();
        mined.push(block);
    }
    mined
}

#[test]
fn a_chain_that_flaps_between_two_branches_offers_at_a_bounded_rate() {
    let mut bench = Bench::new();
    let peer = bench.join();
    let branches = [branch(&bench, "a", 12, 300), branch(&bench, "b", 12, 300)];
    let mut outputs = Vec::new();
    // The first branch has three blocks, and then each branch overtakes the other in turn.
    let (mut heights, mut turn) = ([0, 0], 0);
    while heights[turn] < 12 {
        let next = (heights[1 - turn] + 2).clamp(3, 12);
        for block in &branches[turn][heights[turn]..next] {
            let _ = bench.node.mined(block, bench.now).unwrap();
        }
        heights[turn] = next;
        turn = 1 - turn;
        outputs.extend(bench.outputs());
    }
    let pending: Vec<Hash> = bench.node.mempool().iter().map(|(id, _)| *id).collect();
    assert!(pending.len() > 3_000, "{}", pending.len());
    let mut offered = offered_to(&outputs, peer);
    let at_once = offered.len();
    assert!((1..=limits::MAX_TRANSACTIONS).contains(&at_once), "{at_once}");
    // All transactions that remain pending are offered, up to the limit in each interval.
    for _ in 0..5 {
        let outputs = bench.pass(limits::RETURNED_INTERVAL);
        assert!(offered_to(&outputs, peer).len() <= limits::MAX_TRANSACTIONS);
        offered.extend(offered_to(&outputs, peer));
    }
    assert!(pending.iter().all(|id| offered.contains(id)));
    let lost = bench.node.chain().blocks(..).map(Result::unwrap).flat_map(|block| block.data().to_vec());
    let mined: Vec<Hash> = lost.map(|note| transaction_id(&note).unwrap()).collect();
    assert!(offered[at_once..].iter().all(|id| !mined.contains(id)), "mined again meanwhile");
}

/// A store that counts its reads.
#[derive(Debug)]
struct Counting(Memory, Arc<AtomicUsize>);

impl Store for Counting {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.get(table, key)
    }

    fn scan(&self, table: Table, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.scan(table, keys, order, limit)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.0.commit(batch)
    }
}

/// Counts the reads for messages of every kind about a known block, while this many peers claim an unknown
/// tip.
fn reads_for_what_is_known(claims: u64) -> usize {
    let reads = Arc::new(AtomicUsize::new(0));
    let store = Counting(Memory::new(), Arc::clone(&reads));
    let config = ProtocolConfig::default().with_seed(1);
    let chain = Blockchain::open(spec("test"), config.chain.clone(), Box::new(store)).unwrap();
    let mut bench = Bench::over(chain, config);
    let block = chain_of(1, "block").remove(0);
    assert!(bench.node.mined(&block, bench.now).unwrap());
    let peer = bench.join();
    for number in 0..claims {
        let claimant = bench.join();
        let mut header = *block.header();
        (header.previous_hash, header.height) = (Hash::digest(&number.to_be_bytes()), 9);
        bench.receive(claimant, Message::Announce(sealed(header)));
    }
    reads.store(0, Ordering::Relaxed);
    for message in [Message::Announce(*block.header()), Message::NewBlock(block)] {
        let outputs = bench.receive(peer, message);
        assert_eq!(kinds(&outputs, peer), Vec::<&str>::new());
    }
    assert!(!bench.node.sync.is_request_due(), "nothing that may be asked for has changed");
    reads.load(Ordering::Relaxed)
}

#[test]
fn what_is_known_costs_no_look_at_the_claims_of_other_peers() {
    assert_eq!(reads_for_what_is_known(8), reads_for_what_is_known(0));
}
