//! Complete lists with more items than a message may have.

use std::sync::Arc;

use hashloom::protocol::limits;
use hashloom::{Hash, Message};

use crate::caller::Caller;
use crate::chain::{Entry, entries};
use crate::stage::Stage;
use crate::table::{BOOKS, Ends, ROW, Row};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "long_locator",
        does: "a locator with too many hashes",
        attack: |stage| {
            Box::pin(says(stage, |_| Message::GetHeaders {
                locator: hashes(limits::MAX_LOCATOR_HASHES),
                limit: 1,
            }))
        },
        ..TOO_MANY
    },
    Row {
        name: "too_many_headers",
        does: "too many headers in a message",
        attack: |stage| {
            Box::pin(says(stage, |stage| {
                Message::Headers(vec![*stage.node.tip().header(); limits::MAX_HEADERS + 1])
            }))
        },
        ..TOO_MANY
    },
    Row {
        name: "too_many_wishes",
        does: "a request for too many blocks",
        attack: |stage| Box::pin(says(stage, |_| Message::GetBlocks { hashes: hashes(limits::MAX_BLOCKS) })),
        ..TOO_MANY
    },
    Row {
        name: "too_many_blocks",
        does: "too many blocks in a message",
        attack: |stage| {
            Box::pin(says(stage, |stage| {
                let block = stage.node.chain().genesis().clone();
                Message::Blocks(vec![Arc::clone(&block); limits::MAX_BLOCKS + 1])
            }))
        },
        ..TOO_MANY
    },
    Row {
        name: "too_many_excuses",
        does: "too many hashes in a `not_found`",
        attack: |stage| Box::pin(says(stage, |_| Message::NotFound { hashes: hashes(limits::MAX_BLOCKS) })),
        ..TOO_MANY
    },
    Row {
        name: "too_many_offers",
        does: "an offer of too many transactions",
        attack: |stage| Box::pin(says(stage, |_| Message::Offer { ids: hashes(limits::MAX_TRANSACTIONS) })),
        ..TOO_MANY
    },
    Row {
        name: "too_many_ids",
        does: "a request for too many transactions",
        attack: |stage| {
            Box::pin(says(stage, |_| Message::GetTransactions { ids: hashes(limits::MAX_TRANSACTIONS) }))
        },
        ..TOO_MANY
    },
    Row {
        name: "too_many_transactions",
        does: "too many transactions in a message",
        attack: |stage| {
            Box::pin(says(stage, |_| Message::Transactions(entries(&["x"; limits::MAX_TRANSACTIONS + 1]))))
        },
        ..TOO_MANY
    },
];

const TOO_MANY: Row = Row { ends: Ends::TooManyItems, memory: BOOKS, ..ROW };

/// One hash more than `limit`.
fn hashes(limit: usize) -> Vec<Hash> {
    vec![Hash::ZERO; limit + 1]
}

async fn says(stage: &mut Stage, message: impl FnOnce(&Stage) -> Message<Entry>) {
    let mut caller = Caller::introduced(stage).await;
    caller.say(message(stage)).await;
    stage.caller = Some(caller);
}
