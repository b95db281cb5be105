//! Bytes to a message in postcard: never a panic, bounded memory, and whatever is read can be written and read again.
#![no_main]

use hashloom::wire::Postcard;
use hashloom_fuzz::frame;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some((_, written)) = frame::check(&Postcard, &bytes.to_vec().into(), frame::POSTCARD) {
        // What is written is a fixed point, however the integers were padded that were read.
        let again = frame::check(&Postcard, &written, frame::POSTCARD).map(|(_, again)| again);
        assert_eq!(again, Some(written));
    }
});
