//! Asking logs and witnesses over HTTP: what a client accepts, and nodes that witness each other.

use core::time::Duration;
use std::future::Future;

use hashloom::api::ErrorCode;
use hashloom::client::{Client, ClientError, Cosigned, LogError};
use hashloom::evidence::{
    AddCheckpoint, Checkpoint, Cosigner, LogSigner, NoteSigner, NoteVerifier, Policy, SignedNote, Tile,
    TileTree, TileTreeError, Witness,
};
use hashloom::http::{HttpConfig, HttpServer, RoutesConfig, serve_node};
use hashloom::primitives::{Target, transaction_id};
use hashloom::{
    ChainConfig, ChainSpec, Node, NodeBuilder, NodeHandle, ProtocolConfig, Retarget, StartError, Timestamp,
};
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::disk::Disk;

/// Far more time than any step takes. Ends a test that would hang.
const PATIENCE: Duration = Duration::from_secs(30);

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

fn spec(name: &str) -> ChainSpec {
    let builder = ChainSpec::builder(name).easiest_target(Target::MAX.to_compact());
    builder.retarget(Retarget::Fixed).build().unwrap()
}

fn log_key(name: &str) -> NoteSigner {
    NoteSigner::from_seed(&format!("log.example/{name}"), &[name.as_bytes()[0]; 32]).unwrap()
}

fn witness_key(name: &str) -> Cosigner {
    Cosigner::from_seed(&format!("witness.example/{name}"), &[name.as_bytes()[0] ^ 0xff; 32]).unwrap()
}

fn signing(name: &str) -> NodeBuilder {
    let chain = ChainConfig::default().with_index_transactions(true);
    Node::builder(spec(name))
        .store(Disk::default())
        .protocol(ProtocolConfig::default().with_chain(chain))
        .signer(LogSigner::new(log_key(name)))
        .witness_interval(Duration::from_millis(1))
}

async fn mine(node: &NodeHandle, count: u64) {
    for number in 0..count {
        node.mine(vec![format!("record {number}")]).await.unwrap();
    }
}

fn serve(listener: TcpListener, node: &NodeHandle) -> HttpServer {
    serve_node(listener, node.clone(), RoutesConfig::default(), HttpConfig::default()).unwrap()
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// A server that answers every request with these bytes, and closes the connection.
async fn canned(answer: impl Into<Vec<u8>>) -> String {
    let (listener, url) = listen().await;
    let answer = answer.into();
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let answer = answer.clone();
            tokio::spawn(async move {
                let _ = tcp.read(&mut [0; 4_096]).await;
                let _ = tcp.write_all(&answer).await;
                let _ = tcp.shutdown().await;
            });
        }
    });
    url
}

