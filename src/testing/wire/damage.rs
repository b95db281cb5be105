//! Malformed frames, made from a valid one.

use core::ops::Range;

use crate::wire::{Frame, FrameKind};

/// Frames up to this length are changed at every byte, longer ones at the first [`MAX_PLACES`] bytes.
const MAX_SHORT_BYTES: usize = 512;

const MAX_PLACES: usize = 16;

/// Numbers that a format may read as a length, for which it may allocate memory before it has read as many
/// bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Claim {
    /// 2^28: an allocation of that size may succeed.
    Large,
    /// 2^64 - 1: `Vec` panics for that capacity.
    Huge,
}

impl Claim {
    /// The number in 4 or 8 bytes, little-endian and big-endian.
    const fn fixed(self) -> &'static [&'static [u8]] {
        match self {
            Self::Large => &[
                &[0, 0, 0, 0x10],
                &[0x10, 0, 0, 0],
                &[0, 0, 0, 0x10, 0, 0, 0, 0],
                &[0, 0, 0, 0, 0x10, 0, 0, 0],
            ],
            Self::Huge => &[&[0xff; 8]],
        }
    }

    const fn leb128(self) -> &'static [u8] {
        match self {
            Self::Large => &[0x80, 0x80, 0x80, 0x80, 0x01],
            Self::Huge => &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        }
    }

    const fn text(self) -> &'static [u8] {
        match self {
            Self::Large => b"268435456",
            Self::Huge => b"18446744073709551615",
        }
    }
}

/// A frame of this kind; `None` for a text frame if the bytes are not UTF-8.
pub(super) fn frame_of(kind: FrameKind, bytes: Vec<u8>) -> Option<Frame> {
    match kind {
        FrameKind::Text => String::from_utf8(bytes).ok().map(Frame::from),
        FrameKind::Binary => Some(bytes.into()),
    }
}

/// The frame with trailing bytes.
pub(super) fn longer(frame: &Frame) -> impl Iterator<Item = Frame> {
    let bytes = frame.as_bytes();
    [&b"0"[..], b"\0", b"{}", bytes]
        .into_iter()
        .filter_map(move |more| frame_of(frame.kind(), [bytes, more].concat()))
}

/// The frame truncated: to every length if it is short, and to about 64 of them if it is long.
pub(super) fn shorter(frame: &Frame) -> impl Iterator<Item = Frame> {
    let bytes = frame.as_bytes();
    let step = (bytes.len() / 64).max(1);
    (0..bytes.len()).step_by(step).filter_map(move |len| frame_of(frame.kind(), bytes[..len].to_vec()))
}

/// Frames of the other kind: with the bytes of this one, or with bytes that a lenient decoder may read as a
/// message.
pub(super) fn other_kind(frame: &Frame) -> impl Iterator<Item = Frame> {
    let bytes = frame.as_bytes();
    let other = match frame.kind() {
        FrameKind::Text => FrameKind::Binary,
        FrameKind::Binary => FrameKind::Text,
    };
    [bytes.to_vec(), hex::encode(bytes).into_bytes(), br#"{"ping":7}"#.to_vec(), Vec::new()]
        .into_iter()
        .filter_map(move |bytes| frame_of(other, bytes))
}

/// Frames in which the claimed number replaces bytes that may be a length.
pub(super) fn claims(frame: &Frame, claim: Claim) -> impl Iterator<Item = Frame> {
    let (kind, bytes) = (frame.kind(), frame.as_bytes());
    let mut changes: Vec<(Range<usize>, &[u8])> = Vec::new();
    if kind == FrameKind::Text {
        changes.extend(digits(bytes).into_iter().take(MAX_PLACES).map(|place| (place, claim.text())));
    } else {
        let places = if bytes.len() <= MAX_SHORT_BYTES { bytes.len() } else { MAX_PLACES };
        for at in 0..places {
            changes.extend(claim.fixed().iter().map(|number| {
                let end = bytes.len().min(at + number.len());
                (at..end, *number)
            }));
            // A small number has one byte in LEB128.
            changes.push((at..at + 1, claim.leb128()));
        }
    }
    changes.into_iter().filter_map(move |(place, number)| {
        frame_of(kind, [&bytes[..place.start], number, &bytes[place.end..]].concat())
    })
}

/// The ranges of consecutive digits in a text.
fn digits(text: &[u8]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for at in (0..text.len()).filter(|at| text[*at].is_ascii_digit()) {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end = at + 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}
