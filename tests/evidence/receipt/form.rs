//! The text and the JSON of a receipt: each rule of the grammar, limits, and damage.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hashloom::evidence::{ContentError, ParseReceiptError, Receipt, VerifyReceiptError};
use hashloom::{Block, ChainSpec};
use rstest::rstest;
use serde_json::{Value, json};

use super::golden;
use crate::golden::check;
use crate::log::Log;

/// A receipt whose paths have two and three hashes. Lines: the version, `extra`, `index`, three hashes, an empty line,
/// the checkpoint from line 8 on.
fn text() -> String {
    Log::of(6).receipt(2, 1, 5).to_string()
}

fn error(text: &str) -> ParseReceiptError {
    text.parse::<Receipt>().unwrap_err()
}

#[test]
fn the_lines_are_those_of_the_specification() {
    let log = Log::of(6);
    let text = text();
    let lines: Vec<_> = text.split('\n').collect();
    assert_eq!(lines[0], "c2sp.org/tlog-proof@v1");
    let extra = BASE64_STANDARD.decode(lines[1].strip_prefix("extra ").unwrap()).unwrap();
    assert_eq!(lines[2], "index 2");
    let path = log.chain.ancestor_proof(2, 5).unwrap().path;
    assert_eq!(lines[3..6], path.iter().map(|hash| BASE64_STANDARD.encode(hash)).collect::<Vec<_>>());
    assert_eq!(lines[6], "");
    assert_eq!(lines[7..].join("\n"), log.checkpoint(5).to_string());

    let proof = log.chain.transaction_proof(&log.hash(2), 1).unwrap().unwrap();
    let mut expected = b"hashloom/receipt@v1\n".to_vec();
    expected.extend(log.chain.header_at(2).unwrap().unwrap().to_bytes());
    expected.extend([0, 0, 0, 1, 0, 0, 0, 3, 2]);
    proof.path.iter().for_each(|hash| expected.extend(hash.as_bytes()));
    expected.extend(b"\x09order 2.1");
    assert_eq!(extra, expected);
}

/// What a line may not be, as the whole error.
#[rstest]
#[case::version(
    1,
    "c2sp.org/tlog-proof@v2",
    "line 1: expected c2sp.org/tlog-proof@v1, got \"c2sp.org/tlog-proof@v2\""
)]
#[case::carriage_return(
    1,
    "c2sp.org/tlog-proof@v1\r",
    "line 1: expected c2sp.org/tlog-proof@v1, got \"c2sp.org/tlog-proof@v1\\r\""
)]
#[case::no_extra(2, "index 2", "line 2: expected `extra ` and base64, got \"index 2\"")]
#[case::empty_extra(2, "extra ", "line 2: expected `extra ` and base64, got \"extra \"")]
#[case::extra_without_padding(
    2,
    "extra aGFzaA",
    "line 2: expected `extra ` and base64, got \"extra aGFzaA\""
)]
#[case::extra_with_set_bits_in_the_padding(
    2,
    "extra aGFzaB==",
    "line 2: expected `extra ` and base64, got \"extra aGFzaB==\""
)]
#[case::two_spaces(2, "extra  aGFzaA==", "line 2: expected `extra ` and base64, got \"extra  aGFzaA==\"")]
#[case::url_alphabet(2, "extra _-8=", "line 2: expected `extra ` and base64, got \"extra _-8=\"")]
#[case::foreign_extra(
    2,
    "extra aGFzaA==",
    "line 2: the extra data does not begin with \"hashloom/receipt@v1\\n\""
)]
#[case::no_index(3, "", "line 3: expected `index ` and a number, got \"\"")]
#[case::negative_index(3, "index -2", "line 3: expected `index ` and a number, got \"index -2\"")]
#[case::signed_index(3, "index +2", "line 3: expected `index ` and a number, got \"index +2\"")]
#[case::leading_zero(3, "index 02", "line 3: expected `index ` and a number, got \"index 02\"")]
#[case::index_above_64_bits(
    3,
    "index 18446744073709551616",
    "line 3: expected `index ` and a number, got \"index 18446744073709551616\""
)]
#[case::another_index(3, "index 0", "line 3: the entry 0, expected the height 2 of the block")]
#[case::hash_too_short(
    4,
    "aGFzaA==",
    "line 4: expected the base64 of a hash, or an empty line, got \"aGFzaA==\""
)]
#[case::space_behind_a_hash(
    5,
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= ",
    "line 5: expected the base64 of a hash, or an empty line, got \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \""
)]
#[case::no_empty_line(
    7,
    "log.example/orders",
    "line 7: expected the base64 of a hash, or an empty line, got \"log.example/orders\""
)]
#[case::empty_origin(8, "", "the checkpoint from line 8 on: line 1: the origin is empty")]
#[case::size_with_a_leading_zero(
    9,
    "05",
    "the checkpoint from line 8 on: line 2: expected a decimal number below 2^64 without leading zeros, got \"05\""
)]
#[case::signature_without_a_dash(12, "log.example/orders AAAA", "the note from line 8 on: line 5: ")]
fn a_line_that_is_not_of_the_format(#[case] number: usize, #[case] line: &str, #[case] expected: &str) {
    let text = text();
    let mut lines: Vec<_> = text.split('\n').collect();
    lines[number - 1] = line;
    let error = error(&lines.join("\n")).to_string();
    if expected.ends_with(": ") {
        assert!(error.starts_with(expected), "{error}");
    } else {
        assert_eq!(error, expected);
    }
}

