//! Frames whose bytes are not a message.

use crate::carrier::Format;
use crate::socket::{Socket, frame};
use crate::stage::Stage;
use crate::table::{BOOKS, Ends, Over, ROW, Row};
use hashloom::Message;

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "empty_frame",
        does: "a frame without a byte",
        attack: |stage| Box::pin(writes(stage, |_| Vec::new())),
        ..NO_MESSAGE
    },
    Row {
        name: "nul",
        does: "a single NUL",
        attack: |stage| Box::pin(writes(stage, |_| vec![0])),
        ..NO_MESSAGE
    },
    Row {
        name: "rubbish",
        does: "what is neither JSON nor a message",
        attack: |stage| Box::pin(writes(stage, |_| b"~ GET / rubbish \x7f".to_vec())),
        ..NO_MESSAGE
    },
    Row {
        name: "no_such_kind",
        does: "a message of a kind that there is not",
        attack: |stage| {
            Box::pin(writes(stage, |format| match format {
                Format::Json => br#"{"mine_me": 1}"#.to_vec(),
                Format::Bincode => 1_000_u32.to_le_bytes().to_vec(),
                Format::Postcard => vec![0x7f],
            }))
        },
        ..NO_MESSAGE
    },
    Row {
        name: "half_a_message",
        does: "half a message",
        attack: |stage| {
            Box::pin(writes(stage, |format| {
                let mut bytes = ping(format);
                bytes.truncate(bytes.len() / 2);
                bytes
            }))
        },
        ..NO_MESSAGE
    },
    Row {
        name: "trailing_bytes",
        does: "a message and a byte behind it",
        attack: |stage| {
            Box::pin(writes(stage, |format| {
                let mut bytes = ping(format);
                bytes.push(b'0');
                bytes
            }))
        },
        ..NO_MESSAGE
    },
    Row {
        name: "two_messages",
        does: "two messages in one frame",
        attack: |stage| Box::pin(writes(stage, |format| ping(format).repeat(2))),
        ..NO_MESSAGE
    },
    Row {
        name: "the_other_kind_of_frame",
        does: "text where the format is binary, or the reverse",
        attack: |stage| {
            Box::pin(async {
                let format = stage.carrier.format();
                let mut socket = Socket::connect(stage).await;
                socket.write(&frame(true, format.wrong_opcode(), b"{\"ping\":1}")).await;
                stage.socket = Some(socket);
            })
        },
        ..NO_MESSAGE
    },
    Row {
        name: "not_utf8",
        does: "text that is not UTF-8",
        attack: |stage| {
            Box::pin(async {
                let mut socket = Socket::connect(stage).await;
                socket.write(&frame(true, crate::carrier::TEXT, &[0xff, 0xfe])).await;
                stage.socket = Some(socket);
            })
        },
        ..NO_MESSAGE
    },
    Row {
        name: "an_empty_list",
        does: "an empty list",
        attack: |stage| Box::pin(writes(stage, |_| b"[]".to_vec())),
        ..JSON
    },
    Row {
        name: "an_empty_object",
        does: "an empty object",
        attack: |stage| Box::pin(writes(stage, |_| b"{}".to_vec())),
        ..JSON
    },
    Row {
        name: "deep_list",
        does: "a list in a list, 100,000 deep",
        attack: |stage| Box::pin(writes(stage, |_| vec![b'['; 100_000])),
        ..JSON
    },
    Row {
        name: "deep_list_in_a_message",
        does: "the same in the place of transactions",
        attack: |stage| {
            Box::pin(writes(stage, |_| format!("{{\"transactions\":{}", "[".repeat(100_000)).into_bytes()))
        },
        ..JSON
    },
    Row {
        name: "deep_objects",
        does: "an object in an object, 100,000 deep",
        attack: |stage| Box::pin(writes(stage, |_| "{\"a\":".repeat(100_000).into_bytes())),
        ..JSON
    },
    Row {
        name: "a_long_number",
        does: "a number of 100,000 digits",
        attack: |stage| {
            Box::pin(writes(stage, |_| format!("{{\"ping\":1{}}}", "0".repeat(100_000)).into_bytes()))
        },
        ..JSON
    },
    Row {
        name: "a_negative_number",
        does: "a negative number for a positive one",
        attack: |stage| Box::pin(writes(stage, |_| br#"{"ping": -1}"#.to_vec())),
        ..JSON
    },
    Row {
        name: "claimed_difficulty",
        does: "a header with a field for a difficulty of 200",
        attack: |stage| Box::pin(writes_header(stage, "\"nonce\"", "\"difficulty\":200,\"nonce\"")),
        ..JSON
    },
    Row {
        name: "claimed_hash",
        does: "a header with a field for its own hash",
        attack: |stage| Box::pin(writes_header(stage, "\"nonce\"", "\"hash\":\"00\",\"nonce\"")),
        ..JSON
    },
    Row {
        name: "field_twice",
        does: "a header with two heights",
        attack: |stage| Box::pin(writes_header(stage, "\"nonce\"", "\"height\":1000000,\"nonce\"")),
        ..JSON
    },
    Row {
        name: "text_for_a_number",
        does: "a header with a text for its height",
        attack: |stage| Box::pin(writes_header(stage, "\"height\":10", "\"height\":\"10\"")),
        ..JSON
    },
    Row {
        name: "beyond_its_type",
        does: "a header with a version of 2^64 - 1",
        attack: |stage| Box::pin(writes_header(stage, "\"version\":1", "\"version\":18446744073709551615")),
        ..JSON
    },
    Row {
        name: "short_hash",
        does: "a header with a hash of one byte",
        attack: |stage| {
            Box::pin(writes_header(stage, "\"merkle_root\":\"", "\"merkle_root\":\"00\",\"\":\""))
        },
        ..JSON
    },
    Row {
        name: "a_large_frame_of_nothing",
        does: "a frame of a megabyte of blanks",
        memory: BOOKS,
        attack: |stage| Box::pin(writes(stage, |_| vec![b' '; 1 << 20])),
        ..NO_MESSAGE
    },
];

const NO_MESSAGE: Row = Row { over: Over::Sockets, ends: Ends::Malformed, ..ROW };
const JSON: Row = Row { over: Over::Json, memory: BOOKS, ..NO_MESSAGE };

fn ping(format: Format) -> Vec<u8> {
    format.encode(&Message::Ping(7))
}

/// Writes a frame of the connection's format in place of the first message.
async fn writes(stage: &mut Stage, payload: impl FnOnce(Format) -> Vec<u8>) {
    let payload = payload(stage.carrier.format());
    let mut socket = Socket::connect(stage).await;
    socket.write_payload(&payload).await;
    stage.socket = Some(socket);
}

/// Announces a valid header with one part of its text replaced.
async fn writes_header(stage: &mut Stage, what: &str, by: &str) {
    let announcement = stage.carrier.format().encode(&Message::Announce(*stage.node.tip().header()));
    let text = String::from_utf8(announcement).unwrap();
    assert!(text.contains(what), "{text}");
    let text = text.replacen(what, by, 1);
    let mut socket = Socket::introduced(stage).await;
    socket.write_payload(text.as_bytes()).await;
    stage.socket = Some(socket);
}
