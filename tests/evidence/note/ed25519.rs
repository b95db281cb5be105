//! The edge cases of Ed25519: public keys and signatures that implementations disagree on, all of which are refused.
//!
//! The vectors are of a model in Python, written from RFC 8032. The secret key has the seed 07…07, the text is one line.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hashloom::evidence::{KeyError, NoteSigner, NoteVerifier, SignedNote, VerifyError};
use rstest::rstest;

use crate::go;

const NAME: &str = "edge.example";
const KEY: &str = "edge.example+d8c78815+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
const TEXT: &str = "hashloom\n";

/// A point with a component of small order besides a large one.
const MIXED_KEY: &str = "edge.example+f331501d+AfuzIR0Xe8zv12PQGoj2Rz5D5c8KB0DkSrXGRGDu/UZ1";

fn note(base64: &str) -> SignedNote {
    format!("{TEXT}\n\u{2014} {NAME} {base64}\n").parse().unwrap()
}

/// The signature of the model.
const VALID: &str =
    "2MeIFVANKt5BVj3pBKMYtjhofVR3w/8gkfZRp8R3l3DtVnnaK3oD2pgyo2WlWr5KgIKJb1WFntzQIZZ9lICOZcteqg4=";

/// R is the neutral element and S = k·a: a signature without the secret nonce, which RFC 8032 and Go accept.
const SMALL_ORDER_R: &str =
    "2MeIFQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAnm1En7nAVPzMdFGhaSLiGT3mEsCYcEJAAJdJ/b3ymwU=";

#[test]
fn signature_of_the_model() {
    let signer = NoteSigner::from_seed(NAME, &[7; 32]).unwrap();
    assert_eq!(signer.verifier().to_string(), KEY);
    assert_eq!(SignedNote::sign(TEXT, &signer).unwrap(), note(VALID));
    assert_eq!(note(VALID).verify([&signer.verifier()]).unwrap().text, TEXT);
}

#[rstest]
// S + L: the other number with the same remainder, with which anybody makes a second signature.
#[case::s_not_reduced(
    "2MeIFVANKt5BVj3pBKMYtjhofVR3w/8gkfZRp8R3l3DtVnnaGE75NrOVtb1797XtXnxohFWFntzQIZZ9lICOZcteqh4="
)]
#[case::r_of_order_1(SMALL_ORDER_R)]
#[case::r_of_order_2(
    "2MeIFez///////////////////////////////////////9/MfRlZKLG4Nd9x/Ea4d/W1IUQv+ti1b2xsgRxY9sv5gs="
)]
#[case::r_of_order_4(
    "2MeIFQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAn+7GkXOtTwIshKDjqkgGOITbIZNVtF9Rwfc39aEfwwM="
)]
#[case::r_of_order_8(
    "2MeIFSbolY/CsiewRcP0ifLvmPDV36wF08YzObE4AohtU/wFsQekix0n8Ehb3RI2GV9oEp84ah+9aQW0fQuWGZigsQQ="
)]
// The valid R and a point of order 8: batch verification with the cofactor accepts it.
#[case::r_of_mixed_order(
    "2MeIFQU2zNzwipJn9EZEQcL5OC47adOt2zOV2x/+7qi3WbJkS+crWmvrOm2GBtu/ikRDGk8qCbTPT8E62PUY8sPriww="
)]
// The neutral element as y = p + 1, and as x = 0 with the sign of a negative x.
#[case::r_beyond_p(
    "2MeIFe7///////////////////////////////////////9/wZhf5CaC8p6SW3NGVampXtAqM1cHCOtN6/wiqzdVhw0="
)]
#[case::r_of_minus_zero(
    "2MeIFQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACAFDnGE3/8uH2iM2oGS1SvJh7RXzf5fp+sLTNj/NeBJQ0="
)]
fn signature_that_is_refused(#[case] base64: &str) {
    let key: NoteVerifier = KEY.parse().unwrap();
    let error = VerifyError::InvalidSignature { line: 3, name: NAME.to_owned(), key_id: 0xd8c7_8815 };
    assert_eq!(note(base64).verify([&key]), Err(error));
}