/// What the specifications tell readers to ignore.
#[test]
fn signatures_of_unknown_keys_and_extension_lines_are_kept() {
    let log = Log::of(6);
    let mut note = log.checkpoint(5).to_string();
    note.push_str("\u{2014} unknown.example/key AAAAAAAAAAAA\n");
    let receipt = Receipt::issue(&log.chain, &log.hash(2), 1, note.parse().unwrap()).unwrap();
    let parsed: Receipt = receipt.to_string().parse().unwrap();
    assert!(parsed.to_string().ends_with(&format!("\n\n{note}")));
    assert!(parsed.verify(&log.policy()).is_ok());

    let text = format!("{}an extension\n", log.checkpoint(5).text());
    let note = hashloom::evidence::SignedNote::sign(text, &log.key).unwrap();
    let receipt = Receipt::issue(&log.chain, &log.hash(2), 1, note).unwrap();
    let parsed: Receipt = receipt.to_string().parse().unwrap();
    assert_eq!(parsed.verify(&log.policy()).unwrap().accepted.checkpoint.extensions().count(), 1);
}

/// The text of a receipt with this extra data.
fn with_extra(change: impl FnOnce(&mut Vec<u8>)) -> String {
    let text = text();
    let line = text.split('\n').nth(1).unwrap();
    let mut extra = BASE64_STANDARD.decode(&line["extra ".len()..]).unwrap();
    change(&mut extra);
    text.replacen(line, &format!("extra {}", BASE64_STANDARD.encode(extra)), 1)
}

/// The number of the first byte of each part.
const INDEX: usize = 200;
const COUNT: usize = 204;
const HASHES: usize = 208;

const MOST: u64 = Block::<()>::MAX_TRANSACTIONS as u64;

#[rstest]
#[case::another_version(|extra: &mut Vec<u8>| extra[18] = b'2', ContentError::Version)]
#[case::no_header(|extra: &mut Vec<u8>| extra.truncate(199), ContentError::Length { got: 199, expected: 209 })]
#[case::no_number_of_hashes(|extra: &mut Vec<u8>| extra.truncate(208), ContentError::Length { got: 208, expected: 209 })]
#[case::half_a_hash(|extra: &mut Vec<u8>| extra.truncate(260), ContentError::Length { got: 260, expected: 273 })]
#[case::index_at_the_count(
    |extra: &mut Vec<u8>| extra[INDEX + 3] = 3,
    ContentError::Index { index: 3, count: 3 }
)]
#[case::no_transactions(|extra: &mut Vec<u8>| extra[COUNT + 3] = 0, ContentError::Index { index: 1, count: 0 })]
#[case::too_many_transactions(
    |extra: &mut Vec<u8>| extra[COUNT..HASHES].copy_from_slice(&[0, 0x10, 0, 1]),
    ContentError::Transactions { got: MOST + 1, limit: MOST }
)]
#[case::too_many_hashes(|extra: &mut Vec<u8>| extra[HASHES] = 21, ContentError::Path { got: 21, limit: 20 })]
#[case::transaction_too_large(
    |extra: &mut Vec<u8>| extra.resize(273 + ChainSpec::MAX_BLOCK_BYTES + 1, 0),
    ContentError::TransactionBytes { got: ChainSpec::MAX_BLOCK_BYTES + 1, limit: ChainSpec::MAX_BLOCK_BYTES }
)]
fn extra_data_that_is_not_the_content_of_a_receipt(
    #[case] change: fn(&mut Vec<u8>),
    #[case] expected: ContentError,
) {
    assert_eq!(error(&with_extra(change)), ParseReceiptError::Extra { line: 2, error: expected });
}

