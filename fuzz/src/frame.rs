//! Properties of every frame, whatever its content: bounded memory, and a lossless round trip.

use core::fmt::Debug;

use hashloom::wire::{DEFAULT_MAX_FRAME_BYTES, Frame, WireFormat};
use hashloom::{Block, Message, wire};

use crate::allocations::{Allocated, measure};

/// The memory that a format may use to decode a frame: multiples of the frame's length, plus [`SLACK_BYTES`].
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// The multiple for the bytes that are live at once.
    pub peak: usize,
    /// The multiple for all allocations together.
    pub total: usize,
}

/// The fixed cost of a frame, however short: a growing list has up to 16 KiB of unused capacity, and so has a
/// list whose length prefix claims more items than there are; an error has a text.
pub const SLACK_BYTES: usize = 40 << 10;

/// The bound for JSON.
///
/// The value with the highest cost is an empty text in a block: three bytes (`"",`) become the 24 bytes of a
/// `String`. After the last item, all move to a list of the right length: 2 * 24 / 3 = 16. An error quotes no
/// more than 256 bytes.
pub const JSON: Bound = Bound { peak: 17, total: 17 };

/// The bound for bincode.
///
/// The value with the highest cost is an empty text in a block: the eight bytes of its length become the 24
/// bytes of a `String`. Calculated as for JSON, that makes 6.
pub const BINCODE: Bound = Bound { peak: 7, total: 7 };

/// The bound for postcard.
///
/// The value with the highest cost is an empty text in a block: the one byte of its length becomes the 24
/// bytes of a `String`. Calculated as for JSON, that makes 48.
pub const POSTCARD: Bound = Bound { peak: 49, total: 49 };

/// The limit of a frame's cost in any format, without its texts and however long it is: two blocks with the
/// maximum number of transactions, each of 24 bytes, and a copy of the second list.
pub const MOST_BYTES: usize = 3 * Block::<String>::MAX_TRANSACTIONS * size_of::<String>();

impl Bound {
    /// Asserts that a frame of `len` bytes stayed within the bound.
    pub fn assert(self, len: usize, allocated: Allocated) {
        let Allocated { peak, total } = allocated;
        assert!(peak <= self.peak * len + SLACK_BYTES, "{peak} bytes at once for a frame of {len}");
        assert!(total <= self.total * len + SLACK_BYTES, "{total} bytes in all for a frame of {len}");
        let most = MOST_BYTES + 3 * len + SLACK_BYTES;
        assert!(peak <= most, "{peak} bytes at once for a frame of {len}");
    }
}

/// Decodes a frame within the bound. The message must survive a round trip; returns the message and its
/// frame. `None` if the input is not a message, or is longer than a transport accepts.
pub fn check<F: WireFormat>(format: &F, frame: &Frame, bound: Bound) -> Option<(Message, Frame)> {
    let len = frame.as_bytes().len();
    if len > DEFAULT_MAX_FRAME_BYTES {
        return None;
    }
    let (decoded, allocated) = measure(|| format.decode_message::<String>(frame));
    bound.assert(len, allocated);
    let message = decoded.ok()?;
    let written = must(format.encode(&message));
    assert_eq!(must(format.decode_message::<String>(&written)), message, "lost on the way");
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

    fn block_of(empty_texts: usize) -> Message {
        Json.decode(&block_of_empty_texts(empty_texts).into()).expect("a block")
    }

    /// A single test, since the allocator counts the whole process.
    #[test]
    fn the_dearest_frames_keep_the_bounds_and_nearly_reach_them() {
        let frame: Frame = block_of_empty_texts((1 << 15) + 1).into();
        let (message, allocated) = decode(&Json, &frame, JSON);
        let message = message.expect("a block");
        assert!(allocated.peak / frame.as_bytes().len() >= 15, "{allocated:?}");

        let frame = Postcard.encode(&message).expect("a frame");
        let (message, allocated) = decode(&Postcard, &frame, POSTCARD);
        let message = message.expect("a block");
        assert!(allocated.peak / frame.as_bytes().len() >= 47, "{allocated:?}");
        assert!(allocated.total / frame.as_bytes().len() >= 47, "{allocated:?}");

        let frame = Bincode.encode(&message).expect("a frame");
        let (message, allocated) = decode(&Bincode, &frame, BINCODE);
        message.expect("a block");
        assert!(allocated.peak / frame.as_bytes().len() >= 5, "{allocated:?}");

        let deletes = "\u{7f}".repeat(175_000);
        for json in [
            format!(r#"{{"ping":"\n{deletes}"}}"#),
            format!(r#"{{"new_block":{{"header":{{"version":"\n{deletes}"}}}}}}"#),
            format!(r#"{{"new_block":{{"header":"\n{deletes}"}}}}"#),
            format!(r#"{{"new_block":{{"\n{deletes}":1}}}}"#),
            format!(r#"{{"blocks":"\n{deletes}"}}"#),
        ] {
            let len = json.len();
            let (message, allocated) = decode(&Json, &json.into(), JSON);
            message.expect_err("a text in the wrong place");
            // The text without its escapes, in a buffer that doubles as it grows.
            assert!(allocated.total <= 5 * len, "{allocated:?} for {len} bytes");
        }

        // As many blocks as fit into the largest frame.
        let Message::NewBlock(block) = block_of(Block::<String>::MAX_TRANSACTIONS) else { unreachable!() };
        let frame = Postcard.encode(&Message::Blocks(vec![block; 20])).expect("a frame");
        let (message, allocated) = decode(&Postcard, &frame, POSTCARD);
        message.expect_err("too many transactions");
        assert!(allocated.peak / frame.as_bytes().len() <= 3, "{allocated:?}");
    }

    fn decode<F: WireFormat>(
        format: &F,
        frame: &Frame,
        bound: Bound,
    ) -> (Result<Message, wire::WireError>, Allocated) {
        let (decoded, allocated) = measure(|| format.decode_message(frame));
        bound.assert(frame.as_bytes().len(), allocated);
        (decoded, allocated)
    }
}
