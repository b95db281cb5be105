//! Equal transactions: once one is mined, the mempool of every node refuses another.

use hashloom::mempool::MempoolError;
use hashloom::primitives::transaction_id;
use hashloom::transport::Memory;
use hashloom::{Event, Node, SubmitError};

use crate::kit::{easy_spec, within};

#[tokio::test]
async fn an_equal_record_is_refused_on_every_node_and_one_that_differs_is_mined_anywhere() {
    let network = Memory::new();
    let builder = || Node::<String>::builder(easy_spec("equal")).transport(network.clone());
    let first = builder().listen("memory://".parse().unwrap()).start().await.unwrap();
    let second = builder().peers([first.listen_addr().unwrap().clone()]).start().await.unwrap();
    within(first.wait_for_peers(1)).await.unwrap();
    let mut events = second.subscribe();

    let id = within(first.submit("paid".to_owned())).await.unwrap();
    within(first.mine_pending()).await.unwrap();
    while !matches!(within(events.recv()).await.unwrap(), Event::BlockConnected { block, .. } if block.height() == 1)
    {
    }
    for node in [&first, &second] {
        let refused = within(node.submit("paid".to_owned())).await.unwrap_err();
        assert!(
            matches!(refused, SubmitError::Mempool(MempoolError::AlreadyMined { id: got }) if got == id),
            "{refused}"
        );
        assert!(node.pending(1).is_empty());
    }

    let next = within(first.submit("paid, number 2".to_owned())).await.unwrap();
    within(second.wait_for_pending(1)).await.unwrap();
    let block = within(second.mine_pending()).await.unwrap();
    assert_eq!(transaction_id(&block.data()[0]), Ok(next));
    // `mine` accepts equal transactions, unlike `submit`.
    let block = within(first.mine(vec!["paid".to_owned()])).await.unwrap();
    assert_eq!(block.data(), ["paid"]);
}
