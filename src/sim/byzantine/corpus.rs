//! The attacks of Byzantine nodes. Each one is small and, if possible, invalid in exactly one way, so that no
//! other check hides the intended one.

use core::time::Duration;
use std::sync::Arc;

use super::Byzantine;
use crate::miner::Template;
use crate::primitives::{Block, BodyDigest, CompactTarget, Hash, Header, Target, Timestamp};
use crate::protocol::{Hello, Message, PeerAddr, limits};
use crate::sim::latency::choose;
use crate::sim::record::Record;

type Messages = Vec<Message<Record>>;
type Attack = fn(&mut Byzantine) -> Messages;

/// Returns messages that come before the `Hello` or instead of it.
pub(super) fn opening(liar: &mut Byzantine) -> Messages {
    let openings: [Attack; 7] = [
        |_| vec![Message::Ping(1)],
        |liar| vec![Message::NewBlock(liar.any_block())],
        |liar| vec![Message::Hello(Hello { genesis: Hash::ZERO, ..liar.hello() })],
        |liar| vec![Message::Hello(Hello { protocol: 0, ..liar.hello() })],
        |liar| vec![Message::Hello(Hello { agent: "a".repeat(limits::MAX_AGENT_BYTES + 1), ..liar.hello() })],
        |liar| vec![Message::Hello(liar.hello()), Message::Hello(liar.hello())],
        |_| Vec::new(),
    ];
    run(liar, &openings)
}

/// Returns an answer to a request, usually an invalid one.
pub(super) fn answer(liar: &mut Byzantine, request: &Message<Record>) -> Messages {
    match request {
        Message::GetHeaders { .. } => run(
            liar,
            &[
                |_| Vec::new(),
                |_| vec![Message::Headers(Vec::new())],
                unsolicited_headers,
                reversed_headers,
                |liar| vec![Message::Headers(vec![without_work(liar)])],
                |liar| vec![Message::Headers(vec![*orphan(liar).header()])],
                |liar| {
                    let block = forged(liar, |header| header.history_root = Hash::ZERO);
                    vec![Message::Headers(vec![*block.header()])]
                },
            ],
        ),
        Message::GetBlocks { hashes } => {
            let heard = liar.heard.iter().filter(|block| hashes.contains(block.hash())).cloned();
            let heard = heard.collect::<Vec<_>>();
            match liar.rng.u8(0..5) {
                0 => Vec::new(),
                1 => vec![Message::NotFound { hashes: hashes.clone() }],
                2 => unsolicited_blocks(liar),
                // The right header with the wrong transactions: the hash is the requested one.
                3 => vec![Message::Blocks(heard.iter().map(|block| swapped(block)).collect())],
                _ => vec![Message::Blocks(heard)],
            }
        }
        Message::GetTransactions { .. } => run(
            liar,
            &[|_| Vec::new(), |_| vec![Message::Transactions(Vec::new())], unsolicited_transactions],
        ),
        Message::GetPeers { .. } => run(
            liar,
            &[
                |_| Vec::new(),
                |_| vec![Message::Peers { addresses: Vec::new() }],
                |liar| vec![addresses(liar, limits::MAX_PEERS_PER_MESSAGE)],
                |liar| vec![addresses(liar, 3), addresses(liar, 3)],
            ],
        ),
        _ => Vec::new(),
    }
}

