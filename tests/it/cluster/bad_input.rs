//! Bytes that are no messages, from a client that has only a WebSocket: the connection is closed with a reason
//! that the client gets to read, and the node goes on.

use futures_util::{SinkExt, StreamExt};
use hashloom::CloseReason;
use hashloom::limits::MAX_HELLO_BYTES;
use hashloom::wire::DEFAULT_MAX_FRAME_BYTES;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::kit::{Member, Network, Wire, disconnected, within};

/// A client without a node behind it, and the node that it is connected to.
struct Client {
    node: Member,
    events: hashloom::Events,
    socket: WebSocketStream<TcpStream>,
}

impl Client {
    async fn connect(wire: Wire, subprotocol: &str) -> Self {
        let node = Network::new(wire).start(&[]).await;
        let events = node.subscribe();
        let address = node.address();
        let tcp = TcpStream::connect(address.as_str().trim_start_matches("ws://")).await.unwrap();
        let mut request = address.as_str().into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", subprotocol.parse().unwrap());
        let (socket, _) = within(client_async(request, tcp)).await.unwrap();
        Self { node, events, socket }
    }

    async fn send(&mut self, frame: Frame) {
        within(self.socket.send(frame)).await.unwrap();
    }

    async fn next(&mut self) -> Option<Frame> {
        within(self.socket.next()).await.transpose().unwrap()
    }

    /// Reads until the node has closed the connection in an orderly way. Returns the last message, which tells
    /// the reason, and what the node says of it.
    async fn read_to_end(mut self) -> (Vec<u8>, CloseReason) {
        let mut last = Vec::new();
        let mut closed = false;
        while let Some(frame) = self.next().await {
            match frame {
                Frame::Close(_) => closed = true,
                frame => last = frame.into_data().to_vec(),
            }
        }
        assert!(closed, "the node closes the WebSocket");
        let reason = goes_on(&self.node, &mut self.events).await;
        (last, reason)
    }
}

/// What the node says of the end of the connection; it can still mine.
async fn goes_on(node: &Member, events: &mut hashloom::Events) -> CloseReason {
    let (_, reason) = disconnected(events).await;
    assert_eq!(node.status().peers, 0);
    let block = node.mine_one("goes on").await;
    assert_eq!(block.height(), 1);
    reason
}

#[cfg(feature = "ws-json")]
mod json {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    const JSON: &str = "hashloom.v1.json";

    fn text(text: &str) -> Frame {
        Frame::text(text)
    }

    async fn is_closed_with_a_reason(client: Client) -> CloseReason {
        let (last, reason) = client.read_to_end().await;
        let bye: Value = serde_json::from_slice(&last).unwrap();
        let told = bye["bye"]["reason"].as_str().unwrap();
        let reason_text = reason.to_string();
        assert!(!told.is_empty() && reason_text.starts_with(told), "{told:?} and {reason_text:?}");
        reason
    }

    #[rstest]
    #[case::garbage(text("garbage"))]
    #[case::nothing(text(""))]
    #[case::an_empty_list(text("[]"))]
    #[case::an_empty_object(text("{}"))]
    #[case::no_such_message(text(r#"{"mine_me": 1}"#))]
    #[case::binary(Frame::binary(b"{}".to_vec()))]
    #[case::half_a_message(text(r#"{"hello": {"protocol": 1, "genesis": ""#))]
    #[case::two_messages(text(r#"{"ping": 1} {"ping": 2}"#))]
    #[case::a_deep_list(text(&"[".repeat(1_000_000)))]
    #[case::a_deep_list_in_a_message(text(&format!("{{\"transactions\": {}", "[".repeat(1_000_000))))]
    #[case::too_many_hashes(text(&format!("{{\"get_blocks\": {{\"hashes\": {}", "[".to_owned() + &format!("\"{}\",", "00".repeat(32)).repeat(65))))]
    #[case::a_negative_number(text(r#"{"ping": -1}"#))]
    #[tokio::test]
    async fn no_message(#[case] frame: Frame) {
        let mut client = Client::connect(Wire::Json, JSON).await;
        client.send(frame).await;
        let reason = is_closed_with_a_reason(client).await;
        assert!(matches!(reason, CloseReason::Malformed(_)), "{reason}");
    }

