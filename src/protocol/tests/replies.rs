//! The size of a reply is proportional to the request: the largest reply for each kind of request.

use super::bench::{Bench, sent_to};
use super::*;
use crate::protocol::limits::{
    BLOCKS_PER_REQUEST, MAX_BLOCKS, MAX_BLOCKS_IN_FLIGHT, MAX_HEADERS, MAX_OFFERED, MAX_TRANSACTIONS,
    TEXT_EXPANSION,
};

/// Returns the size of a message in JSON, the most verbose format.
fn bytes(message: &Message<Note>) -> usize {
    serde_json::to_string(message).unwrap().len()
}

fn limit(kind: MessageKind) -> usize {
    kind.max_frame_bytes().unwrap()
}

/// Returns the maximum bytes that a node sends in reply to one message of a kind, on a chain of texts whose
/// blocks have up to `max_block_bytes`; `None` if it sends no reply. Requests that an answer triggers count
/// as a reply.
///
/// The table of docs/protocol.md.
fn greatest_reply(request: MessageKind, max_block_bytes: usize) -> Option<usize> {
    // One block or one transaction in JSON.
    let block = TEXT_EXPANSION * max_block_bytes + limit(MessageKind::Announce);
    let batch = TEXT_EXPANSION * limits::MAX_TRANSACTIONS_BYTES.max(max_block_bytes);
    Some(match request {
        // The ids of its mempool, an announcement of its tip, and requests for headers and for addresses.
        MessageKind::Hello => {
            MAX_OFFERED.div_ceil(MAX_TRANSACTIONS) * limit(MessageKind::Offer)
                + limit(MessageKind::Announce)
                + limit(MessageKind::GetHeaders)
                + limit(MessageKind::GetPeers)
        }
        MessageKind::Ping => limit(MessageKind::Pong),
        MessageKind::GetHeaders => limit(MessageKind::Headers),
        MessageKind::GetBlocks => MAX_BLOCKS * block + limit(MessageKind::NotFound),
        MessageKind::GetTransactions => batch + limit(MessageKind::Offer),
        MessageKind::Offer | MessageKind::Transactions => limit(MessageKind::GetTransactions),
        // Requests for the headers or blocks that follow.
        MessageKind::Headers
        | MessageKind::Blocks
        | MessageKind::NotFound
        | MessageKind::Announce
        | MessageKind::NewBlock => {
            let envelope = limit(MessageKind::Pong);
            let hashes = (limit(MessageKind::GetBlocks) - envelope) * BLOCKS_PER_REQUEST / MAX_BLOCKS;
            let requests = MAX_BLOCKS_IN_FLIGHT / BLOCKS_PER_REQUEST;
            limit(MessageKind::GetHeaders) + requests * (envelope + hashes)
        }
        MessageKind::GetPeers => limit(MessageKind::Peers),
        MessageKind::Pong | MessageKind::Bye | MessageKind::Peers => return None,
    })
}

const MAX_BLOCK_BYTES: usize = 20_000;

/// A note that fills a block of the maximum size, and is as long as possible in JSON.
fn largest_note(number: u64) -> Note {
    let number = format!("{number:04}");
    note(number.clone() + &"\u{1b}".repeat(MAX_BLOCK_BYTES - Header::LEN - number.len() - 3))
}

/// A node with as many blocks of the maximum size as one request may have, and a full mempool.
fn node() -> Bench {
    let spec = ChainSpec::builder("test")
        .easiest_target(CompactTarget::from_bits(0x207f_ffff))
        .retarget(Retarget::Fixed)
        .max_block_bytes(MAX_BLOCK_BYTES)
        .build()
        .unwrap();
    let mut chain = Blockchain::new(spec);
    for height in 1..=MAX_BLOCKS as u64 {
        let time = chain.spec().genesis_time().saturating_add(Duration::from_secs(height));
        let block = Arc::new(chain.template(vec![largest_note(height)], time).unwrap().mine().unwrap());
        assert_eq!(block.digest().unwrap().size, MAX_BLOCK_BYTES);
        let _ = chain.import(block, START).unwrap();
    }
    let mut bench = Bench::over(chain, ProtocolConfig::default().with_seed(1));
    for number in 0..MAX_OFFERED as u64 {
        let text = if number < 200 { largest_note(5_000 + number) } else { note(format!("small {number}")) };
        bench.node.submit(text, bench.now).unwrap();
    }
    assert_eq!(bench.node.mempool().len(), MAX_OFFERED);
    bench.outputs();
    bench
}

