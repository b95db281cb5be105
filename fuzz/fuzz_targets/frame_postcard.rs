//! Decodes bytes as postcard: never panics, uses bounded memory, and every message has only one encoding.
#![no_main]

use hashloom::wire::Postcard;
use hashloom_fuzz::frame;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some((message, written)) = frame::check(&Postcard, &bytes.to_vec().into(), frame::POSTCARD) {
        assert_eq!(written.as_bytes(), bytes, "a second encoding of {message:?}");
    }
});
