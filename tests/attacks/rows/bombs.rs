//! Length prefixes that exceed the data, for every list and every text of every message.

use hashloom::protocol::{Hello, limits};
use hashloom::{Block, Hash, Header, Message};

use crate::carrier::Format;
use crate::chain::{Entry, entries};
use crate::socket::Socket;
use crate::stage::Stage;
use crate::table::{Ends, Over, ROW, Row};

/// Expands to a row for each collection: its description, and messages that differ only in its length, with
/// one item and with several.
macro_rules! bombs {
    ($($name:ident: $what:literal, $message:expr;)+) => {
        pub(crate) const ROWS: &[Row] = &[$(
            Row {
                name: concat!("bomb_", stringify!($name)),
                does: concat!("2^64 - 1 ", $what, " in a few bytes"),
                attack: |stage| Box::pin(promises(stage, $message)),
                ..BOMB
            },
        )+];
    };
}

const BOMB: Row = Row { over: Over::Binary, ends: Ends::Malformed, ..ROW };

bombs! {
    locator: "hashes of a locator", |_, n| Message::GetHeaders { locator: hashes(n), limit: 1 };
    headers: "headers", |_, n| Message::Headers(vec![header(); n]);
    get_blocks: "wanted blocks", |_, n| Message::GetBlocks { hashes: hashes(n) };
    blocks: "blocks", |_, n| Message::Blocks(vec![block(0).into(); n]);
    block_data: "transactions of a block in a list", |_, n| Message::Blocks(vec![block(n).into()]);
    new_block_data: "transactions of a new block", |_, n| Message::NewBlock(block(n).into());
    not_found: "blocks that are not found", |_, n| Message::NotFound { hashes: hashes(n) };
    offer: "offered transactions", |_, n| Message::Offer { ids: hashes(n) };
    get_transactions: "wanted transactions", |_, n| Message::GetTransactions { ids: hashes(n) };
    transactions: "transactions", |_, n| Message::Transactions(entries(&vec![""; n]));
    transaction_text: "bytes of a transaction's text", |_, n| Message::Transactions(entries(&[&text(n)]));
    reason: "bytes of a goodbye's reason", |_, n| Message::Bye { reason: text(n) };
    agent: "bytes of a hello's agent", |hello, n| Message::Hello(Hello { agent: text(n), ..hello });
    listen: "bytes of a hello's address", |hello, n| {
        Message::Hello(Hello { listen: Some(text(n).parse().unwrap()), ..hello })
    };
    addresses: "addresses", |_, n| Message::Peers { addresses: vec![text(1).parse().unwrap(); n] };
    address: "bytes of an address", |_, n| Message::Peers { addresses: vec![text(n).parse().unwrap()] };
}

/// Uses one connection for each length, all of which exceed the data. All connections but the last have
/// ended.
async fn promises(stage: &mut Stage, message: fn(Hello, usize) -> Message<Entry>) {
    let format = stage.carrier.format();
    // The last length is within the limit of most lists, and far longer than the frame.
    for length in [u64::MAX, u64::from(u32::MAX), 1 << 20, limits::MAX_BLOCKS as u64] {
        if let Some(mut ended) = stage.socket.take() {
            let reason = stage.closed().await;
            assert!(Ends::Malformed.fits(&reason, stage.carrier), "{reason:?}");
            ended.last_word().await.expect("the node says why");
        }
        let mut socket = Socket::connect(stage).await;
        let [one, several] = [1, 3].map(|n| format.encode(&message(socket.hello.clone(), n)));
        // Lengths come first, and both formats write the low byte of a number first.
        let at = one.iter().zip(&several).position(|(one, several)| one != several).unwrap();
        assert_eq!((one[at], several[at]), (1, 3), "the length is what differs");
        let mut bytes = one[..at].to_vec();
        match format {
            Format::Bincode => bytes.extend(length.to_le_bytes()),
            Format::Postcard => bytes.extend(postcard::to_allocvec(&length).unwrap()),
            Format::Json => unreachable!("JSON has no lengths"),
        }
        bytes.extend([0; 16]);
        socket.write_payload(&bytes).await;
        stage.socket = Some(socket);
    }
}

fn hashes(count: usize) -> Vec<Hash> {
    vec![Hash::ZERO; count]
}

fn text(bytes: usize) -> String {
    "a".repeat(bytes)
}

fn header() -> Header {
    Header::from_bytes(&[0; Header::LEN])
}

fn block(transactions: usize) -> Block<Entry> {
    Block::new(header(), entries(&vec![""; transactions]))
}
