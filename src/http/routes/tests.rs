//! The routes of a node with a few blocks, through the rouille handler: every status with its code, and the
//! contents of the answers.

use core::time::Duration;
use std::io::Read;

use rstest::rstest;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::api::BlockView;
use crate::http::{HttpConfig, routes};
use crate::primitives::{EncodeError, transaction_id};
use crate::store::Memory as MemoryStore;
use crate::testing::store::Faulty;
use crate::transport::Memory;
use crate::{ChainConfig, ChainSpec, Context, Node, ProtocolConfig, Rejected, Retarget};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A text that determines what happens to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Text(String);

impl Transaction for Text {
    type State = ();

    fn apply(&self, (): &mut (), _: &Context<'_>) -> Result<(), Rejected> {
        if self.0 == "bad" { Err(Rejected::new("no-bad", "it says bad")) } else { Ok(()) }
    }

    fn encode(&self, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        bytes.extend_from_slice(self.0.as_bytes());
        match self.0.as_str() {
            "odd" => Err(EncodeError::new("no bytes")),
            "large" => {
                bytes.resize(MAX_BLOCK_BYTES, 0);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

const MAX_BLOCK_BYTES: usize = 100_000;

fn text(text: &str) -> Text {
    Text(text.to_owned())
}

/// A node with six blocks after genesis, `block 1` to `block 6`, and the pending transactions `first`,
/// `second` and `third`.
struct Fixture {
    node: NodeHandle<Text>,
    network: Memory<Text>,
    store: Faulty<MemoryStore>,
    runtime: Runtime,
}

impl Fixture {
    fn new() -> Self {
        Self::with(ProtocolConfig::default())
    }

    fn with(config: ProtocolConfig) -> Self {
        Self::start(spec(CompactTarget::from_bits(0x207f_ffff)), config, 6)
    }

    /// A node without blocks, on a chain whose first block takes about 2^32 hashes.
    fn that_mines_for_minutes() -> Self {
        Self::start(spec(CompactTarget::from_bits(0x1d00_ffff)), ProtocolConfig::default(), 0)
    }

    fn start(spec: ChainSpec, config: ProtocolConfig, blocks: u64) -> Self {
        let (network, store) = (Memory::new(), Faulty::new(MemoryStore::new()));
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let node = runtime.block_on(async {
            let builder = Node::<Text>::builder(spec);
            let builder = builder.transport(network.clone()).store(store.clone()).protocol(config);
            let node = builder.listen("memory://here".parse().unwrap()).start().await.unwrap();
            for height in 1..=blocks {
                node.mine(vec![text(&format!("block {height}"))]).await.unwrap();
            }
            for pending in ["first", "second", "third"] {
                node.submit(text(pending)).await.unwrap();
            }
            node
        });
        Self { node, network, store, runtime }
    }

    fn hash(&self, height: u64) -> String {
        self.node.block_at(height).unwrap().unwrap().hash().to_string()
    }

    /// Replaces `{height}` by the hash of that block.
    fn fill(&self, text: &str) -> String {
        let Some((start, rest)) = text.split_once('{') else { return text.to_owned() };
        let (height, end) = rest.split_once('}').unwrap();
        format!("{start}{}{end}", self.hash(height.parse().unwrap()))
    }

    fn ask_with(
        &self,
        config: RoutesConfig,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let request = rouille::Request::fake_http(method, url, headers, body.to_vec());
        let response = routes(self.node.clone(), config)(&request);
        let mut bytes = Vec::new();
        response.data.into_reader_and_size().0.read_to_end(&mut bytes).unwrap();
        Answer {
            status: response.status_code,
            headers: response.headers.into_iter().map(|(k, v)| (k.into_owned(), v.into_owned())).collect(),
            body: if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() },
        }
    }

    fn ask(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.ask_with(RoutesConfig::default(), method, url, headers, body.as_bytes())
    }

    /// Sends a request and checks the error.
    fn assert_error(&self, [method, url, body]: [&str; 3], status: u16, code: &str, message: &str) {
        let headers: &[_] = if body.is_empty() { &[] } else { &[JSON] };
        let answer = self.ask(method, url, headers, body);
        assert_eq!((answer.status, answer.code()), (status, code), "{answer:?}");
        assert!(answer.message().contains(message), "{answer:?}");
        assert_eq!(answer.header("retry-after").is_some(), status == 503);
    }

    fn pending(&self) -> Vec<Text> {
        self.node.pending(usize::MAX).into_iter().map(|(_, transaction)| transaction).collect()
    }
}

fn spec(easiest: CompactTarget) -> ChainSpec {
    let spec = ChainSpec::builder("routes").easiest_target(easiest).retarget(Retarget::Fixed);
    spec.max_block_bytes(MAX_BLOCK_BYTES).build().unwrap()
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or("none")
    }

    fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or("none")
    }
}

fn ask_with(config: RoutesConfig, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    Fixture::new().ask_with(config, method, url, headers, body)
}

fn ask(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    Fixture::new().ask(method, url, headers, body)
}

fn heights(answer: &Answer) -> Vec<u64> {
    answer.body.as_array().unwrap().iter().map(|block| block["height"].as_u64().unwrap()).collect()
}

#[rstest]
#[case("", 0..7, None)]
#[case("?", 0..7, None)]
#[case("?limit=3", 0..3, Some("<?from=3&limit=3>; rel=\"next\""))]
#[case("?limit=3&from=3", 3..6, Some("<?from=6&limit=3>; rel=\"next\""))]
#[case("?from=6&limit=3", 6..7, None)]
#[case("?from=4&limit=3", 4..7, None)]
#[case("?from=7", 7..7, None)]
#[case("?from=18446744073709551615&limit=18446744073709551615", 7..7, None)]
fn pages_of_blocks(#[case] query: &str, #[case] expected: core::ops::Range<u64>, #[case] next: Option<&str>) {
    let answer = ask("GET", &format!("/blocks{query}"), &[], "");
    assert_eq!(answer.status, 200);
    assert_eq!(heights(&answer), expected.collect::<Vec<_>>());
    assert_eq!(answer.header("x-total-count"), Some("7"));
    assert_eq!(answer.header("link"), next);
}

#[test]
fn a_page_is_bounded_by_items_and_by_bytes() {
    let by_items = RoutesConfig::default().with_max_page_items(2);
    let answer = ask_with(by_items, "GET", "/blocks?limit=1000", &[], b"");
    assert_eq!(heights(&answer), [0, 1]);
    assert_eq!(answer.header("link"), Some("<?from=2&limit=2>; rel=\"next\""));

    let by_bytes = RoutesConfig::default().with_max_page_bytes(100);
    let answer = ask_with(by_bytes, "GET", "/blocks?from=1&limit=5", &[], b"");
    assert_eq!(heights(&answer), [1]);
    assert_eq!(answer.header("link"), Some("<?from=2&limit=5>; rel=\"next\""));
}

#[test]
fn a_block_is_found_by_its_height_and_by_its_hash() {
    let fixture = Fixture::new();
    let block = fixture.node.block_at(3).unwrap().unwrap();
    let answer = fixture.ask("GET", "/blocks/3", &[], "");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let expected = BlockView::new(&block, fixture.node.chain().spec().easiest_target());
    assert_eq!(answer.body, serde_json::to_value(expected).unwrap());
    assert_eq!((&answer.body["height"], &answer.body["data"]), (&json!(3), &json!(["block 3"])));
    for path in [format!("/blocks/{}", block.hash()), "/blocks/%33".to_owned()] {
        assert_eq!(fixture.ask("GET", &path, &[], "").body, answer.body, "{path}");
    }
}

#[rstest]
#[case("", &["first", "second", "third"])]
#[case("{}", &["first", "second", "third"])]
#[case(r#"{"data": "hello"}"#, &["hello"])]
#[case(r#"{"data": ["a", "b"]}"#, &["a", "b"])]
#[case(r#"{"data": []}"#, &[])]
fn mining(#[case] body: &str, #[case] data: &[&str]) {
    let answer = ask("POST", "/mine", &[("content-type", "Application/JSON; charset=utf-8")], body);
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!((&answer.body["height"], &answer.body["data"]), (&json!(7), &json!(data)));
    let location = format!("blocks/{}", answer.body["hash"].as_str().unwrap());
    assert_eq!(answer.header("location"), Some(location.as_str()));
}

#[test]
fn mining_the_pending_needs_no_content_type() {
    assert_eq!(ask("POST", "/mine", &[], "").status, 201);
}

#[test]
fn transactions_are_listed_and_taken() {
    let fixture = Fixture::new();
    let answer = fixture.ask("GET", "/transactions?limit=2", &[], "");
    assert_eq!(answer.status, 200);
    let id = |name: &str| transaction_id(&text(name)).unwrap().to_string();
    assert_eq!(
        answer.body,
        json!([{"id": id("first"), "data": "first"}, {"id": id("second"), "data": "second"}])
    );

    let answer = fixture.ask("POST", "/transactions", &[JSON], r#"{"data": "new"}"#);
    assert_eq!((answer.status, &answer.body), (202, &json!({"id": id("new")})));
    assert_eq!(fixture.pending().last(), Some(&text("new")));
}

#[test]
fn peers_are_listed_and_dialled() {
    let fixture = Fixture::new();
    let answer = fixture.ask("GET", "/peers", &[], "");
    assert_eq!((answer.status, answer.body), (200, json!([])));
    let peer = fixture.runtime.block_on(async {
        let builder = Node::<Text>::builder(fixture.node.chain().spec().clone());
        let builder = builder.transport(fixture.network.clone()).listen("memory://b".parse().unwrap());
        builder.start().await.unwrap()
    });

    let answer = fixture.ask("POST", "/peers", &[JSON], r#"{"address": "memory://b"}"#);
    assert_eq!((answer.status, &answer.body), (202, &json!({"address": "memory://b"})));
    fixture.runtime.block_on(fixture.node.wait_for_peers(1)).unwrap();
    let answer = fixture.ask("GET", "/peers", &[], "");
    assert_eq!((answer.status, &answer.body[0]["address"]), (200, &json!("memory://b")));

    let id = fixture.node.peers()[0].id;
    let answer = fixture.ask("DELETE", &format!("/peers/{}", id.0), &[], "");
    assert_eq!((answer.status, answer.body), (204, Value::Null));
    assert_eq!(fixture.node.peers(), []);
    drop(peer);
}

#[test]
fn addresses_and_the_status_are_those_of_the_node() {
    let fixture = Fixture::new();
    for method in ["GET", "HEAD"] {
        for url in ["/addresses", "/status", "/status?refresh=1"] {
            let answer = fixture.ask(method, url, &[("Host", "localhost:3001")], "");
            let expected = match url {
                "/addresses" => serde_json::to_value(fixture.node.addresses()),
                _ => serde_json::to_value(fixture.node.status()),
            };
            assert_eq!((answer.status, answer.body), (200, expected.unwrap()));
        }
    }
}

#[rstest]
#[case("GET", "/nowhere", "", 404, "not_found", "/blocks/{height or hash}")]
#[case("GET", "/blocks/1/data", "", 404, "not_found", "/status")]
#[case("POST", "/mine/1", "", 404, "not_found", "/mine")]
#[case("GET", "/blocks/7", "", 404, "block_not_found", "no block 7")]
#[case(
    "GET",
    "/blocks/0000000000000000000000000000000000000000000000000000000000000000",
    "",
    404,
    "block_not_found",
    "no block 00"
)]
#[case("GET", "/blocks/x/", "", 400, "bad_block_id", "64 hex digits")]
#[case("GET", "/blocks/-1", "", 400, "bad_block_id", "\"-1\"")]
#[case("GET", "/blocks/+1", "", 400, "bad_block_id", "\"+1\"")]
#[case("GET", "/blocks/abc", "", 400, "bad_block_id", "\"abc\"")]
#[case("GET", "/blocks/18446744073709551616", "", 400, "bad_block_id", "18446744073709551616")]
#[case(
    "GET",
    "/blocks/g000000000000000000000000000000000000000000000000000000000000000",
    "",
    400,
    "bad_block_id",
    "hex"
)]
#[case("POST", "/mine", " \n", 400, "bad_json", "expected a JSON object")]
#[case("GET", "/blocks?limit=0", "", 400, "bad_query", "`limit` is 0")]
#[case("GET", "/blocks?limit=ten", "", 400, "bad_query", "`limit` is \"ten\"")]
#[case("GET", "/blocks?from=", "", 400, "bad_query", "`from` is \"\"")]
#[case("GET", "/blocks?from=-1", "", 400, "bad_query", "`from` is \"-1\"")]
#[case("GET", "/blocks?form=1", "", 400, "bad_query", "\"form\", expected from or limit")]
#[case("GET", "/blocks?from=1&from=2", "", 400, "bad_query", "`from` stands twice")]
#[case("GET", "/transactions?from=1", "", 400, "bad_query", "expected limit")]
#[case("POST", "/mine", "{", 400, "bad_json", "line 1 column 1")]
#[case("POST", "/mine", "[]", 400, "bad_json", "expected a JSON object")]
#[case("POST", "/mine", " ", 400, "bad_json", "expected a JSON object")]
#[case("POST", "/mine", "\u{c}", 400, "bad_json", "expected a JSON object")]
#[case("POST", "/peers", "[\"ws://b:2\"]", 400, "bad_json", "expected a JSON object")]
#[case("POST", "/mine", "{\"data\": 5}", 400, "bad_json", "in `data`: invalid type: integer `5`")]
#[case("POST", "/mine", "{\"data\": null}", 400, "bad_json", "in `data`: invalid type: null")]
#[case("POST", "/mine", "{\"data\": [\"a\", 5]}", 400, "bad_json", "in `data[1]`: invalid type: integer `5`")]
#[case("POST", "/mine", "{\"data\": \"a\"} x", 400, "bad_json", "trailing characters at line 1")]
#[case("POST", "/mine", "{\"dada\": \"a\"}", 400, "bad_json", "unknown field `dada`")]
#[case("POST", "/mine", "{\"data\": 1, \"data\": 2}", 400, "bad_json", "duplicate field `data`")]
#[case("POST", "/mine", "{\"data\": \"bad\"}", 422, "transaction_rejected", "no-bad")]
#[case("POST", "/mine", "{\"data\": \"large\"}", 422, "block_too_large", "bytes")]
#[case("POST", "/transactions", "", 400, "bad_json", "expected a JSON object")]
#[case("POST", "/transactions", "{}", 400, "bad_json", "missing field `data`")]
#[case("POST", "/transactions", "{\"data\": [\"a\"]}", 400, "bad_json", "in `data`: invalid type: sequence")]
#[case("POST", "/transactions", "{\"data\": \"bad\"}", 422, "transaction_rejected", "no-bad")]
#[case("POST", "/transactions", "{\"data\": \"odd\"}", 422, "transaction_not_encodable", "bytes")]
#[case("POST", "/transactions", "{\"data\": \"large\"}", 422, "transaction_too_large", "expected at most")]
#[case("POST", "/transactions", "{\"data\": \"first\"}", 409, "already_pending", "is pending already")]
#[case("POST", "/peers", "{}", 400, "bad_json", "missing field `address`")]
#[case("POST", "/peers", "{\"address\": \"\"}", 400, "bad_address", "empty")]
#[case("POST", "/peers", "{\"address\": \"ws://b:1\"}", 400, "bad_address", "memory://")]
fn errors(
    #[case] method: &str,
    #[case] url: &str,
    #[case] body: &str,
    #[case] status: u16,
    #[case] code: &str,
    #[case] message: &str,
) {
    Fixture::new().assert_error([method, url, body], status, code, message);
}

