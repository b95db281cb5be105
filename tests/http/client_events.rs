//! The events of a node through its client, over connections that break.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hashloom::api::{ErrorCode, NodeEvent};
use hashloom::client::{Client, ClientError, EventWithId, NodeEvents};
use hashloom::http::{HttpConfig, HttpServer, RoutesConfig, routes, serve, serve_node};
use hashloom::{Hash, Node, NodeHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::kit::spec;

/// Stands between a client and a server.
struct Proxy {
    address: SocketAddr,
    connections: Arc<Mutex<JoinSet<()>>>,
    _acceptor: JoinSet<()>,
}

impl Proxy {
    async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(Mutex::new(JoinSet::new()));
        let mut acceptor = JoinSet::new();
        let accepted = Arc::clone(&connections);
        acceptor.spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                accepted.lock().unwrap().spawn(async move {
                    let mut server = TcpStream::connect(server).await.unwrap();
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { address, connections, _acceptor: acceptor }
    }

    /// Breaks all connections.
    fn cut(&self) {
        self.connections.lock().unwrap().abort_all();
    }
}

async fn within<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(60), future).await.expect("within a minute")
}

async fn start(name: &str, config: RoutesConfig) -> (NodeHandle, HttpServer) {
    let node = Node::<String>::builder(spec(name)).start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = serve_node(listener, node.clone(), config, HttpConfig::default()).unwrap();
    (node, server)
}

fn events_at(address: SocketAddr) -> NodeEvents {
    Client::new(&format!("http://{address}")).unwrap().node::<String>().events()
}

async fn mine(node: &NodeHandle, count: usize) -> Hash {
    for _ in 0..count {
        within(node.mine(Vec::new())).await.unwrap();
    }
    *node.tip().hash()
}

/// The events up to the one that connects the block. Every second call is cancelled first.
async fn until(events: &mut NodeEvents, tip: Hash) -> Vec<EventWithId> {
    let mut read = Vec::new();
    loop {
        let next = tokio::select! {
            biased;
            next = events.next() => next,
            () = tokio::task::yield_now() => within(events.next()).await,
        };
        match next {
            Ok(next) => {
                let is_last =
                    matches!(&next.event, NodeEvent::BlockConnected { block, .. } if block.hash == tip);
                read.push(next);
                if is_last {
                    return read;
                }
            }
            Err(error) => assert!(matches!(error, ClientError::Http { .. }), "{error:?}"),
        }
    }
}

fn connected(events: &[EventWithId]) -> Vec<u64> {
    let heights = events.iter().filter_map(|next| match &next.event {
        NodeEvent::BlockConnected { block, .. } => Some(block.height),
        _ => None,
    });
    heights.collect()
}

#[tokio::test]
async fn no_event_is_lost_or_told_twice_over_connections_that_break() {
    let (node, server) = start("events", RoutesConfig::default()).await;
    let proxy = Proxy::before(server.local_addr()).await;
    let mut events = events_at(proxy.address);
    let first = within(events.next()).await.unwrap();
    assert_eq!(first.event, NodeEvent::Open { height: 0, tip: *node.tip().hash() });
    let mut all = vec![first];
    for _ in 0..2 {
        all.extend(until(&mut events, mine(&node, 20).await).await);
        proxy.cut();
        all.extend(until(&mut events, mine(&node, 20).await).await);
    }
    assert_eq!(connected(&all), (1..=80).collect::<Vec<_>>());
    assert!(!all.iter().any(|next| matches!(next.event, NodeEvent::Missed { .. })));

    // Another client continues from any of them.
    let mut later = events_at(server.local_addr()).after(&all[7].id);
    assert_eq!(until(&mut later, *node.tip().hash()).await, all[8..]);
}

#[tokio::test]
async fn what_the_node_has_evicted_meanwhile_is_counted() {
    let (node, server) = start("missed", RoutesConfig::default().with_max_event_bytes(4 << 10)).await;
    let proxy = Proxy::before(server.local_addr()).await;
    let mut events = events_at(proxy.address);
    within(events.next()).await.unwrap();
    proxy.cut();
    assert!(matches!(within(events.next()).await, Err(ClientError::Http { .. })));
    // Three events for each block.
    let read = until(&mut events, mine(&node, 100).await).await;
    let NodeEvent::Missed { events: Some(missed) } = read[0].event else { panic!("{read:?}") };
    assert_eq!(missed + read.len() as u64 - 1, 300);
    assert_eq!(connected(&read).last(), Some(&100));

    // The id of another run.
    let mut stranger = events_at(server.local_addr()).after("0123456789abcdef-5");
    assert_eq!(within(stranger.next()).await.unwrap().event, NodeEvent::Missed { events: None });
    let open = NodeEvent::Open { height: 100, tip: *node.tip().hash() };
    assert_eq!(within(stranger.next()).await.unwrap().event, open);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_in_a_rouille_application_is_asked_again_and_again() {
    let node = Node::<String>::builder(spec("poll")).start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server =
        serve(listener, routes(node.clone(), RoutesConfig::default()), HttpConfig::default()).unwrap();
    let mut events = events_at(server.local_addr());
    assert!(matches!(within(events.next()).await.unwrap().event, NodeEvent::Open { height: 0, .. }));
    for first in [1, 4] {
        let read = until(&mut events, mine(&node, 3).await).await;
        assert_eq!(connected(&read), [first, first + 1, first + 2]);
    }
}

#[tokio::test]
async fn a_refusal_and_a_server_that_is_gone_are_errors() {
    let (_node, server) = start("refused", RoutesConfig::default().with_max_event_clients(0)).await;
    let mut events = events_at(server.local_addr());
    match within(events.next()).await {
        Err(ClientError::Refused(error)) => assert_eq!(error.code(), Some(ErrorCode::Busy)),
        other => panic!("{other:?}"),
    }
    within(server.shutdown()).await;
    assert!(matches!(within(events.next()).await, Err(ClientError::Connect { .. })));
}

/// A server that answers each request with this text, and keeps the connection.
async fn answering(text: &'static str) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{text}");
            stream.write_all(answer.as_bytes()).await.unwrap();
            kept.push(stream);
        }
    });
    (address, task)
}

#[tokio::test]
async fn what_a_client_does_not_understand_is_bounded_and_skipped() {
    let text = "id: a-1\ndata: {\"type\":\"brewed\",\"cups\":3}\n\nid: a-2\ndata: {\"type\":7}\n\n\
                id: a-3\ndata: {\"type\":\"store_recovered\"}\n\ndata: 0123456789012345678901234567890123456789";
    let (address, _server) = answering(text).await;
    let client = Client::new(&format!("http://{address}")).unwrap().with_max_body_bytes(40);
    let mut events = client.node::<String>().events();
    let unknown = within(events.next()).await.unwrap();
    assert_eq!((&*unknown.id, unknown.event), ("a-1", NodeEvent::Unknown));
    assert!(matches!(within(events.next()).await, Err(ClientError::Unexpected { .. })));
    let known = within(events.next()).await.unwrap();
    assert_eq!((&*known.id, known.event), ("a-3", NodeEvent::StoreRecovered));
    assert!(matches!(within(events.next()).await, Err(ClientError::TooLarge { limit: 40 })));
}
