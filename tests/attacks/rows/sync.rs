//! Answers to the node's requests, and answers without a request.

use std::sync::Arc;

use hashloom::protocol::limits;
use hashloom::{Block, Hash, Header, Message};

use crate::caller::Caller;
use crate::chain::{Entry, Fork, entries, orphan};
use crate::stage::{HEIGHT, Stage};
use crate::table::{BOOKS, Ends, ROW, Row, attack, closed};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "unsolicited_headers",
        does: "unsolicited headers",
        ends: Ends::Unsolicited("headers"),
        attack: |stage| Box::pin(says(stage, |stage| Message::Headers(vec![*stage.node.tip().header()]))),
        ..ROW
    },
    Row {
        name: "unsolicited_blocks",
        does: "unsolicited blocks",
        ends: Ends::Unsolicited("blocks"),
        attack: |stage| Box::pin(says(stage, |stage| Message::Blocks(vec![stage.node.tip()]))),
        ..ROW
    },
    Row {
        name: "unsolicited_not_found",
        does: "a `not_found` to nothing",
        ends: Ends::Unsolicited("not_found"),
        attack: |stage| Box::pin(says(stage, |_| Message::NotFound { hashes: vec![Hash::ZERO] })),
        ..ROW
    },
    Row {
        name: "unsolicited_transactions",
        does: "unsolicited transactions",
        ends: Ends::Unsolicited("transactions"),
        attack: |stage| Box::pin(says(stage, |_| Message::Transactions(entries(&["unasked"])))),
        ..ROW
    },
    Row {
        name: "another_transaction",
        does: "another transaction than the one that was offered",
        ends: Ends::Unsolicited("transactions"),
        attack: attack!(answers_with_another_transaction),
        ..ROW
    },
    Row {
        name: "headers_from_nowhere",
        does: "headers that connect to nothing",
        ends: closed!(UnconnectedHeaders),
        attack: |stage| {
            Box::pin(answers(stage, |fork| {
                let header = *orphan(fork.chain(), 1, "nowhere").header();
                vec![header]
            }))
        },
        ..ROW
    },
    Row {
        name: "headers_with_a_gap",
        does: "headers with a gap",
        ends: closed!(BrokenHeaders),
        attack: |stage| {
            Box::pin(answers(stage, |fork| {
                let mut headers = fork.headers();
                headers.remove(1);
                headers
            }))
        },
        ..ROW
    },
    Row {
        name: "headers_backwards",
        does: "headers in reverse",
        ends: closed!(BrokenHeaders),
        attack: |stage| Box::pin(answers(stage, |fork| fork.headers().into_iter().rev().collect())),
        ..ROW
    },
    Row {
        name: "more_headers_than_asked_for",
        does: "more headers than were asked for",
        ends: closed!(TooManyItems),
        memory: BOOKS,
        attack: attack!(answers_with_one_header_too_many),
        ..ROW
    },
    Row {
        name: "no_headers_for_ever",
        does: "announcements of unknown branches, and no headers whenever they are asked for",
        ends: Ends::Harmless,
        memory: BOOKS,
        attack: attack!(answers_nothing_for_ever),
        ..ROW
    },
    Row {
        name: "longer_with_less_work",
        does: "a chain that is longer and has less work",
        ends: Ends::Harmless,
        memory: BOOKS,
        attack: attack!(shows_a_longer_chain_with_less_work),
        ..ROW
    },
    Row {
        name: "withheld_bodies",
        does: "headers with the most work whose bodies never come",
        ends: Ends::Unanswered("get_blocks"),
        after: limits::REQUEST_TIMEOUT,
        attack: |stage| {
            Box::pin(async {
                let (caller, ..) = shows_a_better_chain(stage).await;
                stage.caller = Some(caller);
            })
        },
        ..ROW
    },
    Row {
        name: "bodies_not_found",
        does: "headers with the most work whose bodies are not to be found",
        ends: Ends::Harmless,
        attack: attack!(finds_no_bodies),
        ..ROW
    },
    Row {
        name: "more_bodies_than_asked_for",
        does: "a block more than was asked for",
        ends: Ends::Unsolicited("blocks"),
        attack: |stage| {
            Box::pin(delivers(stage, |stage, fork| {
                let mut blocks = fork.blocks();
                blocks.push(stage.node.tip());
                blocks
            }))
        },
        ..ROW
    },
    Row {
        name: "a_body_twice",
        does: "a block twice",
        ends: Ends::Unsolicited("blocks"),
        attack: |stage| Box::pin(delivers(stage, |_, fork| vec![fork.blocks().remove(0); 2])),
        ..ROW
    },
    Row {
        name: "empty_blocks",
        does: "an answer without blocks, which would buy time",
        ends: Ends::Unsolicited("blocks"),
        attack: |stage| Box::pin(delivers(stage, |_, _| Vec::new())),
        ..ROW
    },
    Row {
        name: "bodies_of_others",
        does: "the block that was asked for with another body",
        ends: Ends::Invalid("merkle_root"),
        attack: |stage| {
            Box::pin(delivers(stage, |_, fork| {
                let other =
                    |block: &Arc<Block<Entry>>| Arc::new(Block::new(*block.header(), entries(&["other"])));
                fork.blocks().iter().map(other).collect()
            }))
        },
        ..ROW
    },
];

