//! Mining on request and continuous mining.

use std::num::NonZeroUsize;
use std::sync::Arc;

use hashloom::transport::Memory;
use hashloom::{
    Address, BlockError, ChainSpec, CompactTarget, Context, MineError, Node, NodeHandle, Rejected, Retarget,
    RuleError, Transaction,
};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::kit::{easy_spec, hopeless_spec, until, within};

/// A number that must be the next one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Count(u64);

impl Transaction for Count {
    type State = u64;

    fn apply(&self, state: &mut u64, _: &Context<'_>) -> Result<(), Rejected> {
        if self.0 != *state + 1 {
            return Err(Rejected::new("count", format!("got {}, expected {}", self.0, *state + 1)));
        }
        *state = self.0;
        Ok(())
    }
}

async fn start(spec: ChainSpec) -> NodeHandle {
    Node::builder(spec).start().await.unwrap()
}

#[tokio::test]
async fn requests_are_served_in_order() {
    let node = start(easy_spec("a")).await;
    let mine = |data: &str| within(node.mine(vec![data.to_owned()]));
    let blocks = tokio::join!(mine("a"), mine("b"), mine("c"));
    let blocks = [blocks.0.unwrap(), blocks.1.unwrap(), blocks.2.unwrap()];
    assert_eq!(node.blocks(1..).unwrap(), blocks);
    assert_eq!(blocks.map(|block| block.data().to_vec()), [["a"], ["b"], ["c"]]);
}

#[tokio::test]
async fn a_block_names_its_miner_on_every_thread() {
    let miner = Address::from_bytes([7; 20]);
    let builder = Node::<String>::builder(easy_spec("a")).miner(miner);
    let node = builder.mining_threads(NonZeroUsize::new(3).unwrap()).start().await.unwrap();
    let block = within(node.mine(Vec::new())).await.unwrap();
    assert_eq!(block.header().miner, miner);
    assert_eq!(node.blocks(..).unwrap(), [Arc::clone(node.chain().genesis()), block]);
}

#[tokio::test]
async fn what_the_application_refuses_is_not_mined() {
    let node = Node::<Count>::builder(easy_spec("count")).start().await.unwrap();
    within(node.mine(vec![Count(1)])).await.unwrap();
    let error = within(node.mine(vec![Count(2), Count(4)])).await.unwrap_err();
    let MineError::Refused(BlockError::Rule(RuleError::Transaction { index: 1, reason })) = error else {
        panic!("{error}")
    };
    assert_eq!((reason.rule(), reason.detail()), ("count", "got 4, expected 3"));
    // The failed request has changed nothing, and the next one succeeds.
    assert_eq!((node.state(), node.status().height), (1, 1));
    within(node.mine(vec![Count(2)])).await.unwrap();
    assert_eq!(node.state(), 2);
}

/// The transaction is valid at the time of the request and invalid when the node starts to mine it.
#[tokio::test]
async fn a_request_is_judged_when_its_turn_comes() {
    let node = Node::<Count>::builder(easy_spec("count")).start().await.unwrap();
    let (first, second) =
        within(async { tokio::join!(node.mine(vec![Count(1)]), node.mine(vec![Count(1)])) }).await;
    assert_eq!(first.unwrap().data(), [Count(1)]);
    assert!(matches!(
        second.unwrap_err(),
        MineError::Refused(BlockError::Rule(RuleError::Transaction { index: 0, .. }))
    ));
}

#[tokio::test]
async fn pending_transactions_are_mined_in_order() {
    let node = Node::<Count>::builder(easy_spec("count")).start().await.unwrap();
    for number in 1..=3 {
        within(node.submit(Count(number))).await.unwrap();
    }
    assert_eq!(node.pending(2).into_iter().map(|(_, count)| count).collect::<Vec<_>>(), [Count(1), Count(2)]);
    let block = within(node.mine_pending()).await.unwrap();
    assert_eq!(block.data(), [Count(1), Count(2), Count(3)]);
    assert_eq!(node.status().pending, 0);
}

#[tokio::test]
async fn dropping_the_future_stops_the_search() {
    let node = start(hopeless_spec()).await;
    assert_eq!(node.status().mining, None);
    let mut search = Box::pin(node.mine(vec!["never".to_owned()]));
    tokio::select! {
        found = &mut search => panic!("{found:?}"),
        () = until(|| node.status().mining.is_some_and(|mining| mining.hashes > 0)) => {}
    }
    let mining = node.status().mining.unwrap();
    assert_eq!(mining.height, 1);
    drop(search);
    until(|| node.status().mining.is_none()).await;
}

