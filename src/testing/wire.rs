//! Conformance tests for implementations of [`WireFormat`]. Call [`suite`] from a test:
//!
//! ```
//! # #[cfg(feature = "ws-postcard")] {
//! use hashloom::testing::wire::suite;
//! use hashloom::wire::Postcard;
//!
//! suite(&Postcard, &["a text".to_owned(), String::new()]);
//! # }
//! ```
//!
//! [`memory_suite`] checks how much memory a format allocates. It needs an allocator that counts.

mod damage;
mod messages;
#[cfg(test)]
#[cfg(all(feature = "ws-json", feature = "ws-bincode", feature = "ws-postcard"))]
mod tests;

use crate::protocol::MessageKind;
use crate::protocol::limits::MAX_HELLO_BYTES;
use crate::wire::{Frame, WireFormat};
use crate::{Message, Transaction};

use damage::Claim;
use messages::messages;

/// Runs all checks except that of [memory](memory_suite), on messages of every kind, among them the smallest
/// and the largest that a node sends. `transactions` should have one value for each variant and shape of the
/// type.
///
/// - Each message reads back as an equal value, and [`kind`](WireFormat::kind) returns its kind or `None`.
/// - A `Hello` has at most [`MAX_HELLO_BYTES`].
/// - A frame that is truncated, has trailing bytes, or is of the wrong kind (text instead of binary, or the
///   reverse) is refused.
/// - A frame longer than [`MessageKind::max_frame_bytes`] of its kind is refused, if
///   [`kind`](WireFormat::kind) returns that kind.
/// - A frame that claims a length of 2^64 - 1 does not make the decoder panic, as a `Vec` of that capacity
///   does.
///
/// The suite does not check that a message has only one encoding, because a format need not guarantee that.
///
/// # Panics
///
/// If the format fails a check.
pub fn suite<T: Transaction, F: WireFormat>(format: &F, transactions: &[T]) {
    let name = F::SUBPROTOCOL;
    assert!(
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)),
        "{name:?} is no token of RFC 7230, as the name of a subprotocol has to be"
    );
    for message in messages(transactions) {
        let kind = MessageKind::from(&message);
        let frame = encode(format, &message);
        let got = frame.as_bytes().len();
        assert!(
            kind != MessageKind::Hello || got <= MAX_HELLO_BYTES,
            "a hello has {got} bytes in {name}, expected at most {MAX_HELLO_BYTES}"
        );
        match format.kind(&frame) {
            Ok(None) => {}
            Ok(Some(named)) => {
                assert_eq!(named, kind, "the kind that {name} reads of a frame");
                frames_beyond_the_limit_are_refused::<T, F>(format, &frame, kind);
            }
            Err(error) => panic!("the kind of {kind} is not read in {name}: {error}"),
        }
        match format.decode_message::<T>(&frame) {
            Ok(read) => assert!(read == message, "{kind} reads back as another one in {name}"),
            Err(error) => panic!("{kind} does not read back in {name}: {error}"),
        }
        damaged_frames_are_refused::<T, F>(format, &frame, kind);
        for claim in damage::claims(&frame, Claim::Huge) {
            // A changed frame may still be a message; the decoder must only not panic.
            let _ = format.decode_message::<T>(&claim);
        }
    }
}

/// The limit of the memory for decoding, in bytes for each byte of the frame, unless three transactions take
/// more.
///
/// Each byte may become an item of a list, whose allocation grows by doubling and is copied when the list is
/// complete.
pub const MAX_MEMORY_FACTOR: usize = 64;

/// The memory that decoding may take in addition, for a frame of any length: 2 MiB. Serde reserves up to 1
/// MiB for a list by its claimed length, and one list may be nested in another.
pub const MEMORY_SLACK_BYTES: usize = 2 << 20;

