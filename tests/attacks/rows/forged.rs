//! Blocks and headers that break one rule each.

use std::sync::Arc;
use std::time::Duration;

use hashloom::{Block, Blockchain, CompactTarget, Hash, Header, Message, Timestamp};

use crate::caller::{Caller, new_block};
use crate::chain::{self, Entry, REFUSED, entries, forged, with_data, without_work};
use crate::stage::Stage;
use crate::table::{Ends, ROW, Row, attack};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "no_work",
        does: "a block without proof of work",
        ends: Ends::Invalid("proof_of_work"),
        attack: |stage| Box::pin(sends(stage, without_work)),
        ..ROW
    },
    Row {
        name: "announced_without_work",
        does: "an announced header without proof of work",
        ends: Ends::Invalid("proof_of_work"),
        attack: |stage| Box::pin(announces(stage, |chain| *without_work(chain).header())),
        ..ROW
    },
    Row {
        name: "difficulty_200",
        does: "a header whose target claims 200 leading zero bits",
        ends: Ends::Invalid("proof_of_work"),
        attack: |stage| {
            Box::pin(announces(stage, |chain| {
                let (header, _) = chain::next(chain, &["200"]).into_parts();
                // A target of 7 of 32 bytes.
                Header { target: CompactTarget::from_bits(0x0700_ffff), ..header }
            }))
        },
        ..ROW
    },
    Row {
        name: "easier_target",
        does: "a target easier than the chain allows",
        ends: Ends::Invalid("target"),
        attack: |stage| Box::pin(sends(stage, |chain| with_target(chain, 0x2100_ffff))),
        ..ROW
    },
    Row {
        name: "unadjusted_target",
        does: "a target that the chain allows, but not here",
        ends: Ends::Invalid("target"),
        attack: |stage| Box::pin(sends(stage, |chain| with_target(chain, 0x207f_ffff))),
        ..ROW
    },
    Row {
        name: "no_target",
        does: "a target of zero",
        ends: Ends::Invalid("target"),
        attack: |stage| {
            Box::pin(announces(stage, |chain| Header {
                target: CompactTarget::from_bits(0),
                ..*chain.tip().header()
            }))
        },
        ..ROW
    },
    Row {
        name: "negative_target",
        does: "a target below zero",
        ends: Ends::Invalid("target"),
        attack: |stage| {
            Box::pin(announces(stage, |chain| Header {
                target: CompactTarget::from_bits(0x2080_0001),
                ..*chain.tip().header()
            }))
        },
        ..ROW
    },
    Row {
        name: "another_block_version",
        does: "a block of another version",
        ends: Ends::Invalid("version"),
        attack: |stage| Box::pin(sends(stage, |chain| forged(chain, |header| header.version = 2))),
        ..ROW
    },
    Row {
        name: "nonce_too_large",
        does: "a nonce of 2^64 - 1",
        ends: Ends::Invalid("nonce"),
        attack: |stage| {
            Box::pin(announces(stage, |chain| Header { nonce: u64::MAX, ..*chain.tip().header() }))
        },
        ..ROW
    },
    Row {
        name: "a_million_high",
        does: "a block of height 1,000,000",
        ends: Ends::Invalid("height"),
        attack: |stage| Box::pin(sends(stage, |chain| forged(chain, |header| header.height = 1_000_000))),
        ..ROW
    },
    Row {
        name: "as_high_as_can_be",
        does: "a block of height 2^64 - 1",
        ends: Ends::Invalid("height"),
        attack: |stage| Box::pin(sends(stage, |chain| forged(chain, |header| header.height = u64::MAX))),
        ..ROW
    },
    Row {
        name: "wrong_merkle_root",
        does: "a block with another Merkle root",
        ends: Ends::Invalid("merkle_root"),
        attack: |stage| {
            Box::pin(sends(stage, |chain| forged(chain, |header| header.merkle_root = Hash::ZERO)))
        },
        ..ROW
    },
    Row {
        name: "wrong_history_root",
        does: "a block with another history root",
        ends: Ends::Invalid("history_root"),
        attack: |stage| {
            Box::pin(sends(stage, |chain| forged(chain, |header| header.history_root = Hash::ZERO)))
        },
        ..ROW
    },
    Row {
        name: "wrong_state_root",
        does: "a block with another state root",
        ends: Ends::Invalid("state_root"),
        attack: |stage| {
            Box::pin(sends(stage, |chain| forged(chain, |header| header.state_root = Hash::ZERO)))
        },
        ..ROW
    },
    Row {
        name: "before_the_median",
        does: "a time before the median of the last blocks",
        ends: Ends::Invalid("median_time"),
        attack: |stage| {
            Box::pin(sends(stage, |chain| {
                let genesis = chain.genesis().header().timestamp;
                forged(chain, |header| header.timestamp = genesis)
            }))
        },
        ..ROW
    },
    Row {
        name: "from_the_future",
        does: "a block whose time has not come",
        ends: Ends::Harmless,
        attack: |stage| {
            Box::pin(sends(stage, |chain| {
                forged(chain, |header| {
                    header.timestamp = chain::noon().saturating_add(Duration::from_secs(86_400));
                })
            }))
        },
        ..ROW
    },
    Row {
        name: "from_the_end_of_time",
        does: "a block of the time 2^64 - 1",
        ends: Ends::Harmless,
        attack: |stage| {
            Box::pin(sends(stage, |chain| {
                forged(chain, |header| header.timestamp = Timestamp::from_millis(u64::MAX))
            }))
        },
        ..ROW
    },
    Row {
        name: "refused_by_the_application",
        does: "a transaction that the application refuses",
        ends: Ends::Invalid("transaction"),
        attack: |stage| Box::pin(sends(stage, |chain| with_data(chain, entries(&["fine", REFUSED])))),
        ..ROW
    },
    Row {
        name: "too_large",
        does: "a block that is too large",
        ends: Ends::Invalid("max_block_bytes"),
        attack: |stage| {
            Box::pin(sends(stage, |chain| with_data(chain, entries(&[&"x".repeat(chain::MAX_BLOCK_BYTES)]))))
        },
        ..ROW
    },
    Row {
        name: "too_many_transactions",
        does: "a block with too many transactions",
        ends: Ends::Invalid("max_block_transactions"),
        attack: |stage| {
            Box::pin(sends(stage, |chain| {
                with_data(chain, entries(&[""; chain::MAX_BLOCK_TRANSACTIONS + 1]))
            }))
        },
        ..ROW
    },
    Row {
        name: "refused_again",
        does: "a block that was refused before, from another peer",
        ends: Ends::Invalid("known_invalid"),
        attack: attack!(sends_twice),
        ..ROW
    },
    Row {
        name: "on_top_of_a_refused_one",
        does: "a block on top of one that was refused",
        ends: Ends::Invalid("known_invalid"),
        attack: attack!(builds_on_refused),
        ..ROW
    },
    Row {
        name: "another_body",
        does: "the header of a good block with another body, before the good one is taken in",
        ends: Ends::Invalid("merkle_root"),
        attack: |stage| Box::pin(mutates(stage, |_| entries(&["other"]))),
        then: Some(attack!(is_taken_in)),
        ..ROW
    },
    Row {
        name: "no_body",
        does: "the header of a good block without its body, before the good one is taken in",
        ends: Ends::Invalid("merkle_root"),
        attack: |stage| Box::pin(mutates(stage, |_| Vec::new())),
        then: Some(attack!(is_taken_in)),
        ..ROW
    },
    Row {
        name: "duplicated_leaf",
        does: "a good block with its last transaction twice (CVE-2012-2459), before the good one is taken in",
        ends: Ends::Invalid("merkle_root"),
        attack: |stage| {
            Box::pin(mutates(stage, |good| {
                let last = good.data().last().cloned();
                good.data().iter().cloned().chain(last).collect()
            }))
        },
        then: Some(attack!(is_taken_in)),
        ..ROW
    },
];

