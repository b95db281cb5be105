//! Hostile answers to a dial of the node.

use std::time::Duration;

use hashloom::protocol::limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

use crate::socket::frame;
use crate::stage::Stage;
use crate::table::{Ends, Over, ROW, Row, attack, closed};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "called_and_silent",
        does: "a called host that opens a connection and never says hello",
        over: Over::All,
        ends: closed!(HandshakeTimeout),
        after: limits::HANDSHAKE_TIMEOUT,
        attack: attack!(is_called_and_says_nothing),
        ..CALLED
    },
    Row {
        name: "called_and_half_open",
        does: "a called host that accepts TCP and says nothing",
        ends: Ends::NotReached("took longer than 10 s"),
        after: Duration::from_secs(10),
        attack: |stage| Box::pin(answers(stage, b"")),
        ..CALLED
    },
    Row {
        name: "called_and_no_http",
        does: "a called host that does not speak HTTP",
        attack: |stage| Box::pin(answers(stage, b"SSH-2.0-OpenSSH_9.9\r\n\r\n")),
        ..CALLED
    },
    Row {
        name: "called_and_redirects",
        does: "a called host that names another",
        ends: Ends::NotReached("301"),
        attack: |stage| {
            Box::pin(answers(
                stage,
                b"HTTP/1.1 301 Moved\r\nLocation: ws://evil.example\r\nContent-Length: 0\r\n\r\n",
            ))
        },
        ..CALLED
    },
    Row {
        name: "called_and_refuses_at_length",
        does: "a called host that refuses with a body without end",
        ends: Ends::NotReached("403"),
        attack: attack!(refuses_at_length),
        ..CALLED
    },
    Row {
        name: "called_and_endless_headers",
        does: "a called host whose headers do not end",
        attack: attack!(answers_without_end),
        ..CALLED
    },
    Row {
        name: "called_and_wrong_key",
        does: "a called host that agrees without having read the question",
        attack: |stage| {
            Box::pin(async {
                let name = stage.carrier.format().subprotocol();
                let answer = format!(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\nSec-WebSocket-Protocol: {name}\r\n\r\n"
                );
                answers(stage, answer.as_bytes()).await;
            })
        },
        ..CALLED
    },
    Row {
        name: "called_and_no_format",
        does: "a called host that agrees on no format",
        ends: Ends::NotReached("no wire format in common"),
        attack: |stage| Box::pin(upgrades(stage, None)),
        ..CALLED
    },
    Row {
        name: "called_and_another_format",
        does: "a called host that agrees on a format that was not offered",
        attack: |stage| Box::pin(upgrades(stage, Some("hashloom.v1.morse"))),
        ..CALLED
    },
    Row {
        name: "called_and_masked",
        does: "a called host that masks its frames",
        ends: Ends::Malformed,
        attack: |stage| {
            Box::pin(async {
                let format = stage.carrier.format();
                upgrades(stage, Some(format.subprotocol())).await;
                let tcp = stage.connections.last_mut().unwrap();
                let mut bytes = frame(true, format.opcode(), b"{}");
                // A mask that is not zero.
                bytes[2..6].copy_from_slice(&[1, 2, 3, 4]);
                tcp.write_all(&bytes).await.unwrap();
            })
        },
        ..CALLED
    },
];

const CALLED: Row = Row { over: Over::Sockets, ends: Ends::NotReached("handshake"), ..ROW };

/// A connection that the node opened.
async fn is_called(stage: &mut Stage) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}", listener.local_addr().unwrap());
    stage.node.connect(address.parse().unwrap()).await.unwrap();
    listener.accept().await.unwrap().0
}

/// Reads the node's request and sends this answer.
async fn answers(stage: &mut Stage, bytes: &[u8]) {
    let mut tcp = is_called(stage).await;
    reads_request(&mut tcp).await;
    tcp.write_all(bytes).await.unwrap();
    stage.settle().await;
    stage.connections.push(tcp);
}

async fn reads_request(tcp: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        tcp.read_buf(&mut request).await.unwrap();
    }
}

async fn refuses_at_length(stage: &mut Stage) {
    let mut tcp = is_called(stage).await;
    reads_request(&mut tcp).await;
    tcp.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100000000000\r\n\r\n").await.unwrap();
    while tcp.write_all(&[b'x'; 1 << 10]).await.is_ok() {}
}

async fn answers_without_end(stage: &mut Stage) {
    let mut tcp = is_called(stage).await;
    reads_request(&mut tcp).await;
    tcp.write_all(b"HTTP/1.1 101 Switching Protocols\r\n").await.unwrap();
    while tcp.write_all(&b"X-Again: and again and again\r\n".repeat(100)).await.is_ok() {}
}

/// Completes the upgrade with this format, and keeps the TCP connection below the WebSocket.
pub(super) async fn upgrades(stage: &mut Stage, format: Option<&'static str>) {
    let tcp = is_called(stage).await;
    #[expect(clippy::result_large_err, reason = "the WebSocket library's signature")]
    let agree = |_: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        if let Some(format) = format {
            response.headers_mut().insert("Sec-WebSocket-Protocol", format.parse().unwrap());
        }
        Ok(response)
    };
    let socket = accept_hdr_async(tcp, agree).await.unwrap();
    stage.connections.push(socket.into_inner());
}

async fn is_called_and_says_nothing(stage: &mut Stage) {
    let mut listener = stage.transport.listen(&stage.carrier.anywhere()).await.unwrap();
    stage.node.connect(listener.local_addr().clone()).await.unwrap();
    let (sender, mut receiver) = listener.accept().await.unwrap().split();
    receiver.recv().await.unwrap().expect("the node says hello");
    stage.kept.push(Box::new((listener, sender, receiver)));
}
