use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::*;
use crate::mempool::{MempoolError, RemovalReason};
use crate::protocol::{Event, Now, Output, ProtocolConfig};
use crate::{ChainSpec, CompactTarget, Context, Node, Rejected, Retarget, Timestamp};

/// A transaction that spends a coin, which is possible once per coin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Spend {
    coin: u32,
    to: String,
}

impl Transaction for Spend {
    type State = BTreeSet<u32>;

    fn apply(&self, spent: &mut BTreeSet<u32>, _: &Context<'_>) -> Result<(), Rejected> {
        spent
            .insert(self.coin)
            .then_some(())
            .ok_or_else(|| Rejected::new("spent", format!("{} is spent", self.coin)))
    }
}

fn spend(coin: u32, to: &str) -> Spend {
    Spend { coin, to: to.to_owned() }
}

const NOW: Now = Now { elapsed: Duration::ZERO, wall: Timestamp::from_millis(1_800_000_000_000) };

fn spec() -> ChainSpec {
    let builder = ChainSpec::builder("wait").easiest_target(CompactTarget::from_bits(0x207f_ffff));
    builder.retarget(Retarget::Fixed).build().unwrap()
}

fn start() -> Protocol<Spend> {
    Protocol::new(spec(), ProtocolConfig::default().with_seed(1))
}

/// Mines a block on a separate chain.
fn mine(chain: &mut Blockchain<Spend>, data: Vec<Spend>) -> Arc<Block<Spend>> {
    let block = Arc::new(chain.template(data, NOW.wall).unwrap().mine().unwrap());
    let _ = chain.import(Arc::clone(&block), NOW.wall).unwrap();
    block
}

fn extend(node: &mut Protocol<Spend>, data: Vec<Spend>) -> Arc<Block<Spend>> {
    let block = node.template(Some(data), crate::Address::ZERO, NOW.wall).unwrap().mine().unwrap();
    let block = Arc::new(block);
    node.mined(&block, NOW).unwrap();
    block
}

fn removed(node: &mut Protocol<Spend>) -> Vec<Vec<(Hash, String)>> {
    let mut removed = Vec::new();
    while let Some(output) = node.poll_output() {
        if let Output::Event(Event::TransactionsRemoved { removed: these }) = output {
            removed.push(these.iter().map(|(id, reason)| (*id, reason.to_string())).collect());
        }
    }
    removed
}

/// Steps until the search ends or has to wait. Returns the result and the number of blocks that were
/// searched.
fn run(search: &mut Search<Spend>, node: &Protocol<Spend>) -> (Result<Option<Hash>, WaitError>, u32) {
    for steps in 0.. {
        match search.step(node) {
            Ok(Step::More) => {}
            Ok(Step::Wait) => return (Ok(None), steps),
            Ok(Step::Done(block)) => return (Ok(Some(*block.hash())), steps),
            Err(error) => return (Err(error), steps),
        }
    }
    unreachable!()
}

#[test]
fn a_transaction_is_followed_from_the_mempool_to_its_depth() {
    let mut node = start();
    for coin in 0..20 {
        extend(&mut node, vec![spend(coin, "early")]);
    }
    let id = node.submit(spend(100, "a"), NOW).unwrap();
    let mut search = Search::new(id, 3);
    assert_eq!(run(&mut search, &node), (Ok(None), 0), "what is pending is in none of the blocks before");
    extend(&mut node, vec![spend(101, "another")]);
    assert_eq!((run(&mut search, &node), search.reached()), ((Ok(None), 0), 0));
    let block = extend(&mut node, vec![spend(100, "a")]);
    assert_eq!((run(&mut search, &node), search.reached()), ((Ok(None), 0), 1));
    for _ in 0..2 {
        extend(&mut node, vec![]);
    }
    assert_eq!(run(&mut search, &node), (Ok(Some(*block.hash())), 0), "no block after it is looked through");
    // A wait that begins later finds the transaction as well.
    assert_eq!(run(&mut Search::new(id, 0), &node).0, Ok(Some(*block.hash())));
    let (late, steps) = run(&mut Search::new(id, 4), &node);
    assert!(late == Ok(None) && steps <= 24, "{late:?} after {steps} blocks");
}

#[test]
fn each_block_is_looked_through_once() {
    let mut node = start();
    let id = node.submit(spend(100, "a"), NOW).unwrap();
    let mut search = Search::new(id, 1);
    assert_eq!(run(&mut search, &node), (Ok(None), 0));
    for coin in 0..10 {
        extend(&mut node, vec![spend(coin, "b")]);
    }
    assert_eq!(run(&mut search, &node), (Ok(None), 9));
    assert_eq!(run(&mut search, &node), (Ok(None), 0));
}

