//! A stream that limits the size of the first message, so that a peer without a completed handshake cannot
//! make this side buffer a large one. Parses the heads of WebSocket frames as they pass (RFC 6455, section
//! 5.2), and ignores their payload.
//!
//! The WebSocket library has only one limit for the whole connection, so the gate wraps the stream below the
//! library.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::wire::WireError;

/// A stream from the HTTP handshake to the first message and beyond.
#[derive(Debug)]
pub(super) struct Gate<S> {
    stream: S,
    limit: usize,
    phase: Phase,
    /// Whether the handshake succeeded, so that WebSocket frames follow it and not the body of a refusal.
    is_upgraded: bool,
}

#[derive(Debug)]
enum Phase {
    /// The next bytes belong to the head of an HTTP request or response.
    Handshake(Head),
    /// The next bytes belong to the first message.
    Opening(Meter),
    /// The first message exceeds the limit. Its announced size in bytes.
    Refused(u64),
    /// The first message has passed, except for the rest of its payload.
    Open,
}

impl<S> Gate<S> {
    /// Wraps a stream before its first byte. The first message may have at most `limit` bytes.
    pub(super) const fn new(stream: S, limit: usize) -> Self {
        Self { stream, limit, phase: Phase::Handshake(Head::Nothing), is_upgraded: false }
    }

    /// Enforces the limit from this call on.
    pub(super) fn start(&mut self) {
        self.is_upgraded = true;
        if let Phase::Handshake(_) = self.phase {
            self.phase = Phase::Opening(Meter::default());
        }
    }

    /// The wrapped stream.
    pub(super) const fn inner_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    fn see(&mut self, mut bytes: &[u8]) {
        while let Some((byte, rest)) = bytes.split_first() {
            match &mut self.phase {
                Phase::Handshake(head) => {
                    bytes = rest;
                    *head = head.and(*byte);
                    if *head == Head::Complete {
                        self.phase = Phase::Opening(Meter::default());
                    }
                }
                Phase::Opening(meter) => {
                    let (used, verdict) = meter.see(bytes, self.limit);
                    bytes = &bytes[used..];
                    match verdict {
                        Verdict::GoOn => {}
                        Verdict::Refuse(size) => self.phase = Phase::Refused(size),
                        Verdict::Open => self.phase = Phase::Open,
                    }
                }
                Phase::Refused(_) | Phase::Open => return,
            }
        }
    }

    fn refusal(&self) -> Option<io::Error> {
        match self.phase {
            Phase::Refused(size) if self.is_upgraded => {
                let got = usize::try_from(size).unwrap_or(usize::MAX);
                let error = WireError::TooLarge { got, limit: self.limit };
                Some(io::Error::new(io::ErrorKind::InvalidData, error))
            }
            _ => None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gate<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        if let Some(refusal) = gate.refusal() {
            return Poll::Ready(Err(refusal));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut gate.stream).poll_read(cx, buffer))?;
        gate.see(&buffer.filled()[before..]);
        // If a part of the oversized frame's head was read earlier, the library has not seen the complete
        // head; if the head was read at once, the library would wait for a payload that never passes. The
        // bytes are withheld in both cases.
        gate.refusal().map_or(Poll::Ready(Ok(())), |refusal| {
            buffer.set_filled(before);
            Poll::Ready(Err(refusal))
        })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gate<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// How much of an HTTP head has been read. The head ends with an empty line. A line ends with a line feed,
/// which a carriage return may precede. Empty lines before the first line are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    Nothing,
    InLine,
    LineEnded,
    Complete,
}

impl Head {
    const fn and(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Nothing | Self::LineEnded, b'\r') => self,
            (Self::Nothing, b'\n') => Self::Nothing,
            (Self::LineEnded, b'\n') => Self::Complete,
            (Self::InLine, b'\n') => Self::LineEnded,
            _ => Self::InLine,
        }
    }
}

/// Sums up the payload sizes of the first message's fragments.
#[derive(Debug, Default)]
struct Meter {
    head: FrameHead,
    /// Bytes of the current payload that are not read yet.
    payload: u64,
    /// The size of the message's fragments so far, in bytes.
    message: u64,
}

enum Verdict {
    GoOn,
    Refuse(u64),
    Open,
}

impl Meter {
    /// Reads bytes up to the next decision. Returns how many bytes were read, and the decision.
    fn see(&mut self, bytes: &[u8], limit: usize) -> (usize, Verdict) {
        if self.payload > 0 {
            let passed = usize::try_from(self.payload).unwrap_or(usize::MAX).min(bytes.len());
            self.payload -= passed as u64;
            return (passed, Verdict::GoOn);
        }
        for (index, byte) in bytes.iter().enumerate() {
            let Some(announced) = self.head.push(*byte) else { continue };
            return (index + 1, self.decide(&announced, limit));
        }
        (bytes.len(), Verdict::GoOn)
    }

    fn decide(&mut self, frame: &Announced, limit: usize) -> Verdict {
        self.payload = frame.payload;
        // A control frame, such as a ping or a close, may come between the fragments of a message and does
        // not count.
        let before = if frame.is_control { 0 } else { self.message };
        let size = before.saturating_add(frame.payload);
        if size > limit as u64 {
            return Verdict::Refuse(size);
        }
        if frame.is_control {
            return Verdict::GoOn;
        }
        self.message = size;
        if frame.is_final { Verdict::Open } else { Verdict::GoOn }
    }
}

/// The fields of a frame's head.
struct Announced {
    is_final: bool,
    is_control: bool,
    payload: u64,
}

/// The bytes of a frame's head that were read so far.
#[derive(Debug, Default)]
struct FrameHead {
    bytes: [u8; Self::MAX_LEN],
    len: usize,
}