#[rstest]
#[case("POST", "/blocks", "GET, HEAD")]
#[case("DELETE", "/blocks/1", "GET, HEAD")]
#[case("GET", "/mine", "POST")]
#[case("OPTIONS", "/mine", "POST")]
#[case("PUT", "/transactions", "GET, HEAD, POST")]
#[case("PATCH", "/peers", "GET, HEAD, POST")]
#[case("POST", "/addresses", "GET, HEAD")]
#[case("get", "/status", "GET, HEAD")]
fn methods(#[case] method: &str, #[case] url: &str, #[case] allow: &str) {
    let answer = ask(method, url, &[], "");
    assert_eq!((answer.status, answer.code()), (405, "method_not_allowed"));
    assert_eq!(answer.header("allow"), Some(allow));
}

/// Requests that a web page can send without a preflight request, and legitimate ones that look similar.
#[rstest]
#[case(&[("content-type", "text/plain")], "{\"data\": \"a\"}", 415, "unsupported_media_type")]
#[case(&[("content-type", "application/x-www-form-urlencoded")], "", 415, "unsupported_media_type")]
#[case(&[("content-type", "application/jsonp")], "{}", 415, "unsupported_media_type")]
#[case(&[], "{\"data\": \"a\"}", 415, "unsupported_media_type")]
#[case(&[("origin", "http://evil.example"), ("host", "localhost:3001")], "", 403, "cross_origin")]
#[case(&[("origin", "http://localhost:8000"), ("host", "localhost:3001")], "", 403, "cross_origin")]
#[case(&[("origin", "null"), ("host", "localhost:3001")], "", 403, "cross_origin")]
#[case(&[("origin", "http://evil.example"), ("host", "evil.example")], "", 403, "host_not_allowed")]
#[case(&[("host", "localhost"), ("host", "evil.example")], "", 403, "host_not_allowed")]
#[case(&[("origin", "http://localhost:3001"), ("host", "localhost:3001")], "", 201, "none")]
#[case(&[("host", "node.example:80")], "", 201, "none")]
fn web_pages(#[case] headers: &[(&str, &str)], #[case] body: &str, #[case] status: u16, #[case] code: &str) {
    let config = RoutesConfig::default().with_allowed_hosts(["node.example"]);
    let fixture = Fixture::new();
    let answer = fixture.ask_with(config, "POST", "/mine", headers, body.as_bytes());
    assert_eq!((answer.status, answer.code()), (status, code), "{answer:?}");
    assert_eq!(fixture.node.chain().height(), 6 + u64::from(status == 201));
}

