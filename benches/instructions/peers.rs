//! The cost to the node of a byte that a peer sends or receives: decoding the message, handling it, and
//! encoding the answer. The node has the maximum number of inbound peers, each of which claims an unknown
//! block.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use hashloom::primitives::Work;
use hashloom::protocol::{Direction, Hello, Input, Now, Output, PeerId, Tip, limits};
use hashloom::{Block, Blockchain, ChainConfig, Hash, Header, Message, Protocol, ProtocolConfig};

use super::forge::{Forge, NOW, spec};
use super::format::Format;
use super::{Run, counted_part};

/// The blocks of the node's chain: as many as the headers of an answer.
const CHAIN: u64 = limits::MAX_HEADERS as u64;

/// Pending transactions: as many as one request may ask for.
const PENDING: u64 = limits::MAX_TRANSACTIONS as u64;

/// How often a small message is repeated.
const TIMES: usize = 100;

/// The header bytes of a small WebSocket frame. Frames from a peer are longer because they are masked.
const HEAD_IN: usize = 6;
const HEAD_OUT: usize = 2;

/// The densest format, in which a byte costs most.
const FORMAT: Format = Format::Postcard;

/// The rows by name.
pub(super) fn rows() -> BTreeMap<&'static str, Run> {
    let mut rows = BTreeMap::<_, Run>::new();
    let mut row = |name, messages: fn(&mut Stage) -> Result<Vec<Message>>| {
        rows.insert(name, Box::new(move || cost(messages)));
    };
    row("ping", |_| Ok(vec![Message::Ping(1); TIMES]));
    row("pong", |_| Ok(vec![Message::Pong(1); TIMES]));
    row("get_headers, of 2,000", |stage| {
        let locator = vec![*stage.node.chain().genesis().hash()];
        Ok(vec![Message::GetHeaders { locator, limit: u32::MAX }])
    });
    row("get_headers, of none", |stage| {
        let locator = vec![*stage.node.chain().tip().hash()];
        Ok(vec![Message::GetHeaders { locator, limit: u32::MAX }; TIMES])
    });
    row("get_headers, with an unknown locator", |_| {
        let locator = unknown(limits::MAX_LOCATOR_HASHES);
        Ok(vec![Message::GetHeaders { locator, limit: 1 }; TIMES])
    });
    row("get_blocks, known", |stage| {
        let hashes = stage.blocks[..limits::MAX_BLOCKS].iter().map(|block| *block.hash()).collect();
        Ok(vec![Message::GetBlocks { hashes }])
    });
    row("get_blocks, unknown", |_| {
        Ok(vec![Message::GetBlocks { hashes: unknown(limits::MAX_BLOCKS) }; TIMES])
    });
    row("headers, unasked", |stage| {
        Ok(vec![Message::Headers(stage.blocks.iter().map(|block| *block.header()).collect())])
    });
    row("headers, without work", |stage| {
        stage.is_ahead = true;
        Ok(vec![Message::Headers(without_work(*stage.node.chain().genesis().header()))])
    });
    row("blocks, unasked, of the smallest transactions", |stage| {
        let data = vec![String::new(); Block::<String>::MAX_TRANSACTIONS.min(limits::MAX_DIGESTED_AHEAD)];
        Ok(vec![Message::Blocks(vec![Arc::new(Block::new(*stage.blocks[0].header(), data))])])
    });
    row("announce, known", |stage| Ok(vec![Message::Announce(*stage.blocks[9].header()); TIMES]));
    row("announce, of an unknown branch", |stage| {
        let header = *stage.blocks[9].header();
        let number = |nonce| Message::Announce(Header { previous_hash: Hash::ZERO, nonce, ..header });
        Ok((0..TIMES as u64).map(number).collect())
    });
    row("new_block, known", |stage| Ok(vec![Message::NewBlock(Arc::clone(&stage.blocks[9])); TIMES]));
    row("new_block, of an unknown branch, of the smallest transactions", |stage| {
        let data = vec![String::new(); stage.node.chain().spec().max_block_transactions()];
        let header = *stage.blocks[9].header();
        Ok(vec![Message::NewBlock(Arc::new(Block::new(
            Header { previous_hash: Hash::ZERO, ..header },
            data,
        )))])
    });
    row("offer, empty", |_| Ok(vec![Message::Offer { ids: Vec::new() }; TIMES]));
    row("offer, unknown", |_| {
        Ok(unknown(limits::MAX_OFFERED)
            .chunks(limits::MAX_TRANSACTIONS)
            .map(|ids| Message::Offer { ids: ids.to_vec() })
            .collect())
    });
    row("offer, known", |stage| Ok(vec![Message::Offer { ids: stage.pending.clone() }; 9]));
    row("get_transactions, known", |stage| Ok(vec![Message::GetTransactions { ids: stage.pending.clone() }]));
    row("get_transactions, unknown", |_| {
        Ok(vec![Message::GetTransactions { ids: unknown(limits::MAX_TRANSACTIONS) }; 9])
    });
    row("get_peers", |_| Ok(vec![Message::GetPeers { limit: u32::MAX }; TIMES]));
    rows
}