impl FrameHead {
    /// Two bytes, a length of up to eight, and a mask of four.
    const MAX_LEN: usize = 14;

    /// Adds a byte. Returns the fields when the head is complete, and starts the next head.
    fn push(&mut self, byte: u8) -> Option<Announced> {
        // Never out of range: a complete head is reset below.
        *self.bytes.get_mut(self.len)? = byte;
        self.len += 1;
        let [first, second, ..] = self.bytes;
        let extended: usize = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        if self.len < 2 || self.len < 2 + extended + mask {
            return None;
        }
        let payload = match extended {
            0 => u64::from(second & 0x7f),
            _ => self.bytes[2..2 + extended].iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        };
        *self = Self::default();
        Some(Announced { is_final: first & 0x80 != 0, is_control: first & 0x08 != 0, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use tokio::io::AsyncReadExt;

    const LIMIT: usize = 1_000;

    /// Reads the whole stream, `step` bytes at a time.
    async fn pass(bytes: &[u8], step: usize, is_upgraded: bool) -> (Vec<u8>, Option<io::Error>) {
        let mut gate = Gate::new(bytes, LIMIT);
        if is_upgraded {
            gate.start();
        }
        let (mut passed, mut buffer) = (Vec::new(), vec![0; step]);
        loop {
            match gate.read(&mut buffer).await {
                Ok(0) => return (passed, None),
                Ok(read) => passed.extend(&buffer[..read]),
                Err(error) => return (passed, Some(error)),
            }
        }
    }

    /// A frame with a payload of zeros, masked like a client's if `is_masked`.
    fn frame(first: u8, len: usize, is_masked: bool) -> Vec<u8> {
        let mask = if is_masked { 0x80 } else { 0 };
        let mut bytes = match (u8::try_from(len), u16::try_from(len)) {
            (Ok(short @ ..=125), _) => vec![first, mask + short],
            (_, Ok(medium)) => [&[first, mask + 126][..], &medium.to_be_bytes()].concat(),
            _ => [&[first, mask + 127][..], &(len as u64).to_be_bytes()].concat(),
        };
        bytes.extend(vec![7; if is_masked { 4 } else { 0 }]);
        bytes.extend(vec![0; len]);
        bytes
    }

    const BINARY: u8 = 0x82;
    const FIRST_FRAGMENT: u8 = 0x01;
    const FRAGMENT: u8 = 0x00;
    const LAST_FRAGMENT: u8 = 0x80;
    const PING: u8 = 0x89;

    #[rstest]
    #[case::as_large_as_may_be(&[(BINARY, LIMIT)], None)]
    #[case::one_more(&[(BINARY, LIMIT + 1)], Some(LIMIT + 1))]
    #[case::a_length_of_eight_bytes(&[(BINARY, 70_000)], Some(70_000))]
    #[case::short(&[(BINARY, 5), (BINARY, 70_000)], None)]
    #[case::empty(&[(BINARY, 0), (BINARY, 70_000)], None)]
    #[case::fragments(&[(FIRST_FRAGMENT, 400), (FRAGMENT, 0), (LAST_FRAGMENT, 600), (BINARY, 70_000)], None)]
    #[case::fragments_count_in_sum(&[(FIRST_FRAGMENT, 400), (FRAGMENT, 600), (LAST_FRAGMENT, 1)], Some(LIMIT + 1))]
    #[case::what_stands_between_does_not(&[(FIRST_FRAGMENT, 950), (PING, 100), (LAST_FRAGMENT, 50)], None)]
    #[case::a_large_ping(&[(PING, 70_000)], Some(70_000))]
    #[tokio::test]
    async fn the_first_message_is_small(
        #[case] frames: &[(u8, usize)],
        #[case] refused: Option<usize>,
        #[values(true, false)] is_masked: bool,
        #[values(1, 3, 1 << 20)] step: usize,
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(|(first, len)| frame(*first, *len, is_masked)).collect();
        let (passed, error) = pass(&bytes, step, true).await;
        let Some(got) = refused else {
            assert!(error.is_none(), "{error:?}");
            assert_eq!(passed, bytes);
            return;
        };
        let error = error.expect("refused").downcast::<WireError>().expect("a typed error");
        assert!(matches!(error, WireError::TooLarge { got: size, limit: LIMIT } if size == got), "{error}");
        assert!(passed.len() <= LIMIT + 50, "{} bytes passed", passed.len());
    }

    #[rstest]
    #[case::usual(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")]
    #[case::bare_line_feeds(b"\n\r\nHTTP/1.1 101 OK\nUpgrade: websocket\n\n")]
    #[tokio::test]
    async fn a_frame_right_behind_the_handshake_counts(
        #[case] head: &[u8],
        #[values(1, 3, 1 << 20)] step: usize,
    ) {
        let mut gate = Gate::new(tokio::io::empty(), LIMIT);
        let bytes = [head, &frame(BINARY, LIMIT + 1, false)].concat();
        for part in bytes.chunks(step) {
            gate.see(part);
        }
        assert!(gate.refusal().is_none(), "a refusal has a body of any length");
        gate.start();
        assert!(gate.refusal().is_some());

        let mut gate = Gate::new(tokio::io::empty(), LIMIT);
        gate.see(&[head, &frame(BINARY, LIMIT, false)].concat());
        gate.start();
        assert!(matches!(gate.phase, Phase::Open), "{gate:?}");
    }

    #[tokio::test]
    async fn the_text_of_a_refusal_passes() {
        let bytes = [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], &[b'x'; 5_000]].concat();
        let (passed, error) = pass(&bytes, 100, false).await;
        assert!(error.is_none() && passed == bytes, "{error:?}");
    }
}
