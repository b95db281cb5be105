//! A Byzantine node: it receives the messages of honest nodes and sends what they never would. It can build a
//! next block as they can, but mines none that could win.

mod corpus;

pub(super) use corpus::swapped;

use std::collections::VecDeque;
use std::sync::Arc;

use fastrand::Rng;

use super::latency::{choose, index};
use super::record::Record;
use crate::consensus::ChainSpec;
use crate::primitives::{Block, Hash, Header, Timestamp, Work};
use crate::protocol::{Hello, Message, PeerId, Tip, limits};

/// The maximum number of blocks that it remembers.
const REMEMBERED: usize = 64;

/// The maximum number of connections that it opens; the honest nodes need slots too.
const MAX_OPEN: usize = 8;

#[derive(Clone, Debug)]
pub(super) struct Byzantine {
    rng: Rng,
    genesis: Arc<Block<Record>>,
    start: Timestamp,
    nonce: u64,
    open: Vec<PeerId>,
    /// Genesis and the last blocks from honest nodes.
    heard: VecDeque<Arc<Block<Record>>>,
    /// The next header on the chain of an honest node, which a Byzantine node with a chain of its own would
    /// know too.
    next: Header,
}

/// An action of a Byzantine node.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Message(PeerId, Message<Record>),
    /// Bytes that are not a valid message.
    Garbage(PeerId),
    Close(PeerId),
    Dial(usize),
}

impl Byzantine {
    pub(super) fn new(seed: u64, spec: &ChainSpec, start: Timestamp) -> Self {
        let mut rng = Rng::with_seed(seed);
        #[expect(clippy::expect_used, reason = "the specs of simulations have no genesis data")]
        let genesis = Arc::new(spec.genesis().expect("a genesis block"));
        let nonce = rng.u64(..1 << 53);
        let next = *genesis.header();
        Self { nonce, rng, heard: [Arc::clone(&genesis)].into(), genesis, start, open: Vec::new(), next }
    }

    pub(super) fn connected(&mut self, peer: PeerId) -> Vec<Said> {
        self.open.push(peer);
        // Usually completes the handshake, because a node that is disconnected at once cannot attack later.
        if self.rng.u8(..) < 200 {
            let hello = self.hello();
            return vec![Said::Message(peer, Message::Hello(hello))];
        }
        let opening = corpus::opening(self);
        opening.into_iter().map(|message| Said::Message(peer, message)).collect()
    }

    pub(super) fn ended(&mut self, peer: PeerId) -> Vec<Said> {
        self.open.retain(|open| *open != peer);
        Vec::new()
    }

    pub(super) fn received(&mut self, peer: PeerId, message: Message<Record>) -> Vec<Said> {
        let answers = match message {
            Message::NewBlock(block) => {
                self.remember(block);
                Vec::new()
            }
            Message::Blocks(blocks) => {
                for block in blocks {
                    self.remember(block);
                }
                Vec::new()
            }
            // It needs blocks of the chain to forge others from.
            Message::Announce(header) => vec![Message::GetBlocks { hashes: vec![header.hash()] }],
            Message::Ping(nonce) if self.rng.u8(..) < 200 => vec![Message::Pong(nonce)],
            request => corpus::answer(self, &request),
        };
        answers.into_iter().map(|message| Said::Message(peer, message)).collect()
    }

    /// Performs an unsolicited attack. The honest nodes have the numbers below `honest`, and `next` is the
    /// next header on the chain of one of them.
    pub(super) fn attack(&mut self, next: Option<Header>, honest: usize) -> Vec<Said> {
        self.next = next.unwrap_or(self.next);
        let is_quiet = self.open.is_empty() || self.rng.u8(..) < 40;
        if is_quiet && self.open.len() < MAX_OPEN && honest > 0 {
            return vec![Said::Dial(index(&mut self.rng, honest))];
        }
        let Some(peer) = choose(&mut self.rng, &self.open).copied() else { return Vec::new() };
        match self.rng.u8(..) {
            0..16 => vec![Said::Garbage(peer)],
            16..24 => {
                self.open.retain(|open| *open != peer);
                vec![Said::Close(peer)]
            }
            _ => corpus::attack(self).into_iter().map(|message| Said::Message(peer, message)).collect(),
        }
    }

    /// Returns a `Hello` as an honest node would send it, except that the claimed work may be false.
    fn hello(&mut self) -> Hello {
        let tip = self.any_block();
        let work =
            if self.rng.bool() { Work::default() } else { Work::from_uint(crate::primitives::U256::MAX) };
        Hello {
            protocol: limits::PROTOCOL_VERSION,
            genesis: *self.genesis.hash(),
            nonce: self.nonce,
            tip: Tip { hash: *tip.hash(), height: tip.height(), work },
            agent: "byzantine".to_owned(),
            listen: None,
            wants_new_blocks: true,
            keeps_bodies: None,
        }
    }

    fn remember(&mut self, block: Arc<Block<Record>>) {
        if self.heard.len() == REMEMBERED {
            self.heard.pop_front();
        }
        self.heard.push_back(block);
    }

    fn any_block(&mut self) -> Arc<Block<Record>> {
        let at = index(&mut self.rng, self.heard.len());
        self.heard.get(at).map_or_else(|| Arc::clone(&self.genesis), Arc::clone)
    }

    fn any_hash(&mut self) -> Hash {
        if self.rng.bool() { *self.any_block().hash() } else { Hash::digest(&self.rng.u64(..).to_be_bytes()) }
    }
}
