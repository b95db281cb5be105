//! Tests of the suite: the formats of this crate pass, and a format with a single defect fails the check for
//! that defect.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;
use crate::wire::{Bincode, Json, Postcard, WireError};

fn texts() -> [String; 3] {
    ["a text".to_owned(), String::new(), "\u{2713}\"\\".repeat(1_000)]
}

#[test]
fn the_formats_of_this_crate_pass() {
    suite(&Json, &texts());
    suite(&Bincode, &texts());
    suite(&Postcard, &texts());
}

#[test]
fn every_kind_of_message_is_tried() {
    let tried: Vec<_> = messages(&texts()).iter().map(MessageKind::from).collect();
    for kind in MessageKind::ALL {
        assert!(tried.contains(kind), "no {kind}");
    }
}

/// Postcard with a single defect.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Broken {
    /// Ignores trailing bytes.
    Trailing,
    /// Also decodes text frames.
    AnyFrame,
    /// Also decodes text frames, as JSON.
    JsonToo,
    /// Reports the kind of a `Pong` as `Ping`.
    WrongKind,
    /// Decodes truncated frames, as if a zero followed.
    CutOff,
    /// Pads frames, so that a `Hello` is too long.
    Padded,
    /// Does not check the frame limits of the kinds, and ignores trailing spaces.
    NoLimits,
    /// Allocates memory for a claimed length.
    Claims,
    /// Decodes the number of one `Ping` as another number.
    Lossy,
}

const PADDING: usize = MAX_HELLO_BYTES;

impl Broken {
    fn decode_bytes<M: DeserializeOwned>(self, bytes: &[u8]) -> Result<M, WireError> {
        let failed = |error: postcard::Error| WireError::decode(Self::SUBPROTOCOL, &error);
        let (message, rest) = postcard::take_from_bytes(bytes).map_err(failed)?;
        let may_follow = match self {
            Self::Trailing => true,
            Self::Padded => rest.len() == PADDING,
            Self::NoLimits => rest.iter().all(|byte| *byte == b' '),
            _ => rest.is_empty(),
        };
        if may_follow { Ok(message) } else { Err(WireError::decode(Self::SUBPROTOCOL, &"bytes remaining")) }
    }
}

impl WireFormat for Broken {
    const SUBPROTOCOL: &'static str = "broken";

    fn encode<M: Serialize>(&self, message: &M) -> Result<Frame, WireError> {
        let mut bytes = Postcard.encode(message)?.as_bytes().to_vec();
        match self {
            Self::Padded => bytes.resize(bytes.len() + PADDING, 0),
            Self::Claims => bytes = [&(bytes.len() as u64).to_le_bytes(), &bytes[..]].concat(),
            _ => {}
        }
        Ok(bytes.into())
    }

    fn decode<M: DeserializeOwned>(&self, frame: &Frame) -> Result<M, WireError> {
        let bytes = match self {
            Self::AnyFrame => frame.as_bytes(),
            Self::JsonToo if frame.as_text("").is_ok() => return Json.decode(frame),
            _ => frame.as_binary(Self::SUBPROTOCOL)?,
        };
        match self {
            Self::Claims => {
                let short = || WireError::decode(Self::SUBPROTOCOL, &"too short");
                let (len, rest) = bytes.split_first_chunk().ok_or_else(short)?;
                let mut body = vec![0_u8; usize::try_from(u64::from_le_bytes(*len)).unwrap()];
                if body.len() != rest.len() {
                    return Err(short());
                }
                body.copy_from_slice(rest);
                self.decode_bytes(&body)
            }
            Self::CutOff => self.decode_bytes(bytes).or_else(|error| {
                let one_more = [bytes, &[0]].concat();
                if bytes.is_empty() { Err(error) } else { self.decode_bytes(&one_more) }
            }),
            Self::Lossy if bytes == Postcard.encode(&Message::<String>::Ping(0))?.as_bytes() => {
                Postcard.decode(&Postcard.encode(&Message::<String>::Ping(1))?)
            }
            _ => self.decode_bytes(bytes),
        }
    }

    fn kind(&self, frame: &Frame) -> Result<Option<MessageKind>, WireError> {
        match self {
            Self::WrongKind => Ok(Postcard.kind(frame)?.map(|kind| match kind {
                MessageKind::Pong => MessageKind::Ping,
                kind => kind,
            })),
            Self::NoLimits => Postcard.kind(frame),
            _ => Ok(None),
        }
    }

    fn check_size(&self, _: &Frame) -> Result<(), WireError> {
        Ok(())
    }
}

#[test]
#[should_panic(expected = "hello with more behind it is read in broken")]
fn a_format_that_ignores_what_follows_a_message_fails() {
    suite(&Broken::Trailing, &texts());
}

#[test]
#[should_panic(expected = "is read from the other kind of frame in broken")]
fn a_binary_format_that_reads_the_bytes_of_a_text_frame_fails() {
    suite(&Broken::AnyFrame, &texts());
}

#[test]
#[should_panic(expected = "hello is read from the other kind of frame in broken")]
fn a_binary_format_that_also_reads_text_frames_of_json_fails() {
    suite(&Broken::JsonToo, &texts());
}

#[test]
#[should_panic(expected = "the kind that broken reads of a frame")]
fn a_format_that_names_the_wrong_kind_fails() {
    suite(&Broken::WrongKind, &texts());
}

#[test]
#[should_panic(expected = "bytes of hello are read in broken")]
fn a_format_that_reads_a_frame_without_its_end_fails() {
    suite(&Broken::CutOff, &texts());
}

#[test]
#[should_panic(expected = "a hello has 4200 bytes in broken, expected at most 4096")]
fn a_format_whose_hello_is_too_long_fails() {
    suite(&Broken::Padded, &texts());
}

#[test]
#[should_panic(expected = "hello beyond its 4096 bytes is read in broken")]
fn a_format_that_names_kinds_and_lets_them_be_longer_than_their_limit_fails() {
    suite(&Broken::NoLimits, &texts());
}

#[test]
#[should_panic(expected = "capacity overflow")]
fn a_format_that_allocates_more_than_a_computer_has_fails() {
    suite(&Broken::Claims, &texts());
}

#[test]
#[should_panic(expected = "ping reads back as another one in broken")]
fn a_format_that_reads_another_message_than_it_wrote_fails() {
    suite(&Broken::Lossy, &texts());
}
