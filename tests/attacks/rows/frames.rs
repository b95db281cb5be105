//! Frames that break the rules of WebSocket (RFC 6455), and frames that never end.

use hashloom::Message;
use hashloom::protocol::{MessageKind, limits};
use hashloom::wire::DEFAULT_MAX_FRAME_BYTES;

use crate::carrier::{BINARY, CONTINUATION, TEXT};
use crate::socket::{Socket, frame, head};
use crate::stage::Stage;
use crate::table::{Ends, FRAMES, Over, ROW, Row, attack, closed};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "oversize_first_frame",
        does: "the head of a first frame that is too large for a hello",
        attack: |stage| {
            Box::pin(writes(stage, |format| head(true, format, limits::MAX_HELLO_BYTES as u64 + 1)))
        },
        ..BROKEN
    },
    Row {
        name: "oversize_first_fragments",
        does: "first fragments that are too large together for a hello",
        attack: |stage| {
            Box::pin(writes(stage, |format| {
                let half = vec![b' '; limits::MAX_HELLO_BYTES / 2 + 1];
                [frame(false, format, &half), frame(false, CONTINUATION, &half)].concat()
            }))
        },
        ..BROKEN
    },
    Row {
        name: "oversize_frame",
        does: "a hello, and then the head of a frame that is too large",
        attack: |stage| {
            Box::pin(async {
                let opcode = stage.carrier.format().opcode();
                let mut socket = Socket::introduced(stage).await;
                socket.write(&head(true, opcode, DEFAULT_MAX_FRAME_BYTES as u64 + 1)).await;
                stage.socket = Some(socket);
            })
        },
        ..BROKEN
    },
    Row {
        name: "oversize_kind",
        does: "a pong that is too large for one",
        attack: |stage| {
            Box::pin(async {
                let mut pong = stage.carrier.format().encode(&Message::Pong(1));
                pong.resize(MessageKind::Pong.max_frame_bytes().unwrap() + 1, b' ');
                let mut socket = Socket::introduced(stage).await;
                socket.write_payload(&pong).await;
                stage.socket = Some(socket);
            })
        },
        ..BROKEN
    },
    Row {
        name: "largest_length",
        does: "the head of a frame of 2^63 - 1 bytes",
        attack: |stage| Box::pin(writes(stage, |format| head(true, format, u64::MAX >> 1))),
        ..BROKEN
    },
    Row {
        name: "oversize_fragments",
        does: "a hello, and then fragments that are too large together",
        memory: FRAMES,
        attack: attack!(writes_fragments),
        ..BROKEN
    },
    Row {
        name: "message_in_a_message",
        does: "a message between the fragments of another",
        attack: |stage| {
            Box::pin(writes(stage, |format| {
                [frame(false, format, b"{"), frame(true, format, b"{}")].concat()
            }))
        },
        ..BROKEN
    },
    Row {
        name: "continued_from_nowhere",
        does: "the continuation of no message",
        attack: |stage| Box::pin(writes(stage, |_| frame(true, CONTINUATION, b"{}"))),
        ..BROKEN
    },
    Row {
        name: "unmasked",
        does: "a frame without a mask",
        attack: |stage| Box::pin(writes(stage, |format| vec![0x80 | format, 2, b'{', b'}'])),
        ..BROKEN
    },
    Row {
        name: "reserved_opcode",
        does: "a frame of a kind that there is not",
        attack: |stage| Box::pin(writes(stage, |_| frame(true, 0xf, &[]))),
        ..BROKEN
    },
    Row {
        name: "reserved_bits",
        does: "a frame with the bits of an extension",
        attack: |stage| {
            Box::pin(writes(stage, |format| {
                let mut bytes = frame(true, format, b"{}");
                bytes[0] |= 0x70;
                bytes
            }))
        },
        ..BROKEN
    },
    Row {
        name: "fragmented_ping",
        does: "a ping in fragments",
        attack: |stage| Box::pin(writes(stage, |_| frame(false, PING, &[]))),
        ..BROKEN
    },
    Row {
        name: "long_ping",
        does: "a ping of more than 125 bytes",
        attack: |stage| Box::pin(writes(stage, |_| frame(true, PING, &[0; 126]))),
        ..BROKEN
    },
    Row {
        name: "half_a_close",
        does: "a close with half a code",
        attack: |stage| Box::pin(writes(stage, |_| frame(true, CLOSE, &[3]))),
        ..BROKEN
    },
    Row {
        name: "half_a_frame",
        does: "half a frame and the end of the connection",
        ends: closed!(Lost),
        attack: |stage| {
            Box::pin(async {
                writes(stage, |format| head(true, format, 16)).await;
                stage.socket = None;
            })
        },
        ..BROKEN
    },
    Row {
        name: "unfinished_frame",
        does: "half a frame and then nothing",
        ends: closed!(HandshakeTimeout),
        after: limits::HANDSHAKE_TIMEOUT,
        attack: |stage| Box::pin(writes(stage, |format| head(true, format, 16))),
        ..BROKEN
    },
    Row {
        name: "unfinished_fragments",
        does: "fragments without a last one",
        ends: closed!(HandshakeTimeout),
        after: limits::HANDSHAKE_TIMEOUT,
        attack: |stage| Box::pin(writes(stage, |format| frame(false, format, b"{\"ping\""))),
        ..BROKEN
    },
    Row {
        name: "empty_fragments",
        does: "tens of thousands of fragments without a byte",
        ends: closed!(HandshakeTimeout),
        after: limits::HANDSHAKE_TIMEOUT,
        memory: TRAFFIC,
        attack: |stage| {
            Box::pin(writes(stage, |format| {
                let mut bytes = frame(false, format, &[]);
                bytes.extend(frame(false, CONTINUATION, &[]).repeat(50_000));
                bytes
            }))
        },
        ..BROKEN
    },
    Row {
        name: "unfinished_after_hello",
        does: "a hello, and then fragments without a last one",
        ends: Ends::Unanswered("ping"),
        after: core::time::Duration::from_secs(
            limits::PING_INTERVAL.as_secs() + limits::REQUEST_TIMEOUT.as_secs(),
        ),
        attack: |stage| {
            Box::pin(async {
                let opcode = stage.carrier.format().opcode();
                let mut socket = Socket::introduced(stage).await;
                socket.write(&frame(false, opcode, b"{")).await;
                stage.socket = Some(socket);
            })
        },
        ..BROKEN
    },
    Row {
        name: "pings_of_the_socket",
        does: "tens of thousands of pings of the WebSocket, whose answers are not read",
        ends: closed!(HandshakeTimeout),
        after: limits::HANDSHAKE_TIMEOUT,
        attack: |stage| Box::pin(writes(stage, |_| frame(true, PING, &[7; 100]).repeat(20_000))),
        memory: TRAFFIC,
        ..BROKEN
    },
];

