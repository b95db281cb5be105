//! Whole nodes with a ledger, over a transport that serialises.

use core::time::Duration;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use hashloom::ledger::{LedgerParameters, SignedTransfer};
use hashloom::{Context, Hash, Node, NodeHandle, Rejected, Transaction, WsPostcard};
use serde::{Deserialize, Serialize};

use crate::kit::{account, sign, spec};

/// Far more time than any step takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A node that is connected to these, and mines for this account.
async fn start<T: Transaction>(miner: u8, peers: &[&NodeHandle<T>]) -> NodeHandle<T> {
    let parameters = LedgerParameters::new(50, 4).unwrap().with_opening([(account(1), 100)]).unwrap();
    let peers: Vec<_> = peers.iter().map(|peer| peer.listen_addr().unwrap().clone()).collect();
    let count = peers.len();
    let node = Node::builder(spec(&parameters))
        .transport(WsPostcard::default())
        .listen("ws://127.0.0.1:0".parse().unwrap())
        .peers(peers)
        .miner(account(miner));
    let node = node.start().await.unwrap();
    within(node.wait_for_peers(count)).await.unwrap();
    node
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("takes too long")
}

/// Waits until this transaction is pending.
async fn has_pending<T: Transaction>(node: &NodeHandle<T>, id: Hash) {
    let arrives = async {
        let mut looks = tokio::time::interval(Duration::from_millis(1));
        while node.transaction(&id).is_none() {
            looks.tick().await;
        }
    };
    within(arrives).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_have_equal_balances_and_state_roots() {
    let first = start::<SignedTransfer>(7, &[]).await;
    let second = start(8, &[&first]).await;
    let third = start(9, &[&first, &second]).await;
    let nodes = [&first, &second, &third];
    let genesis = *first.chain().genesis().hash();

    // Each transfer is sent to one node, mined by another one, and has to reach it first.
    for (round, (sender, miner)) in [(0, 1), (1, 2), (2, 0)].into_iter().enumerate() {
        let transfer = sign(&genesis, 1, round as u64, account(2), 10, 1);
        let id = within(nodes[sender].submit(transfer)).await.unwrap();
        has_pending(nodes[miner], id).await;
        let block = within(nodes[miner].mine_pending()).await.unwrap();
        assert_eq!(block.data().len(), 1);
        for node in nodes {
            within(node.wait_for(|chain| chain.tip().hash() == block.hash())).await.unwrap();
        }
    }
    let roots = nodes.map(|node| SignedTransfer::state_root(&node.state()));
    assert_eq!(roots, [roots[0]; 3]);
    assert_eq!(first.chain().tip().header().state_root, roots[0]);
    for node in nodes {
        let ledger = node.state();
        let balances = [1, 2, 7, 8, 9].map(|of| ledger.application().balance(&account(of)));
        // Each miner has a reward and the fee of one transfer.
        assert_eq!(balances, [100 - 33, 30, 51, 51, 51]);
    }
}

/// How often a [`Costly`] was checked.
static CHECKS: AtomicUsize = AtomicUsize::new(0);

/// A transaction that keeps the verdict of its check, as a signed one does, and counts its checks.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Costly {
    text: String,
    #[serde(skip)]
    is_checked: OnceLock<()>,
}

impl PartialEq for Costly {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Transaction for Costly {
    type State = ();

    fn check(&self, _genesis: &Hash) -> Result<(), Rejected> {
        self.is_checked.get_or_init(|| {
            CHECKS.fetch_add(1, Ordering::Relaxed);
        });
        Ok(())
    }

    fn apply(&self, (): &mut (), _context: &Context<'_>) -> Result<(), Rejected> {
        Ok(())
    }

    fn genesis_state(_data: &[u8]) -> Result<(), Rejected> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_node_checks_a_transaction_once() {
    let first = start::<Costly>(7, &[]).await;
    let second = start(8, &[&first]).await;
    let costly = Costly { text: "checked once".to_owned(), is_checked: OnceLock::new() };
    let id = within(first.submit(costly)).await.unwrap();
    has_pending(&second, id).await;
    assert_eq!(CHECKS.load(Ordering::Relaxed), 2, "once by each node");
    let block = within(first.mine_pending()).await.unwrap();
    within(second.wait_for(|chain| chain.tip().hash() == block.hash())).await.unwrap();
    assert_eq!(second.block(block.hash()).unwrap().map(|block: Arc<_>| block.data().len()), Some(1));
    assert_eq!(CHECKS.load(Ordering::Relaxed), 2, "the block has a transaction that was pending");
}
