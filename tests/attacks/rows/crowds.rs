//! More connections than there are slots.

use hashloom::protocol::{CloseReason, limits};

use crate::caller::Caller;
use crate::socket::tcp;
use crate::stage::Stage;
use crate::table::{BOOKS, Ends, Over, ROW, Row, attack, closed};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "one_host",
        does: "more connections than one host may have",
        over: Over::Sockets,
        ends: closed!(TooManyFromHost),
        memory: BOOKS,
        attack: attack!(calls_from_one_host),
        ..ROW
    },
    Row {
        name: "many_hosts",
        does: "more connections than there are places, each from a host of its own",
        over: Over::Memory,
        ends: closed!(Evicted),
        memory: BOOKS,
        attack: attack!(calls_from_many_hosts),
        ..ROW
    },
    Row {
        name: "hello_and_gone",
        does: "hundreds of connections that end without a word",
        ends: closed!(Lost),
        attack: attack!(comes_and_goes),
        ..ROW
    },
    Row {
        name: "tcp_and_gone",
        does: "hundreds of TCP connections that end without a byte",
        over: Over::Sockets,
        ends: Ends::Harmless,
        attack: attack!(comes_and_goes_without_a_byte),
        ..ROW
    },
];

/// The number of consecutive connections.
const VISITS: usize = 300;

async fn calls_from_one_host(stage: &mut Stage) {
    // The honest peer is from this host, too.
    for _ in 1..limits::MAX_INBOUND_PER_HOST {
        let caller = Caller::introduced(stage).await;
        stage.kept.push(Box::new(caller));
    }
    let told = Caller::refused(stage).await;
    assert_eq!(told, CloseReason::TooManyFromHost { limit: limits::MAX_INBOUND_PER_HOST }.to_string());
}

async fn calls_from_many_hosts(stage: &mut Stage) {
    for _ in 0..limits::MAX_INBOUND {
        let caller = Caller::introduced(stage).await;
        stage.kept.push(Box::new(caller));
    }
}

async fn comes_and_goes(stage: &mut Stage) {
    for _ in 1..VISITS {
        drop(Caller::connect(stage).await);
        let reason = stage.closed().await;
        assert!(matches!(reason, CloseReason::Lost(_)), "{reason:?}");
    }
    drop(Caller::connect(stage).await);
}

async fn comes_and_goes_without_a_byte(stage: &mut Stage) {
    for _ in 0..VISITS {
        drop(tcp(stage).await);
        stage.settle().await;
    }
}
