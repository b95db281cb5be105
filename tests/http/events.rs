//! `GET /events`, over sockets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hashloom::http::{HttpConfig, HttpServer, RoutesConfig, routes, serve_node};
use hashloom::transport::Memory;
use hashloom::{Block, Node, NodeHandle};
use rouille::Request;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::kit::spec;

/// A client of `GET /events`.
struct Client {
    stream: BufReader<TcpStream>,
    last_id: String,
}

impl Client {
    /// Sends the request, and reads the head of the answer.
    async fn open(server: SocketAddr, last_id: &str) -> (Self, String) {
        let mut stream = BufReader::new(TcpStream::connect(server).await.unwrap());
        let resume = if last_id.is_empty() { String::new() } else { format!("Last-Event-ID: {last_id}\r\n") };
        let request = format!("GET /events HTTP/1.1\r\nHost: localhost\r\n{resume}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(within(stream.read_line(&mut head)).await.unwrap() > 0, "{head}");
        }
        (Self { stream, last_id: last_id.to_owned() }, head)
    }

    async fn connect(server: SocketAddr, last_id: &str) -> Self {
        let (client, head) = Self::open(server, last_id).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.to_ascii_lowercase().contains("content-type: text/event-stream\r\n"), "{head}");
        client
    }

    /// The next event; `None` at the end of the answer. Lines of the chunked encoding (RFC 9112, section 7.1) are told from
    /// those of events by how they begin.
    async fn next(&mut self) -> Option<Value> {
        loop {
            let mut line = String::new();
            if within(self.stream.read_line(&mut line)).await.unwrap() == 0 || line == "0\r\n" {
                return None;
            }
            if let Some(id) = line.strip_prefix("id: ") {
                id.trim_end().clone_into(&mut self.last_id);
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(data).unwrap());
            }
        }
    }

    /// The events up to the one that connects the block.
    async fn until(&mut self, tip: &Block) -> Vec<Value> {
        let hash = tip.hash().to_string();
        let mut events = Vec::new();
        loop {
            let event = self.next().await.unwrap();
            let is_last = event["type"] == "block_connected" && event["hash"] == hash;
            events.push(event);
            if is_last {
                return events;
            }
        }
    }
}

async fn within<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(60), future).await.expect("within a minute")
}

async fn serve(node: &NodeHandle, config: RoutesConfig, clients: usize) -> HttpServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server =
        HttpConfig::default().with_max_connections(clients).with_max_connections_per_address(clients);
    serve_node(listener, node.clone(), config, server).unwrap()
}

/// Replays blocks that were connected and disconnected, and returns the heights and hashes that are left.
fn replay(events: &[Value]) -> BTreeMap<u64, String> {
    let mut chain = BTreeMap::new();
    for event in events {
        let (height, hash) = (event["height"].as_u64(), event["hash"].as_str());
        match event["type"].as_str().unwrap() {
            "block_connected" => {
                let (height, hash) = (height.unwrap(), hash.unwrap().to_owned());
                if let Some(parent) = chain.get(&(height - 1)) {
                    assert_eq!(event["previous_hash"], *parent);
                }
                assert_eq!(chain.insert(height, hash), None, "{event}");
            }
            "block_disconnected" => {
                let (highest, removed) = chain.pop_last().unwrap();
                assert_eq!((Some(highest), Some(&*removed)), (height, hash), "{event}");
            }
            _ => {}
        }
    }
    chain
}

async fn mine(node: &NodeHandle, count: usize, text: &str) -> Arc<Block> {
    for _ in 0..count {
        within(node.mine(vec![text.to_owned()])).await.unwrap();
    }
    node.tip()
}

#[tokio::test]
async fn events_are_complete_and_in_order_over_reorganisations() {
    let network = Memory::new();
    let start = |name: &'static str| {
        let builder = Node::<String>::builder(spec("events")).transport(network.clone());
        builder.listen(format!("memory://{name}").parse().unwrap()).start()
    };
    let (watched, other) = (start("watched").await.unwrap(), start("other").await.unwrap());
    let address = other.listen_addr().unwrap().clone();
    let server = serve(&watched, RoutesConfig::default(), 16).await;
    let mut whole = Client::connect(server.local_addr(), "").await;
    let opened = whole.next().await.unwrap();
    assert_eq!(opened["type"], "open");
    assert_eq!(
        (&opened["height"], opened["tip"].as_str()),
        (&0.into(), Some(&*watched.tip().hash().to_string()))
    );
    let mut parts = Client::connect(server.local_addr(), &whole.last_id).await;

    let (mut all, mut in_parts) = (Vec::new(), Vec::new());
    for round in 0..25 {
        mine(&watched, 12, &format!("lost {round}")).await;
        mine(&other, 30, &format!("won {round}")).await;
        watched.connect(address.clone()).await.unwrap();
        let tip = other.tip();
        within(watched.wait_for(|chain| **chain.tip() == *tip)).await.unwrap();
        let peer = watched.peers()[0].id;
        assert!(watched.remove(peer).await.unwrap());
        within(other.wait_for(|_| other.peers().is_empty())).await.unwrap();
        all.extend(whole.until(&tip).await);
        // Reads some of the events, loses the connection, and comes back for the rest.
        for _ in 0..round {
            in_parts.push(parts.next().await.unwrap());
        }
        parts = Client::connect(server.local_addr(), &parts.last_id).await;
        in_parts.extend(parts.until(&tip).await);
    }
    let chain: Vec<_> =
        watched.blocks(1..).unwrap().iter().map(|block| (block.height(), block.hash().to_string())).collect();
    assert!(chain.len() > 700);
    assert_eq!(replay(&all).into_iter().collect::<Vec<_>>(), chain);
    assert_eq!(in_parts, all);
    let count = |kind: &str| all.iter().filter(|event| event["type"] == kind).count();
    assert_eq!(
        (count("block_connected"), count("block_disconnected"), count("missed")),
        (25 * 42, 25 * 12, 0)
    );
    let sources: Vec<_> = all.iter().filter_map(|event| event["source"]["kind"].as_str()).collect();
    assert_eq!(sources.iter().filter(|kind| **kind == "mined").count(), 25 * 12);
    assert_eq!(sources.iter().filter(|kind| **kind == "peer").count(), 25 * 30);
}

