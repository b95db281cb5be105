//! Messages of every kind in every format, mutated at random. If a mutated message is accepted, encoding it
//! again must return the input: byte for byte in a binary format, and as an equal value in JSON, in which
//! spaces and escapes have no meaning.

use fastrand::Rng;
use hashloom::wire::{Bincode, Frame, Json, Postcard};
use hashloom::{Message, WireFormat};
use serde_json::{Value, json};

use crate::conformance::KINDS;
use crate::conformance::generate::Source;

/// The number of messages of each kind in each format. Each is mutated at other positions.
const MESSAGES: usize = 1_000;

/// The maximum number of mutations of one message.
const MAX_CHANGES: usize = 3;

#[test]
fn what_is_read_of_mutated_bincode_is_written_as_it_was_read() {
    check("bincode", |message, rng| is_written_as_read(&Bincode, message, rng));
}

#[test]
fn what_is_read_of_mutated_postcard_is_written_as_it_was_read() {
    check("postcard", |message, rng| is_written_as_read(&Postcard, message, rng));
}

#[test]
fn what_is_read_of_mutated_json_is_written_as_an_equal_value() {
    check("json", |message, rng| {
        let mut value = serde_json::to_value(message).unwrap();
        for _ in 0..rng.usize(1..=MAX_CHANGES) {
            mutate_value(&mut value, rng);
        }
        read_of_json(value.to_string())
    });
}

/// Mutations of the text can repeat a field or change the notation of a number, which mutations of the value
/// cannot.
#[test]
fn what_is_read_of_mutated_text_is_written_as_an_equal_value() {
    check("text", |message, rng| {
        let mut text = serde_json::to_string(message).unwrap().into_bytes();
        for _ in 0..rng.usize(1..=MAX_CHANGES) {
            mutate_text(&mut text, rng);
        }
        String::from_utf8(text).is_ok_and(read_of_json)
    });
}

/// Runs `is_read` for messages of every kind. `is_read` mutates a message and asserts the property of an
/// accepted one.
fn check(name: &str, is_read: impl Fn(&Message, &mut Rng) -> bool) {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let mut source = Source::new(&format!("{name} {seed}"));
    for kind in KINDS {
        let read = (0..MESSAGES).filter(|_| is_read(&source.message(kind), &mut rng)).count();
        println!("{kind}: {read} of {MESSAGES} read");
        assert!((1..MESSAGES).contains(&read), "{read} of {MESSAGES} {kind} were read: nothing is tested");
    }
}

fn is_written_as_read<F: WireFormat>(format: &F, message: &Message, rng: &mut Rng) -> bool {
    let mut bytes = format.encode(message).unwrap().as_bytes().to_vec();
    for _ in 0..rng.usize(1..=MAX_CHANGES) {
        mutate_bytes(&mut bytes, rng);
    }
    let Ok(read) = format.decode_message::<String>(&bytes.clone().into()) else { return false };
    let written = format.encode(&read).unwrap();
    assert_eq!(hex::encode(written.as_bytes()), hex::encode(bytes), "{read:?}");
    true
}

fn read_of_json(text: String) -> bool {
    let frame = Frame::from(text);
    let text = frame.as_text("json").unwrap();
    let Ok(read) = Json.decode_message::<String>(&frame) else { return false };
    let value: Value = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), value, "of {text}");
    true
}

fn mutate_bytes(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let at = rng.usize(..bytes.len().max(1));
    let byte = rng.choice([0, 1, 2, 0x7f, 0x80, 0xff, rng.clone().u8(..)]).unwrap_or_default();
    match (rng.u8(..6), bytes.get_mut(at)) {
        (0, Some(place)) => *place = byte,
        (1, Some(place)) => *place ^= 1 << rng.u8(..8),
        (2, Some(_)) => drop(bytes.remove(at)),
        // Pads a number of postcard.
        (3 | 4, Some(place)) => {
            *place |= 0x80;
            bytes.insert(at + 1, if rng.bool() { 0 } else { byte });
        }
        _ => bytes.insert(at, byte),
    }
}

