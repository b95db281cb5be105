//! Runs the public suite over each transport, and tests what only real sockets show.

mod frames;
#[cfg(feature = "tls")]
mod tls;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hashloom::protocol::Reach;
use hashloom::testing::Switch;
use hashloom::testing::transport::{suite, suite_of};
use hashloom::transport::{
    Connection, Listener, Memory, Outgoing, Transport, TransportError, WebSocketConfig, WsMulti,
};
use hashloom::wire::{Bincode, Json};
use hashloom::{Message, PeerAddr, WireFormat, WsBincode, WsJson, WsPostcard};
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message as WsMessage};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::kit::within;

const ANY_PORT: &str = "ws://127.0.0.1:0";

fn addr(text: &str) -> PeerAddr {
    text.parse().unwrap()
}

fn ping(number: u64) -> Outgoing {
    Outgoing::new(Message::Ping(number))
}

#[rstest]
#[case::memory(Memory::new(), "memory://")]
#[case::ws_json(WsJson::default(), ANY_PORT)]
#[case::ws_bincode(WsBincode::default(), ANY_PORT)]
#[case::ws_postcard(WsPostcard::default(), ANY_PORT)]
#[case::ws_both(WsMulti::new(Bincode).and(Json), ANY_PORT)]
#[case::memory_behind_a_switch(Switch::new(Memory::new()), "memory://")]
#[case::ws_behind_a_switch(Switch::new(WsJson::default()), ANY_PORT)]
#[tokio::test]
async fn suite_passes(#[case] transport: impl Transport, #[case] address: &str) {
    suite(&transport, &addr(address)).await;
}

/// A transaction type that is not a text.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Point {
    x: i64,
    y: Option<bool>,
}

impl hashloom::Transaction for Point {
    type State = ();

    fn apply(&self, (): &mut (), _: &hashloom::Context<'_>) -> Result<(), hashloom::Rejected> {
        Ok(())
    }
}

#[rstest]
#[case::memory(Memory::new(), "memory://")]
#[case::ws_json(WsJson::default(), ANY_PORT)]
#[case::ws_postcard(WsPostcard::default(), ANY_PORT)]
#[tokio::test]
async fn suite_passes_with_transactions_of_any_type(
    #[case] transport: impl Transport<Point>,
    #[case] address: &str,
) {
    let large: Vec<Point> = (0..500).map(|x| Point { x, y: (x % 2 == 0).then_some(true) }).collect();
    suite_of(&transport, &addr(address), &large).await;
}