    /// Answers the node's hello as another node would.
    async fn introduced() -> Client {
        let mut client = Client::connect(Wire::Json, JSON).await;
        let mut hello: Value = serde_json::from_slice(&client.next().await.unwrap().into_data()).unwrap();
        hello["hello"]["nonce"] = json!(hello["hello"]["nonce"].as_u64().unwrap() ^ 1);
        hello["hello"]["listen"] = Value::Null;
        client.send(text(&hello.to_string())).await;
        client.node.has_peers(1).await;
        client
    }

    /// A good block but for one field.
    fn block_with(client: &Client, field: &str, value: Value) -> Frame {
        let now = client.node.tip().header().timestamp;
        let template = client.node.chain().template_for(hashloom::Address::ZERO, vec!["a".to_owned()], now);
        let mut block = serde_json::to_value(template.unwrap().mine().unwrap()).unwrap();
        block["header"][field] = value;
        text(&json!({ "new_block": block }).to_string())
    }

    /// What stands in a header is all there is to say: nobody can claim a hash or a difficulty beside it.
    #[rstest]
    #[case::difficulty("difficulty", json!(200))]
    #[case::hash("hash", json!("00".repeat(32)))]
    #[case::text_for_a_number("height", json!("1000000"))]
    #[case::beyond_its_type("version", json!(u64::MAX))]
    #[case::short_hash("merkle_root", json!("00"))]
    #[tokio::test]
    async fn a_claim_is_no_header(#[case] field: &str, #[case] value: Value) {
        let mut client = introduced().await;
        let frame = block_with(&client, field, value);
        client.send(frame).await;
        let reason = is_closed_with_a_reason(client).await;
        assert!(matches!(reason, CloseReason::Malformed(_)), "{reason}");
    }

    #[rstest]
    #[case::height("height", json!(1_000_000))]
    #[case::merkle_root("merkle_root", json!("00".repeat(32)))]
    #[case::history_root("history_root", json!("00".repeat(32)))]
    #[case::nonce("nonce", json!(u64::MAX))]
    #[case::target("target", json!("1d00ffff"))]
    #[tokio::test]
    async fn a_field_that_is_not_true(#[case] field: &str, #[case] value: Value) {
        let mut client = introduced().await;
        let frame = block_with(&client, field, value);
        client.send(frame).await;
        let reason = is_closed_with_a_reason(client).await;
        assert!(matches!(reason, CloseReason::InvalidBlock { .. }), "{reason}");
    }

    /// The head of a final text frame, masked as a client's are, of which no byte ever comes.
    async fn announce(client: &mut Client, size: usize) {
        let mut head = vec![0x81, 0xff];
        head.extend((size as u64).to_be_bytes());
        head.extend([0; 4]);
        client.socket.get_mut().write_all(&head).await.unwrap();
    }

    #[tokio::test]
    async fn a_frame_beyond_the_limit_is_refused_on_its_announced_size() {
        let mut client = introduced().await;
        announce(&mut client, DEFAULT_MAX_FRAME_BYTES + 1).await;
        let reason = is_closed_with_a_reason(client).await;
        assert!(matches!(reason, CloseReason::Malformed(_)), "{reason}");
        assert!(reason.to_string().contains(&DEFAULT_MAX_FRAME_BYTES.to_string()), "{reason}");
    }

    #[tokio::test]
    async fn before_a_hello_that_limit_is_small() {
        let mut client = Client::connect(Wire::Json, JSON).await;
        client.next().await.unwrap();
        announce(&mut client, MAX_HELLO_BYTES + 1).await;
        let reason = is_closed_with_a_reason(client).await;
        assert!(matches!(reason, CloseReason::Malformed(_)), "{reason}");
        assert!(reason.to_string().ends_with("a frame has 4097 bytes, at most 4096 are allowed"), "{reason}");
        assert_eq!(reason.penalty(), 20);
    }