/// That the case above is one of strict verification: Go accepts the signature.
#[test]
fn go_accepts_an_r_of_small_order() {
    let Some(opened) = go::check(&["note", KEY], note(SMALL_ORDER_R).to_string().as_bytes()) else { return };
    assert_eq!(opened, format!("verified {NAME}+d8c78815\n\n{TEXT}"));
}

#[rstest]
#[case::order_1("edge.example+ca593fb5+AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", KeyError::SmallOrder)]
#[case::order_2("edge.example+0f8a819c+Aez///////////////////////////////////////9/", KeyError::SmallOrder)]
#[case::order_4("edge.example+b29b6ea6+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", KeyError::SmallOrder)]
#[case::order_4_negative(
    "edge.example+93541eff+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACA",
    KeyError::SmallOrder
)]
#[case::order_8_first(
    "edge.example+02ca2dd0+ASbolY/CsiewRcP0ifLvmPDV36wF08YzObE4AohtU/wF",
    KeyError::SmallOrder
)]
#[case::order_8_second(
    "edge.example+7d6135f6+AccXanA9TdhPujwLdg0QZw8qIFP6LDnMxk7H/XeSrAN6",
    KeyError::SmallOrder
)]
#[case::order_8_third(
    "edge.example+7f683355+AccXanA9TdhPujwLdg0QZw8qIFP6LDnMxk7H/XeSrAP6",
    KeyError::SmallOrder
)]
#[case::order_8_fourth(
    "edge.example+65de97a9+ASbolY/CsiewRcP0ifLvmPDV36wF08YzObE4AohtU/yF",
    KeyError::SmallOrder
)]
#[case::y_is_p("edge.example+b42fa161+Ae3///////////////////////////////////////9/", KeyError::NotCanonical)]
#[case::y_is_p_plus_1(
    "edge.example+a7b7a2a5+Ae7/////////////////////////////////////////",
    KeyError::NotCanonical
)]
#[case::y_is_p_plus_3(
    "edge.example+a26d7d8b+AfD///////////////////////////////////////9/",
    KeyError::NotCanonical
)]
#[case::y_is_p_plus_18(
    "edge.example+1e05fc0b+Af//////////////////////////////////////////",
    KeyError::NotCanonical
)]
#[case::minus_zero(
    "edge.example+0a8b8025+AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACA",
    KeyError::NotCanonical
)]
#[case::minus_zero_of_order_2(
    "edge.example+e294d594+Aez/////////////////////////////////////////",
    KeyError::NotCanonical
)]
#[case::y_is_2("edge.example+af824d49+AQIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", KeyError::NotOnCurve)]
fn public_key_that_is_refused(#[case] text: &str, #[case] expected: KeyError) {
    assert_eq!(text.parse::<NoteVerifier>(), Err(expected));
}

/// Every verification accepts the signature, with and without the cofactor, so that a public key of mixed order is no
/// reason to disagree.
#[test]
fn public_key_of_mixed_order() {
    let base64 =
        "8zFQHTd5MqEjdGSRrh1ezt4frOhNXvIb4mL05f83Tryi1xvC7AyQPpaYVsXxd4gR15QSegb4IrVOuxdBq1tsVKCXTw0=";
    let key: NoteVerifier = MIXED_KEY.parse().unwrap();
    assert_eq!(note(base64).verify([&key]).unwrap().text, TEXT);
    let Some(opened) = go::check(&["note", MIXED_KEY], note(base64).to_string().as_bytes()) else { return };
    assert_eq!(opened, format!("verified {NAME}+f331501d\n\n{TEXT}"));
}

#[test]
fn signature_with_one_bit_flipped() {
    let key: NoteVerifier = KEY.parse().unwrap();
    let bytes = BASE64_STANDARD.decode(VALID).unwrap();
    // The key ID is not part of the signature.
    for bit in 32..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let note = note(&BASE64_STANDARD.encode(&flipped));
        let error = VerifyError::InvalidSignature { line: 3, name: NAME.to_owned(), key_id: 0xd8c7_8815 };
        assert_eq!(note.verify([&key]), Err(error), "bit {bit}");
    }
}
