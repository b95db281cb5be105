//! Who may change something.

use hashloom::http::{RoutesConfig, Token, TokenError};
use hashloom::{Node, NodeHandle};
use rstest::rstest;
use serde_json::json;

use crate::kit::{Ask, spec};

const SECRET: &str = "0123456789abcdef";

fn guarded() -> RoutesConfig {
    RoutesConfig::default().with_token(Token::new(SECRET).unwrap())
}

async fn node() -> NodeHandle {
    Node::builder(spec("access")).start().await.unwrap()
}

/// The routes of the documentation, so that none can be forgotten here.
fn documented() -> Vec<(&'static str, String)> {
    let rows = include_str!("../../src/http.rs").lines().filter_map(|line| line.strip_prefix("//! | `"));
    let routes = rows.filter_map(|row| row.split('`').next()?.split_once(' '));
    let evidence = ["/log/", "/receipts/", "/witness/"];
    let routes = routes.filter(|(_, path)| {
        cfg!(feature = "evidence") || !evidence.iter().any(|start| path.starts_with(start))
    });
    let routes = routes.filter(|(_, path)| cfg!(feature = "openapi") || *path != "/openapi.json");
    // With an argument where there is one.
    let filled = |path: &str| {
        let path = path.split(['?', '{']).next().unwrap();
        if path.ends_with('/') && path != "/" { format!("{path}x") } else { path.to_owned() }
    };
    routes.map(|(method, path)| (method, filled(path))).collect()
}

#[tokio::test]
async fn what_changes_something_needs_the_token_and_nothing_else_does() {
    let node = node().await;
    let (mut reads, mut changes) = (0, 0);
    for (method, path) in documented() {
        let answer = Ask::new(method, &path).config(guarded()).of(&node).await;
        // A witness answers strangers: what they send is signed, and limited in size.
        let is_open = method == "GET" || path.starts_with("/witness/");
        assert_eq!(answer.status != 401, is_open, "{method} {path}: {}", answer.status);
        if is_open {
            reads += 1;
            continue;
        }
        assert_eq!(answer.error(), (401, "unauthorized".to_owned()), "{method} {path}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{method} {path}");
        changes += 1;
    }
    assert!(reads >= 12 && changes >= 8, "{reads} reads and {changes} changes");
}

#[rstest]
#[case(Some("Bearer 0123456789abcdef"), 201)]
#[case(Some("bearer  0123456789abcdef"), 201)]
#[case(None, 401)]
#[case(Some(""), 401)]
#[case(Some("Bearer"), 401)]
#[case(Some("Bearer "), 401)]
#[case(Some("Bearer 0123456789abcde"), 401)]
#[case(Some("Bearer 0123456789abcdefg"), 401)]
#[case(Some("Bearer 0123456789ABCDEF"), 401)]
#[case(Some("Basic 0123456789abcdef"), 401)]
#[case(Some("0123456789abcdef"), 401)]
#[tokio::test]
async fn a_block_is_mined_only_with_the_token(#[case] given: Option<&str>, #[case] status: u16) {
    let node = node().await;
    let mut ask = Ask::post("/mine", &json!({"data": ["x"]})).config(guarded());
    if let Some(given) = given {
        ask = ask.header("Authorization", given);
    }
    assert_eq!(ask.of(&node).await.status, status);
    assert_eq!(node.chain().height(), u64::from(status == 201));
}

/// A page of another origin that knows the token still changes nothing.
#[tokio::test]
async fn a_token_does_not_open_the_node_to_other_pages() {
    let node = node().await;
    let ask = Ask::post("/mine", &json!({"data": []})).config(guarded());
    let ask =
        ask.header("Authorization", &format!("Bearer {SECRET}")).header("Origin", "http://evil.example");
    assert_eq!(ask.of(&node).await.error(), (403, "cross_origin".to_owned()));
}

#[rstest]
#[case("", TokenError::TooShort { got: 0 })]
#[case("0123456789abcde", TokenError::TooShort { got: 15 })]
#[case("0123456789abcdef ", TokenError::Character(' '))]
#[case("0123456789abcde\u{e9}", TokenError::Character('\u{e9}'))]
fn what_is_no_token(#[case] text: &str, #[case] expected: TokenError) {
    assert_eq!(Token::new(text), Err(expected));
}

#[test]
fn a_token_is_not_shown() {
    assert_eq!(format!("{:?}", guarded().token), "Some(Token(hidden))");
    assert!(!format!("{:?}", guarded()).contains(SECRET));
}
