//! Reading, subscribing, and blocking calls from threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hashloom::mempool::MempoolError;
use hashloom::node::{EventError, PeerError};
use hashloom::primitives::{Target, Work};
use hashloom::protocol::{BlockSource, ConnectError, PeerHost};
use hashloom::transport::Memory;
use hashloom::{Context, Event, MineError, Node, Rejected, SubmitError, Transaction};
use serde::{Deserialize, Serialize};

use crate::kit::{easy_spec, hopeless_spec, until, within};

#[tokio::test]
async fn a_block_of_a_peer_names_the_peer() {
    let network = Memory::new();
    let builder = || Node::<String>::builder(easy_spec("a")).transport(network.clone());
    let listening = "memory://listening".parse().unwrap();
    let miner = builder().listen(listening).start().await.unwrap();
    let first = within(miner.mine(vec!["a".to_owned(), "b".to_owned()])).await.unwrap();
    let other = builder().peers([miner.listen_addr().unwrap().clone()]);
    let mut events = other.subscribe();
    let other = other.start().await.unwrap();
    within(other.wait_for(|chain| chain.height() == 1)).await.unwrap();
    let (mut peers, mut blocks) = (Vec::new(), Vec::new());
    while let Some(event) = events.try_recv().unwrap() {
        match event {
            Event::PeerConnected { peer, address, format, .. } => peers.push((peer, address, format)),
            Event::BlockConnected { block, source, difficulty, interval } => {
                assert_eq!(difficulty, other.chain().difficulty(block.header().target));
                let genesis = other.chain().genesis().header().timestamp;
                assert_eq!(interval, block.header().timestamp.saturating_since(genesis));
                blocks.push((block, source));
            }
            _ => {}
        }
    }
    let [(peer, address, format @ "none")] = &peers[..] else { panic!("{peers:?}") };
    let source = BlockSource::Peer { peer: *peer, address: address.clone(), format };
    assert_eq!(blocks, [(first, source)]);
    let info = &other.peers()[0];
    assert_eq!((info.id, &info.address, &*info.format), (*peer, address, "none"));
}

#[tokio::test(start_paused = true)]
async fn a_long_search_is_reported_more_and_more_rarely() {
    let node = Node::<String>::builder(hopeless_spec()).start().await.unwrap();
    let mut events = node.subscribe();
    let mining = tokio::spawn({
        let node = node.clone();
        async move { node.mine(Vec::new()).await }
    });
    let started = within(events.recv()).await.unwrap();
    let Event::MiningStarted(started) = started else { panic!("{started:?}") };
    let next = node.chain().next_target();
    assert_eq!((started.height, started.hashes, started.elapsed), (1, 0, Duration::ZERO));
    assert_eq!(started.difficulty, node.chain().difficulty(next));
    assert_eq!(started.work, Work::from(Target::try_from(next).unwrap()));
    for seconds in [10, 30, 70, 150, 310, 630, 1_230, 1_830] {
        let event = events.recv().await.unwrap();
        let Event::MiningContinues(search) = event else { panic!("{event:?}") };
        assert_eq!((search.height, search.elapsed), (1, Duration::from_secs(seconds)));
        assert_eq!(node.status().mining.unwrap().difficulty, search.difficulty);
    }
    mining.abort();
    let ended = events.recv().await.unwrap();
    let Event::MiningEnded { search, found: None } = ended else { panic!("{ended:?}") };
    assert_eq!((search.height, node.status().mining), (1, None));
}

#[tokio::test]
async fn events_come_in_order() {
    let node = Node::<String>::builder(easy_spec("a")).start().await.unwrap();
    let mut events = node.subscribe();
    assert!(matches!(events.try_recv(), Ok(None)));
    let id = within(node.submit("hello".to_owned())).await.unwrap();
    let block = within(node.mine_pending()).await.unwrap();
    let first = within(events.recv()).await.unwrap();
    assert!(matches!(first, Event::TransactionAccepted { id: accepted } if accepted == id), "{first:?}");
    let second = events.try_recv().unwrap().unwrap();
    assert!(matches!(&second, Event::MiningStarted(search) if search.height == 1), "{second:?}");
    let third = events.try_recv().unwrap().unwrap();
    let Event::MiningEnded { search, found: Some(found) } = third else { panic!("{third:?}") };
    assert_eq!((search.height, found), (1, *block.hash()));
    assert!(search.hashes > 0, "{search:?}");
    let fourth = events.try_recv().unwrap().unwrap();
    let Event::BlockConnected { block: connected, source: BlockSource::Mined, .. } = fourth else {
        panic!("{fourth:?}")
    };
    assert_eq!(connected, block);
    assert!(matches!(events.try_recv(), Ok(None)));
}

#[tokio::test]
async fn a_slow_subscriber_is_told_how_much_it_missed() {
    let node = Node::<String>::builder(easy_spec("a")).start().await.unwrap();
    let mut events = node.subscribe();
    let mut ids = Vec::new();
    for number in 0..1_030 {
        ids.push(within(node.submit(format!("{number}"))).await.unwrap());
    }
    assert!(matches!(within(events.recv()).await, Err(EventError::Missed { events: 6 })));
    for expected in &ids[6..] {
        let event = within(events.recv()).await.unwrap();
        assert!(matches!(&event, Event::TransactionAccepted { id } if id == expected), "{event:?}");
    }
    assert!(matches!(events.try_recv(), Ok(None)));
}

