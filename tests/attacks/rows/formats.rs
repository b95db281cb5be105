//! Two formats at one port: the offer, the selected format, and the format of the messages.

use hashloom::Message;
use hashloom::protocol::CloseReason;
use tokio::io::AsyncWriteExt;

use super::calls::upgrades;
use super::upgrade::request;
use crate::carrier::Format;
use crate::socket::{Socket, frame, read_to_end, tcp};
use crate::stage::Stage;
use crate::table::{Ends, Over, ROW, Row};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "offer_of_both",
        does: "an offer of both formats in either order, of which the first is spoken",
        attack: |stage| {
            Box::pin(async {
                speaks(stage, &[JSON, BINCODE], Format::Json).await;
                speaks(stage, &[BINCODE, JSON], Format::Bincode).await;
            })
        },
        ..TWO
    },
    Row {
        name: "offer_of_one_among_many",
        does: "an offer of 15 formats that there are not, and then of one that there is",
        attack: |stage| {
            Box::pin(async {
                let offer = [vec![MORSE; LOOKED_AT - 1], vec![JSON]].concat();
                speaks(stage, &offer, Format::Json).await;
            })
        },
        ..TWO
    },
    Row {
        name: "offer_of_none",
        does: "a request without a format",
        attack: |stage| Box::pin(is_refused(stage, &[])),
        ..REFUSED
    },
    Row {
        name: "offer_of_unknown",
        does: "an offer of a format that there is not",
        attack: |stage| Box::pin(is_refused(stage, &[MORSE])),
        ..REFUSED
    },
    Row {
        name: "offer_of_one_behind_many",
        does: "an offer of 16 formats that there are not, and then of one that there is",
        attack: |stage| {
            Box::pin(async {
                let offer = [vec![MORSE; LOOKED_AT], vec![JSON]].concat();
                is_refused(stage, &offer).await;
            })
        },
        ..REFUSED
    },
    Row {
        name: "offer_in_capitals",
        does: "an offer of a format in capitals",
        attack: |stage| Box::pin(is_refused(stage, &["HASHLOOM.V1.JSON"])),
        ..REFUSED
    },
    Row {
        name: "hello_in_the_other_format",
        does: "a hello in the format that was not agreed on",
        attack: |stage| {
            Box::pin(async {
                let mut socket = Socket::offering(stage, &[JSON, BINCODE], Format::Json).await;
                let hello = Format::Bincode.encode(&Message::Hello(socket.hello.clone()));
                socket.write(&frame(true, Format::Bincode.opcode(), &hello)).await;
                stage.socket = Some(socket);
            })
        },
        ..OTHER_FRAME
    },
    Row {
        name: "bincode_after_json",
        does: "a hello in JSON, and then bincode",
        attack: |stage| Box::pin(puts(stage, Format::Json, Format::Bincode, Format::Bincode)),
        ..OTHER_FRAME
    },
    Row {
        name: "json_after_bincode",
        does: "a hello in bincode, and then JSON",
        attack: |stage| Box::pin(puts(stage, Format::Bincode, Format::Json, Format::Json)),
        ..OTHER_FRAME
    },
    Row {
        name: "bincode_as_text",
        does: "a hello in bincode, and then bincode in a text frame",
        attack: |stage| Box::pin(puts(stage, Format::Bincode, Format::Bincode, Format::Json)),
        ..OTHER_FRAME
    },
    Row {
        name: "json_as_binary",
        does: "a hello in JSON, and then JSON in a binary frame",
        attack: |stage| Box::pin(puts(stage, Format::Json, Format::Json, Format::Bincode)),
        ..OTHER_FRAME
    },
    Row {
        name: "json_in_a_frame_of_bincode",
        does: "a hello in bincode, and then JSON in a binary frame",
        ends: Ends::Malformed,
        attack: |stage| Box::pin(puts(stage, Format::Bincode, Format::Json, Format::Bincode)),
        ..TWO
    },
    Row {
        name: "bincode_in_a_frame_of_json",
        does: "a hello in JSON, and then bincode in a text frame",
        ends: Ends::Malformed,
        attack: |stage| Box::pin(puts(stage, Format::Json, Format::Bincode, Format::Json)),
        ..TWO
    },
    Row {
        name: "called_and_a_third_format",
        does: "a called host that agrees on a format that was not offered",
        ends: Ends::NotReached("handshake"),
        attack: |stage| Box::pin(upgrades(stage, Some(Format::Postcard.subprotocol()))),
        ..TWO
    },
    Row {
        name: "called_and_both_formats",
        does: "a called host that agrees on both formats",
        ends: Ends::NotReached("handshake"),
        attack: |stage| Box::pin(upgrades(stage, Some("hashloom.v1.bincode, hashloom.v1.json"))),
        ..TWO
    },
    Row {
        name: "called_and_another_language",
        does: "a called host that agrees on bincode and speaks JSON",
        attack: |stage| {
            Box::pin(async {
                upgrades(stage, Some(BINCODE)).await;
                let tcp = stage.connections.last_mut().unwrap();
                // Frames of a server are not masked.
                tcp.write_all(&[0x80 | Format::Json.opcode(), 2, b'{', b'}']).await.unwrap();
            })
        },
        ..OTHER_FRAME
    },
];

const TWO: Row = Row { over: Over::TwoFormats, ..ROW };
const REFUSED: Row = Row { ends: Ends::Refused("no wire format in common"), ..TWO };

/// Refused for the type of the frame and not for its content.
const OTHER_FRAME: Row = Row {
    ends: Ends::Closed("Malformed", |reason| {
        matches!(reason, CloseReason::Malformed(_)) && reason.to_string().contains("frames, got a")
    }),
    ..TWO
};

const BINCODE: &str = Format::Bincode.subprotocol();
const JSON: &str = Format::Json.subprotocol();

/// A subprotocol that no node supports.
const MORSE: &str = "hashloom.v1.morse";

/// The number of names in an offer that a node examines.
const LOOKED_AT: usize = 16;

/// Acts as an ordinary peer, in the format that the node selects from the offer.
async fn speaks(stage: &mut Stage, offer: &[&str], format: Format) {
    let mut socket = Socket::offering(stage, offer, format).await;
    socket.introduce().await;
    socket.is_answered().await;
    stage.kept.push(Box::new(socket));
}

/// Is refused with the list of supported formats.
async fn is_refused(stage: &mut Stage, offer: &[&str]) {
    let offer = if offer.is_empty() {
        String::new()
    } else {
        format!("Sec-WebSocket-Protocol: {}\r\n", offer.join(", "))
    };
    let mut tcp = tcp(stage).await;
    tcp.write_all(request("GET / HTTP/1.1", &offer).as_bytes()).await.unwrap();
    let response = read_to_end(&mut tcp).await;
    assert!(response.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{response:?}");
    let ours = format!("sec-websocket-protocol: {BINCODE}, {JSON}\r\n");
    assert!(response.to_ascii_lowercase().contains(&ours), "{response:?}");
    stage.connections.push(tcp);
}

/// Completes the handshake in the selected format, then sends a message of one format in a frame of one.
async fn puts(stage: &mut Stage, agreed: Format, message: Format, in_frame_of: Format) {
    let mut socket = Socket::offering(stage, &[agreed.subprotocol()], agreed).await;
    socket.introduce().await;
    socket.is_answered().await;
    // All bytes of the message are ASCII, in bincode, too.
    let ping = message.encode(&Message::Ping(7));
    socket.write(&frame(true, in_frame_of.opcode(), &ping)).await;
    stage.socket = Some(socket);
}