#[test]
fn a_reorganisation_is_survived() {
    let mut node = start();
    let mut theirs = Blockchain::<Spend>::new(spec());
    let common = extend(&mut node, vec![]);
    let _ = theirs.import(common, NOW.wall).unwrap();
    let id = node.submit(spend(1, "a"), NOW).unwrap();
    extend(&mut node, vec![spend(1, "a")]);
    let mut search = Search::new(id, 3);
    assert_eq!((run(&mut search, &node).0, search.reached()), (Ok(None), 1));
    // A branch without the transaction.
    for _ in 0..2 {
        let block = mine(&mut theirs, vec![]);
        node.mined(&block, NOW).unwrap();
    }
    assert!(node.mempool().contains(&id));
    assert_eq!((run(&mut search, &node).0, search.reached()), (Ok(None), 0));
    let block = extend(&mut node, vec![spend(1, "a")]);
    assert_eq!((run(&mut search, &node).0, search.reached()), (Ok(None), 1));
    // A branch that has the transaction in another block.
    let again = mine(&mut theirs, vec![spend(1, "a"), spend(2, "b")]);
    for block in [again.clone(), mine(&mut theirs, vec![]), mine(&mut theirs, vec![])] {
        node.mined(&block, NOW).unwrap();
    }
    assert_ne!(again.hash(), block.hash());
    assert_eq!(run(&mut search, &node).0, Ok(Some(*again.hash())));
    assert_eq!(removed(&mut node), [[]; 0]);
}

#[test]
fn a_transaction_that_no_longer_applies_is_dropped_with_one_event() {
    let mut node = start();
    let mut theirs = Blockchain::<Spend>::new(spec());
    // One transaction is in a block that is disconnected, one is pending.
    let mined = node.submit(spend(1, "a"), NOW).unwrap();
    extend(&mut node, vec![spend(1, "a")]);
    let pending = node.submit(spend(2, "a"), NOW).unwrap();
    let kept = node.submit(spend(3, "a"), NOW).unwrap();
    let mut searches = [mined, pending, kept].map(|id| Search::new(id, 2));
    for search in &mut searches {
        assert_eq!(run(search, &node).0, Ok(None));
    }
    assert_eq!(removed(&mut node), [[]; 0]);
    for data in [vec![spend(1, "thief")], vec![spend(2, "thief")]] {
        let block = mine(&mut theirs, data);
        node.mined(&block, NOW).unwrap();
    }
    let ends = searches.each_mut().map(|search| run(search, &node).0);
    let dropped = |id| Err(WaitError::Dropped { id });
    assert_eq!(ends, [dropped(mined), dropped(pending), Ok(None)]);
    let why = |coin| {
        format!("does not apply on top of the new tip: transaction is rejected: spent: {coin} is spent")
    };
    assert_eq!(removed(&mut node), [vec![(mined, why(1)), (pending, why(2))]]);

    assert!(node.remove_transaction(&kept, NOW));
    assert_eq!(run(&mut searches[2], &node).0, dropped(kept));
    assert_eq!(removed(&mut node), [[(kept, "removed on request".to_owned())]]);
    let unknown = WaitError::Unknown { id: kept, searched: 1_000 };
    assert_eq!(run(&mut Search::new(kept, 1), &node).0, Err(unknown));
}

