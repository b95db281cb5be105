//! An attacker that writes bytes to a plain socket.

use futures_util::StreamExt;
use hashloom::Message;
use hashloom::protocol::Hello;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::carrier::Format;
use crate::chain::Entry;
use crate::stage::Stage;

/// A TCP connection to the node's port.
pub(crate) async fn tcp(stage: &Stage) -> TcpStream {
    let address = stage.address();
    TcpStream::connect(address.as_str().trim_start_matches("ws://")).await.unwrap()
}

/// Whether the other end has already closed the connection.
pub(crate) fn is_closed(tcp: &TcpStream) -> bool {
    let mut bytes = [0; 1 << 10];
    loop {
        match tcp.try_read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

/// Reads until the other end closes the connection.
pub(crate) async fn read_to_end(tcp: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset ends the connection like a close.
    let _ = tcp.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A WebSocket that has completed the upgrade.
pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
    format: Format,
    /// The `Hello` that an honest peer would send.
    pub(crate) hello: Hello,
}

impl Socket {
    /// Connects, and reads the node's `Hello`.
    pub(crate) async fn connect(stage: &mut Stage) -> Self {
        let format = stage.carrier.format();
        Self::offering(stage, &[format.subprotocol()], format).await
    }

    /// Connects with an offer of subprotocols, and checks that the node selects this format.
    pub(crate) async fn offering(stage: &mut Stage, offer: &[&str], format: Format) -> Self {
        let mut request = stage.address().as_str().into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", offer.join(", ").parse().unwrap());
        let (mut stream, response) = client_async(request, tcp(stage).await).await.unwrap();
        assert_eq!(response.headers()["Sec-WebSocket-Protocol"], format.subprotocol());
        let first = stream.next().await.unwrap().unwrap();
        let Message::Hello(hello) = format.decode(&first.into_data()) else {
            panic!("the node says hello first")
        };
        stage.callers += 1;
        let hello =
            Hello { nonce: hello.nonce ^ stage.callers, agent: "attacker".to_owned(), listen: None, ..hello };
        Self { stream, format, hello }
    }

    /// Connects and completes the handshake.
    pub(crate) async fn introduced(stage: &mut Stage) -> Self {
        let mut socket = Self::connect(stage).await;
        socket.introduce().await;
        stage.has_peers(2).await;
        socket
    }

    pub(crate) async fn introduce(&mut self) {
        let hello = Message::Hello(self.hello.clone());
        self.say(&hello).await;
    }

    /// Waits until the node has answered a ping.
    pub(crate) async fn is_answered(&mut self) {
        /// A number that no other ping has.
        const MARK: u64 = 0x1dea;
        self.say(&Message::Ping(MARK)).await;
        loop {
            let frame = self.stream.next().await.unwrap().unwrap();
            match self.format.decode(&frame.into_data()) {
                Message::Pong(MARK) => return,
                Message::Bye { reason } => panic!("the node says goodbye: {reason}"),
                _ => {}
            }
        }
    }

    pub(crate) async fn say(&mut self, message: &Message<Entry>) {
        let bytes = self.format.encode(message);
        self.write(&frame(true, self.format.opcode(), &bytes)).await;
    }

    /// Writes bytes below the WebSocket, as far as the node reads them.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.get_mut().write_all(bytes).await;
    }

    /// Writes bytes below the WebSocket. Returns whether all were written.
    pub(crate) async fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.stream.get_mut().write_all(bytes).await.is_ok()
    }

    /// Writes a message as one frame in the connection's format.
    pub(crate) async fn write_payload(&mut self, payload: &[u8]) {
        self.write(&frame(true, self.format.opcode(), payload)).await;
    }

    /// Reads until the node closes the connection. Returns the reason of its `Bye`.
    pub(crate) async fn last_word(&mut self) -> Option<String> {
        let mut told = None;
        while let Some(Ok(frame)) = self.stream.next().await {
            if let Frame::Text(_) | Frame::Binary(_) = frame
                && let Message::Bye { reason } = self.format.decode(&frame.into_data())
            {
                told = Some(reason);
            }
        }
        told
    }
}

/// A client's frame, with a mask of zeros.
pub(crate) fn frame(is_final: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = head(is_final, opcode, payload.len() as u64);
    bytes.extend(payload);
    bytes
}

/// The head of a frame, which precedes the payload.
pub(crate) fn head(is_final: bool, opcode: u8, length: u64) -> Vec<u8> {
    const MASKED: u8 = 0x80;
    let mut bytes = vec![if is_final { 0x80 | opcode } else { opcode }];
    match length {
        0..=125 => bytes.push(MASKED | u8::try_from(length).unwrap()),
        126..=0xffff => {
            bytes.push(MASKED | 0x7e);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            bytes.push(MASKED | 0x7f);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes
}
