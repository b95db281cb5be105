//! What holds for every route.

use hashloom::Node;
use hashloom::http::RoutesConfig;
use rstest::rstest;
use serde_json::json;

use crate::kit::{Ask, spec};

#[rstest]
#[case(Ask::get("/nothing"), 404, "not_found")]
#[case(Ask::get("/blocks/x"), 400, "bad_block_id")]
#[case(Ask::get("/blocks?limit=x"), 400, "bad_query")]
#[case(Ask::get("/status").header("Host", "evil.example"), 403, "host_not_allowed")]
#[case(Ask::new("PUT", "/blocks"), 405, "method_not_allowed")]
#[case(Ask::post("/mine", &json!({"dat": []})), 400, "bad_json")]
#[case(Ask::post("/mine", &json!({"data": []})).header("Origin", "http://evil.example"), 403, "cross_origin")]
#[case(Ask::post("/mine", &json!({"data": ["x".repeat(99)]})).config(RoutesConfig::default().with_max_body_bytes(99)), 413, "body_too_large")]
#[tokio::test]
async fn every_error_has_one_shape(#[case] ask: Ask, #[case] status: u16, #[case] code: &str) {
    let node = Node::<String>::builder(spec("plain")).start().await.unwrap();
    let answer = ask.of(&node).await;
    assert_eq!(answer.error(), (status, code.to_owned()));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json().as_object().unwrap().len(), 1);
    assert!(!answer.json()["error"]["message"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn the_health_of_a_node_is_one_word_or_an_error() {
    let node = Node::<String>::builder(spec("health")).start().await.unwrap();
    let answer = Ask::get("/health").of(&node).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"status": "ok"})));
    node.shutdown().await;
    assert_eq!(Ask::get("/health").of(&node).await.error(), (503, "shutting_down".to_owned()));
}
