//! Decodes bytes as JSON: never panics, uses bounded memory, and every message is encoded as an equal JSON
//! value.
#![no_main]

use hashloom::wire::Json;
use hashloom_fuzz::frame;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|text: &str| {
    if let Some((message, written)) = frame::check(&Json, &text.to_owned().into(), frame::JSON) {
        // Spaces, escapes and the order of fields have no meaning.
        assert_eq!(value(written.as_bytes()), value(text.as_bytes()), "a second form of {message:?}");
    }
});

fn value(json: &[u8]) -> Value {
    serde_json::from_slice(json).expect("what was read or written is JSON")
}