/// Waits until the checkpoint of a node has this many signatures.
async fn cosigned(node: &NodeHandle, signatures: usize) -> SignedNote {
    within(async {
        loop {
            if let Ok(note) = node.checkpoint().await
                && note.signatures().len() == signatures
            {
                return note;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_witness_each_other() {
    const NAMES: [&str; 3] = ["anna", "berta", "carla"];
    let mut places = Vec::new();
    for _ in NAMES {
        places.push(listen().await);
    }
    let urls: Vec<String> = places.iter().map(|(_, url)| url.clone()).collect();
    let mut nodes = Vec::new();
    for ((listener, _), name) in places.into_iter().zip(NAMES) {
        let mut witness = Witness::new(witness_key(name));
        let mut builder = signing(name);
        for (other, url) in NAMES.into_iter().zip(&urls).filter(|(other, _)| *other != name) {
            witness = witness.with_log(log_key(other).verifier());
            let client = Client::new(&format!("{url}/witness")).unwrap();
            builder = builder.ask_witness(client, witness_key(other).verifier());
        }
        let node = builder.witness(witness).start().await.unwrap();
        let server = serve(listener, &node);
        nodes.push((node, server));
    }
    for size in [4, 9] {
        for ((node, _), name) in nodes.iter().zip(NAMES) {
            let height = node.chain().height();
            mine(node, size + 5 - height).await;
            let note = within(async {
                loop {
                    let note = cosigned(node, 3).await;
                    if note.text().parse::<Checkpoint>().unwrap().size() == size {
                        break note;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            })
            .await;
            let witnesses = NAMES.map(|name| witness_key(name).verifier());
            let policy = Policy::new(log_key(name).verifier()).with_witnesses(witnesses, 2).unwrap();
            let accepted = policy.check(&note).unwrap();
            assert_eq!((accepted.checkpoint.size(), accepted.witnesses.len()), (size, 2), "{name}");
        }
    }
    // What a client gets is that note, and receipts are under it.
    let client = Client::new(&format!("{}/log", urls[0])).unwrap();
    let note = client.checkpoint().await.unwrap();
    assert_eq!(note.signatures().len(), 3);
    let id = transaction_id(&"record 2".to_owned()).unwrap();
    let receipt = Client::new(&urls[0]).unwrap().receipt(&id).await.unwrap();
    assert_eq!(receipt.checkpoint(), &note);
}

/// A witness with another key, under the name of the one that is asked.
fn impostor(text: &str) -> String {
    let key = Cosigner::from_seed("witness.example/hostile", &[9; 32]).unwrap();
    key.cosign(&text.parse().unwrap(), Timestamp::from_millis(1_800_000_000_000)).to_string()
}

fn head(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[rstest]
#[case::another_key(|note: &str| head("200 OK", &format!("{}\n", impostor(note))))]
#[case::another_checkpoint(|_: &str| {
    let other = Checkpoint::new("log.example/log", 4, hashloom::Hash::ZERO).unwrap();
    let signature = witness_key("hostile").cosign(&other, Timestamp::from_millis(1_800_000_000_000));
    head("200 OK", &format!("{signature}\n"))
})]
#[case::no_signature(|_: &str| head("200 OK", ""))]
#[case::no_line(|_: &str| head("200 OK", "thank you"))]
#[case::ahead(|_: &str| head("409 Conflict", "99999\n"))]
#[case::never_content(|_: &str| head("409 Conflict", "0\n"))]
#[case::refusing(|_: &str| head("403 Forbidden", "no"))]
#[case::endless(|_: &str| format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1 << 20)))]
#[case::no_http(|_: &str| "SSH-2.0\r\n".to_owned())]
#[case::silent(|_: &str| String::new())]
#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_witness_costs_its_own_cosignature_alone(#[case] answer: fn(&str) -> String) {
    // The note that will be signed, for the answers that depend on it.
    let probe = signing("log").start().await.unwrap();
    mine(&probe, 9).await;
    let text = probe.sign_checkpoint().await.unwrap().text().to_owned();

    let hostile = Client::new(&canned(answer(&text)).await).unwrap();
    let (node, _server) = asking(hostile.with_max_body_bytes(1 << 10)).await;
    mine(&node, 9).await;
    let note = cosigned(&node, 2).await;
    let honest = witness_key("honest").verifier();
    let known: [NoteVerifier; 2] = [log_key("log").verifier(), honest];
    assert_eq!(note.verify(&known).unwrap().signatures.len(), 2);
}

/// A node that asks an honest witness and another one.
async fn asking(other: Client) -> (NodeHandle, [HttpServer; 1]) {
    let (listener, url) = listen().await;
    let witness = Witness::new(witness_key("honest")).with_log(log_key("log").verifier());
    let witnessing = Node::<String>::builder(spec("witness")).store(Disk::default()).witness(witness);
    let witnessing = witnessing.start().await.unwrap();
    let server = serve(listener, &witnessing);
    let node = signing("log")
        .ask_witness(other, witness_key("hostile").verifier())
        .ask_witness(Client::new(&format!("{url}/witness")).unwrap(), witness_key("honest").verifier())
        .start()
        .await
        .unwrap();
    (node, [server])
}

fn size(note: &SignedNote) -> u64 {
    note.text().parse::<Checkpoint>().unwrap().size()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_never_answers_delays_no_other() {
    let (listener, url) = listen().await;
    let never = Client::new(&url).unwrap().with_timeout(Duration::from_secs(3_600));
    let (node, _server) = asking(never).await;
    for expected in [4, 9] {
        let height = node.chain().height();
        mine(&node, expected + 5 - height).await;
        within(async {
            while size(&cosigned(&node, 2).await) < expected {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }
    drop(listener);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_was_wrong_about_its_size_is_asked_again() {
    let (listener, url) = listen().await;
    let (seen, mut requests) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut request = [0; 4_096];
            let read = tcp.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let old = request.lines().find_map(|line| line.strip_prefix("old ")).map(str::to_owned);
            tcp.write_all(head("409 Conflict", "99999\n").as_bytes()).await.unwrap();
            let _ = seen.send(old);
        }
    });
    let (node, _server) = asking(Client::new(&url).unwrap()).await;
    mine(&node, 9).await;
    for _ in 0..3 {
        assert_eq!(within(requests.recv()).await.unwrap().as_deref(), Some("0"));
    }
}

#[tokio::test]
async fn what_cannot_ask_witnesses_is_refused_at_the_start() {
    let client = Client::new("http://localhost").unwrap();
    let node = Node::<String>::builder(spec("log")).ask_witness(client.clone(), witness_key("w").verifier());
    assert!(matches!(node.start().await, Err(StartError::NoSigner)));
    let node = signing("log").ask_witness(client, log_key("w").verifier());
    assert!(matches!(node.start().await, Err(StartError::NoCosigner { .. })));
    let forgetful = Node::<String>::builder(spec("log")).witness(Witness::new(witness_key("w")));
    assert!(matches!(forgetful.start().await, Err(StartError::Witness(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consistency_of_a_log_is_computed_from_its_tiles() {
    let node = signing("log").start().await.unwrap();
    mine(&node, 305).await;
    let (listener, url) = listen().await;
    let _server = serve(listener, &node);
    let client = Client::new(&format!("{url}/log")).unwrap();
    let size = client.checkpoint().await.unwrap().text().parse::<Checkpoint>().unwrap().size();
    assert_eq!(size, 300);
    for (old, new) in [(0, 1), (1, 2), (1, 300), (100, 255), (255, 256), (256, 257), (257, 300), (300, 300)] {
        let consistency = client.consistency(old, new).await.unwrap();
        let chain = node.chain();
        assert_eq!(consistency.proof, chain.consistency_proof(old, new).unwrap(), "{old} to {new}");
        let root = chain.header_at(old).unwrap().unwrap().history_root;
        assert_eq!(consistency.old_root, root, "{old} to {new}");
    }
    let beyond = client.consistency(1, 999).await.unwrap_err();
    assert!(matches!(beyond, LogError::Client(ClientError::Refused(_))), "{beyond}");
    let backwards = client.consistency(9, 3).await.unwrap_err();
    assert!(matches!(backwards, LogError::Tree(TileTreeError::Proof(_))), "{backwards}");
}

#[tokio::test]
async fn a_partial_tile_is_taken_from_the_full_one() {
    let full: Vec<u8> = (0..256 * 32_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
    let (listener, url) = listen().await;
    let body = full.clone();
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut request = [0; 4_096];
            let read = tcp.read(&mut request).await.unwrap();
            let is_full = request[..read].starts_with(b"GET /tile/0/000 ");
            let (status, body) = if is_full { ("200 OK", &body[..]) } else { ("404 Not Found", &b""[..]) };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
            tcp.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
        }
    });
    let tile: Tile = "tile/0/000.p/5".parse().unwrap();
    assert_eq!(Client::new(&url).unwrap().tile(tile).await.unwrap(), full[..5 * 32]);
}

#[rstest]
#[case::too_large(head("200 OK", &"x".repeat(2_000)), "an answer of more than 1000 bytes")]
#[case::not_json(head("200 OK", "x"), "the answer is not what was asked for")]
#[case::refused(
    head("404 Not Found", r#"{"error": {"code": "block_not_found", "message": "no block 9"}}"#),
    "status 404: no block 9"
)]
#[case::other_server(head("502 Bad Gateway", "<html>\n"), "status 502: <html>")]
#[case::redirected("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".to_owned(), "status 302: ")]
#[case::no_http("hello\r\n\r\n".to_owned(), "the exchange with 127.0.0.1:")]
#[case::long_head(format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(100_000)), "the exchange with 127.0.0.1:")]
#[case::cut("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx".to_owned(), "the exchange with 127.0.0.1:")]
#[tokio::test]
async fn an_answer_that_is_not_accepted_has_its_error(#[case] answer: String, #[case] expected: &str) {
    let client = Client::new(&canned(answer).await).unwrap().with_max_body_bytes(1_000);
    let error = client.get::<serde_json::Value>("/x").await.unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}");
}

#[tokio::test]
async fn nothing_is_waited_for_longer_than_the_limit() {
    let (_listener, url) = listen().await;
    let client = Client::new(&url).unwrap().with_timeout(Duration::from_millis(50));
    let error = within(client.get::<serde_json::Value>("/x")).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    let error = client.get::<serde_json::Value>("/a b").await.unwrap_err();
    assert!(matches!(error, ClientError::Path { .. }), "{error}");
    let (listener, url) = listen().await;
    drop(listener);
    let error = Client::new(&url).unwrap().get::<serde_json::Value>("/x").await.unwrap_err();
    assert!(matches!(error, ClientError::Connect { .. }), "{error}");
}

#[tokio::test]
async fn a_witness_says_from_where_to_begin() {
    let node = signing("log").start().await.unwrap();
    mine(&node, 9).await;
    let signed = node.sign_checkpoint().await.unwrap();
    let client = Client::new(&canned(head("409 Conflict", "17\n")).await).unwrap();
    let request = AddCheckpoint::new(0, Vec::new(), signed).unwrap();
    assert_eq!(client.add_checkpoint(&request).await.unwrap(), Cosigned::Outdated { size: 17 });
}

#[rstest]
#[case("tile/entries/000.p/1", 34, "tile/entries/000.p/1 has entries, expected hashes")]
#[case("tile/0/000.p/2", 63, "tile/0/000.p/2 of 63 bytes, expected 64")]
#[case("tile/0/000.p/2", 96, "tile/0/000.p/2 of 96 bytes, expected 64")]
fn a_tile_that_is_not_of_its_form_is_refused(#[case] tile: &str, #[case] len: usize, #[case] expected: &str) {
    let error = TileTree::new(9).add(tile.parse().unwrap(), &vec![0; len]).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_of_a_node_has_its_receipts_and_its_log() {
    let node = signing("node").start().await.unwrap();
    mine(&node, 9).await;
    node.sign_checkpoint().await.unwrap();
    let (listener, url) = listen().await;
    let _server = serve(listener, &node);
    let client = Client::new(&url).unwrap().node::<String>();

    let id = transaction_id(&"record 2".to_owned()).unwrap();
    let receipt = client.receipt(&id).await.unwrap();
    let proven = receipt.verify(&Policy::new(log_key("node").verifier())).unwrap();
    assert_eq!((proven.header.height, proven.decode::<String>().unwrap()), (3, "record 2".to_owned()));

    assert_eq!(client.log().checkpoint().await.unwrap(), node.checkpoint().await.unwrap());
    let served = client.log_consistency(2, 3).await.unwrap();
    let computed = client.log().consistency(2, 3).await.unwrap();
    assert_eq!((served.path, served.old_root), (computed.proof.path, computed.old_root));
    let request = AddCheckpoint::new(0, Vec::new(), node.checkpoint().await.unwrap()).unwrap();
    match client.witness().add_checkpoint(&request).await {
        Err(ClientError::Refused(error)) => {
            assert_eq!((error.status, error.code()), (404, Some(ErrorCode::LogNotWitnessed)));
        }
        other => panic!("{other:?}"),
    }
}