#[tokio::test]
async fn a_banned_host_is_gone_until_the_ban_is_lifted() {
    let network = Memory::new();
    let builder = || Node::<String>::builder(easy_spec("a")).transport(network.clone());
    let node = builder().listen("memory://listening".parse().unwrap()).start().await.unwrap();
    let caller = builder().peers(["memory://listening".parse().unwrap()]).start().await.unwrap();
    until(|| node.peers().len() == 1).await;
    let host = PeerHost::from(&node.peers()[0].address);
    within(node.ban(host.clone(), Duration::from_secs(1_000))).await.unwrap();
    assert!(node.peers().is_empty());
    let ban = &node.bans()[0];
    assert!(ban.host == host && ban.remaining <= Duration::from_secs(1_000), "{ban:?}");
    assert!(within(node.unban(host.clone())).await.unwrap() && !within(node.unban(host)).await.unwrap());
    assert!(node.bans().is_empty());
    until(|| node.peers().len() == 1).await;

    let peer = caller.peers()[0].id;
    assert!(within(caller.remove(peer)).await.unwrap() && !within(caller.remove(peer)).await.unwrap());
    assert_eq!(caller.status().unconnected, Vec::<hashloom::PeerAddr>::new());
}

#[tokio::test]
async fn a_ban_may_last_for_ever() {
    let peer: hashloom::PeerAddr = "memory://nobody".parse().unwrap();
    let builder = Node::<String>::builder(easy_spec("a")).transport(Memory::new());
    let node = builder.peers([peer.clone()]).start().await.unwrap();
    within(node.ban(PeerHost::from(&peer), Duration::MAX)).await.unwrap();
    // Past the next attempt to connect to the peer.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(60)).await;
    tokio::time::resume();
    assert_eq!(within(node.mine_pending()).await.unwrap().height(), 1);
    assert_eq!(node.bans().len(), 1);
}

#[tokio::test]
async fn the_blocking_twins_work_from_a_thread() {
    let network = Memory::new();
    let builder = || Node::<String>::builder(easy_spec("a")).transport(network.clone());
    let other = builder().listen("memory://".parse().unwrap()).start().await.unwrap();
    let node = builder().start().await.unwrap();
    let address = other.listen_addr().unwrap().clone();
    let (done, waits) = tokio::sync::oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    let thread = std::thread::spawn({
        let node = node.clone();
        move || {
            node.connect_blocking(address.clone()).unwrap();
            // A block that is mined before the nodes are connected is not announced, and a node that has
            // ended cannot be asked for it.
            runtime.block_on(node.wait_for_peers(1)).unwrap();
            let error = node.connect_blocking(address.clone()).unwrap_err();
            let PeerError::Connect(error) = error else { panic!("{error}") };
            assert_eq!(error, ConnectError::AlreadyAdded { address });
            node.submit_blocking("pending".to_owned()).unwrap();
            let error = node.submit_blocking("pending".to_owned()).unwrap_err();
            assert!(matches!(error, SubmitError::Mempool(MempoolError::AlreadyPending { .. })), "{error}");
            assert_eq!(node.mine_pending_blocking().unwrap().data(), ["pending"]);
            assert_eq!(node.mine_blocking(vec!["mine".to_owned()]).unwrap().height(), 2);
            let blocks = node.blocks(..).unwrap();
            node.shutdown_blocking();
            assert!(matches!(node.mine_blocking(Vec::new()), Err(MineError::Stopped(_))));
            done.send(()).unwrap();
            blocks
        }
    });
    within(waits).await.unwrap();
    let blocks = thread.join().unwrap();
    within(other.wait_for(|chain| chain.height() == 2)).await.unwrap();
    assert_eq!(blocks, other.blocks(..).unwrap());
    assert_eq!((node.status().height, node.tip()), (2, other.tip()));
}

#[tokio::test]
async fn a_connection_needs_a_transport() {
    let node = Node::<String>::builder(easy_spec("a")).start().await.unwrap();
    let error = within(node.connect("ws://localhost:5001".parse().unwrap())).await.unwrap_err();
    assert!(matches!(error, PeerError::NoTransport), "{error}");
    assert_eq!(node.status().unconnected, []);
}

/// A transaction whose `apply` blocks until the test opens the gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Slow;

static ENTERED: AtomicBool = AtomicBool::new(false);
static GATE: Mutex<()> = Mutex::new(());

impl Transaction for Slow {
    type State = ();

    fn apply(&self, (): &mut (), _: &Context<'_>) -> Result<(), Rejected> {
        ENTERED.store(true, Ordering::SeqCst);
        drop(GATE.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::await_holding_lock, reason = "the driver waits for it, on another thread; that is the test")]
async fn reads_do_not_wait_for_the_driver() {
    let node = Node::<Slow>::builder(easy_spec("slow")).start().await.unwrap();
    let gate = GATE.lock().unwrap();
    let mine = tokio::spawn({
        let node = node.clone();
        async move { node.mine(vec![Slow]).await }
    });
    until(|| ENTERED.load(Ordering::SeqCst)).await;
    // The driver is applying the transaction and blocks until the gate opens.
    assert_eq!(node.status().height, 0);
    assert_eq!((node.tip().height(), node.blocks(..).unwrap().len(), node.pending(1).len()), (0, 1, 0));
    assert!(!mine.is_finished());
    drop(gate);
    assert_eq!(within(mine).await.unwrap().unwrap().height(), 1);
}