#[test]
fn a_body_is_bounded() {
    let config = RoutesConfig::default().with_max_body_bytes(20);
    let fits = ask_with(config.clone(), "POST", "/mine", &[JSON], br#"{"data": "12345678"}"#);
    assert_eq!(fits.status, 201);
    let beyond = ask_with(config, "POST", "/mine", &[JSON], br#"{"data": "123456789"}"#);
    assert_eq!((beyond.status, beyond.code()), (413, "body_too_large"));
}

#[rstest]
#[case("{\"data\": ", "[")]
#[case("", "[")]
#[case("{\"data\": ", "{\"a\":")]
fn deep_nesting_is_refused(#[case] before: &str, #[case] level: &str) {
    let body = format!("{before}{}", level.repeat(200_000));
    let answer = ask("POST", "/mine", &[JSON], &body[..body.len().min(1 << 20)]);
    assert_eq!((answer.status, answer.code()), (400, "bad_json"), "{}", answer.message());
    let closed = format!("{{\"data\": {}{}}}", "[".repeat(200_000), "]".repeat(200_000));
    let answer = ask("POST", "/mine", &[JSON], &closed);
    assert_eq!((answer.status, answer.code()), (400, "bad_json"), "{}", answer.message());
}

mod bans;
mod caching;
mod failures;
mod in_memory;
mod places;
mod transactions;

mod arrays {
    //! A transaction type that is itself an array in JSON.

    use super::*;
    use crate::http::body::Body;

    fn parse(body: &str) -> Result<Option<Vec<Vec<u8>>>, ApiError> {
        let request = Request::builder().header(JSON.0, JSON.1).body(()).unwrap();
        let body = Bytes::copy_from_slice(body.as_bytes());
        Body::new(request.headers(), body, 1000).unwrap().into_transactions()
    }

    #[rstest]
    #[case(r#"{"data": [[1, 2], [3]]}"#, vec![vec![1, 2], vec![3]])]
    #[case(r#"{"data": [1, 2]}"#, vec![vec![1, 2]])]
    #[case(r#"{"data": []}"#, vec![])]
    #[case(r#"{"data": [[]]}"#, vec![vec![]])]
    fn list_first(#[case] body: &str, #[case] expected: Vec<Vec<u8>>) {
        assert_eq!(parse(body).unwrap(), Some(expected));
    }

    #[test]
    fn error_is_about_the_list() {
        let error = parse(r#"{"data": [[1], "x"]}"#).unwrap_err();
        assert!(error.message.starts_with("in `data[1]`: invalid type: string"), "{}", error.message);
    }
}