/// A node, and the material for messages.
struct Stage {
    node: Protocol,
    now: Now,
    blocks: Vec<Arc<Block>>,
    pending: Vec<Hash>,
    next_peer: u64,
    /// Whether the peer claims a chain with more work, so that the node requests headers from it.
    is_ahead: bool,
}

fn cost(messages: fn(&mut Stage) -> Result<Vec<Message>>) -> Result<u64> {
    let mut stage = Stage::new()?;
    let messages = messages(&mut stage)?;
    let frames = messages.iter().map(|message| FORMAT.encode(message)).collect::<Result<Vec<_>>>()?;
    let work = if stage.is_ahead { Work::from_uint(hashloom::primitives::U256::MAX) } else { Work::ZERO };
    // The peer joins first, so that the node requests headers from it and not from others.
    let peer = stage.join(work)?;
    stage.crowd()?;
    let mut bytes = frames.iter().map(|frame| HEAD_IN + frame.as_bytes().len()).sum::<usize>();
    bytes += counted_part(|| -> Result<usize> {
        let mut sent = 0;
        for frame in &frames {
            let message = FORMAT.decode::<Message>(frame)?;
            if let Message::Blocks(blocks) = &message {
                Block::digest_all_ahead(blocks.iter().map(|block| &**block));
            }
            sent += stage.handle(Input::Received { peer, message }, Some(peer))?;
        }
        Ok(sent)
    })?;
    Ok(bytes as u64)
}

impl Stage {
    fn new() -> Result<Self> {
        let config = ProtocolConfig::default().with_seed(1).with_discovery(true);
        let mut chain = Blockchain::with_config(spec()?, ChainConfig::default());
        let mut forge = Forge::new()?;
        let blocks = (0..CHAIN)
            .map(|_| forge.next(|height| vec![format!("block {height}")]))
            .collect::<Result<Vec<_>>>()?;
        for block in &blocks {
            let _ = chain.import(Arc::clone(block), NOW)?;
        }
        let now = Now { elapsed: Duration::ZERO, wall: NOW };
        let mut node = Protocol::with_chain(chain, config, NOW)?;
        let mut pending = Vec::new();
        for number in 0..PENDING {
            pending.push(node.submit(format!("pending {number}"), now)?);
        }
        Ok(Self { node, now, blocks, pending, next_peer: 0, is_ahead: false })
    }

    /// Fills the inbound slots with peers, each of which claims an unknown block.
    fn crowd(&mut self) -> Result<()> {
        while self.node.peer_count() < limits::MAX_INBOUND {
            let peer = self.join(Work::ZERO)?;
            let previous_hash = Hash::digest(&peer.0.to_be_bytes());
            let header = Header { previous_hash, ..*self.blocks[9].header() };
            self.handle(Input::Received { peer, message: Message::Announce(header) }, None)?;
            ensure!(self.node.peer_count() as u64 == self.next_peer, "peer {} is refused", peer.0);
        }
        Ok(())
    }

    /// Connects a peer that completes the handshake.
    fn join(&mut self, work: Work) -> Result<PeerId> {
        let peer = PeerId(self.next_peer);
        self.next_peer += 1;
        let address = format!("ws://198.51.100.{}:1", peer.0).parse()?;
        let hello = Hello {
            protocol: limits::PROTOCOL_VERSION,
            genesis: *self.node.chain().genesis().hash(),
            nonce: peer.0,
            tip: Tip { hash: Hash::ZERO, height: 0, work },
            agent: "bench".to_owned(),
            listen: None,
            wants_new_blocks: true,
            keeps_bodies: None,
        };
        self.node.handle(
            Input::Connected { peer, direction: Direction::Inbound, address, format: "none" },
            self.now,
        );
        self.node.handle(Input::Received { peer, message: Message::Hello(hello) }, self.now);
        while self.node.poll_output().is_some() {}
        Ok(peer)
    }

    /// Handles an input as the driver does. Returns the number of bytes that are sent to `peer`.
    fn handle(&mut self, input: Input, peer: Option<PeerId>) -> Result<usize> {
        self.node.handle(input, self.now);
        let mut sent = 0;
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Send { peers, message } if peer.is_some_and(|peer| peers.contains(&peer)) => {
                    sent += HEAD_OUT + FORMAT.encode(&message)?.as_bytes().len();
                }
                Output::SendBlocks { mut answer, .. } => {
                    while let Some(message) = self.node.next_blocks(&mut answer, drop) {
                        sent += HEAD_OUT + FORMAT.encode(&message)?.as_bytes().len();
                    }
                }
                _ => {}
            }
        }
        Ok(sent)
    }
}

fn unknown(count: usize) -> Vec<Hash> {
    (0..count).map(|number| Hash::digest(&number.to_be_bytes())).collect()
}

/// The maximum number of headers of a message: a chain that extends this header, without proof of work.
fn without_work(mut header: Header) -> Vec<Header> {
    let after = |_| {
        (header.previous_hash, header.height) = (header.hash(), header.height + 1);
        header
    };
    (0..limits::MAX_HEADERS).map(after).collect()
}
