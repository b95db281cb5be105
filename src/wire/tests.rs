//! The sizes of frames before they are decoded, for every kind of message in every format.

use std::io;
use std::sync::Arc;

use rstest::rstest;
use serde::Serialize;

use super::*;
use crate::primitives::{BodyDigest, U256, Work};
use crate::protocol::limits::{
    MAX_AGENT_BYTES, MAX_BLOCKS, MAX_BLOCKS_BYTES, MAX_HEADERS, MAX_LOCATOR_HASHES, MAX_PEERS_PER_MESSAGE,
    MAX_REASON_BYTES, MAX_TRANSACTIONS, MAX_TRANSACTIONS_BYTES,
};
use crate::protocol::{Hello, MessageKind, Tip};
use crate::{Block, Hash, Header, Message, PeerAddr};

const LARGEST_HASH: Hash = Hash::from_bytes([0xff; 32]);

fn largest_header() -> Header {
    Header::from_bytes(&[0xff; Header::LEN])
}

/// A string of this many canonical bytes whose JSON form is as long as possible.
fn text(canonical: usize) -> String {
    let prefix = (1..=5).find(|prefix| canonical - prefix < 1 << (7 * prefix)).unwrap();
    "\u{1b}".repeat(canonical - prefix)
}

fn block(data: Vec<String>) -> Arc<Block> {
    Arc::new(Block::new(largest_header(), data))
}

/// Blocks of at most this canonical size: one string, strings of three bytes, empty strings.
fn blocks_of(size: usize) -> Vec<Arc<Block>> {
    let room = size - Header::LEN;
    let blocks = [
        block(vec![text(room)]),
        // As many strings as a block may contain.
        block(vec![text(4); (room / 4).min(Block::<String>::MAX_TRANSACTIONS)]),
        block(vec![String::new(); room.min(Block::<String>::MAX_TRANSACTIONS)]),
    ];
    assert!(blocks.iter().all(|block| block.digest().unwrap().size <= size));
    assert_eq!(blocks[0].digest().unwrap().size, size);
    blocks.to_vec()
}

/// The largest valid messages of a kind, for a chain of strings.
fn greatest(kind: MessageKind) -> Vec<Message> {
    let hashes = vec![LARGEST_HASH; MAX_BLOCKS];
    let ids = vec![LARGEST_HASH; MAX_TRANSACTIONS];
    vec![match kind {
        MessageKind::Hello => Message::Hello(Hello {
            protocol: u32::MAX,
            genesis: LARGEST_HASH,
            nonce: u64::MAX,
            tip: Tip { hash: LARGEST_HASH, height: u64::MAX, work: Work::from_uint(U256::MAX) },
            agent: "\u{1b}".repeat(MAX_AGENT_BYTES),
            listen: Some("\\".repeat(PeerAddr::MAX_LEN).parse().unwrap()),
            wants_new_blocks: false,
            keeps_bodies: Some(u64::MAX),
        }),
        MessageKind::Ping => Message::Ping(u64::MAX),
        MessageKind::Pong => Message::Pong(u64::MAX),
        MessageKind::GetHeaders => {
            Message::GetHeaders { locator: vec![LARGEST_HASH; MAX_LOCATOR_HASHES], limit: u32::MAX }
        }
        MessageKind::Headers => Message::Headers(vec![largest_header(); MAX_HEADERS]),
        MessageKind::GetBlocks => Message::GetBlocks { hashes },
        MessageKind::NotFound => Message::NotFound { hashes },
        MessageKind::Announce => Message::Announce(largest_header()),
        MessageKind::Offer => Message::Offer { ids },
        MessageKind::GetTransactions => Message::GetTransactions { ids },
        MessageKind::Bye => Message::Bye { reason: "\u{1b}".repeat(MAX_REASON_BYTES) },
        MessageKind::GetPeers => Message::GetPeers { limit: u32::MAX },
        MessageKind::Peers => Message::Peers {
            addresses: vec!["\\".repeat(PeerAddr::MAX_LEN).parse().unwrap(); MAX_PEERS_PER_MESSAGE],
        },
        MessageKind::NewBlock => {
            return blocks_of(ChainSpec::MAX_BLOCK_BYTES).into_iter().map(Message::NewBlock).collect();
        }
        MessageKind::Blocks => {
            let many = blocks_of(MAX_BLOCKS_BYTES / MAX_BLOCKS).into_iter();
            let many = many.map(|block| vec![block; MAX_BLOCKS]);
            let one = vec![blocks_of(ChainSpec::MAX_BLOCK_BYTES).swap_remove(0)];
            return many.chain([one]).map(Message::Blocks).collect();
        }
        MessageKind::Transactions => {
            let many = vec![text(MAX_TRANSACTIONS_BYTES / MAX_TRANSACTIONS); MAX_TRANSACTIONS];
            let one = vec![text(ChainSpec::MAX_BLOCK_BYTES - Header::LEN)];
            assert!(BodyDigest::of(&many).unwrap().size <= MAX_TRANSACTIONS_BYTES + Header::LEN);
            return vec![Message::Transactions(one), Message::Transactions(many)];
        }
    }]
}