const BROKEN: Row = Row { over: Over::Sockets, ends: Ends::Malformed, ..ROW };

/// Tens of thousands of frames, which the attacker prepares.
const TRAFFIC: usize = 4 << 20;

const CLOSE: u8 = 8;
const PING: u8 = 9;

/// Writes these bytes below the WebSocket. `bytes` gets the opcode of the connection's format.
async fn writes(stage: &mut Stage, bytes: impl FnOnce(u8) -> Vec<u8>) {
    let opcode = stage.carrier.format().opcode();
    assert!([TEXT, BINARY].contains(&opcode));
    let mut socket = Socket::connect(stage).await;
    socket.write(&bytes(opcode)).await;
    stage.settle().await;
    stage.socket = Some(socket);
}

/// Writes until the node stops reading.
async fn writes_fragments(stage: &mut Stage) {
    let opcode = stage.carrier.format().opcode();
    let mut socket = Socket::introduced(stage).await;
    let blanks = vec![b' '; 1 << 20];
    let mut is_read = socket.try_write(&frame(false, opcode, &blanks)).await;
    let mut sent = blanks.len();
    let next = frame(false, CONTINUATION, &blanks);
    while is_read && sent <= DEFAULT_MAX_FRAME_BYTES {
        is_read = socket.try_write(&next).await;
        sent += blanks.len();
    }
    stage.socket = Some(socket);
}
