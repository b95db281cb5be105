//! The memory that this crate's wire formats allocate for a frame, and a check that the suite detects a
//! format that allocates too much.

use std::panic::catch_unwind;

use hashloom::testing::wire::memory_suite;
use hashloom::wire::{Bincode, DEFAULT_MAX_FRAME_BYTES, Frame, Json, Postcard, WireError};
use hashloom::{Message, Transaction, WireFormat};
use libtest_mimic::{Failed, Trial};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{peak, records, texts};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("json", || passes(&Json)),
        trial("bincode", || passes(&Bincode)),
        trial("postcard", || passes(&Postcard)),
        trial("a_misplaced_text_in_json", a_misplaced_text),
        trial("a_thousand_times_the_frame", || fails(&Wasteful, "made from get_headers in wasteful")),
        trial("what_a_length_claims", || fails(&Credulous, "made from hello in credulous")),
    ]
}

fn trial(name: &str, run: fn()) -> Trial {
    Trial::test(format!("formats::{name}"), move || {
        run();
        Ok::<(), Failed>(())
    })
}

fn passes<F: WireFormat>(format: &F) {
    memory_suite(format, &made(&texts()), peak);
    memory_suite(format, &made(&records()), peak);
}

/// The refused frame for which `serde_json` alone allocates most: a text in place of a list, of characters
/// that the library's error escapes.
fn a_misplaced_text() {
    let text = "\u{7f}".repeat(DEFAULT_MAX_FRAME_BYTES - 20);
    let frame = Frame::from(format!("{{\"transactions\":\"{text}\"}}"));
    let len = frame.as_bytes().len();
    let factor = |format: &str, bytes: usize| {
        println!("{format} allocates {bytes} bytes to refuse a frame of {len} bytes, {} times", bytes / len);
        bytes / len
    };
    let json = peak(&mut || assert!(Json.decode::<Message>(&frame).is_err()));
    let plain = peak(&mut || assert!(Plain.decode::<Message>(&frame).is_err()));
    assert!(factor("Json", json) <= 1);
    assert!(factor("serde_json", plain) >= 20);
}

/// JSON as `serde_json` reads it.
#[derive(Debug)]
struct Plain;

impl WireFormat for Plain {
    const SUBPROTOCOL: &'static str = "plain";

    fn encode<M: Serialize>(&self, message: &M) -> Result<Frame, WireError> {
        Json.encode(message)
    }

    fn decode<M: DeserializeOwned>(&self, frame: &Frame) -> Result<M, WireError> {
        let text = frame.as_text(Self::SUBPROTOCOL)?;
        serde_json::from_str(text).map_err(|error| WireError::decode(Self::SUBPROTOCOL, &error))
    }
}

fn made<T: Transaction>(shapes: &[super::Shape<T>]) -> Vec<T> {
    shapes.iter().map(|shape| (shape.make)(0xabc)).collect()
}

fn fails<F: WireFormat + std::panic::RefUnwindSafe>(format: &F, expected: &str) {
    let failure = catch_unwind(|| memory_suite(format, &["a text".to_owned()], peak)).unwrap_err();
    let message = failure.downcast::<String>().unwrap();
    assert!(message.contains(expected), "{message}");
}

/// Postcard with a buffer of a thousand times the frame's length.
#[derive(Debug)]
struct Wasteful;

impl WireFormat for Wasteful {
    const SUBPROTOCOL: &'static str = "wasteful";

    fn encode<M: Serialize>(&self, message: &M) -> Result<Frame, WireError> {
        Postcard.encode(message)
    }

    fn decode<M: DeserializeOwned>(&self, frame: &Frame) -> Result<M, WireError> {
        let mut buffer = Vec::with_capacity(1_000 * frame.as_bytes().len());
        buffer.extend_from_slice(frame.as_binary(Self::SUBPROTOCOL)?);
        Postcard.decode(&buffer.into())
    }
}

/// Postcard with a length prefix, for which memory is allocated before the length is verified.
#[derive(Debug)]
struct Credulous;

impl WireFormat for Credulous {
    const SUBPROTOCOL: &'static str = "credulous";

    fn encode<M: Serialize>(&self, message: &M) -> Result<Frame, WireError> {
        let body = Postcard.encode(message)?;
        let len = u32::try_from(body.as_bytes().len()).unwrap();
        Ok([&len.to_be_bytes(), body.as_bytes()].concat().into())
    }

    fn decode<M: DeserializeOwned>(&self, frame: &Frame) -> Result<M, WireError> {
        let short = || WireError::decode(Self::SUBPROTOCOL, &"too short");
        let bytes = frame.as_binary(Self::SUBPROTOCOL)?;
        let (len, rest) = bytes.split_first_chunk().ok_or_else(short)?;
        let len = u32::from_be_bytes(*len) as usize;
        let mut body = Vec::with_capacity(len);
        body.extend_from_slice(rest);
        if body.len() != len {
            return Err(short());
        }
        Postcard.decode(&body.into())
    }
}
