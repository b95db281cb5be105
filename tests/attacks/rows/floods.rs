//! More data of every kind than a node accepts: both the retained data and the outstanding answers to a peer
//! that does not read are limited.

use hashloom::primitives::transaction_id;
use hashloom::protocol::limits;
use hashloom::{Hash, Message};

use crate::caller::{Caller, new_block};
use crate::chain::{Entry, Fork, entries, orphan, with_data};
use crate::stage::{HEIGHT, LARGE_TEXT, MAX_PENDING, MAX_SIDE_HEADERS, Stage};
use crate::table::{BOOKS, Ends, QUEUE, ROW, Row, attack, closed};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "unread_pongs",
        does: "pings without end, whose answers are not read",
        attack: |stage| Box::pin(reads_nothing(stage, |_| Message::Ping(u64::MAX >> 11))),
        ..UNREAD
    },
    Row {
        name: "unread_headers",
        does: "requests for headers without end, whose answers are not read",
        attack: |stage| {
            Box::pin(reads_nothing(stage, |stage| Message::GetHeaders {
                locator: vec![stage.node.status().genesis],
                limit: u32::MAX,
            }))
        },
        ..UNREAD
    },
    Row {
        name: "unread_blocks",
        does: "requests for blocks without end, whose answers are not read",
        attack: |stage| {
            Box::pin(reads_nothing(stage, |stage| Message::GetBlocks {
                hashes: vec![stage.node.status().tip; 16],
            }))
        },
        ..UNREAD
    },
    Row {
        name: "unread_large_blocks",
        memory: QUEUE,
        does: "requests for large blocks without end, whose answers are not read",
        attack: attack!(reads_no_large_blocks),
        ..UNREAD
    },
    Row {
        name: "unread_excuses",
        does: "requests for unknown blocks without end, whose answers are not read",
        attack: |stage| {
            Box::pin(reads_nothing(stage, |_| Message::GetBlocks {
                hashes: vec![Hash::ZERO; limits::MAX_BLOCKS],
            }))
        },
        ..UNREAD
    },
    Row {
        name: "unread_transactions",
        memory: QUEUE,
        does: "requests for transactions without end, whose answers are not read",
        attack: attack!(reads_no_transactions),
        ..UNREAD
    },
    Row {
        name: "slow_reader",
        does: "a peer that asks for more than fits on the way, and reads nothing",
        ends: closed!(WriteTimeout),
        after: std::time::Duration::from_secs(30),
        memory: QUEUE,
        attack: attack!(stops_reading),
        ..ROW
    },
    Row {
        name: "pongs_to_nothing",
        does: "thousands of pongs to nothing",
        ends: Ends::Harmless,
        attack: attack!(sends_pongs),
        ..ROW
    },
    Row {
        name: "headers_of_unknown_branches",
        does: "thousands of announcements that connect to nothing",
        ends: Ends::Unanswered("get_headers"),
        after: limits::REQUEST_TIMEOUT,
        memory: BOOKS,
        attack: attack!(announces_orphans),
        ..ROW
    },
    Row {
        name: "orphans",
        does: "hundreds of blocks that connect to nothing",
        ends: Ends::Unanswered("get_headers"),
        after: limits::REQUEST_TIMEOUT,
        memory: BOOKS,
        attack: attack!(sends_orphans),
        ..ROW
    },
    Row {
        name: "offers_of_nothing",
        does: "offers of thousands of transactions that never come",
        ends: Ends::Unanswered("get_transactions"),
        after: limits::REQUEST_TIMEOUT,
        memory: OFFERS,
        attack: attack!(offers_without_end),
        ..ROW
    },
    Row {
        name: "transactions",
        does: "more transactions than are kept",
        ends: Ends::Harmless,
        memory: BOOKS,
        attack: attack!(sends_transactions),
        ..ROW
    },
    Row {
        name: "cheap_headers",
        does: "more of the cheapest headers than are kept, whose bodies never come",
        ends: Ends::Unanswered("get_blocks"),
        after: limits::REQUEST_TIMEOUT,
        memory: BOOKS,
        attack: attack!(shows_headers_without_end),
        ..ROW
    },
    Row {
        name: "cheap_side_branches",
        does: "announcements of more side branches than are kept",
        ends: Ends::Harmless,
        memory: BOOKS,
        attack: attack!(announces_side_branches),
        ..ROW
    },
];

const UNREAD: Row = Row { ends: closed!(QueueFull), memory: BOOKS, ..ROW };

/// The record of one peer's offers, in sets from which an id can be removed without a scan, and at most two
/// offers in flight: each takes 32 KB. Over TLS, up to 128 KiB of records, not yet sent or not yet decrypted.
const OFFERS: usize = 2_400 << 10;

/// Far more than the limit of orphans.
const ORPHANS: u64 = 300;

async fn reads_nothing(stage: &mut Stage, question: impl FnOnce(&Stage) -> Message<Entry>) {
    let mut caller = Caller::introduced(stage).await;
    caller.say_until_closed(question(stage)).await;
    stage.kept.push(Box::new(caller));
}

async fn reads_no_transactions(stage: &mut Stage) {
    let mut ids = Vec::new();
    for number in 0..8 {
        let large = entries(&[&format!("{number}{}", "x".repeat(LARGE_TEXT / 6))]).remove(0);
        ids.push(stage.node.submit(large).await.unwrap());
    }
    stage.begins();
    reads_nothing(stage, |_| Message::GetTransactions { ids }).await;
}

async fn reads_no_large_blocks(stage: &mut Stage) {
    let (mut caller, hashes) = large_blocks(stage).await;
    stage.begins();
    caller.say_until_closed(Message::GetBlocks { hashes }).await;
    stage.kept.push(Box::new(caller));
}

