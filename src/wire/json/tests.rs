//! The terse deserializer accepts what `serde_json` accepts, except for arrays in place of structs, and
//! reports shorter errors.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;
use serde::{Deserialize, Serialize};

use super::*;

/// A value of every shape in serde's data model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Shapes {
    numbers: (u8, i8, u16, i16, u32, i32, u64, i64),
    large: (u128, i128),
    floats: (f32, f64),
    texts: (char, String, Option<String>),
    nothing: (),
    marker: Marker,
    wrapped: Wrapped,
    pair: Pair,
    choices: Vec<Choice>,
    by_number: BTreeMap<u32, Option<bool>>,
    by_choice: BTreeMap<Key, i64>,
    by_flag: BTreeMap<bool, char>,
    nested: Option<Box<Shapes>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Marker;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(f32);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pair(u8, String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Choice {
    Unit,
    Newtype(f64),
    Tuple(u8, Option<i8>),
    Struct { a: String, b: Vec<u8> },
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Key {
    A,
    B,
}

fn choice() -> impl Strategy<Value = Choice> {
    prop_oneof![
        Just(Choice::Unit),
        (-1e300..1e300).prop_map(Choice::Newtype),
        any::<(u8, Option<i8>)>().prop_map(|(a, b)| Choice::Tuple(a, b)),
        any::<(String, Vec<u8>)>().prop_map(|(a, b)| Choice::Struct { a, b }),
    ]
}

fn shapes() -> impl Strategy<Value = Shapes> {
    let plain = (
        any::<(u8, i8, u16, i16, u32, i32, u64, i64)>(),
        any::<(u128, i128)>(),
        (-1e30_f32..1e30, -1e300..1e300),
        any::<(char, String, Option<String>)>(),
        (-1e-30_f32..1e-30, any::<u8>(), any::<String>()),
        proptest::collection::vec(choice(), 0..4),
        any::<BTreeMap<u32, Option<bool>>>(),
        any::<(i64, i64)>(),
    );
    let plain = plain.prop_map(
        |(numbers, large, floats, texts, (wrapped, first, second), choices, by_number, keys)| Shapes {
            numbers,
            large,
            floats,
            texts,
            nothing: (),
            marker: Marker,
            wrapped: Wrapped(wrapped),
            pair: Pair(first, second),
            choices,
            by_number,
            by_choice: BTreeMap::from([(Key::A, keys.0), (Key::B, keys.1)]),
            by_flag: BTreeMap::from([(true, 't'), (false, 'f')]),
            nested: None,
        },
    );
    let plain = plain.boxed();
    (plain.clone(), proptest::option::of(plain))
        .prop_map(|(outer, inner)| Shapes { nested: inner.map(Box::new), ..outer })
}

proptest! {
    #[test]
    fn every_shape_is_read_as_serde_json_reads_it(shapes in shapes(), flips in proptest::collection::vec(any::<(u16, u8)>(), 0..3)) {
        let text = serde_json::to_string(&shapes).unwrap();
        let read: Shapes = Json.decode(&text.clone().into()).unwrap();
        prop_assert_eq!(&read, &shapes);
        prop_assert_eq!(read.floats.1.to_bits(), shapes.floats.1.to_bits());

        let mut bytes = text.into_bytes();
        for (at, byte) in flips {
            let at = usize::from(at) % bytes.len();
            bytes[at] = byte;
        }
        if let Ok(text) = String::from_utf8(bytes) {
            let plain = serde_json::from_str::<Shapes>(&text).ok();
            // Two changed bytes do not turn an object into an array, because an object has a colon after each
            // name.
            prop_assert_eq!(Json.decode::<Shapes>(&text.into()).ok(), plain);
        }
    }
}

#[rstest]
#[case::a_struct_variant(r#"{"Struct":["a",[1]]}"#, "struct variant Choice::Struct")]
#[case::an_empty_one(r#"{"Struct":[]}"#, "struct variant Choice::Struct")]
fn an_array_is_no_struct(#[case] json: &str, #[case] expected: &str) {
    let error = Json.decode::<Choice>(&json.to_owned().into()).unwrap_err().to_string();
    assert!(error.contains(&format!("invalid type: sequence, expected {expected}")), "{error}");
}

/// A type with unnamed fields is an array.
#[test]
fn an_array_is_a_tuple() {
    let pair = r#"[1,"a"]"#.to_owned();
    assert_eq!(Json.decode::<Pair>(&pair.into()).unwrap(), Pair(1, "a".to_owned()));
    let tuple = r#"{"Tuple":[1,null]}"#.to_owned();
    assert_eq!(Json.decode::<Choice>(&tuple.into()).unwrap(), Choice::Tuple(1, None));
}

/// Positions of a misplaced string.
#[rstest]
#[case::a_number(r#"{"numbers":[0,TEXT"#)]
#[case::a_struct("TEXT")]
#[case::a_list(r#"{"choices":TEXT"#)]
#[case::a_map(r#"{"by_number":TEXT"#)]
#[case::nothing(r#"{"nothing":TEXT"#)]
#[case::a_marker(r#"{"marker":TEXT"#)]
#[case::a_variant(r#"{"choices":[TEXT"#)]
#[case::a_tuple_variant(r#"{"choices":[{"Tuple":TEXT"#)]
#[case::a_struct_variant(r#"{"choices":[{"Struct":TEXT"#)]
#[case::a_key(r#"{"by_choice":{TEXT"#)]
#[case::within(r#"{"nested":{"pair":[TEXT"#)]
fn a_text_in_the_wrong_place_is_quoted_in_part(#[case] json: &str) {
    let json = json.replace("TEXT", &format!("\"{}\"", "\u{7f}".repeat(100_000)));
    let mut deserializer = serde_json::Deserializer::from_str(&json);
    let error = Shapes::deserialize(Terse(&mut deserializer)).unwrap_err().to_string();
    assert!(error.contains(r"\u{7f}\u{7f}") || error.contains("\u{7f}\u{7f}"), "{error:?}");
    assert!(error.len() <= crate::wire::error::MAX_DETAIL_BYTES + 50, "{} bytes: {error:?}", error.len());
    assert!(serde_json::from_str::<Shapes>(&json).unwrap_err().to_string().len() >= 100_000, "worth it");
}
