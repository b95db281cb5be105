//! What the server adds to every answer: the limit for an address, the request id, and the access log.

use std::io::{self, Write};
use std::num::NonZeroU32;
use std::sync::{Mutex, OnceLock};

use hashloom::Node;
use hashloom::http::{HttpConfig, HttpServer, RoutesConfig, Token, serve, serve_node};
use rouille::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::kit::spec;

/// Everything that the process logs.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to keep the log of the process, on all of its threads.
fn keep_log() {
    static KEPT: OnceLock<()> = OnceLock::new();
    KEPT.get_or_init(|| {
        let log = tracing_subscriber::fmt().with_env_filter("warn,hashloom::http::access=debug");
        log.with_ansi(false).without_time().with_writer(|| Log).init();
    });
}

/// The lines that name this request.
fn lines(id: &str) -> Vec<String> {
    let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    log.lines().filter(|line| line.contains(&format!("\"{id}\""))).map(str::to_owned).collect()
}

async fn node_server(routes: RoutesConfig, config: HttpConfig) -> HttpServer {
    let node = Node::<String>::builder(spec("server")).start().await.unwrap();
    serve_node(TcpListener::bind("127.0.0.1:0").await.unwrap(), node, routes, config).unwrap()
}

/// Sends requests at once on one connection, and reads until the server closes it.
async fn send(server: &HttpServer, requests: &str) -> (String, String) {
    let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
    let client = stream.local_addr().unwrap().to_string();
    stream.write_all(requests.as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    (client, answers)
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n")
}

#[tokio::test]
async fn one_line_for_each_answer_and_no_secret() {
    keep_log();
    let token = Token::new("very-secret-token").unwrap();
    let server = node_server(RoutesConfig::default().with_token(token), HttpConfig::default()).await;
    let secrets = "Authorization: Bearer very-secret-token\r\n";
    for (request, id, expected) in [
        (
            get("/health?secret=1", &format!("X-Request-Id: log-1\r\n{secrets}")),
            "log-1",
            "method=GET path=\"/health\" status=200 bytes=15",
        ),
        (
            get("/health", "X-Request-Id: log-2\r\n").replace("GET", "HEAD"),
            "log-2",
            "method=HEAD path=\"/health\" status=200 bytes=0",
        ),
        (
            get("/a%1b[2J\u{9b}", "X-Request-Id: log-3\r\n"),
            "log-3",
            "method=GET path=\"/a%1b[2J\\u{9b}\" status=404",
        ),
        (
            get("/health", "X-Request-Id: log-4\r\nHost: b\r\n"),
            "log-4",
            "method=GET path=\"/health\" status=400",
        ),
        (
            get("/mine", "X-Request-Id: log-5\r\n").replace("GET", "POST"),
            "log-5",
            "method=POST path=\"/mine\" status=401",
        ),
    ] {
        let (client, answer) = send(&server, &request).await;
        assert!(answer.contains(&format!("x-request-id: {id}\r\n")), "{answer}");
        let lines = lines(id);
        assert_eq!(lines.len(), 1, "{lines:?}");
        let line = lines[0].trim();
        let begin = format!("DEBUG hashloom::http::access: answered remote={client} {expected}");
        assert!(
            line.starts_with(&begin)
                && line.contains(" micros=")
                && line.ends_with(&format!("request_id=\"{id}\"")),
            "{line}"
        );
        assert!(!line.contains("secret"), "{line}");
    }
}

#[tokio::test]
async fn the_lines_about_a_request_have_its_id() {
    keep_log();
    let handler = |request: &Request| {
        assert_ne!(request.url(), "/panic", "asked for");
        tracing::warn!("from the thread of the handler");
        // As a handler that gives out the id of its own request.
        Response::text(request.header("X-Request-Id").unwrap_or("none"))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = serve(listener, handler, HttpConfig::default()).unwrap();
    let (_, answer) = send(&server, &get("/", "X-Request-Id: span-1\r\n")).await;
    assert!(answer.ends_with("\r\n\r\nspan-1"), "{answer}");
    let (_, answer) = send(&server, &get("/panic", "X-Request-Id: span-2\r\n")).await;
    assert!(answer.contains("x-request-id: span-2\r\n"), "{answer}");
    for (id, expected) in
        [("span-1", "from the thread of the handler"), ("span-2", "an HTTP handler panicked")]
    {
        let lines = lines(id);
        let found = lines
            .iter()
            .filter(|line| line.contains(expected) && line.contains(&format!("request{{id=\"{id}\"}}")));
        assert_eq!((found.count(), lines.len()), (1, 2), "{lines:?}");
    }
    // One that the server makes reaches the handler, too.
    let (_, answer) = send(&server, &get("/", "")).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("x-request-id: {body}\r\n")) && body.contains('-'), "{answer}");
}

#[tokio::test]
async fn an_address_makes_a_burst_of_requests_and_then_so_many_a_second() {
    let [limit, burst] = [1, 5].map(|number| NonZeroU32::new(number).unwrap());
    let config = HttpConfig::default().with_requests_per_second(limit).with_request_burst(burst);
    let origin = "https://app.example";
    let routes = RoutesConfig::default().with_allowed_origins([origin.parse().unwrap()]);
    let server = node_server(routes, config).await;
    let began = Instant::now();
    let request = format!("GET /health HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\n\r\n");
    let (_, answers) = send(&server, &(request.repeat(29) + &get("/health", ""))).await;
    let elapsed = usize::try_from(began.elapsed().as_secs()).unwrap();
    let answers: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).collect();
    assert_eq!(answers.len(), 30);
    let (admitted, refused): (Vec<&str>, Vec<&str>) =
        answers.iter().partition(|answer| answer.starts_with("200"));
    assert!((5..=6 + elapsed).contains(&admitted.len()), "{} after {elapsed} s", admitted.len());
    assert!(answers[..5].iter().all(|answer| answer.starts_with("200")));
    for answer in &refused {
        assert!(
            answer.starts_with("429 Too Many Requests\r\n") && answer.contains("retry-after: 1\r\n"),
            "{answer}"
        );
        assert!(answer.contains("{\"error\":{\"code\":\"too_many_requests\","), "{answer}");
    }
    // A page can read that it is too fast.
    assert!(refused[0].contains("access-control-allow-origin: https://app.example\r\n"), "{}", refused[0]);
}
