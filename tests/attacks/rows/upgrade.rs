//! Attacks before the WebSocket upgrade: connections that send nothing, too little, or something else.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::socket::{read_to_end, tcp};
use crate::stage::Stage;
use crate::table::{Ends, Over, ROW, Row, attack};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "tcp_and_no_more",
        does: "a TCP connection and no byte",
        attack: |stage| Box::pin(opens(stage, b"")),
        ..SLOW
    },
    Row {
        name: "half_a_request",
        does: "half a request",
        attack: |stage| Box::pin(opens(stage, b"GET / HTTP/1.1\r\nHost: no")),
        ..SLOW
    },
    Row {
        name: "drop_by_drop",
        does: "a request, a byte a second",
        attack: attack!(writes_drop_by_drop),
        ..SLOW
    },
    Row {
        name: "half_open_crowd",
        does: "40 TCP connections and no byte, of which 32 are closed at once",
        attack: attack!(opens_many),
        ..SLOW
    },
    Row {
        name: "no_http",
        does: "what is not HTTP",
        attack: |stage| Box::pin(opens(stage, b"\x00\x01\x02 what is not HTTP \xff\r\n\r\n")),
        after: LINGER,
        ..REFUSED
    },
    Row {
        name: "tls",
        does: "the beginning of a TLS handshake",
        attack: |stage| Box::pin(opens(stage, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")),
        ends: Ends::Refused("speaks TLS"),
        after: LINGER,
        ..REFUSED
    },
    Row {
        name: "plain_request",
        does: "a request for a page",
        attack: |stage| Box::pin(opens(stage, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")),
        after: LINGER,
        ..REFUSED
    },
    Row {
        name: "post",
        does: "a request of another method",
        attack: |stage| Box::pin(asks(stage, "POST / HTTP/1.1", "")),
        after: LINGER,
        ..REFUSED
    },
    Row {
        name: "old_http",
        does: "a request in HTTP/1.0",
        attack: |stage| Box::pin(asks(stage, "GET / HTTP/1.0", "")),
        after: LINGER,
        ..REFUSED
    },
    Row { name: "endless_headers", does: "headers without end", attack: attack!(writes_headers), ..REFUSED },
    Row {
        name: "one_long_header",
        does: "a header of a megabyte",
        attack: attack!(writes_a_long_header),
        ..REFUSED
    },
    Row {
        name: "frames_with_the_request",
        does: "a request and frames that do not wait for the answer",
        attack: |stage| {
            Box::pin(async {
                let name = stage.carrier.format().subprotocol();
                let offer = format!("Sec-WebSocket-Protocol: {name}\r\n\r\n\u{1}\u{2}\u{3}");
                asks(stage, "GET / HTTP/1.1", &offer).await;
            })
        },
        after: LINGER,
        ..REFUSED
    },
    Row {
        name: "no_format",
        does: "a request without a format",
        ends: Ends::Refused("no wire format in common"),
        attack: |stage| Box::pin(is_answered(stage, "", "HTTP/1.1 400 Bad Request\r\n")),
        ..REFUSED
    },
    Row {
        name: "another_format",
        does: "a request for a format that there is not",
        ends: Ends::Refused("no wire format in common"),
        attack: |stage| {
            Box::pin(is_answered(
                stage,
                "Sec-WebSocket-Protocol: hashloom.v1.morse\r\n",
                "HTTP/1.1 400 Bad Request\r\n",
            ))
        },
        ..REFUSED
    },
    Row {
        name: "web_page",
        does: "a request from a web page",
        ends: Ends::Refused("a web page of"),
        attack: |stage| {
            Box::pin(async {
                let name = stage.carrier.format().subprotocol();
                let headers = format!("Sec-WebSocket-Protocol: {name}\r\nOrigin: https://evil.example\r\n");
                is_answered(stage, &headers, "HTTP/1.1 403 Forbidden\r\n").await;
            })
        },
        ..REFUSED
    },
];

const REFUSED: Row = Row { over: Over::Sockets, ends: Ends::Refused("handshake"), ..ROW };
const SLOW: Row = Row { ends: Ends::Refused("took longer than 10 s"), after: HANDSHAKE, ..REFUSED };

/// `WebSocketConfig::default().handshake_timeout`.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long a listener waits until a refused peer has read the reason and closes.
const LINGER: Duration = Duration::from_secs(1);

/// The default limit of concurrent handshakes from one address.
const PLACES: usize = 8;

/// Writes these bytes and waits.
async fn opens(stage: &mut Stage, bytes: &[u8]) {
    let mut tcp = tcp(stage).await;
    tcp.write_all(bytes).await.unwrap();
    stage.settle().await;
    stage.connections.push(tcp);
}

async fn asks(stage: &mut Stage, line: &str, rest: &str) {
    let request = request(line, rest);
    opens(stage, request.as_bytes()).await;
}

/// An upgrade request.
pub(super) fn request(line: &str, rest: &str) -> String {
    format!(
        "{line}\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{rest}\r\n"
    )
}

async fn is_answered(stage: &mut Stage, headers: &str, answer: &str) {
    let mut tcp = tcp(stage).await;
    tcp.write_all(request("GET / HTTP/1.1", headers).as_bytes()).await.unwrap();
    let response = read_to_end(&mut tcp).await;
    assert!(response.starts_with(answer), "{response:?}");
    stage.connections.push(tcp);
}

async fn writes_drop_by_drop(stage: &mut Stage) {
    let mut tcp = tcp(stage).await;
    stage.settle().await;
    for byte in b"GET / HT" {
        tcp.write_all(&[*byte]).await.unwrap();
        stage.pass(Duration::from_secs(1)).await;
    }
    stage.connections.push(tcp);
}

async fn opens_many(stage: &mut Stage) {
    const CROWD: usize = 40;
    for _ in 0..CROWD {
        let tcp = tcp(stage).await;
        stage.connections.push(tcp);
    }
    stage.settle().await;
    let closed =
        |connections: &[TcpStream]| connections.iter().filter(|tcp| crate::socket::is_closed(tcp)).count();
    assert_eq!(closed(&stage.connections), CROWD - PLACES);
}

/// Writes until the node stops reading.
async fn writes_headers(stage: &mut Stage) {
    let mut tcp = tcp(stage).await;
    tcp.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    while tcp.write_all(&b"X-Again: and again and again\r\n".repeat(100)).await.is_ok() {}
    stage.connections.push(tcp);
}

async fn writes_a_long_header(stage: &mut Stage) {
    let mut tcp = tcp(stage).await;
    tcp.write_all(b"GET / HTTP/1.1\r\nX-Long: ").await.unwrap();
    let mut left: usize = 1 << 20;
    while left > 0 && tcp.write_all(&[b'x'; 1 << 10]).await.is_ok() {
        left -= 1 << 10;
    }
    stage.connections.push(tcp);
}
