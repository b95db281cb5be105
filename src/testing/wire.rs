//! What every [`WireFormat`] has to do. Call [`suite`] from a test of yours:
//!
//! ```
//! # #[cfg(feature = "ws-postcard")] {
//! use hashloom::testing::wire::suite;
//! use hashloom::wire::Postcard;
//!
//! suite(&Postcard, &["a text".to_owned(), String::new()]);
//! # }
//! ```

use std::sync::Arc;

use crate::limits::{
    MAX_AGENT_BYTES, MAX_BLOCKS_IN_FLIGHT, MAX_HEADERS, MAX_HELLO_BYTES, MAX_LOCATOR_HASHES,
    MAX_PEERS_PER_MESSAGE, MAX_REASON_BYTES, MAX_TRANSACTIONS,
};
use crate::wire::{Frame, FrameKind, WireFormat};
use crate::{Block, Hash, Header, Hello, Message, MessageKind, PeerAddr, Tip, Transaction, U256, Work};

/// Runs every check, over messages of every kind, the smallest and the largest that a node sends. `transactions` are
/// values of every shape that their type has.
///
/// # Panics
///
/// When the format fails a check.
pub fn suite<T: Transaction, F: WireFormat>(format: &F, transactions: &[T]) {
    let name = F::SUBPROTOCOL;
    assert!(
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)),
        "{name:?} is no token of RFC 7230, as the name of a subprotocol has to be"
    );
    for message in messages(transactions) {
        let kind = MessageKind::from(&message);
        let frame = encode(format, &message);
        match format.decode_message::<T>(&frame) {
            Ok(read) => assert!(read == message, "{kind} reads back as another one in {name}"),
            Err(error) => panic!("{kind} does not read back in {name}: {error}"),
        }
        match format.kind(&frame) {
            Ok(None) => {}
            Ok(Some(named)) => assert_eq!(named, kind, "the kind that {name} reads of a frame"),
            Err(error) => panic!("the kind of {kind} is not read in {name}: {error}"),
        }
        if kind == MessageKind::Hello {
            let got = frame.as_bytes().len();
            assert!(
                got <= MAX_HELLO_BYTES,
                "a hello has {got} bytes in {name}, at most {MAX_HELLO_BYTES} may be"
            );
        }
        damaged_frames_are_refused::<T, F>(format, &frame, kind);
    }
}

fn damaged_frames_are_refused<T: Transaction, F: WireFormat>(format: &F, frame: &Frame, kind: MessageKind) {
    let name = F::SUBPROTOCOL;
    let is_text = frame.kind() == FrameKind::Text;
    let of = |bytes: &[u8]| -> Option<Frame> {
        if is_text {
            String::from_utf8(bytes.to_vec()).ok().map(Frame::from)
        } else {
            Some(bytes.to_vec().into())
        }
    };
    let is_read = |frame: &Frame| format.decode::<Message<T>>(frame).is_ok();
    let bytes = frame.as_bytes();
    for more in [&b"0"[..], b"\0", b"{}", bytes] {
        let longer = of(&[bytes, more].concat());
        assert!(!longer.is_some_and(|frame| is_read(&frame)), "{kind} with more behind it is read in {name}");
    }
    // Every length of a short message, and some of a long one.
    let step = (bytes.len() / 64).max(1);
    for len in (0..bytes.len()).step_by(step) {
        let shorter = of(&bytes[..len]);
        assert!(!shorter.is_some_and(|frame| is_read(&frame)), "{len} bytes of {kind} are read in {name}");
    }
    let other: Option<Frame> = if is_text {
        Some(bytes.to_vec().into())
    } else {
        String::from_utf8(bytes.to_vec()).ok().map(Frame::from)
    };
    assert!(
        !other.is_some_and(|frame| is_read(&frame)),
        "{kind} is read from the other kind of frame in {name}"
    );
}

#[track_caller]
fn encode<T: Transaction, F: WireFormat>(format: &F, message: &Message<T>) -> Frame {
    let kind = MessageKind::from(message);
    match format.encode(message) {
        Ok(frame) => frame,
        Err(error) => panic!("{kind} cannot be written in {}: {error}", F::SUBPROTOCOL),
    }
}