fn mutate_text(text: &mut Vec<u8>, rng: &mut Rng) {
    let at = rng.usize(..text.len().max(1));
    match rng.u8(..4) {
        0 => {
            let digit = rng.choice(b"0123456789abcdefABCDEF".to_owned());
            drop(text.splice(at..(at + 1).min(text.len()), digit));
        }
        1 => drop(text.splice(at..at, rng.choice(b" \"\\,:.-0eE[]{}".to_owned()))),
        // Duplicates a field or an item.
        2 => {
            let commas: Vec<_> = (0..text.len()).filter(|at| text[*at] == b',').collect();
            if let [first, .., last] = *commas {
                let from = rng.choice(commas).unwrap_or(first);
                let part = text[from..last.max(from)].to_vec();
                drop(text.splice(from..from, part));
            }
        }
        // Changes the notation of a number.
        _ => {
            let ends: Vec<_> = (1..text.len()).filter(|at| text[at - 1].is_ascii_digit()).collect();
            let ends: Vec<_> = ends.into_iter().filter(|at| b",]}".contains(&text[*at])).collect();
            if let Some(end) = rng.choice(ends) {
                let form: &[u8] = rng.choice([&b".0"[..], b"e0", b"E+0", b"0"]).unwrap_or_default();
                drop(text.splice(end..end, form.iter().copied()));
            }
        }
    }
}

/// Mutates one value of the tree.
fn mutate_value(root: &mut Value, rng: &mut Rng) {
    let mut pointers = Vec::new();
    list(root, String::new(), &mut pointers);
    let other = rng.choice(&pointers).and_then(|pointer| root.pointer(pointer)).cloned();
    let pointer = rng.choice(pointers).unwrap_or_default();
    let Some(value) = root.pointer_mut(&pointer) else { return };
    match value {
        Value::Object(fields) => {
            let names: Vec<_> = fields.keys().cloned().collect();
            let name = rng.choice(names).unwrap_or_default();
            match rng.u8(..5) {
                0 => drop(fields.insert("more".to_owned(), Value::Null)),
                1 => drop(fields.remove(&name)),
                2 => drop(fields.insert(name, Value::Null)),
                3 => {
                    let mut values: Vec<_> = fields.values().cloned().collect();
                    rng.shuffle(&mut values);
                    *value = Value::Array(values);
                }
                _ => drop(fields.insert(name, other.unwrap_or_default())),
            }
        }
        Value::Array(items) => match rng.u8(..4) {
            0 => items.extend(items.first().cloned()),
            1 => drop(items.pop()),
            2 => *value = json!({ "0": items }),
            _ => items.push(other.unwrap_or_default()),
        },
        Value::String(text) => match rng.u8(..5) {
            0 | 1 => *text = text.to_ascii_uppercase(),
            2 => *text = text.chars().rev().collect(),
            3 => drop(text.pop()),
            _ => *value = json!([text]),
        },
        Value::Number(number) => {
            let number = number.as_u64().unwrap_or_default();
            *value = match rng.u8(..5) {
                #[expect(clippy::cast_precision_loss, reason = "any number does")]
                0 => json!(number as f64),
                1 => json!(number.to_string()),
                2 => json!(-1),
                3 => json!(number / 2),
                _ => json!([number]),
            };
        }
        Value::Bool(flag) => *value = if rng.bool() { json!(u8::from(*flag)) } else { json!(!*flag) },
        Value::Null => {
            *value = rng.choice([json!(0), json!(false), json!("a"), json!([])]).unwrap_or_default();
        }
    }
}

/// Collects the paths of this value and of all values below it.
fn list(value: &Value, at: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| list(value, format!("{at}/{name}"), pointers));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, value)| list(value, format!("{at}/{index}"), pointers));
        }
        _ => {}
    }
    pointers.push(at);
}