/// Returns unsolicited messages.
pub(super) fn attack(liar: &mut Byzantine) -> Messages {
    const ATTACKS: [Attack; 32] = [
        unsolicited_headers,
        unsolicited_blocks,
        unsolicited_transactions,
        reversed_headers,
        |liar| vec![Message::NotFound { hashes: vec![liar.any_hash()] }],
        |liar| vec![Message::Hello(liar.hello())],
        |_| vec![Message::Bye { reason: "\u{1b}[2J\n".repeat(100) }],
        |_| (0..50).map(Message::Ping).collect(),
        |_| vec![Message::Pong(7)],
        // Lists above the limits of their messages.
        |_| vec![Message::GetBlocks { hashes: vec![Hash::ZERO; limits::MAX_BLOCKS + 1] }],
        |_| vec![Message::Offer { ids: vec![Hash::ZERO; limits::MAX_TRANSACTIONS + 1] }],
        |_| vec![Message::GetHeaders { locator: vec![Hash::ZERO; limits::MAX_LOCATOR_HASHES + 1], limit: 1 }],
        |liar| vec![Message::Headers(vec![*liar.genesis.header(); limits::MAX_HEADERS + 1])],
        // Senseless requests, and offers that are not fulfilled.
        |liar| vec![Message::GetHeaders { locator: vec![liar.any_hash()], limit: u32::MAX }],
        |liar| vec![Message::GetBlocks { hashes: (0..10).map(|_| liar.any_hash()).collect() }],
        |liar| vec![Message::Offer { ids: (0..10).map(|_| liar.any_hash()).collect() }],
        // Blocks that are invalid in one way each.
        |liar| vec![Message::Announce(without_work(liar))],
        |liar| {
            let block = forged(liar, |header| header.merkle_root = Hash::ZERO);
            vec![Message::NewBlock(block)]
        },
        |liar| vec![Message::NewBlock(forged(liar, |header| header.history_root = Hash::ZERO))],
        |liar| {
            // Hashes the state root, so that it is wrong in any case: the state root of a chain without
            // records is zero.
            let block = forged(liar, |header| header.state_root = Hash::digest(header.state_root.as_bytes()));
            vec![Message::NewBlock(block)]
        },
        |liar| vec![Message::NewBlock(forged(liar, |header| header.height = u64::MAX))],
        |liar| vec![Message::NewBlock(forged(liar, |header| header.version = 2))],
        |liar| vec![Message::NewBlock(forged(liar, |header| header.timestamp = Timestamp::default()))],
        |liar| vec![Message::Announce(*from_the_future(liar).header())],
        |liar| vec![Message::NewBlock(from_the_future(liar))],
        |liar| vec![Message::NewBlock(Arc::new(Block::new(without_work(liar), Vec::new())))],
        |liar| vec![Message::NewBlock(swapped(&liar.any_block()))],
        refused_record,
        |liar| vec![Message::NewBlock(orphan(liar)), Message::NewBlock(liar.any_block())],
        // Unrequested addresses, more addresses than the limit, and repeated requests.
        |liar| vec![addresses(liar, 1)],
        |liar| vec![addresses(liar, limits::MAX_PEERS_PER_MESSAGE + 1)],
        |_| vec![Message::GetPeers { limit: u32::MAX }; 50],
    ];
    run(liar, &ATTACKS)
}

fn run(liar: &mut Byzantine, attacks: &[Attack]) -> Messages {
    choose(&mut liar.rng, attacks).map_or_else(Vec::new, |attack| attack(liar))
}

fn unsolicited_headers(liar: &mut Byzantine) -> Messages {
    vec![Message::Headers(vec![*liar.any_block().header()])]
}

fn unsolicited_blocks(liar: &mut Byzantine) -> Messages {
    vec![Message::Blocks(vec![liar.any_block()])]
}

fn unsolicited_transactions(liar: &mut Byzantine) -> Messages {
    let number = liar.rng.u64(..);
    vec![Message::Transactions(vec![Record { author: u64::MAX, number }])]
}

/// Returns addresses of which some belong to nodes and some do not.
fn addresses(liar: &mut Byzantine, count: usize) -> Message<Record> {
    let text = |rng: &mut fastrand::Rng| match rng.u8(0..4) {
        0 => format!("sim://{}", rng.u8(..10)),
        1 => format!("sim://caller-{}", rng.u8(..10)),
        2 => format!("sim://127.0.0.{}:1", rng.u8(..)),
        _ => format!("sim://{}.{}.{}.{}:1", rng.u8(..), rng.u8(..), rng.u8(..), rng.u8(..)),
    };
    #[expect(clippy::expect_used, reason = "printable, not empty and short")]
    let address = |text: String| text.parse::<PeerAddr>().expect("a valid address");
    Message::Peers { addresses: (0..count).map(|_| address(text(&mut liar.rng))).collect() }
}

fn reversed_headers(liar: &mut Byzantine) -> Messages {
    vec![Message::Headers(liar.heard.iter().rev().map(|block| *block.header()).collect())]
}

/// Returns a block whose only transaction the application refuses.
fn refused_record(liar: &mut Byzantine) -> Messages {
    let data = vec![Record { author: 0, number: Record::REFUSED }];
    let root = BodyDigest::of(&data).map_or(Hash::ZERO, |digest| digest.merkle_root());
    let header = next(liar);
    vec![Message::NewBlock(sealed(Header { merkle_root: root, ..header }, data))]
}

