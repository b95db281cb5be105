//! The HTTP server over real sockets: its limits, and that it still serves after each of them is reached.

mod gone;

use std::future::Future;
use std::io::Read;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use hashloom::http::{HttpConfig, HttpServer, RoutesConfig, routes, serve, serve_node};
use hashloom::{ChainSpec, Node};
use rouille::{Request, Response, ResponseBody};
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Far more time than any answer takes. Ends a test that would hang.
const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(100);

/// Answers with what the server parsed.
fn echo(request: &Request) -> Response {
    let mut body = String::new();
    request.data().unwrap().read_to_string(&mut body).unwrap();
    let host = request.header("host").unwrap_or("none");
    Response::text(format!("{} {} {host} [{body}]", request.method(), request.raw_url()))
        .with_status_code(202)
        .with_additional_header("X-Echo", "yes")
}

async fn start<F>(routes: F, config: HttpConfig) -> HttpServer
where
    F: Fn(&Request) -> Response + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    serve(listener, routes, config).unwrap()
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it takes too long")
}

struct Client(TcpStream);

impl Client {
    async fn connect(server: &HttpServer) -> Self {
        Self(TcpStream::connect(server.local_addr()).await.unwrap())
    }

    async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.unwrap();
    }

    /// Reads one answer: its head, and a body of the announced length.
    async fn answer(&mut self) -> (String, String) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within(self.0.read_u8()).await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        within(self.0.read_exact(&mut body)).await.unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    /// Reads until the server closes the connection.
    async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        within(self.0.read_to_end(&mut rest)).await.unwrap();
        String::from_utf8(rest).unwrap()
    }
}

/// Reconnects until the server has a free slot and answers with success. A connection without a slot may be
/// reset during a write.
async fn find_a_place(server: &HttpServer) {
    let attempts = async {
        loop {
            let mut client = Client::connect(server).await;
            let mut answer = Vec::new();
            let sent = client.0.write_all(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
            let read = client.0.read_to_end(&mut answer).await;
            if sent.is_ok() && read.is_ok() && answer.starts_with(b"HTTP/1.1 2") {
                return;
            }
        }
    };
    within(attempts).await;
}

/// Checks that a new connection gets an answer.
async fn assert_serves(server: &HttpServer) {
    let mut client = Client::connect(server).await;
    client.send("GET /alive HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.answer().await.1, "GET /alive a []");
}

fn code(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["error"]["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn requests_follow_each_other_on_a_connection() {
    let server = start(echo, HttpConfig::default()).await;
    let mut client = Client::connect(&server).await;
    client.send("POST /a?b=c HTTP/1.1\r\nHost: one\r\nContent-Length: 5\r\n\r\nhello").await;
    let (head, body) = client.answer().await;
    assert!(head.starts_with("HTTP/1.1 202 Accepted\r\n"), "{head}");
    assert!(head.contains("x-echo: yes\r\n"), "{head}");
    assert_eq!(body, "POST /a?b=c one [hello]");

    let chunks = "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
    client.send(format!("POST / HTTP/1.1\r\nHost: two\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")).await;
    assert_eq!(client.answer().await.1, "POST / two [hello]");

    // Two requests at once. The host of an absolute URI takes precedence.
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET http://b/2 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.answer().await.1, "GET /1 a []");
    assert_eq!(client.answer().await.1, "GET /2 b []");
}

#[tokio::test]
async fn head_has_the_length_of_get_and_no_body() {
    let server = start(echo, HttpConfig::default()).await;
    let mut client = Client::connect(&server).await;
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let head = client.rest().await;
    assert!(head.contains("content-length: 11\r\n"), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
}

/// A client would take a length for that of the body in its cache.
#[tokio::test]
async fn not_modified_has_neither_body_nor_length() {
    let server = start(|_: &Request| Response::text("").with_status_code(304), HttpConfig::default()).await;
    let mut client = Client::connect(&server).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (head, _) = client.answer().await;
    assert!(head.starts_with("HTTP/1.1 304 Not Modified\r\n"), "{head}");
    assert!(!head.contains("content-length") && !head.contains("transfer-encoding"), "{head}");
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(client.rest().await.starts_with("HTTP/1.1 304 Not Modified\r\n"));
}

/// Errors in the request itself.
#[rstest]
#[case("garbage\r\n\r\n", 400, None)]
#[case("\x16\x03\x01\x02\x00\x01\x00\x01\x03\x03", 400, None)]
#[case("GET / HTTP/1.1\r\n\r\n", 400, Some("bad_request"))]
#[case("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, Some("bad_request"))]
#[case("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000000\r\n\r\n", 413, Some("body_too_large"))]
#[case(
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
    413,
    Some("body_too_large")
)]
#[case(
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n",
    413,
    Some("body_too_large")
)]
#[case("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n", 400, Some("bad_request"))]
#[case("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n1234", 408, Some("request_timeout"))]
#[tokio::test]
async fn a_bad_request_is_answered_and_the_server_goes_on(
    #[case] request: &str,
    #[case] status: u16,
    #[case] expected: Option<&str>,
) {
    let server = start(echo, HttpConfig::default().with_max_body_bytes(8).with_body_timeout(SHORT)).await;
    let mut client = Client::connect(&server).await;
    client.send(request).await;
    let (head, body) = client.answer().await;
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    assert_eq!((!body.is_empty()).then(|| code(&body)).as_deref(), expected);
    assert_serves(&server).await;
}

