//! Messages from a seed. The random numbers are SHA-256 over the seed and a counter, so that the golden
//! hashes do not depend on a library.

use std::sync::Arc;

use hashloom::primitives::{U256, Work};
use hashloom::protocol::{Hello, Tip};
use hashloom::{Address, Block, CompactTarget, Hash, Header, Message, PeerAddr, Timestamp};

/// Characters that formats may treat differently: quotes, controls, and characters of two, three and four
/// bytes.
const CHARACTERS: [char; 16] = [
    'a',
    'Z',
    '0',
    ' ',
    '"',
    '\\',
    '/',
    '\0',
    '\n',
    '\u{1f}',
    '\u{7f}',
    'é',
    '\u{2028}',
    '\u{ffff}',
    '✓',
    '\u{1d11e}',
];

/// The characters of an address: printable ASCII.
const GRAPHIC: std::ops::RangeInclusive<u8> = b'!'..=b'~';

/// Numbers that are drawn more often than at random: those at which the length of an encoding changes.
const EDGES: [u64; 10] = [0, 1, 127, 128, 255, 256, 1 << 32, 1 << 53, u64::MAX - 1, u64::MAX];

/// The maximum number of items of a list.
const MAX_ITEMS: u64 = 4;

/// The maximum number of characters of a text.
const MAX_CHARACTERS: u64 = 20;

/// A deterministic generator of values.
pub(crate) struct Source {
    seed: Hash,
    counter: u64,
}

impl Source {
    pub(crate) fn new(seed: &str) -> Self {
        Self { seed: Hash::digest(seed.as_bytes()), counter: 0 }
    }

    /// A message of the kind with this name.
    pub(crate) fn message(&mut self, kind: &str) -> Message {
        match kind {
            "hello" => Message::Hello(self.hello()),
            "ping" => Message::Ping(self.number()),
            "pong" => Message::Pong(self.number()),
            "get_headers" => {
                Message::GetHeaders { locator: self.list(Self::hash), limit: self.small_number() }
            }
            "headers" => Message::Headers(self.list(Self::header)),
            "get_blocks" => Message::GetBlocks { hashes: self.list(Self::hash) },
            "blocks" => Message::Blocks(self.list(Self::block)),
            "not_found" => Message::NotFound { hashes: self.list(Self::hash) },
            "announce" => Message::Announce(self.header()),
            "new_block" => Message::NewBlock(self.block()),
            "offer" => Message::Offer { ids: self.list(Self::hash) },
            "get_transactions" => Message::GetTransactions { ids: self.list(Self::hash) },
            "transactions" => Message::Transactions(self.list(Self::text)),
            "bye" => Message::Bye { reason: self.text() },
            "get_peers" => Message::GetPeers { limit: self.small_number() },
            "peers" => Message::Peers { addresses: self.list(Self::address) },
            other => panic!("no message of the kind {other} is generated"),
        }
    }

    fn hello(&mut self) -> Hello {
        Hello {
            protocol: self.small_number(),
            genesis: self.hash(),
            nonce: self.number(),
            tip: Tip { hash: self.hash(), height: self.number(), work: self.work() },
            agent: self.text(),
            listen: self.option(Self::address),
            wants_new_blocks: self.flag(),
            keeps_bodies: self.option(Self::number),
        }
    }

    fn header(&mut self) -> Header {
        Header {
            version: self.small_number(),
            height: self.number(),
            previous_hash: self.hash(),
            merkle_root: self.hash(),
            history_root: self.hash(),
            state_root: self.hash(),
            timestamp: Timestamp::from_millis(self.number()),
            target: CompactTarget::from_bits(self.small_number()),
            miner: Address::from_bytes(self.bytes()[..20].try_into().unwrap()),
            nonce: self.number(),
        }
    }

    fn block(&mut self) -> Arc<Block> {
        Arc::new(Block::new(self.header(), self.list(Self::text)))
    }

    fn work(&mut self) -> Work {
        // A value of any bit length, not almost always 256 bits.
        let shift = usize::try_from(self.below(256)).unwrap();
        Work::from_uint(U256::from_be_bytes(self.bytes()) >> shift)
    }

    fn address(&mut self) -> PeerAddr {
        let len = self.below(MAX_CHARACTERS) + 1;
        let span = u64::from(GRAPHIC.end() - GRAPHIC.start()) + 1;
        let text: String =
            (0..len).map(|_| char::from(GRAPHIC.start() + u8::try_from(self.below(span)).unwrap())).collect();
        text.parse().unwrap()
    }

    fn text(&mut self) -> String {
        let len = self.below(MAX_CHARACTERS + 1);
        let count = CHARACTERS.len() as u64;
        (0..len).map(|_| CHARACTERS[usize::try_from(self.below(count)).unwrap()]).collect()
    }

    fn list<V>(&mut self, item: impl Fn(&mut Self) -> V) -> Vec<V> {
        (0..self.below(MAX_ITEMS + 1)).map(|_| item(self)).collect()
    }

    fn option<V>(&mut self, value: impl Fn(&mut Self) -> V) -> Option<V> {
        self.flag().then(|| value(self))
    }

    /// A number of any bit length, or an edge case.
    fn number(&mut self) -> u64 {
        match self.below(4) {
            0 => EDGES[usize::try_from(self.below(EDGES.len() as u64)).unwrap()],
            _ => self.any() >> self.below(64),
        }
    }

    /// A number of 32 bits, drawn like [`Source::number`].
    fn small_number(&mut self) -> u32 {
        u32::from_be_bytes(self.number().to_be_bytes()[4..].try_into().unwrap())
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 1
    }

    fn hash(&mut self) -> Hash {
        Hash::from_bytes(self.bytes())
    }

    /// Slightly biased, which does not matter here.
    fn below(&mut self, bound: u64) -> u64 {
        self.any() % bound
    }

    fn any(&mut self) -> u64 {
        u64::from_be_bytes(self.bytes()[..8].try_into().unwrap())
    }

    fn bytes(&mut self) -> [u8; 32] {
        self.counter += 1;
        *Hash::digest(&[self.seed.as_bytes().as_slice(), &self.counter.to_be_bytes()].concat()).as_bytes()
    }
}
