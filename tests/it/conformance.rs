//! Freezes the wire encodings with thousands of messages: `tests/golden/conformance.txt` has one hash for
//! each kind and format. If a hash changes, old and new peers do not understand each other.
//!
//! A new kind of message adds a line and changes no other: `HASHLOOM_BLESS=1 cargo test --all-features --test
//! it conformance`. In addition, a decoder in another language, `tests/node/decode.mjs`, which is written
//! from `docs/protocol.md` alone, decodes the golden messages and a sample of the others.

pub(crate) mod generate;

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use hashloom::wire::{Bincode, Frame, Json, Postcard};
use hashloom::{Hash, Message, WireFormat};

use super::golden_chain::check;
use crate::skip::skip;
use generate::Source;

/// The names of all message kinds, in the order of their numbers.
pub(crate) const KINDS: &[&str] = &[
    "hello",
    "ping",
    "pong",
    "get_headers",
    "headers",
    "get_blocks",
    "blocks",
    "not_found",
    "announce",
    "new_block",
    "offer",
    "get_transactions",
    "transactions",
    "bye",
    "get_peers",
    "peers",
];

/// The number of messages of each kind in a hash.
const FROZEN: u64 = 2_000;

/// How many of them the other decoder reads.
const SAMPLE: u64 = 100;

#[test]
fn wire_bytes_are_frozen() {
    let mut lines = Vec::new();
    for kind in KINDS {
        lines.push((format!("{kind} {}", Json::SUBPROTOCOL), frozen(kind, &Json)));
        lines.push((format!("{kind} {}", Bincode::SUBPROTOCOL), frozen(kind, &Bincode)));
        lines.push((format!("{kind} {}", Postcard::SUBPROTOCOL), frozen(kind, &Postcard)));
    }
    let title =
        format!("Of {FROZEN} messages of each kind: SHA-256 over the hash so far and the next frame.");
    check("conformance.txt", &title, &lines);
}

/// The hash over the frames of one kind. Each frame is decoded and compared, too.
fn frozen<F: WireFormat>(kind: &str, format: &F) -> String {
    let mut running = Hash::digest(&[]);
    for number in 0..FROZEN {
        let message = message(kind, number);
        let frame = format.encode(&message).unwrap();
        assert_eq!(format.decode::<Message>(&frame).unwrap(), message, "message {number}: {frame:?}");
        running = Hash::digest(&[running.as_bytes(), frame.as_bytes()].concat());
    }
    running.to_string()
}

fn message(kind: &str, number: u64) -> Message {
    let message = Source::new(&format!("hashloom conformance {kind} {number}")).message(kind);
    assert_eq!(message.kind(), kind);
    message
}

/// A kind that is missing in the list would not be frozen. Serde's error for an unknown kind lists all
/// existing ones.
#[test]
fn no_kind_is_left_out() {
    let error = serde_json::from_str::<Message>(r#"{"no such kind": 0}"#).unwrap_err().to_string();
    let (_, listed) = error.split_once("expected one of ").unwrap();
    let kinds: Vec<_> = listed.split('`').skip(1).step_by(2).collect();
    assert_eq!(kinds, KINDS, "add what is missing here, to `Source::message` and to tests/node/decode.mjs");
}

#[test]
fn a_decoder_in_another_language_reads_the_same() {
    let sample = tempfile::tempdir().unwrap();
    write_sample(sample.path(), "json", |message| {
        Json.encode(message).unwrap().as_text("json").unwrap().to_owned()
    });
    let to_hex = |frame: Frame| hex::encode(frame.as_bytes());
    write_sample(sample.path(), "bincode", |message| to_hex(Bincode.encode(message).unwrap()));
    write_sample(sample.path(), "postcard", |message| to_hex(Postcard.encode(message).unwrap()));

    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let decoder = Command::new("node")
        .arg(tests.join("node/decode.mjs"))
        .args([tests.join("golden").as_path(), sample.path()])
        .output();
    let output = match decoder {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return skip("conformance, no decoder in another language", "there is no program `node`");
        }
        output => output.unwrap(),
    };
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    for checked in [
        "mined_block.txt: 1 block with proof of work",
        "archive.txt: 2 blocks with proof of work",
        "default_spec.txt: the genesis block from its spec",
        "/spec.txt: the genesis block from its spec",
        "genesis_data.txt: the genesis block from its spec",
        "retarget.txt: 200 targets under each of 6 rules, 5 values of work",
    ] {
        assert!(stdout.contains(checked), "{checked} is missing: {stdout}");
    }
    let read = KINDS.len() as u64 * SAMPLE;
    assert!(stdout.contains(&format!("{read} messages in 3 formats")), "{stdout}{stderr}");
    for kind in KINDS {
        assert!(stdout.contains(&format!("  {kind} ")), "no {kind} was read: {stdout}");
    }
}

/// Writes messages in the format of the golden files.
fn write_sample(directory: &Path, format: &str, show: impl Fn(&Message) -> String) {
    let mut lines = String::new();
    for kind in KINDS {
        for number in 0..SAMPLE {
            writeln!(lines, "{kind} {}", show(&message(kind, number))).unwrap();
        }
    }
    fs::write(directory.join(format!("message.{format}.txt")), lines).unwrap();
}
