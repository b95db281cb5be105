//! Cosignatures, as <https://c2sp.org/tlog-cosignature> has them.
//!
//! The vectors are of a model in Python, written from that specification and RFC 8032. The secret key has the seed
//! 07…07.

use hashloom::Timestamp;
use hashloom::evidence::{Checkpoint, Cosigner, NoteSigner, NoteVerifier, SignedNote, VerifyError};
use rstest::rstest;

const NAME: &str = "edge.example";
const KEY: &str = "edge.example+35692315+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
/// The key of the same seed that signs notes.
const NOTE_KEY: &str = "edge.example+d8c78815+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
const TEXT: &str = "log.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";

const AT_0: &str = "NWkjFQAAAAAAAAAAFIUHYC643p6q5vxd3Mk+EviuOvsT6mjBzGF+ngRqgn7b6G2MB6wNYLF4DI9RDnuixEXG+OTUDUJGYSNqMBBABQ==";
const AT_1679315147: &str = "NWkjFQAAAABkGFDLnTLSVdbJlCFFSxvagzF6z/W+d/psngi/+BrVfV2PBtYjaDj47h4HHlIZPzSL6FT1DkMQiPYN0j6iApbwVq0JAg==";
const AT_LAST: &str = "NWkjFX//////////QDdV10L7k86J9WBBr2IeEBK+H0AEOYj6d44nfR8f7LgRsb+cLyCGJqD0fWrIgr1r5YdA0KwB9hZd6+2oKlCsDg==";
const AFTER_LAST: &str = "NWkjFYAAAAAAAAAAAxID310iYs2mNSTn0nSYDqXEh/x5ny+hOuyj7rE3buQjaaJo9dTzOkAYKiTlICUvc+ggO5xUCMAJ+Ck7bpOiCQ==";
/// Signed as `time 07`.
const LEADING_ZERO: &str = "NWkjFQAAAAAAAAAH8FJKZBZR8f1u4abmIYMmvn2Eb0v2GROF3RueX4e0F8BsZOKkZN6u8jhAIMmec5i8y1ZIRXo+/JGVfc6az6cMBA==";
const OF_EXTENSION: &str = "NWkjFQAAAABkGFDLy09FeN2CzoxOpUIXjC0eMpHs7j5g5kM2NdzpTICkEk+/S04DQfY9qtC6IaBJ5cF12Qmfl5JWVmrQMlCAHcuhDg==";

fn note(text: &str, base64: &str) -> SignedNote {
    format!("{text}\n\u{2014} {NAME} {base64}\n").parse().unwrap()
}

fn cosigner() -> Cosigner {
    Cosigner::from_seed(NAME, &[7; 32]).unwrap()
}

/// A time has whole seconds.
#[rstest]
#[case(TEXT, 0, AT_0)]
#[case(TEXT, 999, AT_0)]
#[case(TEXT, 1_679_315_147_000, AT_1679315147)]
#[case(TEXT, 1_679_315_147_999, AT_1679315147)]
#[case::extension_lines_are_signed(&format!("{TEXT}extension\n"), 1_679_315_147_000, OF_EXTENSION)]
fn cosignature_of_the_model(#[case] text: &str, #[case] millis: u64, #[case] base64: &str) {
    assert_eq!(cosigner().verifier().to_string(), KEY);
    let checkpoint: Checkpoint = text.parse().unwrap();
    let signature = cosigner().cosign(&checkpoint, Timestamp::from_millis(millis));
    assert_eq!([signature], note(text, base64).signatures());
}

#[rstest]
#[case(AT_0, 0)]
#[case(AT_1679315147, 1_679_315_147_000)]
// Later than any `Timestamp`, whose largest value it has.
#[case(AT_LAST, u64::MAX)]
fn time_of_a_cosignature(#[case] base64: &str, #[case] millis: u64) {
    let (note, key) = (note(TEXT, base64), cosigner().verifier());
    let verified = note.verify([&key]).unwrap();
    assert_eq!(verified.text, TEXT);
    let [signature] = verified.signatures.as_slice() else { panic!("one signature") };
    assert_eq!((signature.verifier, signature.time), (&key, Some(Timestamp::from_millis(millis))));
}

#[rstest]
#[case::time_beyond_the_last(TEXT, AFTER_LAST)]
#[case::time_with_a_leading_zero(TEXT, LEADING_ZERO)]
#[case::other_time(TEXT, &AT_1679315147.replace("GFDL", "GFDM"))]
#[case::other_size("log.example\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", AT_0)]
#[case::without_the_extension(TEXT, OF_EXTENSION)]
#[case::with_an_extension(&format!("{TEXT}extension\n"), AT_1679315147)]
#[case::a_byte_too_short(TEXT, &format!("{}BQ==", &AT_0[..AT_0.len() - 8]))]
#[case::a_byte_too_long(TEXT, &format!("{}BQU=", &AT_0[..AT_0.len() - 4]))]
#[case::no_signature(TEXT, "NWkjFQAAAAAAAAAA")]
#[case::a_part_of_the_time(TEXT, "NWkjFQA=")]
fn cosignature_that_is_refused(#[case] text: &str, #[case] base64: &str) {
    let line = text.lines().count() + 2;
    let error = VerifyError::InvalidSignature { line, name: NAME.to_owned(), key_id: 0x3569_2315 };
    assert_eq!(note(text, base64).verify([&cosigner().verifier()]), Err(error));
}

/// The two types of keys have different IDs, so that a signature of one type is unknown to the other.
#[test]
fn types_of_keys_are_not_mixed() {
    let signer = NoteSigner::from_seed(NAME, &[7; 32]).unwrap();
    let note_key: NoteVerifier = NOTE_KEY.parse().unwrap();
    assert_eq!(signer.verifier(), note_key);
    assert_eq!((note_key.is_cosigner(), cosigner().verifier().is_cosigner()), (false, true));
    assert_eq!(note(TEXT, AT_0).verify([&note_key]), Err(VerifyError::NoKnownKey));
    let by_log = SignedNote::sign(TEXT, &signer).unwrap();
    assert_eq!(by_log.verify([&cosigner().verifier()]), Err(VerifyError::NoKnownKey));
}

/// Signs the cosigned message as a note. With the key ID of the cosigner it lacks the time; as a note, it is no
/// cosignature of the checkpoint.
#[test]
fn signature_of_a_note_is_no_cosignature() {
    let signer = NoteSigner::from_seed(NAME, &[7; 32]).unwrap();
    let message = format!("cosignature/v1\ntime 0\n{TEXT}");
    let by_log = SignedNote::sign(message.as_str(), &signer).unwrap();
    assert_eq!(by_log.verify([&signer.verifier()]).unwrap().text, message);
    assert_eq!(by_log.signatures()[0].signature(), &note(TEXT, AT_0).signatures()[0].signature()[8..]);
    assert!(message.parse::<Checkpoint>().is_err(), "a checkpoint has a size where the message has a time");
}