/// Returns the bytes of all messages that a peer receives in reply to one message.
fn replies(bench: &mut Bench, peer: PeerId, message: Message<Note>) -> usize {
    let outputs = bench.receive(peer, message);
    sent_to(&outputs, peer).into_iter().map(bytes).sum()
}

#[test]
fn the_greatest_answers_keep_their_bounds_and_nearly_reach_them() {
    let mut bench = node();
    let limit = |kind| greatest_reply(kind, MAX_BLOCK_BYTES).unwrap();
    let keeps = |kind, got: usize, share: usize| {
        let limit = limit(kind);
        assert!(got <= limit, "{kind} is answered with {got} bytes, at most {limit}");
        assert!(got * share >= limit, "{kind} is answered with {got} bytes and may be with {limit}");
    };

    let peer = bench.accept();
    let mut hello = bench.hello();
    hello.tip = Tip {
        hash: Hash::from_bytes([7; 32]),
        height: 1_000,
        work: Work::from_uint(crate::primitives::U256::MAX),
    };
    keeps(MessageKind::Hello, replies(&mut bench, peer, Message::Hello(hello)), 2);
    keeps(MessageKind::Ping, replies(&mut bench, peer, Message::Ping(u64::MAX)), 4);

    let ids: Vec<Hash> = bench.node.mempool().iter().map(|(id, _)| *id).collect();
    let peer = bench.join();
    let ids = ids[..MAX_TRANSACTIONS].to_vec();
    keeps(MessageKind::GetTransactions, replies(&mut bench, peer, Message::GetTransactions { ids }), 2);

    let blocks: Vec<Hash> = bench.node.chain().blocks(1..).map(|block| *block.unwrap().hash()).collect();
    let outputs = bench.receive(peer, Message::GetBlocks { hashes: blocks });
    let answers = sent_to(&outputs, peer);
    keeps(MessageKind::GetBlocks, answers.iter().map(|message| bytes(message)).sum(), 2);
    let sizes = answers.iter().map(|message| match message {
        Message::Blocks(blocks) => blocks.iter().map(|block| block.digest().unwrap().size).sum::<usize>(),
        other => panic!("{other:?}"),
    });
    let fitting = limits::MAX_BLOCKS_BYTES / MAX_BLOCK_BYTES;
    let expected = [fitting, MAX_BLOCKS - fitting].map(|blocks| blocks * MAX_BLOCK_BYTES);
    assert_eq!(sizes.collect::<Vec<_>>(), expected);
    let unknown = vec![Hash::from_bytes([9; 32]); MAX_BLOCKS];
    let got = replies(&mut bench, peer, Message::GetBlocks { hashes: unknown });
    assert!(got <= limit(MessageKind::GetBlocks), "{got}");

    let ids = (0..MAX_TRANSACTIONS as u64).map(|id| Hash::digest(&id.to_be_bytes())).collect();
    keeps(MessageKind::Offer, replies(&mut bench, peer, Message::Offer { ids }), 2);

    let locator = vec![*bench.node.chain().genesis().hash()];
    let got = replies(&mut bench, peer, Message::GetHeaders { locator: locator.clone(), limit: u32::MAX });
    // Scaled from the limit by the number of headers that the chain has.
    let all = limit(MessageKind::GetHeaders) * MAX_BLOCKS / MAX_HEADERS;
    assert!(got <= all + 100 && got * 2 >= all, "{got} of {all}");
    let got = replies(&mut bench, peer, Message::GetHeaders { locator, limit: 3 });
    assert!(got <= limit(MessageKind::GetHeaders) * 3 / MAX_HEADERS + 100, "{got} for three headers");
}

/// An unsolicited message triggers at most one request.
#[test]
fn news_are_answered_with_a_question_at_most() {
    let mut bench = Bench::new();
    let ahead = bench.following(&["a", "b"]);
    let far = Header { height: 900, previous_hash: Hash::from_bytes([9; 32]), ..*ahead[1].header() };
    let news = [
        Message::Announce(*ahead[0].header()),
        Message::Announce(sealed(far)),
        Message::NewBlock(Arc::new(Block::new(*ahead[0].header(), ahead[0].data().to_vec()))),
        Message::NewBlock(Arc::clone(&ahead[1])),
        Message::Pong(u64::MAX),
    ];
    for message in news {
        let kind = MessageKind::from(&message);
        let peer = bench.join();
        let got = replies(&mut bench, peer, message);
        let limit = greatest_reply(kind, bench.node.chain().spec().max_block_bytes()).unwrap_or(0);
        assert!(got <= limit, "{kind} is answered with {got} bytes, at most {limit}");
    }
}
