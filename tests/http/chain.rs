//! Pages of the chain in both orders, side branches, and the explorer.

use hashloom::api::HeaderView;
use hashloom::http::RoutesConfig;
use hashloom::transport::Memory;
use hashloom::{ChainConfig, Header, Node, NodeHandle, PeerAddr, ProtocolConfig};
use rstest::rstest;
use serde_json::{Value, json};

use crate::kit::{Answer, Ask, spec};

async fn with_blocks(count: u64) -> NodeHandle {
    let node = Node::<String>::builder(spec("chain")).start().await.unwrap();
    for number in 1..=count {
        node.mine(vec![format!("record {number}")]).await.unwrap();
    }
    node
}

fn heights(answer: &Answer) -> Vec<u64> {
    let page = answer.json();
    page.as_array().unwrap().iter().map(|block| block["height"].as_u64().unwrap()).collect()
}

/// Asks for a page, and checks the heights of its items and its headers.
async fn page(node: &NodeHandle, path: &str, expected: &[u64], link: Option<&str>) -> Answer {
    let answer = Ask::get(path).of(node).await;
    assert_eq!((answer.status, heights(&answer)), (200, expected.to_vec()));
    assert_eq!((answer.header("link"), answer.header("x-total-count")), (link, Some("6")));
    answer
}

#[rstest]
#[case("/blocks?limit=2", &[0, 1], Some("<?from=2&limit=2>; rel=\"next\""))]
#[case("/blocks?limit=2&order=asc&from=4", &[4, 5], None)]
#[case("/blocks?order=desc&limit=2", &[5, 4], Some("<?from=3&limit=2&order=desc>; rel=\"next\""))]
#[case("/blocks?from=3&limit=2&order=desc", &[3, 2], Some("<?from=1&limit=2&order=desc>; rel=\"next\""))]
#[case("/blocks?from=1&limit=2&order=desc", &[1, 0], None)]
#[case("/blocks?from=99&limit=1&order=desc", &[5], Some("<?from=4&limit=1&order=desc>; rel=\"next\""))]
#[case("/blocks/?from=6", &[], None)]
#[tokio::test]
async fn a_page_has_blocks_in_the_order_that_is_asked_for(
    #[case] path: &str,
    #[case] expected: &[u64],
    #[case] link: Option<&str>,
) {
    let node = with_blocks(5).await;
    let answer = page(&node, path, expected, link).await;
    if let Some(tag) = answer.header("etag") {
        let again = Ask::get(path).header("If-None-Match", tag).of(&node).await;
        assert_eq!(again.status, 304);
        node.mine(Vec::new()).await.unwrap();
        let later = Ask::get(path).header("If-None-Match", tag).of(&node).await;
        let has_changed = heights(&Ask::get(path).of(&node).await) != expected;
        assert_eq!(later.status, if has_changed { 200 } else { 304 });
    }
}

#[rstest]
#[case("/headers?limit=2", &[0, 1], Some("<?from=2&limit=2>; rel=\"next\""))]
#[case("/headers?order=desc&limit=2", &[5, 4], Some("<?from=3&limit=2&order=desc>; rel=\"next\""))]
#[case("/headers?from=1&order=desc", &[1, 0], None)]
#[case("/headers?from=6", &[], None)]
#[tokio::test]
async fn headers_are_paged_like_blocks_and_have_what_their_hash_is_of(
    #[case] path: &str,
    #[case] expected: &[u64],
    #[case] link: Option<&str>,
) {
    let node = with_blocks(5).await;
    let answer = page(&node, path, expected, link).await;
    let views: Vec<HeaderView> = serde_json::from_slice(&answer.body).unwrap();
    for view in views {
        let height = view.height;
        let header = Header::try_from(view).unwrap();
        assert_eq!(header, *node.block_at(height).unwrap().unwrap().header());
    }
}

