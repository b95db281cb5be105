//! Messages of peers, as the fuzzer generates them: handshakes and messages that are mostly valid.

use arbitrary::Arbitrary;
use hashloom::primitives::{Work, transaction_id};
use hashloom::protocol::{Hello, Tip};
use hashloom::{Hash, Message, PeerAddr};

use crate::fixture::{self, Note};
use crate::mutation::{Edits, SomeBlock, notes, pick};
use crate::node::TestNode;

/// A `Hello` that is valid except for these fields.
#[derive(Debug, Arbitrary)]
pub struct Greeting {
    /// A small range of nonces, so that a node connects twice.
    nonce: u8,
    tip: u8,
    work: Option<u64>,
    wants_new_blocks: bool,
    listens: Option<u8>,
    keeps_bodies: Option<u8>,
    fault: Option<Fault>,
}

#[derive(Debug, Arbitrary)]
enum Fault {
    Protocol(u32),
    Genesis(u8),
    OwnNonce,
    Agent(String),
    Height(u64),
}

impl Greeting {
    /// The `Hello` for this node.
    pub fn build(&self, node: &TestNode) -> Message<Note> {
        let tip = pick(fixture::blocks(), self.tip);
        let work = self.work.map_or(hashloom::primitives::U256::MAX, hashloom::primitives::U256::from);
        let mut hello = Hello {
            nonce: (self.nonce % 4).into(),
            tip: Tip { hash: *tip.hash(), height: tip.height(), work: Work::from_uint(work) },
            wants_new_blocks: self.wants_new_blocks,
            listen: self.listens.map(address),
            keeps_bodies: self.keeps_bodies.map(u64::from),
            ..node.hello()
        };
        match &self.fault {
            None => {}
            Some(Fault::Protocol(version)) => hello.protocol = *version,
            Some(Fault::Genesis(byte)) => hello.genesis = Hash::from_bytes([*byte; 32]),
            Some(Fault::OwnNonce) => hello.nonce = node.nonce().unwrap_or(0),
            Some(Fault::Agent(agent)) => hello.agent.clone_from(agent),
            Some(Fault::Height(height)) => hello.tip.height = *height,
        }
        Message::Hello(hello)
    }
}

/// A message other than a `Hello`.
#[derive(Debug, Arbitrary)]
pub enum Speech {
    Ping(u64),
    Pong(u64),
    GetHeaders(Vec<u8>, u32),
    Headers(Run),
    EditedHeaders(Vec<(u8, Edits)>),
    GetBlocks(Vec<u8>),
    Blocks(Run),
    SomeBlocks(Vec<SomeBlock>),
    NotFound(Vec<u8>),
    Announce(u8, Edits),
    NewBlock(SomeBlock),
    Offer(Vec<u8>),
    GetTransactions(Vec<u8>),
    Transactions(Vec<u8>),
    /// One hash more than a message may have.
    TooMany,
    Bye(String),
    GetPeers(u32),
    Peers(Vec<u8>),
}

/// Consecutive blocks of the fixture.
#[derive(Debug, Arbitrary)]
pub struct Run {
    from: u8,
    len: u8,
}

impl Run {
    fn blocks(&self) -> impl Iterator<Item = &'static std::sync::Arc<hashloom::Block<Note>>> {
        let blocks = fixture::blocks();
        blocks.iter().skip(usize::from(self.from) % blocks.len()).take(usize::from(self.len % 16))
    }
}

impl Speech {
    /// The message.
    pub fn build(&self) -> Message<Note> {
        match self {
            Self::Ping(nonce) => Message::Ping(*nonce),
            Self::Pong(nonce) => Message::Pong(*nonce),
            Self::GetHeaders(indices, limit) => {
                Message::GetHeaders { locator: hashes(indices), limit: *limit }
            }
            Self::Headers(run) => Message::Headers(run.blocks().map(|block| *block.header()).collect()),
            Self::EditedHeaders(headers) => {
                let edited =
                    |(index, edits): &(u8, Edits)| edits.of(*pick(fixture::blocks(), *index).header());
                Message::Headers(headers.iter().take(16).map(edited).collect())
            }
            Self::GetBlocks(indices) => Message::GetBlocks { hashes: hashes(indices) },
            Self::Blocks(run) => Message::Blocks(run.blocks().cloned().collect()),
            Self::SomeBlocks(blocks) => {
                Message::Blocks(blocks.iter().take(16).map(SomeBlock::build).collect())
            }
            Self::NotFound(indices) => Message::NotFound { hashes: hashes(indices) },
            Self::Announce(index, edits) => {
                Message::Announce(edits.of(*pick(fixture::blocks(), *index).header()))
            }
            Self::NewBlock(block) => Message::NewBlock(block.build()),
            Self::Offer(numbers) => Message::Offer { ids: ids(numbers) },
            Self::GetTransactions(numbers) => Message::GetTransactions { ids: ids(numbers) },
            Self::Transactions(numbers) => Message::Transactions(notes(numbers)),
            Self::TooMany => {
                Message::GetBlocks { hashes: vec![Hash::ZERO; hashloom::protocol::limits::MAX_BLOCKS + 1] }
            }
            Self::Bye(reason) => Message::Bye { reason: reason.clone() },
            Self::GetPeers(limit) => Message::GetPeers { limit: *limit },
            Self::Peers(numbers) => {
                Message::Peers { addresses: numbers.iter().take(64).copied().map(address).collect() }
            }
        }
    }
}

/// The answer of an honest peer that has all blocks of the fixture.
pub fn answer(request: &Message<Note>) -> Option<Message<Note>> {
    let blocks = fixture::blocks();
    match request {
        Message::GetHeaders { limit, .. } => {
            let wanted = blocks[12..24].iter().take(*limit as usize);
            Some(Message::Headers(wanted.map(|block| *block.header()).collect()))
        }
        Message::GetBlocks { hashes } => {
            let found = |hash: &Hash| blocks.iter().find(|block| block.hash() == hash).cloned();
            Some(Message::Blocks(hashes.iter().filter_map(found).collect()))
        }
        Message::GetTransactions { ids } => {
            let every = (0..=u8::MAX).map(crate::mutation::note);
            let wanted = |note: &Note| transaction_id(note).is_ok_and(|id| ids.contains(&id));
            Some(Message::Transactions(every.filter(wanted).collect()))
        }
        Message::GetPeers { .. } => Some(Message::Peers { addresses: (0..32).map(address).collect() }),
        Message::Ping(nonce) => Some(Message::Pong(*nonce)),
        _ => None,
    }
}

/// The address of a peer, or another address.
fn address(number: u8) -> PeerAddr {
    match number {
        0..16 => TestNode::address(number),
        16 => "test://0.0.0.0:1".parse().expect("an address"),
        17 => "test://[::1]:1".parse().expect("an address"),
        18 => "://".parse().expect("an address"),
        _ => format!("test://{number}.{number}.0.1:1").parse().expect("an address"),
    }
}

fn hashes(indices: &[u8]) -> Vec<Hash> {
    indices.iter().take(64).map(|index| *pick(fixture::blocks(), *index).hash()).collect()
}

fn ids(numbers: &[u8]) -> Vec<Hash> {
    notes(numbers).iter().filter_map(|note| transaction_id(note).ok()).collect()
}
