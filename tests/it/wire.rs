//! The wire formats: encoding loses nothing, and only valid messages are decoded.

mod mutated;
mod one_encoding;

use core::fmt::Debug;

use hashloom::wire::{Bincode, Frame, FrameKind, Json, Postcard, WireError};
use hashloom::{Message, WireFormat};
use proptest::prelude::*;
use rstest::rstest;

use crate::arbitrary;

proptest! {
    #[test]
    fn every_message_round_trips(message in arbitrary::message()) {
        for_each_format(&message, |frame, decoded| {
            prop_assert_eq!(decoded.as_ref(), Ok(&message), "{:?}", frame);
            Ok(())
        })?;
    }

    #[test]
    fn bincode_has_one_encoding_of_each_message(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(message) = Bincode.decode::<Message>(&bytes.clone().into()) {
            prop_assert_eq!(Bincode.encode(&message).unwrap(), Frame::from(bytes));
        }
    }

    #[test]
    fn random_postcard_is_refused_or_a_message(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(message) = Postcard.decode::<Message>(&bytes.into()) {
            prop_assert_eq!(Postcard.decode::<Message>(&Postcard.encode(&message).unwrap()).unwrap(), message);
        }
    }

    #[test]
    fn random_text_is_refused_or_a_message(text in ".{0,64}") {
        if let Ok(message) = Json.decode::<Message>(&text.into()) {
            prop_assert_eq!(Json.decode::<Message>(&Json.encode(&message).unwrap()).unwrap(), message);
        }
    }

    #[test]
    fn a_prefix_is_refused(message in arbitrary::message(), cut in any::<prop::sample::Index>()) {
        let bytes = Bincode.encode(&message).unwrap().as_bytes().to_vec();
        let prefix = bytes[..cut.index(bytes.len())].to_vec();
        prop_assert!(Bincode.decode::<Message>(&prefix.into()).is_err());

        let bytes = Postcard.encode(&message).unwrap().as_bytes().to_vec();
        let prefix = bytes[..cut.index(bytes.len())].to_vec();
        prop_assert!(Postcard.decode::<Message>(&prefix.into()).is_err());

        let text = Json.encode(&message).unwrap().as_text("json").unwrap().to_owned();
        let prefix: String = text.chars().take(cut.index(text.chars().count())).collect();
        prop_assert!(Json.decode::<Message>(&prefix.into()).is_err());
    }

    #[test]
    fn anything_behind_the_message_is_refused(message in arbitrary::message(), behind in any::<u8>()) {
        let mut bytes = Bincode.encode(&message).unwrap().as_bytes().to_vec();
        bytes.push(behind);
        prop_assert!(Bincode.decode::<Message>(&bytes.into()).is_err());

        let mut bytes = Postcard.encode(&message).unwrap().as_bytes().to_vec();
        bytes.push(behind);
        prop_assert!(Postcard.decode::<Message>(&bytes.into()).is_err());

        let text = Json.encode(&message).unwrap().as_text("json").unwrap().to_owned();
        let longer = text + " 0";
        prop_assert!(Json.decode::<Message>(&longer.into()).is_err());
    }
}

/// Encodes and decodes a message in each format.
fn for_each_format<E: Debug>(
    message: &Message,
    mut check: impl FnMut(&Frame, Result<Message, String>) -> Result<(), E>,
) -> Result<(), E> {
    let json = Json.encode(message).unwrap();
    check(&json, Json.decode(&json).map_err(|error| error.to_string()))?;
    let bincode = Bincode.encode(message).unwrap();
    check(&bincode, Bincode.decode(&bincode).map_err(|error| error.to_string()))?;
    let postcard = Postcard.encode(message).unwrap();
    check(&postcard, Postcard.decode(&postcard).map_err(|error| error.to_string()))
}

#[test]
fn a_frame_of_the_other_kind_is_refused_by_name() {
    let text = Json.encode(&Message::<String>::Ping(1)).unwrap();
    let error = Bincode.decode::<Message>(&text).unwrap_err();
    assert_eq!(error.to_string(), "hashloom.v1.bincode uses binary frames, got a text frame");
    assert!(matches!(error, WireError::FrameKind { got: FrameKind::Text, expected: FrameKind::Binary, .. }));

    let binary = Bincode.encode(&Message::<String>::Ping(1)).unwrap();
    let error = Json.decode::<Message>(&binary).unwrap_err();
    assert_eq!(error.to_string(), "hashloom.v1.json uses text frames, got a binary frame");
}

/// The variant number of a message, then a length that exceeds the message.
#[rstest]
#[case::headers(4, u64::MAX)]
#[case::blocks(6, 1 << 40)]
#[case::offer(10, 1 << 32)]
#[case::transactions(12, 1_000)]
#[case::bye(13, 1 << 33)]
fn a_claimed_length_is_not_believed(#[case] variant: u32, #[case] length: u64) {
    let mut bytes = variant.to_le_bytes().to_vec();
    bytes.extend(length.to_le_bytes());
    let error = Bincode.decode::<Message>(&bytes.into()).unwrap_err();
    assert!(error.to_string().starts_with("not a message in hashloom.v1.bincode"), "{error}");
    let bytes = postcard::to_allocvec(&(variant, length)).unwrap();
    let error = Postcard.decode::<Message>(&bytes.into()).unwrap_err();
    assert!(error.to_string().starts_with("not a message in hashloom.v1.postcard"), "{error}");
}

#[test]
fn deep_nesting_is_refused_and_does_not_overflow_the_stack() {
    let deep = format!("{{\"transactions\":{}", "[".repeat(1 << 20));
    let error = Json.decode::<Message<Tree>>(&deep.into()).unwrap_err();
    assert!(error.to_string().contains("recursion limit exceeded"), "{error}");
}

#[test]
fn floats_keep_every_bit_in_json() {
    // Two values that a parser without correct rounding decodes wrongly, and the extremes.
    for float in [2.638_344_616_030_823e-256, 5e-324, f64::MAX, -0.0, 0.1 + 0.2] {
        let decoded: f64 = Json.decode(&Json.encode(&float).unwrap()).unwrap();
        assert_eq!(decoded.to_bits(), float.to_bits());
    }
}

/// The worst transaction type: nested as deeply as the peer chooses.
#[derive(Debug, serde::Deserialize)]
struct Tree(#[expect(dead_code, reason = "only its depth counts")] Vec<Tree>);

/// The parser quotes its input in errors, and a peer controls the input.
#[test]
fn an_error_keeps_little_of_what_a_peer_wrote_and_no_control_characters() {
    let forged = format!("{{\"\\u001b[2J\\nINFO all is well{}\": 1}}", "x".repeat(1 << 20));
    let error = Json.decode::<Message>(&forged.into()).unwrap_err().to_string();
    assert!(error.contains("INFO all is well") && error.len() < 400, "{} bytes", error.len());
    assert!(!error.contains(char::is_control), "{error:?}");
}