    #[tokio::test]
    async fn a_message_beyond_the_limit_of_its_kind_is_refused_unread() {
        let mut client = introduced().await;
        client.send(text(&format!("{{\"pong\":{}}}", "[".repeat(5_000)))).await;
        let reason = is_closed_with_a_reason(client).await;
        assert!(matches!(reason, CloseReason::Malformed(_)), "{reason}");
        assert!(reason.to_string().ends_with("a pong has 5009 bytes, at most 96 are allowed"), "{reason}");
        assert_eq!(reason.penalty(), 20);
    }

    #[tokio::test]
    async fn half_a_frame_and_no_more_is_a_lost_connection() {
        let mut client = Client::connect(Wire::Json, JSON).await;
        client.next().await.unwrap();
        client.socket.get_mut().write_all(&[0x81, 0x90, 0, 0, 0, 0, b'{']).await.unwrap();
        let Client { node, mut events, socket } = client;
        drop(socket);
        let reason = goes_on(&node, &mut events).await;
        assert!(matches!(reason, CloseReason::Lost(_)), "{reason}");
    }

    /// A frame of a kind that there is not, and one without the mask that a client's must have.
    #[rstest]
    #[case(&[0x8f, 0x80, 0, 0, 0, 0])]
    #[case(&[0x81, 0x02, b'{', b'}'])]
    #[tokio::test]
    async fn no_frame_at_all(#[case] bytes: &[u8]) {
        let mut client = Client::connect(Wire::Json, JSON).await;
        client.next().await.unwrap();
        client.socket.get_mut().write_all(bytes).await.unwrap();
        let Client { node, mut events, socket: _socket } = client;
        let reason = goes_on(&node, &mut events).await;
        assert!(matches!(reason, CloseReason::Malformed(_)), "{reason}");
        assert_ne!(reason.penalty(), 0);
    }

    #[tokio::test]
    async fn another_format_is_refused_in_the_handshake() {
        let node = Network::new(Wire::Json).start(&[]).await;
        let tcp = TcpStream::connect(node.address().as_str().trim_start_matches("ws://")).await.unwrap();
        let mut request = node.address().as_str().into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "hashloom.v1.morse".parse().unwrap());
        let refused = within(client_async(request, tcp)).await.unwrap_err();
        let tokio_tungstenite::tungstenite::Error::Http(response) = refused else { panic!("{refused}") };
        assert_eq!(response.status(), 400);
        let body = String::from_utf8(response.into_body().unwrap()).unwrap();
        assert_eq!(
            body,
            "no wire format in common: this node speaks hashloom.v1.json, you offered hashloom.v1.morse\n"
        );
        node.mine_one("goes on").await;
    }
}

#[cfg(feature = "ws-bincode")]
mod bincode {
    use super::*;
    use hashloom::Message;
    use hashloom::wire::{Bincode, WireFormat};
    use rstest::rstest;

    #[rstest]
    #[case::garbage(Frame::binary(vec![0xff; 100]))]
    #[case::nothing(Frame::binary(Vec::new()))]
    #[case::text(Frame::text("{\"ping\": 1}"))]
    #[case::half_a_message(Frame::binary(vec![1, 0, 0, 0, 7, 0]))]
    #[case::a_message_and_a_byte(Frame::binary(vec![1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0]))]
    #[case::a_list_that_claims_the_moon(Frame::binary(vec![4, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 127]))]
    #[tokio::test]
    async fn no_message(#[case] frame: Frame) {
        let mut client = Client::connect(Wire::Bincode, "hashloom.v1.bincode").await;
        client.send(frame).await;
        let (last, reason) = client.read_to_end().await;
        assert!(matches!(reason, CloseReason::Malformed(_)), "{reason}");
        let bye = Bincode.decode::<Message>(&last.into()).unwrap();
        let Message::Bye { reason: told } = bye else { panic!("{bye:?}") };
        assert!(!told.is_empty() && reason.to_string().starts_with(&told), "{told:?} and {reason}");
    }
}