type Chain = Blockchain<Entry>;

async fn sends(stage: &mut Stage, make: impl FnOnce(&Chain) -> Arc<Block<Entry>>) {
    let block = make(&stage.node.chain());
    let mut caller = Caller::introduced(stage).await;
    caller.say(new_block(&block)).await;
    stage.caller = Some(caller);
}

async fn announces(stage: &mut Stage, make: impl FnOnce(&Chain) -> Header) {
    let header = make(&stage.node.chain());
    let mut caller = Caller::introduced(stage).await;
    caller.say(Message::Announce(header)).await;
    stage.caller = Some(caller);
}

/// A block with proof of work for its own target.
fn with_target(chain: &Chain, bits: u32) -> Arc<Block<Entry>> {
    forged(chain, |header| header.target = CompactTarget::from_bits(bits))
}

/// Sends a block that the application refuses, and returns it after the node has refused it.
async fn is_refused(stage: &mut Stage) -> Arc<Block<Entry>> {
    let block = with_data(&stage.node.chain(), entries(&[REFUSED]));
    let mut caller = Caller::introduced(stage).await;
    caller.say(new_block(&block)).await;
    let reason = stage.closed().await;
    assert!(Ends::Invalid("transaction").fits(&reason, stage.carrier), "{reason}");
    block
}

async fn sends_twice(stage: &mut Stage) {
    let block = is_refused(stage).await;
    let mut caller = Caller::introduced(stage).await;
    caller.say(new_block(&block)).await;
    stage.caller = Some(caller);
}

async fn builds_on_refused(stage: &mut Stage) {
    let parent = is_refused(stage).await;
    sends(stage, |chain| {
        forged(chain, |header| {
            header.height = parent.height() + 1;
            header.previous_hash = *parent.hash();
        })
    })
    .await;
}

/// Announces a valid block, and answers the request for it with another body.
async fn mutates(stage: &mut Stage, change: impl FnOnce(&Block<Entry>) -> Vec<Entry>) {
    let good = Arc::new(chain::next(&stage.node.chain(), &["a", "b", "c"]));
    let other = Arc::new(Block::new(*good.header(), change(&good)));
    assert_eq!(good.hash(), other.hash());
    let mut caller = Caller::introduced(stage).await;
    caller.say(Message::Announce(*good.header())).await;
    assert_eq!(caller.asked_for_blocks().await, [*good.hash()]);
    caller.say(Message::Blocks(vec![other])).await;
    stage.good = Some(good);
    stage.caller = Some(caller);
}

async fn is_taken_in(stage: &mut Stage) {
    let good = stage.good.take().unwrap();
    let mut caller = Caller::introduced(stage).await;
    caller.say(new_block(&good)).await;
    stage.is_taken_in(&good).await;
}