#[tokio::test]
async fn what_is_missed_is_counted() {
    let node = Node::<String>::builder(spec("missed")).start().await.unwrap();
    let server = serve(&node, RoutesConfig::default().with_max_event_bytes(4 << 10), 16).await;
    let mut client = Client::connect(server.local_addr(), "").await;
    assert_eq!(client.next().await.unwrap()["type"], "open");
    let id = client.last_id.clone();
    let first = mine(&node, 1, "first").await;
    assert_eq!(client.until(&first).await.len(), 3);
    // Three events for each block.
    let tip = mine(&node, 100, "more").await;
    client.until(&tip).await;
    let mut late = Client::connect(server.local_addr(), &id).await;
    let events = late.until(&tip).await;
    assert_eq!(events[0]["type"], "missed");
    assert_eq!(events[0]["events"].as_u64().unwrap() + events.len() as u64 - 1, 303);
    assert_eq!(late.last_id, client.last_id);

    // The id of another run names nothing here.
    let mut stranger = Client::connect(server.local_addr(), "0123456789abcdef-5").await;
    let missed = stranger.next().await.unwrap();
    assert_eq!((&missed["type"], &missed["events"]), (&"missed".into(), &Value::Null));
    let opened = stranger.next().await.unwrap();
    assert_eq!((&opened["type"], &opened["height"]), (&"open".into(), &101.into()));
    assert_eq!(stranger.last_id, client.last_id);
}

#[tokio::test]
async fn five_hundred_clients_see_each_block_and_one_more_is_turned_away() {
    let node = Node::<String>::builder(spec("many")).start().await.unwrap();
    let server = serve(&node, RoutesConfig::default().with_max_event_clients(500), 600).await;
    let mut clients = Vec::new();
    for _ in 0..500 {
        clients.push(Client::connect(server.local_addr(), "").await);
    }
    let (_, head) = Client::open(server.local_addr(), "").await;
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after"), "{head}");
    let tip = mine(&node, 3, "seen by all").await;
    for client in &mut clients {
        let events = client.until(&tip).await;
        assert_eq!(replay(&events).len(), 3);
    }
    // A client that leaves makes room for another.
    drop(clients.pop());
    let mut again = within(async {
        loop {
            let (client, head) = Client::open(server.local_addr(), "").await;
            if head.starts_with("HTTP/1.1 200 ") {
                return client;
            }
        }
    })
    .await;
    assert_eq!(again.next().await.unwrap()["height"], 3);
    // The end of the server ends every answer in good order, and does not wait for its clients.
    within(server.shutdown()).await;
    for client in clients.iter_mut().chain([&mut again]) {
        assert_eq!(client.next().await, None);
    }
}

#[tokio::test]
async fn a_stopped_node_ends_the_answer() {
    let node = Node::<String>::builder(spec("stopped")).start().await.unwrap();
    let server = serve(&node, RoutesConfig::default(), 16).await;
    let mut client = Client::connect(server.local_addr(), "").await;
    let tip = mine(&node, 1, "last").await;
    node.shutdown().await;
    client.until(&tip).await;
    assert_eq!(client.next().await, None);
    let mut rest = Vec::new();
    drop(server);
    client.stream.read_to_end(&mut rest).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rouille_application_answers_with_the_events_that_there_are() {
    let node = Node::<String>::builder(spec("poll")).start().await.unwrap();
    let handler = routes(node.clone(), RoutesConfig::default());
    let ask = |last_id: Option<String>| {
        let handler = handler.clone();
        let mut headers = vec![("Host".to_owned(), "localhost".to_owned())];
        headers.extend(last_id.map(|id| ("Last-Event-ID".to_owned(), id)));
        tokio::task::spawn_blocking(move || {
            let response = handler(&Request::fake_http("GET", "/events", headers, Vec::new()));
            let mut text = String::new();
            std::io::Read::read_to_string(&mut response.data.into_reader_and_size().0, &mut text).unwrap();
            (response.status_code, text)
        })
    };
    let (status, text) = ask(None).await.unwrap();
    assert!(
        status == 200 && text.starts_with("retry: 1000\n\nid: ") && text.contains("\"type\":\"open\""),
        "{text}"
    );
    let id = text.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    let block = mine(&node, 1, "polled").await;
    // The task that renders events may not have seen the block yet.
    let text = within(async {
        loop {
            let (_, text) = ask(Some(id.clone())).await.unwrap();
            if text.contains("block_connected") {
                return text;
            }
        }
    })
    .await;
    assert!(text.contains(&block.hash().to_string()) && !text.contains("\"open\""), "{text}");
}