#[tokio::test]
async fn a_client_that_is_still_sending_gets_its_answer() {
    let server = start(echo, HttpConfig::default().with_max_body_bytes(8)).await;
    let mut client = Client::connect(&server).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n").await;
    for _ in 0..50 {
        client.send("x".repeat(10_000)).await;
    }
    let (head, body) = client.answer().await;
    assert!(head.starts_with("HTTP/1.1 413 ") && head.contains("connection: close\r\n"), "{head}");
    assert_eq!(code(&body), "body_too_large");
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn what_goes_beyond_the_stated_length_is_not_the_body() {
    let server = start(echo, HttpConfig::default()).await;
    let mut client = Client::connect(&server).await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nokGET /x HTTP/1.1\r\nHost: b\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.1, "POST / a [ok]");
    assert_eq!(client.answer().await.1, "GET /x b []");
}

#[tokio::test]
async fn a_large_head_is_refused() {
    let server = start(echo, HttpConfig::default().with_max_head_bytes(0)).await;
    let mut client = Client::connect(&server).await;
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(9_000))).await;
    let (head, _) = client.answer().await;
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
    assert_serves(&server).await;
}

#[rstest]
#[case("")]
#[case("GET / HTTP/1.1\r\nHost: a\r\n")]
#[tokio::test]
async fn a_slow_head_is_cut_off(#[case] head: &str) {
    let server = start(echo, HttpConfig::default().with_head_timeout(SHORT)).await;
    let mut client = Client::connect(&server).await;
    client.send(head).await;
    assert_eq!(client.rest().await, "");
    assert_serves(&server).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = start(echo, HttpConfig::default().with_head_timeout(SHORT)).await;
    let mut client = Client::connect(&server).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.answer().await.1, "GET / a []");
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn an_address_has_the_connections_of_eight_tabs() {
    let server = start(echo, HttpConfig::default()).await;
    let mut clients = Vec::new();
    for _ in 0..48 {
        let mut client = Client::connect(&server).await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(client.answer().await.1, "GET / a []");
        clients.push(client);
    }
    let mut beyond = Client::connect(&server).await;
    let (head, body) = beyond.answer().await;
    assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{head}");
    assert!(head.contains("Retry-After: "), "{head}");
    assert_eq!(code(&body), "busy");
    assert_eq!(beyond.rest().await, "");

    // The slot of a client that has disconnected is free again.
    drop(clients.pop());
    find_a_place(&server).await;
}

/// A handler that blocks each `POST` until the test releases it, and reports each arrival.
fn gate() -> (
    impl Fn(&Request) -> Response + Send + Sync + 'static,
    tokio::sync::mpsc::UnboundedReceiver<()>,
    mpsc::Sender<()>,
) {
    let (entered, entries) = tokio::sync::mpsc::unbounded_channel();
    let (open, gate) = mpsc::channel();
    let gate = Mutex::new(gate);
    let routes = move |request: &Request| {
        if request.method() == "POST" {
            entered.send(()).unwrap();
            gate.lock().unwrap().recv().unwrap();
        }
        echo(request)
    };
    (routes, entries, open)
}

