//! The log of a node over HTTP: what a client of a transparency log asks for, and a node that may not sign.

use core::time::Duration;

use hashloom::evidence::{
    AddCheckpoint, Checkpoint, Cosigner, LogSigner, NoteSigner, Policy, Receipt, SignedNote, Tile, Witness,
};
use hashloom::http::{RoutesConfig, routes};
use hashloom::primitives::merkle::ConsistencyProof;
use hashloom::primitives::{Target, transaction_id};
use hashloom::transport::Memory;
use hashloom::{ChainConfig, ChainSpec, Node, NodeBuilder, NodeHandle, ProtocolConfig, Retarget};
use rouille::Request;
use serde_json::{Value, json};

use crate::disk::Disk;
use crate::log::Log;

/// Far more time than a synchronisation takes. Ends a test that would hang.
const PATIENCE: Duration = Duration::from_secs(60);

fn spec() -> ChainSpec {
    let builder =
        ChainSpec::builder("served").easiest_target(Target::MAX.to_compact()).retarget(Retarget::Fixed);
    builder.build().unwrap()
}

fn key() -> NoteSigner {
    NoteSigner::from_seed("log.example/served", &[7; 32]).unwrap()
}

fn signing() -> NodeBuilder {
    Node::builder(spec()).store(Disk::default()).signer(LogSigner::new(key()))
}

async fn mine(node: &NodeHandle, count: u64, text: &str) {
    for number in 0..count {
        node.mine(vec![format!("{text} {number}")]).await.unwrap();
    }
}

/// A response: its status, its headers, and its body.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn code(&self) -> (u16, Value) {
        (self.status, self.json()["error"]["code"].clone())
    }
}

/// Asks a node for a path.
async fn get(node: &NodeHandle, path: &str, tag: Option<&str>) -> Answer {
    let headers = tag.map(|tag| ("If-None-Match".to_owned(), tag.to_owned()));
    ask(node, "GET", path, headers.into_iter().collect(), Vec::new()).await
}

/// Sends a request to a witness.
async fn add_checkpoint(node: &NodeHandle, body: impl Into<Vec<u8>>) -> Answer {
    ask(node, "POST", "/witness/add-checkpoint", Vec::new(), body.into()).await
}

/// Sends a request, on a thread, because the handler blocks.
async fn ask(
    node: &NodeHandle,
    method: &'static str,
    path: &str,
    mut headers: Vec<(String, String)>,
    body: Vec<u8>,
) -> Answer {
    let (node, path) = (node.clone(), path.to_owned());
    headers.push(("Host".to_owned(), "localhost".to_owned()));
    let answer = tokio::task::spawn_blocking(move || {
        let request = Request::fake_http(method, path, headers, body);
        let response = routes(node, RoutesConfig::default())(&request);
        let headers = response.headers.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        let (status, headers) = (response.status_code, headers.collect());
        let mut body = Vec::new();
        std::io::Read::read_to_end(&mut response.data.into_reader_and_size().0, &mut body).unwrap();
        Answer { status, headers, body }
    });
    answer.await.unwrap()
}

