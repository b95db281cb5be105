//! The messages that the suites for wire formats encode and decode.

use std::sync::Arc;

use crate::primitives::{U256, Work};
use crate::protocol::limits::{
    MAX_AGENT_BYTES, MAX_BLOCKS, MAX_HEADERS, MAX_LOCATOR_HASHES, MAX_PEERS_PER_MESSAGE, MAX_REASON_BYTES,
    MAX_TRANSACTIONS,
};
use crate::protocol::{Hello, Tip};
use crate::{Block, Hash, Header, Message, PeerAddr, Transaction};

/// Messages of every kind.
pub(super) fn messages<T: Transaction>(transactions: &[T]) -> Vec<Message<T>> {
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
    let mut messages = vec![
        Message::Hello(smallest),
        Message::Hello(largest),
        Message::Ping(0),
        Message::Ping(u64::MAX),
        Message::Pong(1 << 53),
        Message::GetHeaders { locator: hashes(MAX_LOCATOR_HASHES), limit: u32::MAX },
        Message::Headers(Vec::new()),
        Message::Headers(vec![high; MAX_HEADERS]),
        Message::GetBlocks { hashes: hashes(MAX_BLOCKS) },
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
    ];
    // Each transaction also has a message of its own, because short frames are changed at every byte.
    messages.extend(transactions.iter().map(|transaction| Message::Transactions(vec![transaction.clone()])));
    messages
}

fn longest_address() -> Option<PeerAddr> {
    "\\".repeat(PeerAddr::MAX_LEN).parse().ok()
}
