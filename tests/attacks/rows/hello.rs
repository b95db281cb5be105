//! Hostile handshakes, and other messages in place of a `Hello`.

use std::time::Duration;

use hashloom::primitives::{U256, Work};
use hashloom::protocol::{Hello, Tip, limits};
use hashloom::{Hash, Message};

use crate::caller::{Caller, new_block};
use crate::chain;
use crate::stage::Stage;
use crate::table::{Ends, ROW, Row, attack, closed};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "another_version",
        does: "a hello of another version",
        ends: closed!(WrongProtocol),
        attack: |stage| Box::pin(says_hello(stage, |hello| hello.protocol = 77)),
        ..ROW
    },
    Row {
        name: "another_chain",
        does: "a hello of another chain",
        ends: closed!(WrongGenesis),
        attack: |stage| Box::pin(says_hello(stage, |hello| hello.genesis = Hash::ZERO)),
        ..ROW
    },
    Row {
        name: "our_own_nonce",
        does: "a hello with the node's own nonce",
        ends: closed!(SelfConnection),
        attack: |stage| {
            // The nonce of the first attacker differs from the node's in the lowest bit.
            Box::pin(says_hello(stage, |hello| hello.nonce ^= 1))
        },
        ..ROW
    },
    Row {
        name: "long_agent",
        does: "a hello with an agent that is too long",
        ends: Ends::TooLong,
        attack: |stage| {
            Box::pin(says_hello(stage, |hello| hello.agent = "a".repeat(limits::MAX_AGENT_BYTES + 1)))
        },
        ..ROW
    },
    Row {
        name: "second_hello",
        does: "a second hello",
        ends: closed!(SecondHello),
        attack: attack!(says_hello_twice),
        ..ROW
    },
    Row {
        name: "ping_before_hello",
        does: "a message before the hello",
        ends: closed!(ExpectedHello),
        attack: |stage| Box::pin(opens_with(stage, |_| Message::Ping(1))),
        ..ROW
    },
    Row {
        name: "block_before_hello",
        does: "a good block before the hello",
        ends: closed!(ExpectedHello),
        attack: |stage| {
            Box::pin(opens_with(stage, |stage| {
                new_block(&chain::next(&stage.node.chain(), &["too soon"]).into())
            }))
        },
        ..ROW
    },
    Row {
        name: "goodbye_full_of_tricks",
        does: "a goodbye of control characters, as long as a frame of its kind allows",
        ends: Ends::Closed("Bye", |reason| match reason {
            hashloom::protocol::CloseReason::Bye { reason } => {
                reason.len() <= limits::MAX_REASON_BYTES && !reason.contains(char::is_control)
            }
            _ => false,
        }),
        attack: |stage| Box::pin(opens_with(stage, |_| Message::Bye { reason: "\u{1b}[2J\n".repeat(100) })),
        ..ROW
    },
    Row {
        name: "silence_before_hello",
        does: "a peer that never says hello",
        ends: closed!(HandshakeTimeout),
        after: limits::HANDSHAKE_TIMEOUT,
        attack: attack!(connects),
        ..ROW
    },
    Row {
        name: "silence_after_hello",
        does: "a peer that says nothing after its hello, not even a pong",
        ends: Ends::Unanswered("ping"),
        after: Duration::from_secs(limits::PING_INTERVAL.as_secs() + limits::REQUEST_TIMEOUT.as_secs()),
        attack: |stage| Box::pin(says_hello(stage, |_| {})),
        ..ROW
    },
    Row {
        name: "absurd_tip",
        does: "a hello with all the work there is, the height 2^64 - 1, and no header to show for it",
        ends: Ends::Unanswered("get_headers"),
        after: limits::REQUEST_TIMEOUT,
        attack: |stage| Box::pin(says_hello(stage, |hello| hello.tip = absurd(U256::MAX))),
        ..ROW
    },
    Row {
        name: "absurd_height_without_work",
        does: "a hello with the height 2^64 - 1, no work, and no bodies",
        ends: Ends::Harmless,
        attack: |stage| {
            Box::pin(says_hello(stage, |hello| {
                hello.tip = absurd(U256::ZERO);
                hello.keeps_bodies = Some(0);
            }))
        },
        ..ROW
    },
];

fn absurd(work: U256) -> Tip {
    Tip { hash: Hash::digest(b"absurd"), height: u64::MAX, work: Work::from_uint(work) }
}

async fn connects(stage: &mut Stage) {
    stage.caller = Some(Caller::connect(stage).await);
}

async fn says_hello(stage: &mut Stage, change: impl FnOnce(&mut Hello)) {
    let mut caller = Caller::connect(stage).await;
    change(&mut caller.hello);
    caller.introduce().await;
    stage.settle().await;
    stage.caller = Some(caller);
}

async fn says_hello_twice(stage: &mut Stage) {
    let mut caller = Caller::introduced(stage).await;
    caller.introduce().await;
    stage.caller = Some(caller);
}

async fn opens_with(stage: &mut Stage, message: impl FnOnce(&Stage) -> Message<chain::Entry>) {
    let mut caller = Caller::connect(stage).await;
    caller.say(message(stage)).await;
    stage.caller = Some(caller);
}