/// Dropping the future of a request cancels the request, whether it is being mined or queued.
#[tokio::test]
async fn dropping_a_waiting_future_frees_its_place() {
    let node = start(hopeless_spec()).await;
    let mut searches = JoinSet::new();
    for _ in 0..65 {
        let node = node.clone();
        searches.spawn(async move { node.mine(Vec::new()).await });
    }
    // One request is being mined and 64 are queued.
    until(|| node.status().mining.is_some()).await;
    let busy = within(node.mine(Vec::new())).await.unwrap_err();
    assert!(matches!(busy, MineError::Busy { limit: 64 }), "{busy}");

    searches.shutdown().await;
    until(|| node.status().mining.is_none()).await;
    let again = tokio::spawn({
        let node = node.clone();
        async move { node.mine(Vec::new()).await }
    });
    until(|| node.status().mining.is_some()).await;
    again.abort();
    until(|| node.status().mining.is_none()).await;
}

/// A block from another node arrives during a search.
#[tokio::test]
async fn a_block_that_comes_first_is_built_upon() {
    let spec = ChainSpec::builder("hard")
        .easiest_target(CompactTarget::from_bits(0x1e00_ffff))
        .retarget(Retarget::Fixed)
        .build()
        .unwrap();
    let network = Memory::new();
    let builder = || Node::<String>::builder(spec.clone()).transport(network.clone());
    for _ in 0..20 {
        let other = builder().listen("memory://".parse().unwrap()).start().await.unwrap();
        let first = within(other.mine(vec!["first".to_owned()])).await.unwrap();
        let node = builder().start().await.unwrap();
        let mine = tokio::spawn({
            let node = node.clone();
            async move { node.mine(vec!["second".to_owned()]).await }
        });
        until(|| node.status().mining.is_some() || mine.is_finished()).await;
        within(node.connect(other.listen_addr().unwrap().clone())).await.unwrap();
        let block = within(mine).await.unwrap().unwrap();
        assert_eq!((block.data(), node.tip()), (&["second".to_owned()][..], Arc::clone(&block)));
        // Once in a few hundred runs, the search ends before the other block arrives.
        if block.height() == 1 {
            continue;
        }
        assert_eq!(node.blocks(1..).unwrap(), [first, block]);
        return;
    }
    panic!("the other node's block was never the first");
}

#[tokio::test]
async fn continuous_mining_can_be_turned_on_and_off() {
    let node = start(easy_spec("a")).await;
    node.mine_continuously(true).await.unwrap();
    within(node.wait_for(|chain| chain.height() >= 3)).await.unwrap();
    within(node.submit("pending".to_owned())).await.unwrap();
    let has_it = |block: &Arc<hashloom::Block>| block.data() == ["pending"];
    within(node.wait_for(|chain| chain.blocks(..).any(|block| has_it(&block.unwrap())))).await.unwrap();
    // Requests are mined during continuous mining, too.
    let requested = within(node.mine(vec!["requested".to_owned()])).await.unwrap();
    assert_eq!(requested.data(), ["requested"]);

    node.mine_continuously(false).await.unwrap();
    // Answered only after all earlier inputs were handled.
    within(node.submit("later".to_owned())).await.unwrap();
    assert_eq!(node.status().mining, None);
    let height = node.status().height;
    let block = within(node.mine_pending()).await.unwrap();
    assert_eq!((block.height(), block.data()), (height + 1, &["later".to_owned()][..]));
}

#[tokio::test]
async fn continuous_mining_from_the_start_gives_way_to_requests() {
    let node = Node::<String>::builder(hopeless_spec()).mine_continuously(true).start().await.unwrap();
    until(|| node.status().mining.is_some()).await;
    node.mine_continuously(false).await.unwrap();
    until(|| node.status().mining.is_none()).await;
}

/// JSON encodes every byte of the text as six bytes.
#[cfg(feature = "ws-json")]
#[tokio::test]
async fn a_block_that_no_frame_holds_is_not_mined() {
    use hashloom::WsJson;
    use hashloom::testing::Switch;
    use hashloom::transport::{TransportError, WebSocketConfig};
    use hashloom::wire::{Json, WireError};

    let config = WebSocketConfig::default().with_max_frame_bytes(4_000);
    let transport = Switch::new(WsJson::new(Json).with_config(config));
    let node = Node::<String>::builder(easy_spec("frames")).transport(transport).start().await.unwrap();
    let error = within(node.mine(vec!["\u{1b}".repeat(600)])).await.unwrap_err();
    let MineError::Unsendable(TransportError::Unsendable(WireError::TooLarge { got, limit: 4_000 })) = error
    else {
        panic!("{error}");
    };
    assert!((4_100..4_300).contains(&got), "{got} bytes");
    assert_eq!(node.chain().height(), 0);
    let block = within(node.mine(vec!["\u{1b}".repeat(500)])).await.unwrap();
    assert_eq!(*node.chain().tip(), block);
}