fn limit(kind: MessageKind) -> usize {
    kind.max_frame_bytes().unwrap_or(DEFAULT_MAX_FRAME_BYTES)
}

/// Checks that a frame has the right kind, keeps the limit, and decodes to an equal message.
fn check<F: WireFormat>(format: &F, kind: MessageKind, message: &Message) -> usize {
    let frame = format.encode(message).unwrap();
    let got = frame.as_bytes().len();
    assert_eq!(format.kind(&frame).unwrap(), Some(kind));
    assert!(got <= limit(kind), "{kind} has {got} bytes in {}", F::SUBPROTOCOL);
    assert!(
        format.decode_message::<String>(&frame).unwrap() == *message,
        "{kind} is lost in {}",
        F::SUBPROTOCOL
    );
    got
}

#[test]
fn the_greatest_message_of_each_kind_fits_in_every_format() {
    for kind in MessageKind::ALL {
        let messages = greatest(*kind);
        assert!(messages.iter().all(|message| MessageKind::from(message) == *kind));
        let sizes = messages.iter().map(|message| {
            check(&Bincode, *kind, message);
            check(&Postcard, *kind, message);
            check(&Json, *kind, message)
        });
        let largest = sizes.max().unwrap();
        assert!(limit(*kind) <= 4 * largest, "{kind} may have {} bytes and takes {largest}", limit(*kind));
    }
}

#[test]
fn a_number_is_the_place_and_a_name_the_name() {
    for (place, kind) in MessageKind::ALL.iter().enumerate() {
        assert_eq!(kind.number() as usize, place);
        assert_eq!(MessageKind::from_number(kind.number()), Some(*kind));
        assert_eq!(MessageKind::from_name(kind.name()), Some(*kind));
        assert_eq!(kind.to_string(), kind.name());
    }
    assert_eq!(MessageKind::from_number(u32::MAX), None);
    assert_eq!(MessageKind::from_name("Hello"), None);
}

/// JSON with the spaces that most languages write.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.begin_array_value(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

#[test]
fn there_is_room_for_spaces() {
    for kind in MessageKind::ALL.iter().filter(|kind| kind.max_frame_bytes().is_some()) {
        for message in greatest(*kind) {
            let mut json = serde_json::Serializer::with_formatter(Vec::new(), Spaced);
            message.serialize(&mut json).unwrap();
            let frame = Frame::from(String::from_utf8(json.into_inner()).unwrap());
            assert_eq!(Json.decode_message::<String>(&frame).unwrap(), message);
        }
    }
}