/// The limits themselves are allowed, and what is claimed within them fails where it is checked.
#[rstest]
#[case::transactions(|extra: &mut Vec<u8>| extra[COUNT..HASHES].copy_from_slice(&[0, 0x10, 0, 0]))]
#[case::transaction_bytes(|extra: &mut Vec<u8>| extra.resize(273 + ChainSpec::MAX_BLOCK_BYTES, 0))]
#[case::hashes(|extra: &mut Vec<u8>| {
    extra[HASHES] = 20;
    extra.splice(209..209, [0; 18 * 32]);
})]
#[case::no_transaction_bytes(|extra: &mut Vec<u8>| extra.truncate(273))]
fn content_at_a_limit_is_parsed_and_not_proven(#[case] change: fn(&mut Vec<u8>)) {
    let text = with_extra(change);
    let receipt: Receipt = text.parse().unwrap();
    assert_eq!(receipt.to_string(), text);
    let error = receipt.verify(&Log::of(0).policy()).unwrap_err();
    assert!(matches!(error, VerifyReceiptError::NotInBlock { height: 2, .. }), "{error:?}");
    let json = serde_json::to_string(&receipt).unwrap();
    assert_eq!(serde_json::from_str::<Receipt>(&json).unwrap(), receipt);
}

#[test]
fn a_text_and_a_path_have_limits() {
    let long = "x".repeat(Receipt::MAX_BYTES + 1);
    let too_long = ParseReceiptError::TooLong { got: long.len(), limit: Receipt::MAX_BYTES };
    assert_eq!(error(&long), too_long);
    let hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    let with_hashes = |count| text().replacen("index 2\n", &format!("index 2\n{}", hash.repeat(count)), 1);
    assert!(with_hashes(61).parse::<Receipt>().is_ok());
    let ParseReceiptError::Line(error) = error(&with_hashes(62)) else { panic!("a path of 65 hashes") };
    assert_eq!((error.line, error.expected), (68, "an empty line, behind as many hashes as a path may have"));
}

/// Damage at each bit. Either the receipt is refused, or it proves what it proved before.
#[test]
fn a_receipt_with_a_flipped_bit_proves_nothing_else() {
    let log = Log::of(6);
    let (policy, text) = (log.policy(), text());
    let honest: Receipt = text.parse().unwrap();
    let proven = honest.verify(&policy).unwrap();
    let mut verified = 0;
    for (at, bit) in (0..text.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut damaged = text.clone().into_bytes();
        damaged[at] ^= 1 << bit;
        let Ok(damaged) = String::from_utf8(damaged) else { continue };
        let Ok(receipt) = damaged.parse::<Receipt>() else { continue };
        assert_eq!(receipt.to_string(), damaged);
        verified += 1;
        if let Ok(other) = receipt.verify(&policy) {
            assert_eq!(other, proven, "byte {at}: {damaged}");
        }
    }
    assert!(verified > 3_000, "only {verified} damaged texts were parsed");
}