#[rstest]
#[tokio::test]
async fn suite_passes_on_several_threads(#[values("memory", "json", "bincode")] transport: &str) {
    let (transport, address): (Arc<dyn Transport>, _) = match transport {
        "memory" => (Arc::new(Memory::new()), "memory://"),
        "json" => (Arc::new(WsJson::default()), ANY_PORT),
        _ => (Arc::new(WsBincode::default()), ANY_PORT),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let run = runtime.spawn(async move { suite(&*transport, &addr(address)).await });
    run.await.unwrap();
    runtime.shutdown_background();
}

async fn listen(transport: &dyn Transport) -> (Box<dyn Listener>, PeerAddr) {
    let listener = transport.listen(&addr(ANY_PORT)).await.unwrap();
    let address = listener.local_addr().clone();
    (listener, address)
}

/// Lets the listener answer handshakes while `future` runs.
async fn while_accepting<R>(listener: &mut dyn Listener, future: impl Future<Output = R>) -> R {
    tokio::select! {
        accepted = listener.accept() => panic!("a connection that should have been refused: {accepted:?}"),
        result = future => result,
    }
}

async fn tcp(address: &PeerAddr) -> TcpStream {
    TcpStream::connect(address.as_str().strip_prefix("ws://").unwrap()).await.unwrap()
}

/// A client that does not use this crate, and the other end of its connection.
async fn foreign_client(
    listener: &mut dyn Listener,
    subprotocol: &str,
) -> (WebSocketStream<TcpStream>, Box<dyn Connection>) {
    let address = listener.local_addr().clone();
    let mut request = address.as_str().into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", subprotocol.parse().unwrap());
    let connect = async { client_async(request, tcp(&address).await).await.unwrap().0 };
    let (client, accepted) = tokio::join!(connect, listener.accept());
    (client, accepted.unwrap())
}

#[tokio::test]
async fn a_peer_without_a_shared_format_is_refused_by_name_at_both_ends() {
    let (log, _guard) = Log::collect();

    let (mut listener, address) = listen(&WsJson::default()).await;
    let transport: &dyn Transport = &WsBincode::default();
    let error = while_accepting(listener.as_mut(), transport.dial(&address, Reach::ANY)).await.unwrap_err();
    let expected =
        format!("no wire format in common with {address}: ours hashloom.v1.bincode, theirs hashloom.v1.json");
    assert_eq!(error.to_string(), expected);

    let logged = while_accepting(listener.as_mut(), log.refusal()).await;
    assert!(logged.contains(": ours hashloom.v1.json, theirs hashloom.v1.bincode"), "{logged}");
}

/// The log output of a test.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Collects the log output of this thread while the guard exists.
    fn collect() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// Waits until a listener has refused a connection, and returns all output.
    async fn refusal(&self) -> String {
        loop {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            if text.contains("refused a connection") {
                return text;
            }
            tokio::task::yield_now().await;
        }
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[rstest]
#[case("Sec-WebSocket-Protocol: chat, superchat\r\n", "you offered chat, superchat\n")]
#[case("", "you offered none\n")]
#[tokio::test]
async fn a_foreign_peer_reads_why_it_is_refused(#[case] offer: &str, #[case] reason: &str) {
    let (mut listener, address) = listen(&WsMulti::new(Bincode).and(Json)).await;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}\r\n"
    );
    let exchange = async {
        let mut tcp = tcp(&address).await;
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        tcp.read_to_string(&mut response).await.unwrap();
        response
    };
    let response = while_accepting(listener.as_mut(), exchange).await;
    assert!(response.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{response}");
    let body = "no wire format in common: this node speaks hashloom.v1.bincode, hashloom.v1.json, ";
    assert!(response.ends_with(&format!("{body}{reason}")), "{response}");
}

#[rstest]
#[case::any_page("https://evil.example", 403)]
#[case::a_file_on_the_same_machine("null", 403)]
#[case::the_page_that_may("https://wallet.example", 101)]
#[tokio::test]
async fn a_web_page_is_refused_unless_its_origin_is_allowed(#[case] origin: &str, #[case] status: u16) {
    let config = WebSocketConfig::default().with_allowed_origins(["https://wallet.example"]);
    let (mut listener, address) = listen(&WsJson::default().with_config(config)).await;
    let mut request = address.as_str().into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "hashloom.v1.json".parse().unwrap());
    request.headers_mut().insert("Origin", origin.parse().unwrap());
    let connect = async { client_async(request, tcp(&address).await).await };
    if status == 101 {
        let (connected, accepted) = tokio::join!(connect, listener.accept());
        connected.unwrap();
        accepted.unwrap();
        return;
    }
    let error = while_accepting(listener.as_mut(), connect).await.unwrap_err();
    let Error::Http(response) = error else { panic!("{error}") };
    assert_eq!(response.status().as_u16(), status);
    let body = String::from_utf8(response.into_body().unwrap()).unwrap();
    assert_eq!(body, "this node does not talk to web pages of this origin\n");
}

#[rstest]
#[case::a_page("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "426 Upgrade Required")]
#[case::another_version(
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "426 Upgrade Required"
)]
#[case::no_key(
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "400 Bad Request"
)]
#[case::post("POST /mine HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", "400 Bad Request")]
#[case::old("GET / HTTP/1.0\r\n\r\n", "400 Bad Request")]
#[case::no_http("\u{0}\u{1} what is not HTTP\r\n\r\n", "400 Bad Request")]
#[tokio::test]
async fn what_is_no_handshake_is_told_where_it_has_come(#[case] request: &str, #[case] status: &str) {
    let config = WebSocketConfig::default().with_http_hint("HTTP is at port 3001");
    let (mut listener, address) = listen(&WsJson::default().with_config(config)).await;
    let mut client = tcp(&address).await;
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within(while_accepting(listener.as_mut(), client.read_to_string(&mut answer))).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
    let head = head.to_ascii_lowercase();
    assert_eq!(head.contains("\r\nupgrade: websocket"), status.starts_with("426"), "{answer}");
    for header in ["sec-websocket-version: 13", &format!("content-length: {}", body.len())] {
        assert!(head.lines().any(|line| line == header), "{answer}");
    }
    assert_eq!(body, "this port is for peers, which speak WebSocket; HTTP is at port 3001\n");
}

#[tokio::test]
async fn one_address_does_not_take_all_places_in_handshakes() {
    let config = WebSocketConfig::default().with_max_pending_handshakes_per_address(2);
    let (mut listener, address) = listen(&WsJson::default().with_config(config)).await;
    let mut first = tcp(&address).await;
    let _silent = [tcp(&address).await, tcp(&address).await];
    // Evicted at once, long before its deadline.
    let read = while_accepting(listener.as_mut(), first.read(&mut [0])).await;
    assert!(read.is_err() || read.is_ok_and(|bytes| bytes == 0));
}