/// The rest of the frame would be malformed if a format decoded it.
#[test]
fn a_frame_beyond_the_limit_of_its_kind_is_refused_unread() {
    for kind in MessageKind::ALL.iter().filter(|kind| kind.max_frame_bytes().is_some()) {
        let limit = limit(*kind);
        for size in [limit, limit + 1] {
            let mut bincode = kind.number().to_le_bytes().to_vec();
            bincode.resize(size, 0xff);
            let mut postcard = ::postcard::to_allocvec(&kind.number()).unwrap();
            postcard.resize(size, 0xff);
            let json = format!("{{\"{kind}\":");
            let json = json.clone() + &"?".repeat(size - json.len());
            let errors = [
                Bincode.decode_message::<String>(&bincode.into()).unwrap_err(),
                Postcard.decode_message::<String>(&postcard.into()).unwrap_err(),
                Json.decode_message::<String>(&json.into()).unwrap_err(),
            ];
            for error in errors {
                if size == limit {
                    assert!(matches!(error, WireError::Decode { .. }), "{error}");
                } else {
                    let expected = format!("a {kind} has {size} bytes, at most {limit} are allowed");
                    assert_eq!(error.to_string(), expected);
                }
            }
        }
    }
}

#[rstest]
#[case::compact(r#"{"ping":1}"#, Some(MessageKind::Ping))]
#[case::spaces(" \n{\t\"ping\" : 1}", Some(MessageKind::Ping))]
#[case::without_content(r#""ping""#, Some(MessageKind::Ping))]
#[case::nothing("", None)]
#[case::spaces_alone("    ", None)]
#[case::a_number("1", None)]
#[case::a_list(r#"["ping"]"#, None)]
#[case::no_quotes("{ping:1}", None)]
#[case::no_end(r#"{"ping"#, None)]
#[case::an_escape(r#"{"\u0070ing":1}"#, None)]
#[case::another_case(r#"{"Ping":1}"#, None)]
fn the_kind_of_a_text(#[case] text: &str, #[case] expected: Option<MessageKind>) {
    let kind = Json.kind(&text.to_owned().into());
    match expected {
        Some(expected) => assert_eq!(kind.unwrap(), Some(expected)),
        None => assert!(matches!(kind, Err(WireError::UnknownKind { .. })), "{kind:?}"),
    }
}

#[test]
fn an_unknown_kind_shows_little_of_the_frame() {
    let error = Json.kind(&format!("{{\"\u{1b}[2J{}", "x".repeat(1 << 20)).into()).unwrap_err();
    assert_eq!(error.to_string(), "no kind of message in hashloom.v1.json: {\" [2Jxxxxxxxxxxxxxxxxxx");
    let number = u32::try_from(MessageKind::ALL.len()).unwrap();
    let error = Bincode.kind(&number.to_le_bytes().to_vec().into()).unwrap_err();
    assert_eq!(error.to_string(), format!("no kind of message in hashloom.v1.bincode: {number}"));
    let error = Postcard.kind(&vec![0x80].into()).unwrap_err();
    assert_eq!(error.to_string(), "no kind of message in hashloom.v1.postcard: the frame is too short");
}

/// If a format does not implement `kind`, only the transport's limit applies.
#[test]
fn a_format_need_not_know_kinds() {
    #[derive(Debug)]
    struct Plain;

    impl WireFormat for Plain {
        const SUBPROTOCOL: &'static str = "plain";

        fn encode<M: Serialize>(&self, message: &M) -> Result<Frame, WireError> {
            Json.encode(message)
        }

        fn decode<M: serde::de::DeserializeOwned>(&self, frame: &Frame) -> Result<M, WireError> {
            Json.decode(frame)
        }
    }

    let frame = Frame::from(format!("{{\"ping\":1{}}}", " ".repeat(1_000)));
    assert_eq!(Plain.decode_message::<String>(&frame).unwrap(), Message::Ping(1));
    assert!(Json.decode_message::<String>(&frame).is_err());
}

/// The number of transactions is limited as well, because each one costs memory.
#[test]
fn no_block_follows_once_there_are_enough_transactions() {
    let max = Block::<String>::MAX_TRANSACTIONS;
    let (full, empty) = (block(vec![String::new(); max]), block(Vec::new()));
    for (blocks, is_refused) in [
        (vec![empty.clone(), full.clone()], false),
        (vec![block(vec![String::new(); max - 1]), full.clone()], false),
        (vec![full, empty], true),
    ] {
        let frame = Postcard.encode(&Message::Blocks(blocks)).unwrap();
        assert_eq!(Postcard.decode_message::<String>(&frame).is_err(), is_refused);
    }
}
