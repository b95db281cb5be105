//! The application's state over HTTP.

use std::collections::BTreeMap;

use hashloom::api::StateView;
use hashloom::http::RoutesConfig;
use hashloom::{Context, Node, NodeHandle, Rejected, Transaction};
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
