//! What holds for every frame, whatever is in it: bounded memory, and a value that survives the way back.

use core::fmt::Debug;

use hashloom::wire::{DEFAULT_MAX_FRAME_BYTES, Frame, WireFormat};
use hashloom::{Message, wire};

use crate::allocations::{Allocated, measure};

/// How much memory a format may take to decode a frame: so many times its length, and [`SLACK_BYTES`].
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Of the bytes that are live at once.
    pub peak: usize,
    /// Of all allocations together.
    pub total: usize,
}

/// What a frame may cost however short it is: room for 64 headers of 184 bytes is reserved where a length
/// claims them, and an error has a text.
pub const SLACK_BYTES: usize = 16 << 10;

/// The bound for JSON.
///
/// The dearest value at once is an empty text in a block: three bytes (`"",`) that become the 24 of a
/// `String`. While the vector doubles, it and its successor are live, three times as much: 3 * 24 / 3 = 24.
/// With all that it outgrew it makes 32. The dearest in all is a text where a number belongs: `serde_json`
/// quotes it in its error, and one byte (DEL) becomes six (`\u{7f}`) in a string that grows by doubling (24),
/// is shrunk (6) and printed (18). What is reached is 23 and 43; see the test below.
pub const JSON: Bound = Bound { peak: 26, total: 50 };

/// The bound for bincode.
///
/// The dearest value is an empty text in a block: the eight bytes of its length become the 24 of a `String`,
/// which makes 9 and 12 by the same count as for JSON. No error quotes more than a few bytes. Beside that one
/// copy of a text is taken.
pub const BINCODE: Bound = Bound { peak: 10, total: 13 };

/// The bound for postcard.
///
/// The dearest value is an empty text in a block: the one byte of its length becomes the 24 of a `String`, which
/// makes 72 and 96 by the same count as for JSON. No error quotes anything.
pub const POSTCARD: Bound = Bound { peak: 74, total: 98 };

impl Bound {
    /// Asserts that a frame of `len` bytes did not cost more.
    pub fn assert(self, len: usize, allocated: Allocated) {
        let Allocated { peak, total } = allocated;
        assert!(peak <= self.peak * len + SLACK_BYTES, "{peak} bytes at once for a frame of {len}");
        assert!(total <= self.total * len + SLACK_BYTES, "{total} bytes in all for a frame of {len}");
    }
}

/// Decodes a frame within the bound. What it holds must survive being written and read again; it is returned,
/// with the frame that is written for it. `None` for what is no message, or longer than a transport lets
/// through.
pub fn check<F: WireFormat>(format: &F, frame: &Frame, bound: Bound) -> Option<(Message, Frame)> {
    let len = frame.as_bytes().len();
    if len > DEFAULT_MAX_FRAME_BYTES {
        return None;
    }
    let (decoded, allocated) = measure(|| format.decode::<Message>(frame));
    bound.assert(len, allocated);
    let message = decoded.ok()?;
    let written = must(format.encode(&message));
    assert_eq!(must(format.decode::<Message>(&written)), message, "lost on the way");
    Some((message, written))
}

fn must<R: Debug>(result: Result<R, wire::WireError>) -> R {
    match result {
        Ok(value) => value,
        Err(error) => panic!("what was read cannot be written or read again: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use hashloom::wire::{Bincode, Json, Postcard};

    use super::*;

    const HEADER: &str = r#"{"version":1,"height":0,"previous_hash":"Z","merkle_root":"Z","history_root":"Z","state_root":"Z","timestamp":0,"target":"207fffff","miner":"Y","nonce":0}"#;

    fn block_of_empty_texts(count: usize) -> String {
        let header = HEADER.replace('Z', &"0".repeat(64)).replace('Y', &"0".repeat(40));
        let texts = vec![r#""""#; count].join(",");
        format!(r#"{{"new_block":{{"header":{header},"data":[{texts}]}}}}"#)
    }

    /// One test, since the allocator counts the whole process. One more than a power of two makes a vector
    /// grow at the last moment, when it costs most.
    #[test]
    fn the_dearest_frames_keep_the_bounds_and_nearly_reach_them() {
        let frame: Frame = block_of_empty_texts((1 << 15) + 1).into();
        let (message, allocated) = decode(&Json, &frame, JSON);
        let message = message.expect("a block");
        assert!(allocated.peak / frame.as_bytes().len() >= 23, "{allocated:?}");

        let frame = Postcard.encode(&message).expect("a frame");
        let (message, allocated) = decode(&Postcard, &frame, POSTCARD);
        let message = message.expect("a block");
        assert!(allocated.peak / frame.as_bytes().len() >= 70, "{allocated:?}");
        assert!(allocated.total / frame.as_bytes().len() >= 90, "{allocated:?}");

        let frame = Bincode.encode(&message).expect("a frame");
        let (message, allocated) = decode(&Bincode, &frame, BINCODE);
        message.expect("a block");
        assert!(allocated.peak / frame.as_bytes().len() >= 8, "{allocated:?}");
        assert!(allocated.total / frame.as_bytes().len() >= 11, "{allocated:?}");

        let frame: Frame = format!(r#"{{"ping":"\n{}"}}"#, "\u{7f}".repeat(175_000)).into();
        let (message, allocated) = decode(&Json, &frame, JSON);
        message.expect_err("a text is no number");
        assert!(allocated.total / frame.as_bytes().len() >= 43, "{allocated:?}");
    }

    fn decode<F: WireFormat>(
        format: &F,
        frame: &Frame,
        bound: Bound,
    ) -> (Result<Message, wire::WireError>, Allocated) {
        let (decoded, allocated) = measure(|| format.decode(frame));
        bound.assert(frame.as_bytes().len(), allocated);
        (decoded, allocated)
    }
}
