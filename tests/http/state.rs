//! The application's state over HTTP.

use std::collections::BTreeMap;

use hashloom::api::{StateProof, StateView};
use hashloom::http::RoutesConfig;
use hashloom::{AuthenticatedMap, Context, Hash, MapProof, Node, NodeHandle, Rejected, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::kit::{Ask, spec};

/// Counts how often each name was recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Name(String);

impl Transaction for Name {
    type State = BTreeMap<String, u64>;

    fn apply(&self, counts: &mut Self::State, _: &Context<'_>) -> Result<(), Rejected> {
        *counts.entry(self.0.clone()).or_default() += 1;
        Ok(())
    }
}

async fn node() -> NodeHandle<Name> {
    let node = Node::builder(spec("state")).start().await.unwrap();
    node.mine(vec![Name("ann".to_owned()), Name("bob".to_owned())]).await.unwrap();
    node
}

fn on() -> RoutesConfig {
    RoutesConfig::default().with_state(true)
}

#[tokio::test]
async fn the_state_is_served_only_if_that_is_switched_on() {
    let node = node().await;
    let off = Ask::get("/state").of(&node).await;
    assert_eq!(off.error(), (404, "not_found".to_owned()));
    let message = "this node does not serve the application's state; its operator can switch that on";
    assert_eq!(off.json()["error"]["message"], message);

    let answer = Ask::get("/state").config(on()).of(&node).await;
    let expected = json!({"height": 1, "block": node.tip().hash(), "state": {"ann": 1, "bob": 1}});
    assert_eq!((answer.status, answer.json()), (200, expected));
    let view: StateView<BTreeMap<String, u64>> = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(view.state, node.state());
}

#[tokio::test]
async fn an_unchanged_state_is_not_sent_again() {
    let node = node().await;
    let tag = Ask::get("/state").config(on()).of(&node).await.header("etag").unwrap().to_owned();
    let again = Ask::get("/state").config(on()).header("If-None-Match", &tag).of(&node).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    node.mine(vec![Name("ann".to_owned())]).await.unwrap();
    let later = Ask::get("/state").config(on()).header("If-None-Match", &tag).of(&node).await;
    assert_eq!((later.status, &later.json()["state"]["ann"]), (200, &json!(2)));
}

#[tokio::test]
async fn a_state_beyond_the_limit_is_not_written() {
    let node = node().await;
    let len = Ask::get("/state").config(on()).of(&node).await.body.len();
    let exact = Ask::get("/state").config(on().with_max_state_bytes(len)).of(&node).await;
    assert_eq!((exact.status, exact.body.len()), (200, len));
    let less = Ask::get("/state").config(on().with_max_state_bytes(len - 1)).of(&node).await;
    assert_eq!(less.error(), (500, "internal".to_owned()));
    let message = format!("the answer has more than {} bytes", len - 1);
    assert_eq!(less.json()["error"]["message"], message);
}

/// As [`Name`], with a state that proves its entries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Proven(String);

impl Transaction for Proven {
    type State = AuthenticatedMap<String, u64>;

    fn apply(&self, counts: &mut Self::State, _: &Context<'_>) -> Result<(), Rejected> {
        counts.update(self.0.clone(), |count| Ok(Some(count.copied().unwrap_or(0) + 1)))
    }

    fn state_root(counts: &Self::State) -> Hash {
        counts.root()
    }

    fn prove(counts: &Self::State, key: &str) -> Option<Vec<u8>> {
        assert!(key != "panic", "as asked for");
        counts.prove(&key.to_owned()).ok().map(|proof| proof.to_bytes())
    }
}

#[tokio::test]
async fn entries_are_proven_to_who_has_the_header() {
    let node = Node::<Proven>::builder(spec("proven")).start().await.unwrap();
    node.mine(vec![Proven("ann".to_owned()), Proven("a/b ü".to_owned())]).await.unwrap();
    let header = *node.tip().header();
    let cases = [("ann", "ann", Some(1)), ("a/b%20%C3%BC", "a/b ü", Some(1)), ("a%2Fb", "a/b", None)];
    for (path, key, expected) in cases {
        let answer = Ask::get(&format!("/state/{path}")).of(&node).await;
        assert_eq!(answer.status, 200, "{path}");
        let view: StateProof = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((view.height, view.block), (1, header.hash()));
        let proof = MapProof::from_bytes(&view.proof).unwrap();
        assert_eq!(proof.verify::<String, u64>(&key.to_owned(), &header.state_root), Ok(expected));
        let shown = json!({"height": 1, "block": header.hash(), "proof": proof});
        assert_eq!(answer.json(), shown);
    }
    let tag = Ask::get("/state/ann").of(&node).await.header("etag").unwrap().to_owned();
    assert_eq!(Ask::get("/state/ann").header("If-None-Match", &tag).of(&node).await.status, 304);

    let panicked = Ask::get("/state/panic").of(&node).await;
    assert_eq!(panicked.error(), (500, "internal".to_owned()));
    let message = "the application's `Transaction::prove` panicked: as asked for";
    assert_eq!(panicked.json()["error"]["message"], message);
    let large = RoutesConfig::default().with_max_state_bytes(100);
    assert_eq!(Ask::get("/state/ann").config(large).of(&node).await.error(), (500, "internal".to_owned()));
}

#[tokio::test]
async fn an_application_without_proofs_has_no_key() {
    let node = node().await;
    for path in ["/state/ann", "/state/%FF"] {
        assert_eq!(Ask::get(path).of(&node).await.error(), (404, "state_key_not_found".to_owned()));
    }
}