#[tokio::test]
async fn a_client_gets_the_checkpoint_its_tiles_and_a_proof() {
    let node = signing().start().await.unwrap();
    mine(&node, 5, "a").await;
    assert_eq!(get(&node, "/log/checkpoint", None).await.code(), (404, json!("checkpoint_not_found")));
    assert_eq!(get(&node, "/log/tile/0/000.p/1", None).await.code(), (404, json!("tile_not_found")));

    mine(&node, 4, "b").await;
    let answer = get(&node, "/log/checkpoint", None).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let signed = SignedNote::parse(&answer.body).unwrap();
    let checkpoint: Checkpoint = signed.verify([&key().verifier()]).unwrap().text.parse().unwrap();
    assert_eq!(checkpoint, Checkpoint::of_chain(&node.chain(), 4, "log.example/served").unwrap());

    for path in ["tile/0/000.p/4", "tile/0/000.p/1", "tile/entries/000.p/4"] {
        let answer = get(&node, &format!("/log/{path}"), None).await;
        let bytes = path.parse::<Tile>().unwrap().bytes(&node.chain(), 4).unwrap();
        assert_eq!((answer.status, &answer.body), (200, &bytes), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
        assert_eq!(answer.header("cache-control"), Some("max-age=31536000, immutable"));
        let again = get(&node, &format!("/log/{path}"), answer.header("etag")).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
    }
    let [encoded, plain] = ["0%2F000.p%2f4", "0/000.p/4"].map(|path| format!("/log/tile/{path}"));
    assert_eq!(get(&node, &encoded, None).await.body, get(&node, &plain, None).await.body);
    let answer = get(&node, "/log/consistency?old=2&new=4", None).await;
    let older = Checkpoint::of_chain(&node.chain(), 2, "log.example/served").unwrap();
    let (roots, mut proof) = (json!([older.root(), checkpoint.root()]), answer.json());
    let fields = proof.as_object_mut().unwrap();
    assert_eq!(json!([fields.remove("old_root"), fields.remove("new_root")]), roots);
    let proof: ConsistencyProof = serde_json::from_value(proof).unwrap();
    assert_eq!(proof.verify(&older.root(), &checkpoint.root()), Ok(()));
}

#[tokio::test]
async fn what_is_not_in_the_log_is_an_error_with_its_code() {
    let node = signing().start().await.unwrap();
    mine(&node, 9, "a").await;
    node.sign_checkpoint().await.unwrap();
    for path in ["0/000.p/5", "0/000", "1/000.p/1", "0/0", "0/000.p/0", "64/000.p/1", "entries/001.p/1", ""] {
        let answer = get(&node, &format!("/log/tile/{path}"), None).await;
        assert_eq!(answer.code(), (404, json!("tile_not_found")), "{path}");
    }
    // A condition that any representation meets does not make one.
    let answer = get(&node, "/log/tile/0/000.p/5", Some("*")).await;
    assert_eq!(answer.code(), (404, json!("tile_not_found")));
    for query in
        ["", "?old=1", "?new=1", "?old=4&new=2", "?old=1&new=99", "?old=-1&new=2", "?old=1&new=2&x=3"]
    {
        let answer = get(&node, &format!("/log/consistency{query}"), None).await;
        assert_eq!(answer.code(), (400, json!("bad_query")), "{query}");
    }
    let unsigned = Node::<String>::builder(spec()).start().await.unwrap();
    mine(&unsigned, 9, "a").await;
    assert_eq!(get(&unsigned, "/log/checkpoint", None).await.code(), (404, json!("checkpoint_not_found")));
    assert_eq!(get(&unsigned, "/status", None).await.json()["signing"], json!(null));
    let in_memory = Node::<String>::builder(spec()).signer(LogSigner::new(key())).start().await;
    assert_eq!(
        in_memory.unwrap_err().to_string(),
        "a chain in memory forgets what was signed; signing needs a store on disk"
    );
}

/// The node follows the chain with the most work, and says that it may not sign it.
#[tokio::test]
async fn a_node_whose_signed_block_was_replaced_says_so() {
    let network = Memory::new();
    let other = Node::builder(spec()).transport(network.clone()).listen("memory://other".parse().unwrap());
    let other = other.start().await.unwrap();
    mine(&other, 12, "b").await;
    let node = signing().transport(network).start().await.unwrap();
    mine(&node, 9, "a").await;
    node.sign_checkpoint().await.unwrap();
    let expected = json!({ "origin": "log.example/served", "size": 4, "stopped": null });
    assert_eq!(get(&node, "/status", None).await.json()["signing"], expected);

    node.connect("memory://other".parse().unwrap()).await.unwrap();
    node.wait_for_timeout(|chain| chain.height() == 12, PATIENCE).await.unwrap();
    assert_eq!(node.tip().hash(), other.tip().hash());
    let answer = get(&node, "/log/checkpoint", None).await;
    assert_eq!(answer.code(), (503, json!("signing_stopped")));
    assert_eq!(answer.header("retry-after"), Some("5"));
    let status = get(&node, "/status", None).await.json();
    assert_eq!(status["signing"]["size"], 4);
    assert_eq!(status["signing"]["stopped"], answer.json()["error"]["message"]);
    let stopped = status["signing"]["stopped"].as_str().unwrap();
    assert!(stopped.starts_with("the chain contradicts the last signed checkpoint: "), "{stopped}");
}

/// The rules of a witness have the statuses of the specification.
#[tokio::test]
async fn a_witness_answers_as_the_specification_has_it() {
    let log = Log::of(40);
    let cosigner = || Cosigner::from_seed("witness.example", &[9; 32]).unwrap();
    let witness = Witness::new(cosigner()).with_log(log.key.verifier());
    let node = Node::builder(spec()).store(Disk::default()).witness(witness).start().await.unwrap();
    let path = |old, new| if old == 0 { Vec::new() } else { log.path(old, new) };
    let request = |old, new| AddCheckpoint::new(old, path(old, new), log.checkpoint(new)).unwrap();

    let answer = add_checkpoint(&node, request(0, 20).to_string()).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    // As a client does that appends the lines to its checkpoint.
    let appended = log.checkpoint(20).to_string() + str::from_utf8(&answer.body).unwrap();
    let policy = Policy::new(log.key.verifier()).with_witnesses([cosigner().verifier()], 1).unwrap();
    assert!(policy.check(&appended.parse().unwrap()).is_ok(), "{appended}");

    let answer = add_checkpoint(&node, request(10, 30).to_string()).await;
    assert_eq!((answer.status, answer.header("content-type")), (409, Some("text/x.tlog.size")));
    assert_eq!(answer.body, b"20\n");

    let of = |old_size, path: Vec<_>, note| AddCheckpoint::new(old_size, path, note).unwrap().to_string();
    let foreign = NoteSigner::from_seed("log.example/foreign", &[7; 32]).unwrap();
    let stranger = NoteSigner::from_seed("log.example/orders", &[6; 32]).unwrap();
    let signed = |key: &NoteSigner| {
        let checkpoint = Checkpoint::of_chain(&log.chain, 30, key.name()).unwrap();
        SignedNote::sign(checkpoint.to_string(), key).unwrap()
    };
    let mut other = Log::of(10);
    other.extend(30, "another");
    for (body, status, code) in [
        ("no request".to_owned(), 400, "bad_checkpoint"),
        (of(31, Vec::new(), log.checkpoint(30)), 400, "bad_checkpoint"),
        (of(20, Vec::new(), signed(&stranger)), 403, "checkpoint_not_signed"),
        (of(20, Vec::new(), signed(&foreign)), 404, "log_not_witnessed"),
        (of(20, Vec::new(), other.checkpoint(20)), 409, "checkpoint_conflict"),
        (of(20, Vec::new(), log.checkpoint(30)), 422, "checkpoint_inconsistent"),
    ] {
        assert_eq!(add_checkpoint(&node, body).await.code(), (status, json!(code)));
    }
    assert_eq!(add_checkpoint(&node, [b'o', 0xff]).await.code(), (400, json!("bad_checkpoint")));
    assert_eq!(add_checkpoint(&node, vec![b'a'; (1 << 20) + 1]).await.code(), (413, json!("body_too_large")));
    assert_eq!(add_checkpoint(&node, request(20, 40).to_string()).await.status, 200);

    let unasked = Node::<String>::builder(spec()).start().await.unwrap();
    let answer = add_checkpoint(&unasked, request(0, 20).to_string()).await;
    assert_eq!(answer.code(), (404, json!("log_not_witnessed")));
}

#[tokio::test]
async fn a_receipt_is_served_by_the_id_of_the_transaction() {
    let config = ProtocolConfig::default().with_chain(ChainConfig::default().with_index_transactions(true));
    let node = signing().protocol(config).start().await.unwrap();
    mine(&node, 9, "a").await;
    let path = |text: &str| format!("/receipts/{}", transaction_id(&text.to_owned()).unwrap());
    // Blocks 0 to 3 lie under six others.
    let answer = get(&node, &path("a 2"), None).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let receipt: Receipt = serde_json::from_slice(&answer.body).unwrap();
    let policy = Policy::new(key().verifier()).with_easiest_target(spec().easiest_target()).unwrap();
    let proven = receipt.verify(&policy).unwrap();
    assert_eq!((proven.header.height, proven.decode::<String>().unwrap()), (3, "a 2".to_owned()));

    let plain = vec![("Accept".to_owned(), "text/plain".to_owned())];
    let answer = ask(&node, "GET", &path("a 2"), plain, Vec::new()).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    assert_eq!(answer.body, receipt.to_string().into_bytes());

    for (record, height, missing) in [("a 3", 4, 1), ("a 8", 9, 6)] {
        let answer = get(&node, &path(record), None).await;
        assert_eq!(answer.code(), (404, json!("not_yet_signed")));
        let message = format!(
            "the transaction is in block {height}, and the last signed checkpoint has 4 blocks: ask again when the chain has \
             {missing} more"
        );
        assert_eq!(answer.json()["error"]["message"], message);
    }
    mine(&node, 1, "b").await;
    assert_eq!(get(&node, &path("a 3"), None).await.status, 200);
    assert_eq!(get(&node, &path("c"), None).await.code(), (404, json!("transaction_not_found")));
    assert_eq!(get(&node, "/receipts/7", None).await.code(), (400, json!("bad_transaction_id")));
}

#[tokio::test]
async fn a_receipt_needs_a_signer_and_an_index() {
    let path = format!("/receipts/{}", transaction_id(&"a 0".to_owned()).unwrap());
    let node = signing().start().await.unwrap();
    mine(&node, 9, "a").await;
    let answer = get(&node, &path, None).await;
    assert_eq!(answer.code(), (404, json!("transaction_not_found")));
    assert!(answer.json()["error"]["message"].as_str().unwrap().starts_with("this node keeps no index "));

    let config = ProtocolConfig::default().with_chain(ChainConfig::default().with_index_transactions(true));
    let node = Node::<String>::builder(spec()).protocol(config).start().await.unwrap();
    mine(&node, 9, "a").await;
    assert_eq!(get(&node, &path, None).await.code(), (404, json!("checkpoint_not_found")));
}