/// Every field of a header is also one of its block.
#[tokio::test]
async fn a_header_is_its_block_without_the_transactions() {
    let node = with_blocks(2).await;
    let hash = *node.tip().hash();
    for (id, lifetime) in [
        ("2".to_owned(), "no-cache"),
        (hash.to_string(), "max-age=31536000, immutable"),
        ("2/".to_owned(), "no-cache"),
    ] {
        let answer = Ask::get(&format!("/headers/{id}")).of(&node).await;
        assert_eq!((answer.status, answer.header("cache-control")), (200, Some(lifetime)), "{id}");
        let mut block = Ask::get("/blocks/2").of(&node).await.json();
        for transactions in ["transaction_ids", "data"] {
            block.as_object_mut().unwrap().remove(transactions).unwrap();
        }
        assert_eq!(answer.json(), block);
        let tag = answer.header("etag").unwrap();
        let again = Ask::get(&format!("/headers/{id}")).header("If-None-Match", tag).of(&node).await;
        assert_eq!(again.status, 304);
    }
    for (path, error) in [
        ("/headers/3", (404, "block_not_found")),
        (
            "/headers/0000000000000000000000000000000000000000000000000000000000000000",
            (404, "block_not_found"),
        ),
        ("/headers/x", (400, "bad_block_id")),
        ("/headers?limit=0", (400, "bad_query")),
    ] {
        assert_eq!(Ask::get(path).of(&node).await.error(), (error.0, error.1.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn headers_of_pruned_blocks_are_still_there() {
    let config = ProtocolConfig::default().with_chain(ChainConfig::default().with_keep_bodies(Some(3)));
    let node = Node::<String>::builder(spec("chain")).protocol(config).start().await.unwrap();
    // A state is stored, and bodies below it are pruned, once a megabyte was added.
    let long = "x".repeat(300_000);
    for number in 1..=20 {
        node.mine(vec![format!("{number}{long}")]).await.unwrap();
    }
    assert!(node.chain().first_body() > 2);
    let listed = heights(&Ask::get("/headers").of(&node).await);
    assert_eq!(listed, (0..=20).collect::<Vec<_>>());
    assert_eq!(Ask::get("/headers/2").of(&node).await.status, 200);
    assert_eq!(Ask::get("/blocks/2").of(&node).await.error(), (404, "block_not_found".to_owned()));
}

#[rstest]
#[case("/blocks?order=up")]
#[case("/blocks?order=desc&order=desc")]
#[case("/blocks?order")]
#[case("/blocks?limit=0&order=desc")]
#[case("/branches?limit=0")]
#[case("/branches?from=0")]
#[tokio::test]
async fn a_query_that_is_not_understood_is_refused(#[case] path: &str) {
    let node = with_blocks(1).await;
    assert_eq!(Ask::get(path).of(&node).await.error(), (400, "bad_query".to_owned()));
}

#[tokio::test]
async fn the_last_block_has_a_name() {
    let node = with_blocks(2).await;
    for path in ["/blocks/latest", "/blocks/latest/", "/blocks/2/"] {
        let answer = Ask::get(path).of(&node).await;
        assert_eq!((answer.status, answer.json()["height"].clone()), (200, json!(2)), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-cache"), "{path}");
    }
    assert_eq!(Ask::get("/status/").of(&node).await.status, 200);
    assert_eq!(Ask::new("DELETE", "/peers/").of(&node).await.error(), (400, "bad_peer_id".to_owned()));
}

#[tokio::test]
async fn the_blocks_beside_the_best_chain_are_listed() {
    let transport = Memory::new();
    let address: PeerAddr = "memory://best".parse().unwrap();
    let other = Node::<String>::builder(spec("chain"))
        .transport(transport.clone())
        .listen(address.clone())
        .start()
        .await
        .unwrap();
    let node = Node::<String>::builder(spec("chain"))
        .transport(transport)
        .listen("memory://node".parse().unwrap())
        .start()
        .await
        .unwrap();
    for number in 1..=2 {
        node.mine(vec![format!("beside {number}")]).await.unwrap();
    }
    let replaced: Vec<_> = node.blocks(1..=2).unwrap().iter().map(|block| *block.hash()).collect();
    for number in 1..=3 {
        other.mine(vec![format!("best {number}")]).await.unwrap();
    }
    node.connect(address).await.unwrap();
    node.wait_for(|chain| chain.height() == 3).await.unwrap();
    let listed = Ask::get("/branches").of(&node).await.json();
    let listed: Vec<(Value, Value)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|block| (block["height"].clone(), block["hash"].clone()))
        .collect();
    assert_eq!(listed, [(json!(2), json!(replaced[1])), (json!(1), json!(replaced[0]))]);
    let one = Ask::get("/branches?limit=1").of(&node).await.json();
    assert_eq!((one.as_array().unwrap().len(), &one[0]["previous_hash"]), (1, &json!(replaced[0])));
    assert_eq!(Ask::get("/branches").of(&other).await.json(), json!([]));
}

/// The largest that all files of the explorer may be: what a slow connection loads in a second.
const MAX_ASSETS: usize = 96 << 10;

#[tokio::test]
async fn the_explorer_loads_nothing_from_elsewhere() {
    let node = with_blocks(0).await;
    let page = Ask::get("/").of(&node).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let html = String::from_utf8(page.body.clone()).unwrap();
    assert!(!html.contains("http:") && !html.contains("https:") && !html.contains("<style"), "{html}");
    let mut total = page.body.len();
    for (name, media_type) in [
        ("style.css", "text/css"),
        ("icon.svg", "image/svg+xml"),
        ("app.mjs", "text/javascript"),
        ("api.mjs", "text/javascript"),
        ("charts.mjs", "text/javascript"),
        ("dom.mjs", "text/javascript"),
        ("receipt.mjs", "text/javascript"),
        ("verify.mjs", "text/javascript"),
        ("views.mjs", "text/javascript"),
    ] {
        let answer = Ask::get(&format!("/assets/{name}")).of(&node).await;
        let expected = format!("{media_type}; charset=utf-8");
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(expected.as_str())), "{name}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; ") && !policy.contains("unsafe"));
        let tag = answer.header("etag").unwrap();
        let again = Ask::get(&format!("/assets/{name}")).header("If-None-Match", tag).of(&node).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{name}");
        let source = String::from_utf8(answer.body.clone()).unwrap();
        assert!(!source.contains("innerHTML") && !source.contains("eval("), "{name}");
        total += answer.body.len();
    }
    assert!(total <= MAX_ASSETS, "{total} bytes");
    for missing in ["/assets/", "/assets/index.html", "/assets/x.mjs", "/assets/../Cargo.toml"] {
        assert_eq!(Ask::get(missing).of(&node).await.error(), (404, "not_found".to_owned()), "{missing}");
    }
    let off = RoutesConfig::default().with_explorer(false);
    for path in ["/", "/assets/app.mjs"] {
        let answer = Ask::get(path).config(off.clone()).of(&node).await;
        assert_eq!(answer.error(), (404, "not_found".to_owned()), "{path}");
    }
}