/// Checks that the format allocates in proportion to the length of a frame and not to the lengths that the
/// frame claims: per byte of the frame at most [`MAX_MEMORY_FACTOR`] bytes, or three times the size of a `T`
/// if that is more, plus [`MEMORY_SLACK_BYTES`].
///
/// The frames are those of [`suite`], unchanged and with numbers of 2^28 and 2^64 - 1 in places that may be a
/// length. `peak` must call its argument once and return the peak of the bytes allocated during the call,
/// beyond those allocated before. A library cannot count allocations unless it is the allocator of the
/// program, so the test has to install one, such as that of the crate `peak_alloc`. The allocator counts the
/// whole process: run no other test at the same time.
///
/// ```standalone_crate
/// # #[cfg(feature = "ws-postcard")] {
/// use hashloom::testing::wire::memory_suite;
/// use hashloom::wire::Postcard;
/// use peak_alloc::PeakAlloc;
///
/// #[global_allocator]
/// static ALLOCATOR: PeakAlloc = PeakAlloc;
///
/// memory_suite(&Postcard, &["a text".to_owned(), String::new()], |decode| {
///     let before = ALLOCATOR.current_usage();
///     ALLOCATOR.reset_peak_usage();
///     decode();
///     ALLOCATOR.peak_usage() - before
/// });
/// # }
/// ```
///
/// # Panics
///
/// If the format allocates more.
pub fn memory_suite<T: Transaction, F: WireFormat>(
    format: &F,
    transactions: &[T],
    mut peak: impl FnMut(&mut dyn FnMut()) -> usize,
) {
    let factor = MAX_MEMORY_FACTOR.max(3 * size_of::<T>());
    for message in messages(transactions) {
        let kind = MessageKind::from(&message);
        let frame = encode(format, &message);
        let (large, huge) = (damage::claims(&frame, Claim::Large), damage::claims(&frame, Claim::Huge));
        for frame in core::iter::once(frame.clone()).chain(large).chain(huge) {
            let (len, name) = (frame.as_bytes().len(), F::SUBPROTOCOL);
            let limit = factor * len + MEMORY_SLACK_BYTES;
            let got = peak(&mut || drop(format.decode_message::<T>(&frame)));
            assert!(
                got <= limit,
                "{got} bytes are allocated to decode {len} bytes made from {kind} in {name}, expected at most {limit}"
            );
        }
    }
}

fn frames_beyond_the_limit_are_refused<T: Transaction, F: WireFormat>(
    format: &F,
    frame: &Frame,
    kind: MessageKind,
) {
    let Some(limit) = kind.max_frame_bytes() else { return };
    let mut bytes = frame.as_bytes().to_vec();
    // Spaces, which a text format may allow after a message.
    bytes.resize(bytes.len().max(limit) + 1, b' ');
    let is_read = damage::frame_of(frame.kind(), bytes)
        .is_some_and(|padded| format.decode_message::<T>(&padded).is_ok());
    assert!(!is_read, "{kind} beyond its {limit} bytes is read in {}", F::SUBPROTOCOL);
}

fn damaged_frames_are_refused<T: Transaction, F: WireFormat>(format: &F, frame: &Frame, kind: MessageKind) {
    let name = F::SUBPROTOCOL;
    let is_read = |frame: Frame| format.decode::<Message<T>>(&frame).is_ok();
    assert!(!damage::longer(frame).any(is_read), "{kind} with more behind it is read in {name}");
    for shorter in damage::shorter(frame) {
        let len = shorter.as_bytes().len();
        assert!(!is_read(shorter), "{len} bytes of {kind} are read in {name}");
    }
    assert!(!damage::other_kind(frame).any(is_read), "{kind} is read from the other kind of frame in {name}");
}

#[track_caller]
fn encode<T: Transaction, F: WireFormat>(format: &F, message: &Message<T>) -> Frame {
    let kind = MessageKind::from(message);
    match format.encode(message) {
        Ok(frame) => frame,
        Err(error) => panic!("{kind} cannot be written in {}: {error}", F::SUBPROTOCOL),
    }
}