/// Uses several loopback addresses, which Linux provides without configuration.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn half_open_handshakes_of_a_few_addresses_keep_nobody_out() {
    // With this timeout, only eviction ends a handshake.
    let config = WebSocketConfig::default().with_handshake_timeout(Duration::from_secs(3_600));
    let (mut listener, address) = listen(&WsJson::default().with_config(config)).await;
    let remote = address.as_str().strip_prefix("ws://").unwrap().parse().unwrap();
    let mut half_open = Vec::new();
    for number in 0..40 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 1, number % 4 + 1], 0).into()).unwrap();
        let mut tcp = socket.connect(remote).await.unwrap();
        tcp.write_all(b"GET / HT").await.unwrap();
        half_open.push(tcp);
    }
    let transport: &dyn Transport = &WsJson::default();
    for caller in 0..7 {
        let (dialled, accepted) =
            within(async { tokio::join!(transport.dial(&address, Reach::ANY), listener.accept()) }).await;
        assert!(dialled.is_ok(), "caller {caller}: {dialled:?}");
        assert!(accepted.unwrap().remote_addr().as_str().starts_with("ws://127.0.0.1:"));
    }
}

#[tokio::test]
async fn one_port_serves_two_formats() {
    let (mut listener, address) = listen(&WsMulti::new(Bincode).and(Json)).await;
    let dialers: [&dyn Transport; 3] =
        [&WsJson::default(), &WsBincode::default(), &WsMulti::new(Json).and(Bincode)];
    for dialer in dialers {
        let (dialled, accepted) = tokio::join!(dialer.dial(&address, Reach::ANY), listener.accept());
        let ((mut out, _in), (_out, mut incoming)) = (dialled.unwrap().split(), accepted.unwrap().split());
        out.send(&ping(1)).await.unwrap();
        assert_eq!(incoming.recv().await.unwrap(), Some(Message::Ping(1)));
    }
}

#[tokio::test]
async fn the_client_s_preference_decides() {
    let (mut listener, _) = listen(&WsMulti::new(Bincode).and(Json)).await;
    let offer = format!("unknown, {}, {}", Json::SUBPROTOCOL, Bincode::SUBPROTOCOL);
    let (mut client, accepted) = foreign_client(listener.as_mut(), &offer).await;
    accepted.split().0.send(&ping(7)).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), WsMessage::text(r#"{"ping":7}"#));
}

#[tokio::test]
async fn a_plain_ping_is_answered_while_waiting_for_messages() {
    let (mut listener, _) = listen(&WsJson::default()).await;
    let (mut client, accepted) = foreign_client(listener.as_mut(), Json::SUBPROTOCOL).await;
    let (_out, mut incoming) = accepted.split();
    client.send(WsMessage::Ping(vec![1, 2, 3].into())).await.unwrap();
    tokio::select! {
        received = incoming.recv() => panic!("a ping is no message: {received:?}"),
        answer = client.next() => assert_eq!(answer.unwrap().unwrap(), WsMessage::Pong(vec![1, 2, 3].into())),
    }
}

#[tokio::test]
async fn a_peer_that_vanishes_is_told_from_one_that_closes() {
    let (mut listener, _) = listen(&WsJson::default()).await;
    let (client, accepted) = foreign_client(listener.as_mut(), Json::SUBPROTOCOL).await;
    drop(client);
    let error = accepted.split().1.recv().await.unwrap_err();
    assert!(matches!(error, TransportError::Vanished), "{error}");

    let (mut client, accepted) = foreign_client(listener.as_mut(), Json::SUBPROTOCOL).await;
    let (mut out, mut incoming) = accepted.split();
    client.close(None).await.unwrap();
    assert_eq!(incoming.recv().await.unwrap(), None);
    assert!(matches!(out.send(&ping(1)).await, Err(TransportError::Closed)));
}

#[tokio::test]
async fn a_silent_peer_does_not_keep_others_out() {
    let transport = WsJson::default();
    let (mut listener, address) = listen(&transport).await;
    let _silent = [tcp(&address).await, tcp(&address).await];
    let transport: &dyn Transport = &transport;
    let (dialled, accepted) = tokio::join!(transport.dial(&address, Reach::ANY), listener.accept());
    assert_eq!(dialled.unwrap().remote_addr(), &address);
    assert!(accepted.unwrap().remote_addr().as_str().starts_with("ws://127.0.0.1:"));
}

#[tokio::test]
async fn a_silent_peer_is_closed_at_its_deadline() {
    let config = WebSocketConfig::default().with_handshake_timeout(Duration::from_millis(50));
    let (mut listener, address) = listen(&WsJson::default().with_config(config)).await;
    let mut silent = tcp(&address).await;
    let read = within(while_accepting(listener.as_mut(), silent.read(&mut [0]))).await;
    assert!(read.is_err() || read.is_ok_and(|bytes| bytes == 0));
}

