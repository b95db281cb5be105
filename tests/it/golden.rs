//! Freezes the bytes on the wire: a change after which old and new peers do not understand each other fails
//! here. `HASHLOOM_BLESS=1 cargo test` records an intended change, which needs new subprotocol names.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use hashloom::primitives::Work;
use hashloom::protocol::{Hello, Tip};
use hashloom::wire::{Bincode, Frame, Json, Postcard};
use hashloom::{Address, Block, CompactTarget, Hash, Header, Message, Timestamp, WireFormat};
use ruint::aliases::U256;

#[test]
fn json() {
    check(
        "message.json.txt",
        &Json,
        |frame| frame.as_text("json").unwrap().to_owned(),
        |text| text.to_owned().into(),
    );
}

#[test]
fn bincode() {
    check(
        "message.bincode.txt",
        &Bincode,
        |frame| hex::encode(frame.as_bytes()),
        |text| hex::decode(text).unwrap().into(),
    );
}

#[test]
fn postcard() {
    check(
        "message.postcard.txt",
        &Postcard,
        |frame| hex::encode(frame.as_bytes()),
        |text| hex::decode(text).unwrap().into(),
    );
}

/// Compares the encoding with the golden file, and decodes the golden file.
fn check<F: WireFormat>(
    file: &str,
    format: &F,
    show: impl Fn(&Frame) -> String,
    parse: impl Fn(&str) -> Frame,
) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(file);
    let mut today = format!(
        "# Every kind of message in {}, as peers write it: its name, then its frame.\n",
        F::SUBPROTOCOL
    );
    for message in messages() {
        writeln!(today, "{} {}", message.kind(), show(&format.encode(&message).unwrap())).unwrap();
    }
    if std::env::var_os("HASHLOOM_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &today).unwrap();
    }
    let frozen = std::fs::read_to_string(&path).unwrap_or_default();
    for (today, frozen) in today.lines().zip(frozen.lines().chain(std::iter::repeat("nothing"))) {
        assert_eq!(
            today, frozen,
            "{file} differs; if that is meant: HASHLOOM_BLESS=1 cargo test --test it golden"
        );
    }
    assert_eq!(today.lines().count(), frozen.lines().count(), "{file} has lines that no message writes");

    let lines = frozen.lines().filter(|line| !line.starts_with('#'));
    for (line, message) in lines.zip(messages()) {
        let (kind, frame) = line.split_once(' ').unwrap();
        assert_eq!(kind, message.kind());
        assert_eq!(format.decode::<Message>(&parse(frame)).unwrap(), message);
    }
}

/// One message of each kind, with a different value in each field.
fn messages() -> Vec<Message> {
    let hash = |byte| Hash::from_bytes([byte; 32]);
    let header = Header {
        version: 1,
        height: 0x0203_0405,
        previous_hash: hash(0x11),
        merkle_root: hash(0x12),
        history_root: hash(0x13),
        state_root: hash(0x14),
        timestamp: Timestamp::from_millis(1_700_000_000_123),
        target: CompactTarget::from_bits(0x1d00_ffff),
        miner: Address::from_bytes([0x15; 20]),
        nonce: 0x0006_0708_090a_0b0c,
    };
    let block = Arc::new(Block::new(header, vec!["one".to_owned(), "\u{2713}".to_owned()]));
    let empty = Arc::new(Block::new(header, Vec::new()));
    let hello = Hello {
        protocol: 1,
        genesis: hash(0x21),
        nonce: u64::MAX,
        tip: Tip { hash: hash(0x22), height: 7, work: Work::from_uint(U256::from(0x0102_0304_u64)) },
        agent: "hashloom/0.1.0".to_owned(),
        listen: Some("ws://localhost:5001".parse().unwrap()),
        wants_new_blocks: true,
        keeps_bodies: Some(0x0506),
    };
    vec![
        Message::Hello(hello.clone()),
        Message::Hello(Hello { listen: None, wants_new_blocks: false, keeps_bodies: None, ..hello }),
        Message::Ping(0x0102_0304_0506_0708),
        Message::Pong(0x0102_0304_0506_0708),
        Message::GetHeaders { locator: vec![hash(0x31), hash(0x32)], limit: 2_000 },
        Message::Headers(vec![header, header]),
        Message::GetBlocks { hashes: vec![hash(0x41)] },
        Message::Blocks(vec![block.clone(), empty]),
        Message::NotFound { hashes: vec![hash(0x51)] },
        Message::Announce(header),
        Message::NewBlock(block),
        Message::Offer { ids: vec![hash(0x61)] },
        Message::GetTransactions { ids: vec![hash(0x71)] },
        Message::Transactions(vec![String::new(), "\"quoted\"".to_owned()]),
        Message::Bye { reason: "node is shutting down".to_owned() },
        Message::GetPeers { limit: 32 },
        Message::Peers {
            addresses: ["ws://10.0.0.7:5001", "ws://[2001:db8::1]:5002"]
                .map(|text| text.parse().unwrap())
                .into(),
        },
    ]
}
