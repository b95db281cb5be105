//! Bytes to a message in JSON: never a panic, bounded memory, and whatever is read can be written and read again.
#![no_main]

use hashloom::wire::Json;
use hashloom_fuzz::frame;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some((_, written)) = frame::check(&Json, &text.to_owned().into(), frame::JSON) {
        // What is written is a fixed point, whatever spaces and escapes were read.
        let again = frame::check(&Json, &written, frame::JSON).map(|(_, again)| again);
        assert_eq!(again, Some(written));
    }
});