/// Messages of every kind.
fn messages<T: Transaction>(transactions: &[T]) -> Vec<Message<T>> {
    let [low, high] = [[0; Header::LEN], [0xff; Header::LEN]].map(|bytes| Header::from_bytes(&bytes));
    let hashes = |count| vec![Hash::from_bytes([0xff; 32]); count];
    let block = |header, data: &[T]| Arc::new(Block::new(header, data.to_vec()));
    let full = block(high, transactions);
    let largest = Hello {
        protocol: u32::MAX,
        genesis: Hash::from_bytes([0xff; 32]),
        nonce: u64::MAX,
        tip: Tip { hash: Hash::from_bytes([0xff; 32]), height: u64::MAX, work: Work::from_uint(U256::MAX) },
        agent: "\u{1b}".repeat(MAX_AGENT_BYTES),
        listen: longest_address(),
        wants_new_blocks: true,
        keeps_bodies: Some(u64::MAX),
    };
    let smallest = Hello {
        protocol: 0,
        genesis: Hash::ZERO,
        nonce: 0,
        tip: Tip { hash: Hash::ZERO, height: 0, work: Work::ZERO },
        agent: String::new(),
        listen: None,
        wants_new_blocks: false,
        keeps_bodies: None,
    };
    vec![
        Message::Hello(smallest),
        Message::Hello(largest),
        Message::Ping(0),
        Message::Ping(u64::MAX),
        Message::Pong(1 << 53),
        Message::GetHeaders { locator: hashes(MAX_LOCATOR_HASHES), limit: u32::MAX },
        Message::Headers(Vec::new()),
        Message::Headers(vec![high; MAX_HEADERS]),
        Message::GetBlocks { hashes: hashes(MAX_BLOCKS_IN_FLIGHT) },
        Message::Blocks(Vec::new()),
        Message::Blocks(vec![block(low, &[]), Arc::clone(&full)]),
        Message::NotFound { hashes: hashes(1) },
        Message::Announce(high),
        Message::NewBlock(full),
        Message::Offer { ids: hashes(MAX_TRANSACTIONS) },
        Message::GetTransactions { ids: Vec::new() },
        Message::Transactions(transactions.to_vec()),
        Message::Bye { reason: "\u{1b}\u{2713}\"".repeat(MAX_REASON_BYTES / 5) },
        Message::GetPeers { limit: 0 },
        Message::Peers {
            addresses: longest_address().into_iter().cycle().take(MAX_PEERS_PER_MESSAGE).collect(),
        },
    ]
}

fn longest_address() -> Option<PeerAddr> {
    "\\".repeat(PeerAddr::MAX_LEN).parse().ok()
}

#[cfg(test)]
#[cfg(all(feature = "ws-json", feature = "ws-bincode", feature = "ws-postcard"))]
mod tests {
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::wire::{Bincode, Json, Postcard, WireError};

    fn texts() -> [String; 3] {
        ["a text".to_owned(), String::new(), "\u{2713}\"\\".repeat(1_000)]
    }

    #[test]
    fn the_formats_of_this_crate_pass() {
        suite(&Json, &texts());
        suite(&Bincode, &texts());
        suite(&Postcard, &texts());
    }

    /// Postcard that does not look at what follows a message.
    #[derive(Debug)]
    struct Lenient;

    impl WireFormat for Lenient {
        const SUBPROTOCOL: &'static str = "lenient";

        fn encode<M: Serialize>(&self, message: &M) -> Result<Frame, WireError> {
            Postcard.encode(message)
        }

        fn decode<M: DeserializeOwned>(&self, frame: &Frame) -> Result<M, WireError> {
            let bytes = frame.as_binary(Self::SUBPROTOCOL)?;
            postcard::from_bytes(bytes).map_err(|error| WireError::decode(Self::SUBPROTOCOL, &error))
        }
    }

    #[test]
    #[should_panic(expected = "hello with more behind it is read in lenient")]
    fn a_format_that_ignores_what_follows_a_message_fails() {
        suite(&Lenient, &texts());
    }
}
