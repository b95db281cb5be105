//! Frames that a transport refuses: garbage, frames of the wrong type, and oversized frames.

use hashloom::wire::WireError;

use super::*;

#[rstest]
#[case::garbage(
    Json::SUBPROTOCOL,
    WsMessage::text("garbage"),
    "no kind of message in hashloom.v1.json: garbage"
)]
#[case::two_messages(Json::SUBPROTOCOL, WsMessage::text(r#"{"ping":1}{"ping":2}"#), "trailing characters")]
#[case::deep(Json::SUBPROTOCOL, WsMessage::text(format!("{{\"transactions\":[{}", "[".repeat(3_000))), "invalid type")]
#[case::unknown_kind(Bincode::SUBPROTOCOL, WsMessage::binary(vec![255, 0, 0, 0, 7]), "no kind of message in hashloom.v1.bincode: 255")]
#[case::no_kind(Bincode::SUBPROTOCOL, WsMessage::binary(vec![1]), "no kind of message in hashloom.v1.bincode: the frame is too short")]
#[case::beyond_its_kind(Json::SUBPROTOCOL, WsMessage::text(format!("{{\"ping\":1{}}}", " ".repeat(100))), "a ping has 110 bytes, at most 96 are allowed")]
#[case::binary_to_json(Json::SUBPROTOCOL, WsMessage::binary(vec![1]), "json uses text frames, got a binary frame")]
#[case::text_to_bincode(
    Bincode::SUBPROTOCOL,
    WsMessage::text("{}"),
    "bincode uses binary frames, got a text frame"
)]
#[case::truncated(Bincode::SUBPROTOCOL, WsMessage::binary(vec![1, 0, 0, 0, 7]), "not a message in hashloom.v1.bincode")]
#[case::trailing(Bincode::SUBPROTOCOL, WsMessage::binary(vec![1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0]), "bytes remaining")]
#[case::oversize_text(Json::SUBPROTOCOL, WsMessage::text(" ".repeat(65_537)), "a frame has 65537 bytes, at most 4096 are allowed")]
#[case::oversize(Bincode::SUBPROTOCOL, WsMessage::binary(vec![0; 1 << 20]), "a frame has 1048576 bytes, at most 4096")]
#[tokio::test]
async fn a_malformed_message_is_answered_on_a_connection_that_still_works(
    #[case] subprotocol: &str,
    #[case] message: WsMessage,
    #[case] expected: &str,
) {
    let config = WebSocketConfig::default().with_max_frame_bytes(1 << 16);
    let (mut listener, _) = listen(&WsMulti::new(Bincode).and(Json).with_config(config)).await;
    let (client, accepted) = foreign_client(listener.as_mut(), subprotocol).await;
    let (mut out, mut incoming) = accepted.split();
    let (mut client_out, mut client_in) = client.split();

    let (sent, error) = tokio::join!(client_out.send(message), incoming.recv());
    sent.unwrap();
    let error = error.unwrap_err();
    assert!(matches!(error, TransportError::Malformed(_)), "{error:?}");
    assert!(error.to_string().contains(expected), "{error}");

    let bye = Outgoing::new(Message::Bye { reason: error.to_string() });
    out.feed(&bye).await.unwrap();
    let closing = async move {
        out.close().await;
        assert_eq!(incoming.recv().await.unwrap(), None);
    };
    let reading = async {
        let told = client_in.next().await.unwrap().unwrap();
        let frame = if subprotocol == Json::SUBPROTOCOL { bye.frame(&Json) } else { bye.frame(&Bincode) };
        assert_eq!(told.into_data(), frame.unwrap().as_bytes());
        assert!(matches!(client_in.next().await, Some(Ok(WsMessage::Close(_)))));
        drop((client_in, client_out));
    };
    tokio::join!(closing, reading);
}

#[tokio::test]
async fn fragments_count_together() {
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    let config = WebSocketConfig::default().with_max_frame_bytes(1_000);
    let (mut listener, _) = listen(&WsJson::default().with_config(config)).await;
    let (mut client, accepted) = foreign_client(listener.as_mut(), Json::SUBPROTOCOL).await;
    let (_out, mut incoming) = accepted.split();
    for kind in [Data::Text, Data::Continue] {
        let fragment = Frame::message(" ".repeat(600), OpCode::Data(kind), false);
        client.send(WsMessage::Frame(fragment)).await.unwrap();
    }
    let error = incoming.recv().await.unwrap_err();
    assert!(
        matches!(error, TransportError::Malformed(WireError::TooLarge { got: 1_200, limit: 1_000 })),
        "{error}"
    );
}

/// The limit of a `Hello` applies to the first message only, at both ends.
#[tokio::test]
async fn the_first_message_has_a_limit_of_its_own() {
    let limit = hashloom::protocol::limits::MAX_HELLO_BYTES;
    let config = WebSocketConfig::default().with_max_frame_bytes(1 << 16);
    let transport = WsJson::default().with_config(config);
    let large = Outgoing::new(Message::Transactions(vec!["x".repeat(limit)]));
    for dialler_reads in [false, true] {
        for begins_small in [false, true] {
            let (mut listener, address) = listen(&transport).await;
            let transport: &dyn Transport = &transport;
            let (dialled, accepted) = tokio::join!(transport.dial(&address, Reach::ANY), listener.accept());
            let (mut reader, mut writer) = (dialled.unwrap().split(), accepted.unwrap().split());
            if !dialler_reads {
                core::mem::swap(&mut reader, &mut writer);
            }
            if begins_small {
                // Sent together, so that they arrive in one piece.
                writer.0.feed(&ping(1)).await.unwrap();
            }
            writer.0.send(&large).await.unwrap();
            if begins_small {
                assert_eq!(reader.1.recv().await.unwrap(), Some(Message::Ping(1)));
                assert_eq!(reader.1.recv().await.unwrap().as_ref(), Some(large.message()));
            } else {
                let error = reader.1.recv().await.unwrap_err();
                let TransportError::Malformed(WireError::TooLarge { got, limit: allowed }) = error else {
                    panic!("{error}");
                };
                assert_eq!((got, allowed), (limit + "{\"transactions\":[\"\"]}".len(), limit));
            }
        }
    }
}

#[tokio::test]
async fn text_that_is_not_utf8_is_malformed() {
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    let (mut listener, _) = listen(&WsJson::default()).await;
    let (mut client, accepted) = foreign_client(listener.as_mut(), Json::SUBPROTOCOL).await;
    let broken = Frame::message(vec![0xff, 0xfe], OpCode::Data(Data::Text), true);
    client.send(WsMessage::Frame(broken)).await.unwrap();
    let error = accepted.split().1.recv().await.unwrap_err();
    assert!(matches!(error, TransportError::Malformed(WireError::NotUtf8)), "{error}");
}

#[tokio::test]
async fn a_message_too_large_to_send_harms_nothing() {
    let config = WebSocketConfig::default().with_max_frame_bytes(100);
    let (mut listener, _) = listen(&WsJson::default().with_config(config)).await;
    let (mut client, accepted) = foreign_client(listener.as_mut(), Json::SUBPROTOCOL).await;
    let (mut out, _incoming) = accepted.split();
    let error = out.send(&Outgoing::new(Message::Bye { reason: "x".repeat(100) })).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot send the message: a frame has 121 bytes, at most 100 are allowed");
    assert!(matches!(error, TransportError::Unsendable(_)), "{error:?}");
    out.send(&ping(1)).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), WsMessage::text(r#"{"ping":1}"#));
}
