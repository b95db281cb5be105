//! What has become of a transaction.

use hashloom::primitives::transaction_id;
use hashloom::{ChainConfig, Hash, Node, NodeHandle, ProtocolConfig};
use serde_json::json;

use crate::kit::{Ask, spec};

async fn start(config: ChainConfig) -> NodeHandle {
    let protocol = ProtocolConfig::default().with_chain(config);
    Node::builder(spec("transactions")).protocol(protocol).start().await.unwrap()
}

fn id(text: &str) -> Hash {
    transaction_id(&text.to_owned()).unwrap()
}

fn path(text: &str) -> String {
    format!("/transactions/{}", id(text))
}

#[tokio::test]
async fn a_transaction_is_followed_from_the_mempool_into_the_chain() {
    let node = start(ChainConfig::default().with_index_transactions(true)).await;
    let answer = Ask::get(&path("a")).of(&node).await;
    assert_eq!(answer.error(), (404, "transaction_not_found".to_owned()));

    node.submit("a".to_owned()).await.unwrap();
    let answer = Ask::get(&path("a")).of(&node).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"status": "pending", "id": id("a"), "data": "a"}))
    );

    node.mine(vec!["first".to_owned(), "a".to_owned()]).await.unwrap();
    let block = node.tip();
    node.mine(Vec::new()).await.unwrap();
    let answer = Ask::get(&path("a")).of(&node).await;
    let expected = json!({
        "status": "mined", "id": id("a"), "block": block.hash(), "height": 1, "index": 1, "depth": 2, "data": "a",
    });
    assert_eq!((answer.status, answer.json()), (200, expected));

    let answer = Ask::get("/blocks/1").of(&node).await.json();
    assert_eq!(answer["transaction_ids"], json!([id("first"), id("a")]));
}

#[tokio::test]
async fn a_dropped_transaction_has_the_reason() {
    let node = start(ChainConfig::default()).await;
    node.submit("a".to_owned()).await.unwrap();
    assert!(node.remove_transaction(id("a")).await.unwrap());
    let answer = Ask::get(&path("a")).of(&node).await;
    let expected = json!({"status": "dropped", "id": id("a"), "reason": "removed on request"});
    assert_eq!((answer.status, answer.json()), (200, expected));

    node.submit("a".to_owned()).await.unwrap();
    assert_eq!(Ask::get(&path("a")).of(&node).await.json()["status"], "pending");
}

#[tokio::test]
async fn without_an_index_the_answer_says_so() {
    let node = start(ChainConfig::default()).await;
    node.mine(vec!["a".to_owned()]).await.unwrap();
    let answer = Ask::get(&path("a")).of(&node).await;
    assert_eq!(answer.error(), (404, "transaction_not_found".to_owned()));
    let message =
        format!("transaction {} is not pending, and this node keeps no index of mined ones", id("a"));
    assert_eq!(answer.json()["error"]["message"], message);
}

#[tokio::test]
async fn a_transaction_in_a_deep_block_is_waited_for_without_a_search() {
    let node = start(ChainConfig::default().with_index_transactions(true)).await;
    let block = node.mine(vec!["a".to_owned()]).await.unwrap();
    for _ in 0..1_001 {
        node.mine(Vec::new()).await.unwrap();
    }
    assert_eq!(node.wait_for_transaction(id("a"), 1_002).await.unwrap(), block);
}