/// The blocks of a branch with more work than the node's chain.
const BRANCH: u64 = 3;

async fn says(stage: &mut Stage, message: impl FnOnce(&Stage) -> Message<Entry>) {
    let mut caller = Caller::introduced(stage).await;
    caller.say(message(stage)).await;
    stage.caller = Some(caller);
}

async fn answers_with_another_transaction(stage: &mut Stage) {
    let mut caller = Caller::introduced(stage).await;
    let id = hashloom::primitives::transaction_id(&entries(&["offered"])[0]).unwrap();
    caller.say(Message::Offer { ids: vec![id] }).await;
    caller.asked_for_transactions().await;
    caller.say(Message::Transactions(entries(&["other"]))).await;
    stage.caller = Some(caller);
}

/// Answers a request for headers with headers that are derived from a valid branch.
async fn answers(stage: &mut Stage, headers: impl FnOnce(&Fork) -> Vec<Header>) {
    let fork = Fork::of(&stage.node.chain(), HEIGHT - 1).mine_fast(BRANCH);
    let (mut caller, _) = Caller::ahead(stage).await;
    caller.say(Message::Headers(headers(&fork))).await;
    stage.caller = Some(caller);
}

async fn answers_with_one_header_too_many(stage: &mut Stage) {
    let (mut caller, limit) = Caller::ahead(stage).await;
    let fork = Fork::of(&stage.node.chain(), 0).mine_slowly(u64::from(limit) + 1);
    stage.begins();
    caller.say(Message::Headers(fork.headers())).await;
    stage.caller = Some(caller);
}

async fn answers_nothing_for_ever(stage: &mut Stage) {
    const ROUNDS: u64 = 100;
    let (mut caller, _) = Caller::ahead(stage).await;
    for number in 0..ROUNDS {
        caller.say(Message::Headers(Vec::new())).await;
        let said = caller.is_heard().await;
        assert!(
            !said.iter().any(|message| matches!(message, Message::GetHeaders { .. })),
            "asked again: {said:?}"
        );
        let header = *orphan(&stage.node.chain(), number, "unknown").header();
        caller.say(Message::Announce(header)).await;
        caller.asked_for_headers().await;
    }
    caller.say(Message::Headers(Vec::new())).await;
    stage.caller = Some(caller);
}

async fn shows_a_longer_chain_with_less_work(stage: &mut Stage) {
    let fork = Fork::of(&stage.node.chain(), 0).mine_slowly(40 * HEIGHT);
    let headers = fork.headers();
    assert!(fork.chain().work() < stage.node.status().work && fork.chain().height() > HEIGHT);
    let (mut caller, limit) = Caller::ahead(stage).await;
    stage.begins();
    let mut shown = 0;
    for batch in headers.chunks(limit as usize) {
        caller.say(Message::Headers(batch.to_vec())).await;
        shown += batch.len();
        if shown < headers.len() {
            caller.asked_for_headers().await;
        }
    }
    let said = caller.is_heard().await;
    assert!(
        !said.iter().any(|message| matches!(message, Message::GetBlocks { .. })),
        "wants bodies: {said:?}"
    );
    stage.caller = Some(caller);
}

/// Sends headers with more work than the node's chain. Returns the node's request for blocks.
async fn shows_a_better_chain(stage: &mut Stage) -> (Caller, Fork, Vec<Hash>) {
    let fork = Fork::of(&stage.node.chain(), HEIGHT - 1).mine_fast(BRANCH);
    let (mut caller, _) = Caller::ahead(stage).await;
    caller.say(Message::Headers(fork.headers())).await;
    let asked = caller.asked_for_blocks().await;
    assert_eq!(asked.len() as u64, BRANCH);
    (caller, fork, asked)
}

async fn finds_no_bodies(stage: &mut Stage) {
    let (mut caller, _, hashes) = shows_a_better_chain(stage).await;
    caller.say(Message::NotFound { hashes }).await;
    let said = caller.is_heard().await;
    assert!(
        !said.iter().any(|message| matches!(message, Message::GetBlocks { .. })),
        "asked again: {said:?}"
    );
    stage.caller = Some(caller);
}

/// Answers a request for bodies with these blocks.
async fn delivers(stage: &mut Stage, blocks: impl FnOnce(&Stage, &Fork) -> Vec<Arc<Block<Entry>>>) {
    let (mut caller, fork, _) = shows_a_better_chain(stage).await;
    caller.say(Message::Blocks(blocks(stage, &fork))).await;
    stage.caller = Some(caller);
}