/// Returns a header that is valid except that its hash is above its target.
fn without_work(liar: &mut Byzantine) -> Header {
    let mut header = next(liar);
    let meets = |header: &Header| {
        Target::try_from(header.target).is_ok_and(|target| target.is_met_by(&header.hash()))
    };
    while meets(&header) {
        header.nonce += 1;
    }
    header
}

/// Returns a block without transactions that is changed before it is mined.
fn forged(liar: &mut Byzantine, change: impl FnOnce(&mut Header)) -> Arc<Block<Record>> {
    let mut header = next(liar);
    change(&mut header);
    sealed(header, Vec::new())
}

/// Returns a block that is valid except that its timestamp is in the far future.
fn from_the_future(liar: &mut Byzantine) -> Arc<Block<Record>> {
    let later = liar.start.saturating_add(Duration::from_secs(1_000_000));
    forged(liar, |header| header.timestamp = later)
}

/// Returns a block with an unknown parent.
fn orphan(liar: &mut Byzantine) -> Arc<Block<Record>> {
    let parent = Hash::digest(&liar.rng.u64(..).to_be_bytes());
    forged(liar, |header| header.previous_hash = parent)
}

/// Returns the header of a block that an honest node would accept if it were mined.
const fn next(liar: &Byzantine) -> Header {
    Header { nonce: 0, ..liar.next }
}

/// Mines a block at the header's target, or at the easiest target if the height is forged.
fn sealed(header: Header, data: Vec<Record>) -> Arc<Block<Record>> {
    let easy = CompactTarget::from_bits(0x207f_ffff);
    let header = Header { target: if header.height == u64::MAX { easy } else { header.target }, ..header };
    let template = Template::new(header, data.clone());
    Arc::new(template.mine().unwrap_or_else(|_| Block::new(header, data)))
}

/// Returns a block's header with other transactions: the hash stays equal.
pub(in crate::sim) fn swapped(block: &Block<Record>) -> Arc<Block<Record>> {
    let mut data = block.data().to_vec();
    data.push(Record { author: u64::MAX, number: 0 });
    Arc::new(Block::new(*block.header(), data))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::chain::{BlockError, Blockchain};
    use crate::sim::SimulationConfig;
    use rstest::rstest;

    /// On a chain without records the state is easy to guess, so a forged block could accidentally be valid.
    #[rstest]
    #[case::without_records(0)]
    #[case::with_records(1)]
    fn nothing_that_is_forged_joins_a_chain(#[case] records: u64) {
        let spec = SimulationConfig::easy_spec();
        let now = spec.genesis_time().saturating_add(Duration::from_secs(60));
        let mut liar = Byzantine::new(1, &spec, now);
        let mut chain = Blockchain::new(spec);
        let data = (0..records).map(|number| Record { author: 0, number }).collect();
        let honest = Arc::new(chain.template(data, now).unwrap().mine().unwrap());
        let _ = chain.import(Arc::clone(&honest), now).unwrap();
        liar.next = *chain.template(Vec::new(), now).unwrap().header();
        let mut refusals = BTreeSet::new();
        for _ in 0..2_000 {
            for message in attack(&mut liar) {
                let (headers, blocks) = match message {
                    Message::Announce(header) => (vec![header], Vec::new()),
                    Message::NewBlock(block) => (Vec::new(), vec![block]),
                    Message::Blocks(blocks) => (Vec::new(), blocks),
                    _ => continue,
                };
                let refused = headers.iter().filter_map(|header| chain.import_header(header, now).err());
                let refused = refused.collect::<Vec<_>>();
                let blocks = blocks.into_iter().filter_map(|block| chain.import(block, now).err());
                for error in refused.into_iter().chain(blocks.collect::<Vec<_>>()) {
                    let text = match error {
                        BlockError::Rule(rule) => format!("{rule:?}"),
                        error => format!("{error:?}"),
                    };
                    refusals.insert(text.split([' ', '(']).next().unwrap_or_default().to_owned());
                }
                assert_eq!(chain.tip(), &honest);
            }
        }
        let expected = [
            "Height",
            "HistoryRoot",
            "KnownInvalid",
            "MerkleRoot",
            "ProofOfWork",
            "StateRoot",
            "TimestampTooEarly",
            "TimestampTooLate",
            "Transaction",
            "Version",
        ];
        assert_eq!(refusals.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }
}
