//! The text forms of keys.

use hashloom::evidence::{
    Cosigner, KeyError, MAX_KEY_NAME_BYTES, NameError, NoteSigner, NoteVerifier, SignedNote, VerifyError,
};
use rstest::rstest;

use super::vectors::{ENOCH, ENOCH_LINE, PETER, PETER_LINE, PETER_SECRET, TEXT};

/// The secret key of Go's tests, as the key of a cosigner.
const COSIGNER_SECRET: &str =
    "PRIVATE+KEY+PeterNeumann+18b9780b+BIEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

#[test]
fn text_forms_round_trip() {
    let signer: NoteSigner = PETER_SECRET.parse().unwrap();
    assert_eq!(signer.secret_key().as_str(), PETER_SECRET);
    assert_eq!((signer.name(), signer.verifier().to_string().as_str()), ("PeterNeumann", PETER));
    let verifier: NoteVerifier = PETER.parse().unwrap();
    assert_eq!((verifier.name(), verifier.key_id()), ("PeterNeumann", 0xc74f_20a3));
    assert_eq!(verifier, signer.verifier());
    let cosigner: Cosigner = COSIGNER_SECRET.parse().unwrap();
    assert_eq!(cosigner.secret_key().as_str(), COSIGNER_SECRET);
    assert_eq!((cosigner.name(), cosigner.verifier().key_id()), ("PeterNeumann", 0x18b9_780b));
}

/// Go's `TestNewVerifier` and `TestNewSigner`: each proper part of a key, and each key with one byte increased, is
/// refused.
#[rstest]
#[case::public(PETER, |text: &str| text.parse::<NoteVerifier>().is_ok())]
#[case::secret(PETER_SECRET, |text: &str| text.parse::<NoteSigner>().is_ok())]
#[case::secret_of_a_cosigner(COSIGNER_SECRET, |text: &str| text.parse::<Cosigner>().is_ok())]
fn mangled_key(#[case] key: &str, #[case] parses: fn(&str) -> bool) {
    assert!(parses(key));
    for start in 0..=key.len() {
        for end in start..=key.len() {
            let part = &key[start..end];
            assert_eq!(parses(part), part == key, "{part}");
        }
    }
    for at in 0..key.len() {
        let mut bytes = key.as_bytes().to_vec();
        bytes[at] += 1;
        let other = String::from_utf8(bytes).unwrap();
        assert!(!parses(&other), "{other}");
    }
}

#[rstest]
#[case::empty("", KeyError::Parts { got: 1 })]
#[case::two_parts("a+00000000", KeyError::Parts { got: 2 })]
#[case::no_name("+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Name(NameError::Empty))]
#[case::space_in_the_name("a b+00000000+AA==", KeyError::Name(NameError::Space { got: ' ' }))]
#[case::newline_in_the_name("a\n+00000000+AA==", KeyError::Name(NameError::Space { got: '\n' }))]
#[case::control_character_in_the_name("a\u{1}+00000000+AA==", KeyError::Name(NameError::ControlCharacter { got: '\u{1}' }))]
#[case::short_key_id("PeterNeumann+74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::IdForm)]
#[case::long_key_id("PeterNeumann+0c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::IdForm)]
#[case::key_id_in_upper_case(
    "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    KeyError::IdForm
)]
#[case::key_id_with_a_sign(
    "PeterNeumann+-74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    KeyError::IdForm
)]
#[case::key_id_that_is_not_hex("rekor.sigstore.dev+NOT_A_NU+AwEB", KeyError::IdForm)]
#[case::other_key_id(
    "PeterNeumann+00000000+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    KeyError::Id { got: 0, expected: 0xc74f_20a3 }
)]
#[case::other_name(
    "EnochRoot+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    KeyError::Id { got: 0xc74f_20a3, expected: 0x1329_1719 }
)]
#[case::no_key("a+00000000+", KeyError::Empty)]
#[case::not_base64("rekor.sigstore.dev+12345678+THIS_IS_NOT_BASE64!", KeyError::Base64)]
#[case::no_padding("a+00000000+AQA", KeyError::Base64)]
#[case::newline_at_the_end(
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n",
    KeyError::Base64
)]
#[case::fourth_part("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW+", KeyError::Base64)]
// From Go's `TestNewVerifier`: the wrong length, with bits behind its last byte, and an unknown type.
#[case::wrong_length_of_go(
    "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
    KeyError::Base64
)]
#[case::wrong_length(
    "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEQ==",
    KeyError::Length { got: 36 }
)]
#[case::unknown_type(
    "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    KeyError::SignatureType { got: 0x65, expected: &[1, 4] }
)]
#[case::ecdsa("a+00000000+AgA=", KeyError::SignatureType { got: 2, expected: &[1, 4] })]
#[case::type_alone("a+00000000+AQ==", KeyError::Length { got: 0 })]
#[case::secret_key(PETER_SECRET, KeyError::IdForm)]
fn public_key_that_is_refused(#[case] text: &str, #[case] expected: KeyError) {
    assert_eq!(text.parse::<NoteVerifier>(), Err(expected));
}

