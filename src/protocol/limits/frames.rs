//! What a message of each kind may have in bytes. A transport holds both ends to it, before a frame is parsed and
//! before one is sent.
//!
//! A limit is what the wordiest format of this crate, JSON, needs for the greatest message that the limits on items
//! allow, with room for a space behind each comma and colon. Binary formats take about half.

use super::{
    MAX_AGENT_BYTES, MAX_BLOCKS_IN_FLIGHT, MAX_HEADERS, MAX_LOCATOR_HASHES, MAX_PEERS_PER_MESSAGE,
    MAX_REASON_BYTES, MAX_TRANSACTIONS,
};
use crate::protocol::{MessageKind, PeerAddr};

/// Bytes that a format adds to a text of one byte, with that byte: JSON writes a control character as `\u001b`.
pub const TEXT_EXPANSION: usize = 6;

/// Bytes of a `Hello`, and so of the first message of a connection, in every format: 4 KiB. The greatest legal one
/// takes up to 1,500 in JSON.
pub const MAX_HELLO_BYTES: usize = 4 << 10;

/// What stands around the items of a message.
const ENVELOPE_BYTES: usize = 96;

/// A hash with its quotes and comma.
const HASH_BYTES: usize = 72;

/// An address with its quotes and comma, every character of it escaped: a quote and a backslash take two bytes.
const ADDRESS_BYTES: usize = 2 * PeerAddr::MAX_LEN + 4;

/// A header with the names of its fields.
const HEADER_BYTES: usize = 640;

/// The most bytes that a frame with a message of this kind may have, in every format; `None` for the kinds that
/// carry transactions, whose size on the wire follows from their type: for them the limit is the transport's own,
/// which holds for every kind.
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
        // A block, as many blocks, or as many transactions as `MAX_BLOCKS_BYTES` or one block allow.
        MessageKind::Blocks | MessageKind::NewBlock | MessageKind::Transactions => return None,
    })
}

// The texts alone take so much of a `Hello`; an address holds no character that is escaped with more than one byte.
const _: () = assert!(MAX_HELLO_BYTES > MAX_AGENT_BYTES * TEXT_EXPANSION + PeerAddr::MAX_LEN * 2);