#[tokio::test]
async fn requests_that_block_keep_no_reader_waiting() {
    let (routes, mut entries, open) = gate();
    let server = start(routes, HttpConfig::default().with_max_writes(1).with_queue_timeout(SHORT)).await;
    let mut first = Client::connect(&server).await;
    first.send("POST /1 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    within(entries.recv()).await.unwrap();

    let mut second = Client::connect(&server).await;
    second.send("POST /2 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (head, body) = second.answer().await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert_eq!(code(&body), "busy");
    assert_serves(&server).await;

    open.send(()).unwrap();
    assert_eq!(first.answer().await.1, "POST /1 a []");
}

#[tokio::test]
async fn shutdown_lets_requests_finish_and_closes_the_idle() {
    let (routes, mut entries, open) = gate();
    let server =
        start(routes, HttpConfig::default().with_head_timeout(PATIENCE).with_shutdown_timeout(PATIENCE))
            .await;
    let address = server.local_addr();
    let mut silent = Client::connect(&server).await;
    let mut idle = Client::connect(&server).await;
    idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    idle.answer().await;
    let mut busy = Client::connect(&server).await;
    busy.send("POST / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    within(entries.recv()).await.unwrap();

    let shutdown = tokio::spawn(server.shutdown());
    assert_eq!(silent.rest().await, "");
    assert_eq!(idle.rest().await, "");
    assert!(!shutdown.is_finished());
    open.send(()).unwrap();
    assert_eq!(busy.answer().await.1, "POST / a []");
    assert_eq!(busy.rest().await, "");
    drop(busy);
    within(shutdown).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[rstest]
#[case::deadline(true)]
#[case::dropped(false)]
#[tokio::test]
async fn what_does_not_finish_is_cut_off(#[case] graceful: bool) {
    let (routes, mut entries, open) = gate();
    let server = start(routes, HttpConfig::default().with_shutdown_timeout(SHORT)).await;
    let mut busy = Client::connect(&server).await;
    busy.send("POST / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    within(entries.recv()).await.unwrap();
    if graceful {
        within(server.shutdown()).await;
    } else {
        drop(server);
    }
    assert_eq!(busy.rest().await, "");
    // The runtime waits for the thread at its end.
    open.send(()).unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let size = 32 << 20;
    let routes = move |_: &Request| Response::from_data("text/plain", vec![b'x'; size]);
    let server = start(routes, HttpConfig::default().with_write_timeout(SHORT).with_max_connections(1)).await;
    let mut slow = Client::connect(&server).await;
    slow.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    // The slot is free again although the client has not read a byte.
    find_a_place(&server).await;
    let mut got = Vec::new();
    let _ = within(slow.0.read_to_end(&mut got)).await;
    assert!(got.len() < size, "{} bytes", got.len());
}

#[tokio::test]
async fn an_answer_may_take_longer_to_read_than_a_head() {
    let size = 32 << 20;
    let routes = move |_: &Request| Response::from_data("text/plain", vec![b'x'; size]);
    let server = start(routes, HttpConfig::default().with_head_timeout(SHORT)).await;
    let mut slow = Client::connect(&server).await;
    slow.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    tokio::time::sleep(3 * SHORT).await;
    assert_eq!(slow.answer().await.1.len(), size);
    // Then the next head has its own time.
    assert_eq!(slow.rest().await, "");
}

#[rstest]
#[case::panic("/panic", 500, "internal")]
#[case::too_large("/large", 500, "internal")]
#[case::unreadable("/broken", 500, "internal")]
#[case::status("/status", 500, "internal")]
#[tokio::test]
async fn a_handler_that_fails_is_a_500(#[case] path: &str, #[case] status: u16, #[case] expected: &str) {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("broken"))
        }
    }
    let routes = |request: &Request| match request.raw_url() {
        "/panic" => panic!("asked for"),
        "/large" => Response { data: ResponseBody::from_reader(std::io::repeat(0)), ..Response::empty_204() },
        "/broken" => Response { data: ResponseBody::from_reader(Broken), ..Response::empty_204() },
        "/status" => Response::text("").with_status_code(7),
        _ => echo(request),
    };
    let server = start(routes, HttpConfig::default().with_max_response_bytes(1000)).await;
    let mut client = Client::connect(&server).await;
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    let (head, body) = client.answer().await;
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    assert_eq!(code(&body), expected);
    assert_serves(&server).await;
}

/// Whether a request that finds no free thread is answered, by its path.
#[rstest]
#[case("/status", true)]
#[case("/blocks/0", true)]
#[case("/blocks?limit=1", false)]
#[case("/peers", false)]
#[tokio::test]
async fn what_a_node_has_at_hand_needs_no_thread(#[case] path: &str, #[case] at_hand: bool) {
    let node = Node::<String>::builder(ChainSpec::default()).start().await.unwrap();
    let config = HttpConfig::default().with_max_reads(0).with_queue_timeout(SHORT);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let quick = serve_node(listener, node.clone(), RoutesConfig::default(), config.clone()).unwrap();
    let on_threads = start(routes(node.clone(), RoutesConfig::default()), config).await;
    let waits = start(routes(node, RoutesConfig::default()), HttpConfig::default()).await;
    let ask = async |server: &HttpServer| {
        let mut client = Client::connect(server).await;
        client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        client.answer().await
    };
    let (head, body) = ask(&quick).await;
    let (refused, busy) = ask(&on_threads).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert_eq!(code(&busy), "busy");
    if at_hand {
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert_eq!(body, ask(&waits).await.1);
    } else {
        assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    }
}
