//! Non-canonical encodings of a message are refused with a specific error; one example for each kind of
//! deviation.

use hashloom::wire::{Bincode, Json, Postcard};
use hashloom::{Message, WireFormat};
use rstest::rstest;

const HASH: &str = "aa00000000000000000000000000000000000000000000000000000000000000";
const HEADER: &str = r#"{"version":1,"height":0,"previous_hash":"H","merkle_root":"H","history_root":"H","state_root":"H","timestamp":0,"target":"207fffff","miner":"bb00000000000000000000000000000000000000","nonce":0}"#;
const HELLO: &str = r#"{"hello":{"protocol":1,"genesis":"H","nonce":2,"tip":{"hash":"H","height":0,"work":"H"},"agent":"","listen":null,"wants_new_blocks":true,"keeps_bodies":null}}"#;

/// Replaces a part of a valid message, and returns the error for the result.
fn refusal(message: &str, part: &str, instead: &str) -> String {
    let valid = message.replace("HEADER", HEADER).replace('H', HASH);
    Json.decode_message::<String>(&valid.clone().into()).unwrap();
    assert!(valid.contains(part), "{part} is not in {valid}");
    let changed = valid.replacen(part, instead, 1);
    Json.decode_message::<String>(&changed.into()).unwrap_err().to_string()
}

#[rstest]
#[case::hello(HELLO, "\"agent\"")]
#[case::tip(HELLO, "\"height\"")]
#[case::get_headers(r#"{"get_headers":{"locator":[],"limit":1}}"#, "\"limit\"")]
#[case::headers(r#"{"headers":[HEADER]}"#, "\"height\"")]
#[case::get_blocks(r#"{"get_blocks":{"hashes":[]}}"#, "\"hashes\"")]
#[case::blocks(r#"{"blocks":[{"header":HEADER,"data":[]}]}"#, "\"data\"")]
#[case::not_found(r#"{"not_found":{"hashes":[]}}"#, "\"hashes\"")]
#[case::announce(r#"{"announce":HEADER}"#, "\"height\"")]
#[case::new_block(r#"{"new_block":{"header":HEADER,"data":[]}}"#, "\"data\"")]
#[case::offer(r#"{"offer":{"ids":[]}}"#, "\"ids\"")]
#[case::get_transactions(r#"{"get_transactions":{"ids":[]}}"#, "\"ids\"")]
#[case::bye(r#"{"bye":{"reason":""}}"#, "\"reason\"")]
#[case::get_peers(r#"{"get_peers":{"limit":1}}"#, "\"limit\"")]
#[case::peers(r#"{"peers":{"addresses":[]}}"#, "\"addresses\"")]
fn a_field_that_there_is_not_is_refused(#[case] message: &str, #[case] field: &str) {
    let error = refusal(message, field, &format!("\"more\":0,{field}"));
    assert!(error.contains("unknown field `more`"), "{error}");
}

#[rstest]
#[case::hello(HELLO, r#"[1,"H",2,{"hash":"H","height":0,"work":"H"},"",null,true,null]"#)]
#[case::get_headers(r#"{"get_headers":{"locator":[],"limit":1}}"#, "[[],1]")]
#[case::get_blocks(r#"{"get_blocks":{"hashes":[]}}"#, "[[]]")]
#[case::not_found(r#"{"not_found":{"hashes":[]}}"#, "[[]]")]
#[case::announce(r#"{"announce":HEADER}"#, r#"[1,0,"H","H","H","H",0,"207fffff","M",0]"#)]
#[case::new_block(r#"{"new_block":{"header":HEADER,"data":[]}}"#, "[HEADER,[]]")]
#[case::offer(r#"{"offer":{"ids":[]}}"#, "[[]]")]
#[case::get_transactions(r#"{"get_transactions":{"ids":[]}}"#, "[[]]")]
#[case::bye(r#"{"bye":{"reason":""}}"#, r#"[""]"#)]
#[case::get_peers(r#"{"get_peers":{"limit":1}}"#, "[1]")]
#[case::peers(r#"{"peers":{"addresses":[]}}"#, "[[]]")]
fn a_list_is_no_object(#[case] message: &str, #[case] list: &str) {
    let list = list.replace("HEADER", HEADER).replace('M', &HASH[..40]).replace('H', HASH);
    let valid = message.replace("HEADER", HEADER).replace('H', HASH);
    let (_, content) = valid.strip_suffix('}').unwrap().split_once(':').unwrap();
    let error = refusal(message, content, &list);
    assert!(error.contains("invalid type: sequence, expected struct"), "{error}");
}

#[rstest]
#[case::a_tip(HELLO, r#"{"hash":"H","height":0,"work":"H"}"#, r#"["H",0,"H"]"#)]
#[case::one_of_the_headers(
    r#"{"headers":[HEADER]}"#,
    "HEADER",
    r#"[1,0,"H","H","H","H",0,"207fffff","M",0]"#
)]
#[case::one_of_the_blocks(
    r#"{"blocks":[{"header":HEADER,"data":[]}]}"#,
    r#"{"header":HEADER,"data":[]}"#,
    "[HEADER,[]]"
)]
fn a_list_is_no_object_inside_a_message_either(
    #[case] message: &str,
    #[case] object: &str,
    #[case] list: &str,
) {
    let whole = |text: &str| text.replace("HEADER", HEADER).replace('M', &HASH[..40]).replace('H', HASH);
    let error = refusal(message, &whole(object), &whole(list));
    assert!(error.contains("invalid type: sequence, expected struct"), "{error}");
}