#[test]
fn a_receipt_that_ends_early_or_late_is_refused() {
    let log = Log::of(6);
    let (policy, text) = (log.policy(), text());
    for (end, _) in text.char_indices() {
        let parsed = text[..end].parse::<Receipt>();
        assert!(parsed.is_err(), "{end}: {parsed:?}");
    }
    for more in ["\n", " ", "x", "\n\n", "\u{2014}\n", &text] {
        let parsed = format!("{text}{more}").parse::<Receipt>();
        assert!(
            parsed.as_ref().map_or(true, |receipt| receipt.verify(&policy).is_err()),
            "{more:?}: {parsed:?}"
        );
    }
    let line = |line, expected| format!("line {line}: expected {expected}, got the end of the text");
    assert_eq!(error("").to_string(), line(1, "c2sp.org/tlog-proof@v1"));
    let cut = |lines| text.split_inclusive('\n').take(lines).collect::<String>();
    assert_eq!(error(&cut(1)).to_string(), line(2, "`extra ` and base64"));
    assert_eq!(error(&cut(2)).to_string(), line(3, "`index ` and a number"));
    assert_eq!(error(&cut(4)).to_string(), line(5, "the base64 of a hash, or an empty line"));
    assert_eq!(
        error(&cut(7)).to_string(),
        "the note from line 8 on: no blank line between the text and the signatures"
    );
}

#[test]
fn the_json_is_natural_for_a_client_of_http() {
    let log = Log::of(6);
    let json = serde_json::to_value(log.receipt(2, 1, 5)).unwrap();
    let proof = log.chain.transaction_proof(&log.hash(2), 1).unwrap().unwrap();
    let expected = json!({
        "transaction": hex::encode(b"\x09order 2.1"),
        "transaction_proof": { "index": 1, "tree_size": 3, "path": proof.path },
        "header": log.chain.header_at(2).unwrap().unwrap(),
        "path": log.chain.ancestor_proof(2, 5).unwrap().path,
        "checkpoint": log.checkpoint(5).to_string(),
    });
    assert_eq!(json, expected);
}

#[rstest]
#[case::unknown_field(|json: &mut Value| json["index"] = 2.into(), "unknown field `index`")]
#[case::upper_case(|json: &mut Value| json["transaction"] = "0A".into(), "expected lower-case hex digits")]
#[case::odd_digits(|json: &mut Value| json["transaction"] = "0".into(), "Odd number of digits")]
#[case::too_many_transactions(
    |json: &mut Value| json["transaction_proof"]["tree_size"] = (MOST + 1).into(),
    "a block of 1048577 transactions, expected at most 1048576"
)]
#[case::index(|json: &mut Value| json["transaction_proof"]["index"] = 3.into(), "transaction 3 of a block of 3")]
#[case::transaction_path(
    |json: &mut Value| json["transaction_proof"]["path"] = vec!["00".repeat(32); 21].into(),
    "a path of 21 hashes, expected at most 20"
)]
#[case::path(|json: &mut Value| json["path"] = vec!["00".repeat(32); 65].into(), "invalid length 65, expected at most 64")]
#[case::no_note(|json: &mut Value| json["checkpoint"] = "".into(), "the checkpoint: no blank line between")]
#[case::no_checkpoint(
    |json: &mut Value| json["checkpoint"] = "x\n\n\u{2014} x AAAAAAAAAAAA\n".into(),
    "the checkpoint: line 2 is missing"
)]
fn json_that_is_not_a_receipt(#[case] change: fn(&mut Value), #[case] expected: &str) {
    let mut json = serde_json::to_value(Log::of(6).receipt(2, 1, 5)).unwrap();
    change(&mut json);
    let error = serde_json::from_str::<Receipt>(&json.to_string()).unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn binary_formats_keep_a_receipt() {
    let receipt = Log::of(6).receipt(2, 1, 5);
    let bytes = postcard::to_allocvec(&receipt).unwrap();
    assert_eq!(postcard::from_bytes::<Receipt>(&bytes).unwrap(), receipt);
}

#[test]
fn golden_receipts() {
    for (name, receipt) in golden::receipts() {
        let file = check(&format!("{name}.tlog-proof"), &receipt.to_string());
        assert_eq!(file.parse::<Receipt>().unwrap(), receipt);
        let json = serde_json::to_string_pretty(&receipt).unwrap() + "\n";
        let file = check(&format!("{name}.json"), &json);
        assert_eq!(serde_json::from_str::<Receipt>(&file).unwrap(), receipt);
    }
    check("receipt.keys.txt", &golden::keys());
}