/// Requests more megabytes than any operating system buffers.
async fn stops_reading(stage: &mut Stage) {
    const REQUESTS: usize = 18;
    let (mut caller, hashes) = large_blocks(stage).await;
    if stage.carrier.parses() {
        for _ in 0..REQUESTS {
            caller.say(Message::GetBlocks { hashes: hashes.clone() }).await;
        }
    } else {
        // The queue of the transport in memory counts messages and not bytes.
        for number in 0..100 {
            caller.say(Message::Ping(number)).await;
        }
    }
    stage.settle().await;
    stage.kept.push(Box::new(caller));
}

/// A peer of a node that stores the largest blocks on side branches. Several blocks are needed because an
/// answer contains each hash once.
async fn large_blocks(stage: &mut Stage) -> (Caller, Vec<Hash>) {
    const LARGE_BLOCKS: usize = 16;
    let blocks: Vec<_> = {
        let fork = Fork::of(&stage.node.chain(), 1);
        let text = |number: usize| format!("{number}{}", "x".repeat(LARGE_TEXT));
        (0..LARGE_BLOCKS).map(|number| with_data(fork.chain(), entries(&[&text(number)]))).collect()
    };
    let mut caller = Caller::introduced(stage).await;
    for block in &blocks {
        caller.say(new_block(block)).await;
    }
    caller.is_heard().await;
    let hashes = blocks.iter().map(|block| *block.hash()).collect();
    (caller, hashes)
}

async fn sends_pongs(stage: &mut Stage) {
    let mut caller = Caller::introduced(stage).await;
    for number in 0..5_000 {
        caller.say(Message::Pong(number)).await;
    }
    stage.caller = Some(caller);
}

async fn announces_orphans(stage: &mut Stage) {
    const HEADERS: u64 = 2_000;
    let headers: Vec<_> = {
        let chain = stage.node.chain();
        (0..HEADERS).map(|number| *orphan(&chain, number, "flood").header()).collect()
    };
    let mut caller = Caller::introduced(stage).await;
    stage.begins();
    for header in headers {
        caller.say(Message::Announce(header)).await;
    }
    let asked = caller.is_heard().await;
    let is_request = |message: &&Message<Entry>| matches!(message, Message::GetHeaders { .. });
    assert_eq!(asked.iter().filter(is_request).count(), 1, "one question at a time");
    stage.caller = Some(caller);
}

async fn sends_orphans(stage: &mut Stage) {
    let text = "x".repeat(20_000);
    let mut caller = Caller::introduced(stage).await;
    for number in 0..ORPHANS {
        // Created when it is sent: a prepared block would release as much memory as the node allocates.
        let orphan = orphan(&stage.node.chain(), number, &text);
        caller.say(new_block(&orphan)).await;
    }
    caller.is_heard().await;
    stage.caller = Some(caller);
}

async fn offers_without_end(stage: &mut Stage) {
    let mut caller = Caller::introduced(stage).await;
    for batch in 0..100_u64 {
        let id = |number: u64| Hash::digest(&(1_000 * batch + number).to_be_bytes());
        caller.say(Message::Offer { ids: (0..limits::MAX_TRANSACTIONS as u64).map(id).collect() }).await;
    }
    let asked = caller.is_heard().await;
    let is_request = |message: &&Message<Entry>| matches!(message, Message::GetTransactions { .. });
    assert_eq!(asked.iter().filter(is_request).count(), 1, "one question at a time");
    stage.caller = Some(caller);
}

async fn sends_transactions(stage: &mut Stage) {
    let mut caller = Caller::introduced(stage).await;
    for batch in 0..=MAX_PENDING / limits::MAX_TRANSACTIONS {
        let texts: Vec<String> =
            (0..limits::MAX_TRANSACTIONS).map(|number| format!("{batch}/{number}")).collect();
        let transactions: Vec<Entry> = texts.into_iter().map(Entry).collect();
        let ids = transactions.iter().map(|transaction| transaction_id(transaction).unwrap()).collect();
        caller.say(Message::Offer { ids }).await;
        assert_eq!(caller.asked_for_transactions().await, limits::MAX_TRANSACTIONS);
        caller.say(Message::Transactions(transactions)).await;
        caller.is_heard().await;
    }
    assert_eq!(stage.node.status().pending, MAX_PENDING);
    stage.caller = Some(caller);
}

async fn shows_headers_without_end(stage: &mut Stage) {
    let headers = Fork::of(&stage.node.chain(), 0).mine_slowly(MAX_SIDE_HEADERS as u64 + 100).headers();
    let (mut caller, limit) = Caller::ahead(stage).await;
    stage.begins();
    for batch in headers.chunks(limit as usize) {
        caller.say(Message::Headers(batch.to_vec())).await;
        let said = caller.is_heard().await;
        if !said.iter().any(|message| matches!(message, Message::GetHeaders { .. })) {
            break;
        }
    }
    let status = stage.node.status();
    assert!(status.header_height > HEIGHT, "they are good, after all");
    assert!(status.header_height < MAX_SIDE_HEADERS as u64, "{} headers are kept", status.header_height);
    stage.caller = Some(caller);
}

async fn announces_side_branches(stage: &mut Stage) {
    let headers: Vec<_> = {
        let fork = Fork::of(&stage.node.chain(), 1);
        (0..MAX_SIDE_HEADERS as u64 + 100)
            .map(|number| {
                *crate::chain::forged(fork.chain(), |header| {
                    header.timestamp =
                        header.timestamp.saturating_add(core::time::Duration::from_millis(number));
                })
                .header()
            })
            .collect()
    };
    let mut caller = Caller::introduced(stage).await;
    stage.begins();
    for header in headers {
        caller.say(Message::Announce(header)).await;
    }
    stage.caller = Some(caller);
}