#[rstest]
#[case::a_hash(r#"{"get_blocks":{"hashes":["H"]}}"#, "\"aa", "\"aA", 1)]
#[case::work(HELLO, "\"work\":\"aa", "\"work\":\"AA", 0)]
#[case::a_target(r#"{"announce":HEADER}"#, "207fffff", "207fffFf", 6)]
#[case::an_address(r#"{"announce":HEADER}"#, "bb", "Bb", 0)]
fn hex_is_in_lower_case(#[case] message: &str, #[case] part: &str, #[case] instead: &str, #[case] at: usize) {
    let error = refusal(message, part, instead);
    let digit = instead.chars().find(char::is_ascii_uppercase).unwrap();
    assert!(
        error.contains(&format!("expected a lower-case hex digit, got '{digit}' at byte {at}")),
        "{error}"
    );
}

#[rstest]
#[case::listen(",\"listen\":null", "", "missing field `listen`")]
#[case::keeps_bodies(",\"keeps_bodies\":null", "", "missing field `keeps_bodies`")]
#[case::null_for_a_number("\"nonce\":2", "\"nonce\":null", "invalid type: unit value, expected u64")]
#[case::null_for_a_flag("true", "null", "invalid type: unit value, expected a boolean")]
#[case::a_number_for_a_flag("true", "1", "invalid type: integer `1`")]
#[case::a_fraction("\"nonce\":2", "\"nonce\":2.0", "invalid type: floating point `2.0`")]
#[case::an_exponent("\"nonce\":2", "\"nonce\":2e0", "invalid type: floating point `2.0`")]
#[case::minus_zero("\"nonce\":2", "\"nonce\":-0", "invalid type: floating point `-0.0`")]
#[case::a_zero_in_front("\"nonce\":2", "\"nonce\":02", "invalid number")]
#[case::a_text_for_a_number("\"nonce\":2", "\"nonce\":\"2\"", "invalid type: string \"2\"")]
#[case::twice_the_same_field("\"nonce\":2", "\"nonce\":2,\"nonce\":2", "duplicate field `nonce`")]
#[case::two_kinds("null}}", "null},\"ping\":1}", "not a message in hashloom.v1.json")]
fn a_value_has_one_form(#[case] part: &str, #[case] instead: &str, #[case] expected: &str) {
    let error = refusal(HELLO, part, instead);
    assert!(error.contains(expected), "{error}");
}

/// Spaces, escapes and the order of fields are free in JSON.
#[test]
fn what_json_says_is_equal_is_equal() {
    for text in [
        "{\"bye\":{\"reason\":\"a/b\"}}",
        " {\t\"bye\" : \n{\"reason\":\r\"\\u0061\\/b\"} } ",
        "{\"bye\":{\"re\\u0061son\":\"a/b\"}}",
    ] {
        let bye = Message::<String>::Bye { reason: "a/b".to_owned() };
        assert_eq!(Json.decode_message::<String>(&text.to_owned().into()).unwrap(), bye, "{text}");
    }
    let swapped = r#"{"get_headers":{"limit":1,"locator":[]}}"#.to_owned();
    let get_headers = Message::<String>::GetHeaders { locator: Vec::new(), limit: 1 };
    assert_eq!(Json.decode_message::<String>(&swapped.into()).unwrap(), get_headers);
}

#[rstest]
#[case::as_it_is_written("018001", None)]
#[case::a_padded_number("01808100", Some("4 bytes, and 3 when it is written again"))]
#[case::a_padded_kind("81008001", Some("4 bytes, and 3 when it is written again"))]
#[case::a_padded_length("0a8000", Some("3 bytes, and 2 when it is written again"))]
#[case::a_padded_length_of_a_text("0c0181006d", Some("5 bytes, and 4 when it is written again"))]
fn an_integer_in_postcard_is_as_short_as_it_can_be(#[case] hex: &str, #[case] expected: Option<&str>) {
    let frame = hex::decode(hex).unwrap().into();
    let decoded = Postcard.decode_message::<String>(&frame);
    match expected {
        None => assert_eq!(decoded.unwrap(), Message::Ping(128)),
        Some(expected) => {
            let error = decoded.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}

/// The last three bytes of this `hello`: no address, a flag, no number.
#[test]
fn a_byte_that_is_neither_0_nor_1_is_no_flag() {
    let message: Message = Json.decode_message(&HELLO.replace('H', HASH).into()).unwrap();
    for from_end in 1..=3 {
        let changed = |mut bytes: Vec<u8>| {
            let at = bytes.len() - from_end;
            bytes[at] = 2;
            bytes.into()
        };
        let postcard = changed(Postcard.encode(&message).unwrap().as_bytes().to_vec());
        assert!(Postcard.decode_message::<String>(&postcard).is_err(), "{from_end}");
        let bincode = changed(Bincode.encode(&message).unwrap().as_bytes().to_vec());
        assert!(Bincode.decode_message::<String>(&bincode).is_err(), "{from_end}");
    }
}
