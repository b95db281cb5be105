//! The maximum frame size of each kind of message. A transport enforces the limits on both sides: before it
//! parses a received frame and before it sends one.
//!
//! Each limit is the size that JSON, the most verbose format of this crate, needs for the largest message
//! that the limits on items allow, with room for a space behind each comma and colon. Binary formats take
//! about half.

use super::{
    MAX_AGENT_BYTES, MAX_BLOCKS_IN_FLIGHT, MAX_HEADERS, MAX_LOCATOR_HASHES, MAX_PEERS_PER_MESSAGE,
    MAX_REASON_BYTES, MAX_TRANSACTIONS,
};
use crate::protocol::{MessageKind, PeerAddr};

/// Maximum bytes that a format needs for one byte of text: JSON writes a control character as `\u001b`.
pub const TEXT_EXPANSION: usize = 6;

/// Maximum bytes of a `Hello`, and thus of the first message of a connection, in every format: 4 KiB. The
/// largest valid `Hello` takes up to 1,500 bytes in JSON.
pub const MAX_HELLO_BYTES: usize = 4 << 10;

/// The bytes of a message around its items.
const ENVELOPE_BYTES: usize = 96;

/// A hash with its quotes and comma.
const HASH_BYTES: usize = 72;

/// An address with its quotes and comma, every character of it escaped: a quote and a backslash take two
/// bytes.
const ADDRESS_BYTES: usize = 2 * PeerAddr::MAX_LEN + 4;

/// A header with the names of its fields.
const HEADER_BYTES: usize = 640;

/// The maximum bytes of a frame with a message of this kind, in every format. `None` for the kinds that carry
/// transactions, whose size on the wire depends on the transaction type: for them only the transport's own
/// limit applies, which holds for every kind.
pub const fn max_frame_bytes(kind: MessageKind) -> Option<usize> {
    Some(match kind {
        MessageKind::Hello => MAX_HELLO_BYTES,
        MessageKind::Ping | MessageKind::Pong | MessageKind::GetPeers => ENVELOPE_BYTES,
        MessageKind::GetHeaders => ENVELOPE_BYTES + MAX_LOCATOR_HASHES * HASH_BYTES,
        MessageKind::Headers => ENVELOPE_BYTES + MAX_HEADERS * HEADER_BYTES,
        MessageKind::GetBlocks | MessageKind::NotFound => ENVELOPE_BYTES + MAX_BLOCKS_IN_FLIGHT * HASH_BYTES,
        MessageKind::Announce => ENVELOPE_BYTES + HEADER_BYTES,
        MessageKind::Offer | MessageKind::GetTransactions => ENVELOPE_BYTES + MAX_TRANSACTIONS * HASH_BYTES,
        MessageKind::Bye => ENVELOPE_BYTES + MAX_REASON_BYTES * TEXT_EXPANSION,
        MessageKind::Peers => ENVELOPE_BYTES + MAX_PEERS_PER_MESSAGE * ADDRESS_BYTES,
        // One block, or as many blocks or transactions as `MAX_BLOCKS_BYTES` or one block allow.
        MessageKind::Blocks | MessageKind::NewBlock | MessageKind::Transactions => return None,
    })
}

// The largest texts of a `Hello` must fit. An escape adds at most one byte to a character of an address.
const _: () = assert!(MAX_HELLO_BYTES > MAX_AGENT_BYTES * TEXT_EXPANSION + PeerAddr::MAX_LEN * 2);