#[test]
fn what_is_evicted_is_said_with_what_depended_on_it() {
    let mut config = ProtocolConfig::default().with_seed(1);
    config.mempool = config.mempool.with_max_transactions(2);
    let mut node = Protocol::<Spend>::new(spec(), config);
    let mut theirs = Blockchain::<Spend>::new(spec());
    // A reorganisation makes two transactions pending again, and the third is evicted because the mempool is
    // full.
    let ids = [1, 2, 3].map(|coin| {
        let id = node.submit(spend(coin, "a"), NOW).unwrap();
        if coin == 2 {
            extend(&mut node, vec![spend(1, "a"), spend(2, "a")]);
        }
        id
    });
    for _ in 0..2 {
        let block = mine(&mut theirs, vec![]);
        node.mined(&block, NOW).unwrap();
    }
    assert!(node.mempool().iter().map(|(id, _)| *id).eq([ids[0], ids[1]]));
    assert_eq!(removed(&mut node), [[(ids[2], "evicted from a full mempool".to_owned())]]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_says_what_there_is_instead() {
    let node = Node::<Spend>::builder(spec()).start().await.unwrap();
    let limit = Duration::from_secs(5);
    let id = node.submit(spend(1, "a")).await.unwrap();
    let late = |reached| Err::<(), _>(WaitError::Deadline { limit, reached });
    let started = tokio::time::Instant::now();
    let height = node.wait_for_timeout(|chain| chain.height() > 0, limit).await;
    assert_eq!(height, late(WaitProgress::Height(0)));
    assert_eq!(height.unwrap_err().to_string(), "not within 5 s: the height is 0");
    let peers = node.wait_for_peers_timeout(2, limit).await;
    assert_eq!(peers, late(WaitProgress::Peers { got: 0, expected: 2 }));
    assert_eq!(peers.unwrap_err().to_string(), "not within 5 s: 0 of 2 peers are connected");
    let pending = node.wait_for_pending_timeout(3, limit).await;
    assert_eq!(pending, late(WaitProgress::Pending { got: 1, expected: 3 }));
    assert_eq!(pending.unwrap_err().to_string(), "not within 5 s: 1 of 3 transactions are pending");
    let depth = node.wait_for_transaction_timeout(id, 2, limit).await;
    assert_eq!(depth.map(|_| ()), late(WaitProgress::Depth { got: 0, expected: 2 }));
    assert_eq!(started.elapsed(), 4 * limit);

    let block = node.mine_pending().await.unwrap();
    let depth = node.wait_for_transaction_timeout(id, 2, limit).await.unwrap_err();
    assert_eq!(depth.to_string(), "not within 5 s: the depth is 1 of 2");
    // A limit of zero checks the condition once.
    assert_eq!(node.wait_for_timeout(|chain| chain.height() == 1, Duration::ZERO).await, Ok(()));
    assert_eq!(node.wait_for_transaction_timeout(id, 1, Duration::ZERO).await, Ok(Arc::clone(&block)));
    let waits = tokio::spawn({
        let node = node.clone();
        async move { node.wait_for_transaction(id, 2).await }
    });
    node.mine(vec![]).await.unwrap();
    assert_eq!(waits.await.unwrap(), Ok(block));
    let waits = tokio::spawn({
        let node = node.clone();
        async move { (node.wait_for_transaction(id, 9).await, node.wait_for_peers_timeout(1, limit).await) }
    });
    yield_now().await;
    node.shutdown().await;
    let stopped = WaitError::Stopped(Stopped);
    assert_eq!(waits.await.unwrap(), (Err(stopped.clone()), Err(stopped)));
}

#[tokio::test]
async fn whoever_subscribes_before_the_start_is_told_of_what_was_not_restored() {
    use crate::store::{Memory, Table};
    use crate::testing::store::Faulty;

    let store = Faulty::<Memory>::default();
    let open = || Node::<Spend>::builder(spec()).store(store.clone());
    let node = open().start().await.unwrap();
    let ids = [
        node.submit(spend(1, "a")).await.unwrap(),
        node.submit(spend(2, "a")).await.unwrap(),
        node.submit(spend(3, "a")).await.unwrap(),
    ];
    node.shutdown().await;
    store.flip_bit(Table::Mempool, ids[2].as_bytes(), 8 * 9).unwrap();
    // Another program extends the chain and does not update the mempool.
    let mut chain =
        Blockchain::<Spend>::open(spec(), crate::ChainConfig::default(), Box::new(store.clone())).unwrap();
    mine(&mut chain, vec![spend(1, "thief")]);
    drop(chain);

    let builder = open();
    let mut events = builder.subscribe();
    let node = builder.start().await.unwrap();
    let Event::TransactionsRemoved { removed } = events.recv().await.unwrap() else {
        panic!("another event")
    };
    assert_eq!(removed.len(), 2, "{removed:?}");
    assert!(matches!(removed[0], (id, RemovalReason::Unreadable) if id == ids[2]), "{removed:?}");
    let rejected = RemovalReason::NotRestored(MempoolError::Rejected(Rejected::new("spent", "1 is spent")));
    assert_eq!((removed[1].0, removed[1].1.to_string()), (ids[0], rejected.to_string()));
    assert_eq!(node.pending(9), [(ids[1], spend(2, "a"))]);
    let gone = node.wait_for_transaction(ids[0], 1).await;
    assert_eq!(gone, Err(WaitError::Unknown { id: ids[0], searched: 1_000 }));
    node.shutdown().await;
}