#[rstest]
#[case::public_key(PETER, KeyError::NotPrivate)]
#[case::lower_case("private+key+a+00000000+AQ==", KeyError::NotPrivate)]
#[case::key_of_a_cosigner(COSIGNER_SECRET, KeyError::SignatureType { got: 4, expected: &[1] })]
#[case::wrong_length("PRIVATE+KEY+a+00000000+AQE=", KeyError::Length { got: 1 })]
#[case::other_key_id(&PETER_SECRET.replace("c74f20a3", "c74f20a4"), KeyError::Id { got: 0xc74f_20a4, expected: 0xc74f_20a3 })]
fn secret_key_that_is_refused(#[case] text: &str, #[case] expected: KeyError) {
    assert_eq!(text.parse::<NoteSigner>().unwrap_err(), expected);
}

#[test]
fn key_of_a_log_is_no_cosigner() {
    let expected = KeyError::SignatureType { got: 1, expected: &[4] };
    assert_eq!(PETER_SECRET.parse::<Cosigner>().unwrap_err(), expected);
}

#[rstest]
#[case::empty("", NameError::Empty)]
#[case::space("a b", NameError::Space { got: ' ' })]
#[case::plus("a+b", NameError::Plus)]
#[case::control_character("a\u{1f}", NameError::ControlCharacter { got: '\u{1f}' })]
#[case::too_long(&"a".repeat(MAX_KEY_NAME_BYTES + 1), NameError::TooLong { got: 256 })]
#[case::bytes_count(&"\u{fc}".repeat(128), NameError::TooLong { got: 256 })]
fn name_that_is_refused(#[case] name: &str, #[case] expected: NameError) {
    assert_eq!(NoteSigner::from_seed(name, &[1; 32]).unwrap_err(), expected);
    assert_eq!(Cosigner::from_seed(name, &[1; 32]).unwrap_err(), expected);
}

#[test]
fn longest_name() {
    let signer = NoteSigner::from_seed(&"a".repeat(MAX_KEY_NAME_BYTES), &[1; 32]).unwrap();
    let read: NoteSigner = signer.secret_key().parse().unwrap();
    assert_eq!(read.verifier().to_string().parse(), Ok(signer.verifier()));
    let longer = format!("a{}", signer.verifier());
    assert_eq!(longer.parse::<NoteVerifier>(), Err(KeyError::Name(NameError::TooLong { got: 256 })));
}

/// Neither `Debug` nor an error shows a part of a secret key.
#[test]
fn secrets_are_not_printed() {
    let secret = PETER_SECRET.rsplit_once('+').unwrap().1;
    let signer: NoteSigner = PETER_SECRET.parse().unwrap();
    assert_eq!(format!("{signer:?}"), format!("NoteSigner({PETER})"));
    let cosigner: Cosigner = COSIGNER_SECRET.parse().unwrap();
    assert_eq!(format!("{cosigner:?}"), format!("Cosigner({})", cosigner.verifier()));
    for part in ["PRIVATE+", "KEY+", "PeterNeumann+", "c74f20a3+", "+AYEK"] {
        let mangled = PETER_SECRET.replacen(part, "", 1);
        let Err(error) = mangled.parse::<NoteSigner>() else { panic!("{mangled} is accepted") };
        let shown = format!("{error} {error:?}");
        assert!(
            !secret.as_bytes().windows(6).any(|part| shown.contains(str::from_utf8(part).unwrap())),
            "{shown}"
        );
    }
}

/// The signature of either key would be taken for the other's. A key that is given twice is one key.
#[test]
fn keys_with_one_name_and_id() {
    let note: SignedNote = format!("{TEXT}\n{PETER_LINE}{ENOCH_LINE}").parse().unwrap();
    let known = super::keys(&[PETER, ENOCH, PETER]);
    assert_eq!(super::signers(&note.verify(&known).unwrap()), ["PeterNeumann", "EnochRoot"]);

    // The first two numbers whose keys have one ID.
    let [first, second] = [8_575, 35_865].map(|seed| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&u32::to_be_bytes(seed));
        NoteSigner::from_seed("log.example", &bytes).unwrap()
    });
    let (known, key_id) = ([first.verifier(), second.verifier()], first.verifier().key_id());
    assert_eq!(key_id, second.verifier().key_id());
    assert_ne!(known[0], known[1]);
    let note = SignedNote::sign(TEXT, &first).unwrap();
    let error = VerifyError::AmbiguousKey { line: 4, name: "log.example".to_owned(), key_id };
    assert_eq!(note.verify(&known), Err(error));
    assert_eq!(note.verify(&known[..1]).unwrap().signatures.len(), 1);
    let error = VerifyError::InvalidSignature { line: 4, name: "log.example".to_owned(), key_id };
    assert_eq!(note.verify(&known[1..]), Err(error));
}