#[tokio::test]
async fn a_close_does_not_wait_for_ever() {
    let config = WebSocketConfig::default().with_close_timeout(Duration::from_millis(50));
    let (mut listener, _) = listen(&WsJson::default().with_config(config)).await;
    let (_client_that_never_reads, accepted) = foreign_client(listener.as_mut(), Json::SUBPROTOCOL).await;
    let (mut out, mut incoming) = accepted.split();
    let reader = tokio::spawn(async move { incoming.recv().await });
    tokio::task::yield_now().await;
    tokio::time::timeout(Duration::from_secs(10), out.close()).await.unwrap();
    let woken = tokio::time::timeout(Duration::from_secs(10), reader).await.unwrap();
    assert_eq!(woken.unwrap().unwrap(), None, "a close wakes whoever waits for a message");
}

#[tokio::test]
async fn errors_name_the_address_and_the_way_out() {
    let transport: &dyn Transport = &WsJson::default();
    let (_listener, taken) = listen(transport).await;
    let error = transport.listen(&taken).await.unwrap_err();
    let expected =
        format!("address {taken} is already in use; choose another port, or port 0 for any that is free");
    assert_eq!(error.to_string(), expected);

    let error = transport.dial(&addr("wss://localhost:5001"), Reach::ANY).await.unwrap_err();
    let expected = "bad address wss://localhost:5001: wss:// needs TLS to be set up (`WebSocketConfig::tls`, \
                    with the feature tls), expected ws://host:port";
    assert_eq!(error.to_string(), expected);

    let free = listen(transport).await.1;
    let error = transport.dial(&free, Reach::ANY).await.unwrap_err();
    assert!(matches!(&error, TransportError::Connect { address, .. } if *address == free), "{error}");
}

#[tokio::test]
async fn a_server_that_is_no_peer_is_quoted() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = addr(&format!("ws://{}", server.local_addr().unwrap()));
    let answer = async {
        let (mut tcp, _) = server.accept().await.unwrap();
        // Reads the request, so that closing the socket does not reset the connection.
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(tcp.read_u8().await.unwrap());
        }
        tcp.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\n\r\nnot\x1b[2J here").await.unwrap();
    };
    let transport: &dyn Transport = &WsJson::default();
    let (dialled, ()) = tokio::join!(transport.dial(&address, Reach::ANY), answer);
    let expected = format!("{address} answered with HTTP status 404: \"not [2J here\"");
    assert_eq!(dialled.unwrap_err().to_string(), expected);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = addr(&format!("ws://{}", server.local_addr().unwrap()));
    let config = WebSocketConfig::default().with_handshake_timeout(Duration::from_millis(50));
    let transport: &dyn Transport = &WsJson::default().with_config(config);
    let error = transport.dial(&address, Reach::ANY).await.unwrap_err();
    assert_eq!(error.to_string(), format!("the handshake with {address} took longer than 50 ms"));
}

#[rstest]
#[case::memory(Memory::new(), "memory://")]
#[case::ws_json(WsJson::default(), ANY_PORT)]
#[case::ws_bincode(WsBincode::default(), ANY_PORT)]
#[tokio::test]
async fn a_switch_cuts_and_heals(#[case] transport: impl Transport, #[case] any_address: &str) {
    let transport: Arc<dyn Transport> = Arc::new(transport);
    let switch = Switch::over(Arc::clone(&transport));
    let node: &dyn Transport = &switch;
    let mut listener = node.listen(&addr(any_address)).await.unwrap();
    let address = listener.local_addr().clone();
    let (dialled, accepted) = tokio::join!(transport.dial(&address, Reach::ANY), listener.accept());
    // At the cut, one half of the node is reading and the other is idle.
    let ((_peer_out, mut peer_in), (mut out, mut incoming)) =
        (dialled.unwrap().split(), accepted.unwrap().split());
    let (received, ()) = tokio::join!(incoming.recv(), async { switch.cut() });
    assert!(matches!(received, Err(TransportError::Cut)), "{received:?}");
    assert!(matches!(out.send(&ping(1)).await, Err(TransportError::Cut)));
    assert!(
        peer_in.recv().await.is_err(),
        "the other side sees the end while the node still holds its halves"
    );

    assert!(matches!(node.dial(&address, Reach::ANY).await, Err(TransportError::Cut)));
    let knocking = async {
        if let Ok(connection) = transport.dial(&address, Reach::ANY).await {
            assert!(connection.split().1.recv().await.is_err(), "dropped at once");
        }
    };
    while_accepting(listener.as_mut(), knocking).await;

    switch.heal();
    let (dialled, accepted) = tokio::join!(transport.dial(&address, Reach::ANY), listener.accept());
    dialled.unwrap().split().0.send(&ping(2)).await.unwrap();
    assert_eq!(accepted.unwrap().split().1.recv().await.unwrap(), Some(Message::Ping(2)));
    assert!(matches!(incoming.recv().await, Err(TransportError::Cut)), "old connections stay dead");
}
