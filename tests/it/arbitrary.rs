//! Strategies for arbitrary messages of a peer, for property tests.

use std::sync::Arc;

use hashloom::primitives::Work;
use hashloom::protocol::{Hello, Tip};
use hashloom::{Block, Hash, Header, Message, PeerAddr};
use proptest::collection::vec;
use proptest::prelude::*;
use ruint::aliases::U256;

/// Every kind of message, with every field anywhere in its range.
pub(crate) fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        hello().prop_map(Message::Hello),
        any::<u64>().prop_map(Message::Ping),
        any::<u64>().prop_map(Message::Pong),
        (hashes(), any::<u32>()).prop_map(|(locator, limit)| Message::GetHeaders { locator, limit }),
        vec(header(), 0..4).prop_map(Message::Headers),
        hashes().prop_map(|hashes| Message::GetBlocks { hashes }),
        vec(block(), 0..4).prop_map(Message::Blocks),
        hashes().prop_map(|hashes| Message::NotFound { hashes }),
        header().prop_map(Message::Announce),
        block().prop_map(Message::NewBlock),
        hashes().prop_map(|ids| Message::Offer { ids }),
        hashes().prop_map(|ids| Message::GetTransactions { ids }),
        vec(any::<String>(), 0..4).prop_map(Message::Transactions),
        any::<String>().prop_map(|reason| Message::Bye { reason }),
        any::<u32>().prop_map(|limit| Message::GetPeers { limit }),
        vec(address(), 0..4).prop_map(|addresses| Message::Peers { addresses }),
    ]
}

fn hello() -> impl Strategy<Value = Hello> {
    let tip = (hash(), any::<u64>(), any::<[u8; 32]>()).prop_map(|(hash, height, work)| Tip {
        hash,
        height,
        work: Work::from_uint(U256::from_be_bytes(work)),
    });
    let listen = proptest::option::of(address());
    let keeps = any::<Option<u64>>();
    (any::<u32>(), hash(), any::<u64>(), tip, any::<String>(), listen, any::<bool>(), keeps).prop_map(
        |(protocol, genesis, nonce, tip, agent, listen, wants_new_blocks, keeps_bodies)| Hello {
            protocol,
            genesis,
            nonce,
            tip,
            agent,
            listen,
            wants_new_blocks,
            keeps_bodies,
        },
    )
}

fn address() -> impl Strategy<Value = PeerAddr> {
    "[!-~]{1,300}".prop_map(|text| text.parse().unwrap())
}

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash::from_bytes)
}

fn hashes() -> impl Strategy<Value = Vec<Hash>> {
    vec(hash(), 0..4)
}

fn header() -> impl Strategy<Value = Header> {
    vec(any::<u8>(), Header::LEN).prop_map(|bytes| Header::from_bytes(bytes.as_slice().try_into().unwrap()))
}

fn block() -> impl Strategy<Value = Arc<Block>> {
    (header(), vec(any::<String>(), 0..4)).prop_map(|(header, data)| Arc::new(Block::new(header, data)))
}
