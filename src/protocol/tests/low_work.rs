//! Attacks by peers that have valid headers with little work and no bodies, on a node that synchronises with
//! an honest peer. The cost is counted in round trips and in headers and blocks that the node processes; no
//! clock is involved.

use std::collections::VecDeque;

use super::bench::Bench;
use super::*;
use crate::ChainConfig;

/// The length of the honest chain.
const HONEST: u64 = 5_000;

/// The length of each hostile chain: longer than the node requests headers ahead of its blocks, so that the
/// hostile chains have the most work for a while.
const HOSTILE: u64 = 240;

/// The limit on side headers; the node requests a quarter of it at a time.
const MAX_SIDE_HEADERS: usize = 400;

/// The round trip time between neighbours. With a higher latency, peers can send less while the node is busy.
const ROUND: Duration = Duration::from_millis(1);

/// More rounds than any synchronisation takes.
const MAX_ROUNDS: usize = 2_000;

#[derive(Debug, Default)]
struct Cost {
    rounds: usize,
    /// Headers and blocks that the node has processed.
    looked_at: usize,
    most_side_headers: usize,
}

/// A hostile peer: it answers at once, sends further headers without a request, and withholds its bodies.
struct Liar {
    peer: PeerId,
    headers: Vec<Header>,
    /// The next header to send.
    next: usize,
    is_asked: bool,
}

impl Liar {
    /// Answers with the headers after the first hash of the locator that is on the peer's chain; from the
    /// beginning if there is none or no header follows it.
    fn batch(&mut self, locator: &[Hash], limit: usize) -> Message<Note> {
        let place = |hash: &Hash| self.headers.iter().position(|header| header.hash() == *hash);
        let from = locator.iter().find_map(place).map_or(0, |place| (place + 1) % self.headers.len());
        let headers: Vec<Header> = self.headers[from..].iter().take(limit).copied().collect();
        self.next = from + headers.len();
        Message::Headers(headers)
    }

    /// Sends a header with an unknown parent, so that the node requests its ancestors, and the header that
    /// extends the last one sent.
    fn says(&mut self, round: usize) -> Vec<Message<Note>> {
        if self.is_asked {
            return Vec::new();
        }
        let nowhere = Hash::digest(&[round.to_be_bytes(), self.peer.0.to_be_bytes()].concat());
        let unknown = Header { previous_hash: nowhere, height: 1_000, ..self.headers[0] };
        let known = self.headers[self.next % self.headers.len()];
        vec![Message::Announce(sealed(unknown)), Message::Announce(known)]
    }
}

fn sync(source: &Blockchain<Note>, liars: usize) -> Cost {
    let config = ChainConfig::default().with_max_side_headers(MAX_SIDE_HEADERS);
    let chain = Blockchain::with_config(spec("test"), config.clone());
    let mut bench = Bench::over(chain, ProtocolConfig { chain: config, ..ProtocolConfig::default() });
    let mut cost = Cost::default();
    let work = Work::from_uint(ruint::aliases::U256::MAX);
    let mut outputs = Vec::new();
    let mut flood: Vec<Liar> = Vec::new();
    for number in 0..liars {
        let blocks = chain_of(HOSTILE, &format!("liar {number}"));
        let (peer, said) = bench.join_at(Hash::digest(&number.to_be_bytes()), HOSTILE, work);
        outputs.extend(said);
        flood.push(Liar {
            peer,
            headers: blocks.iter().map(|block| *block.header()).collect(),
            next: 0,
            is_asked: false,
        });
    }
    // The honest peer connects last and therefore waits longest.
    let (honest, said) = bench.join_at(*source.tip().hash(), source.height(), source.work());
    outputs.extend(said);
    while bench.node.chain().height() < source.height() {
        assert!(cost.rounds < MAX_ROUNDS, "at block {} of {}: {cost:?}", bench.node.chain().height(), HONEST);
        // One message of each peer in turn, as from sockets.
        let mut lanes: BTreeMap<PeerId, VecDeque<Message<Note>>> = BTreeMap::new();
        for output in core::mem::take(&mut outputs) {
            match output {
                Output::Send { peers, message } => {
                    for peer in peers {
                        let liar = flood.iter_mut().find(|liar| liar.peer == peer);
                        lanes.entry(peer).or_default().extend(answer(source, liar, &message));
                    }
                }
                Output::Close { peer, reason } => assert_ne!(peer, honest, "{reason}"),
                Output::SendBlocks { .. } | Output::Dial { .. } | Output::Event(_) => {}
            }
        }
        for liar in &mut flood {
            liar.is_asked = lanes.get(&liar.peer).is_some_and(|lane| !lane.is_empty());
            let said = liar.says(cost.rounds);
            lanes.entry(liar.peer).or_default().extend(said);
        }
        while lanes.values().any(|lane| !lane.is_empty()) {
            for (peer, lane) in &mut lanes {
                let Some(message) = lane.pop_front() else { continue };
                cost.looked_at += match &message {
                    Message::Headers(headers) => headers.len(),
                    Message::Blocks(blocks) => blocks.len(),
                    // A minimal message without an answer costs the sender as much as the node.
                    _ => 0,
                };
                outputs.extend(bench.receive(*peer, message));
                cost.most_side_headers = cost.most_side_headers.max(bench.node.chain().side_header_count());
            }
        }
        outputs.extend(bench.pass(ROUND));
        cost.rounds += 1;
    }
    assert_eq!(bench.node.chain().tip(), source.tip());
    assert!(bench.node.peers().iter().any(|peer| peer.id == honest));
    cost
}

fn answer(
    source: &Blockchain<Note>,
    liar: Option<&mut Liar>,
    message: &Message<Note>,
) -> Option<Message<Note>> {
    match (message, liar) {
        (Message::Ping(number), _) => Some(Message::Pong(*number)),
        (Message::GetHeaders { locator, limit }, Some(liar)) => {
            Some(liar.batch(locator, usize::try_from(*limit).unwrap()))
        }
        (Message::GetHeaders { locator, limit }, None) => {
            let limit = usize::try_from(*limit).unwrap();
            Some(Message::Headers(source.headers_after(locator, limit).unwrap()))
        }
        (Message::GetBlocks { hashes }, None) => {
            let block = |hash: &Hash| source.block(hash).unwrap().unwrap();
            Some(Message::Blocks(hashes.iter().map(block).collect()))
        }
        _ => None,
    }
}

#[test]
fn a_flood_of_headers_with_little_work_slows_no_sync_by_more_than_a_fifth() {
    let mut source = Blockchain::new(spec("test"));
    for block in chain_of(HONEST, "honest") {
        let _ = source.import(block, START).unwrap();
    }
    let alone = sync(&source, 0);
    let flooded = sync(&source, 8);
    println!("alone: {alone:?}, among eight that feed headers: {flooded:?}");
    assert!(flooded.rounds * 5 <= alone.rounds * 6, "{flooded:?}, alone {alone:?}");
    assert!(flooded.looked_at * 5 <= alone.looked_at * 6, "{flooded:?}, alone {alone:?}");
    assert!(flooded.most_side_headers <= MAX_SIDE_HEADERS, "{flooded:?}");
}
