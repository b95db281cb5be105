//! The system clock is set forward or back while a node runs.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use hashloom::{Event, MineError, Node, NodeHandle, Timestamp};

use crate::kit::{easy_spec, within};

const HOUR: u64 = 3_600_000;
const NOON: u64 = 1_800_000_000_000;

/// A node whose last eleven blocks are an hour ahead of its clock.
async fn start() -> (NodeHandle, Arc<AtomicU64>) {
    let clock = Arc::new(AtomicU64::new(NOON + HOUR));
    let wall = Arc::clone(&clock);
    let builder = Node::builder(easy_spec("clock"));
    let node = builder
        .wall_clock(move || Timestamp::from_millis(wall.load(Ordering::Relaxed)))
        .start()
        .await
        .unwrap();
    for _ in 0..11 {
        within(node.mine(vec!["a".to_owned()])).await.unwrap();
    }
    clock.store(NOON, Ordering::Relaxed);
    (node, clock)
}

#[tokio::test]
async fn nothing_is_mined_by_a_clock_that_is_behind_the_chain() {
    let (node, clock) = start().await;
    let drift = node.chain().spec().max_future_drift();
    // Once the median has caught up with the clock, the timestamps of the blocks rise by a millisecond each.
    let behind = Duration::from_millis(HOUR)..Duration::from_millis(HOUR + 20);
    let error = within(node.mine(vec!["b".to_owned()])).await.unwrap_err();
    let MineError::ClockBehind { retry_in } = error else { panic!("{error}") };
    assert!(behind.contains(&(retry_in + drift)), "{retry_in:?}");
    let status = node.status().clock_behind.unwrap();
    assert_eq!((status.mining_in, status.behind, status.peers), (retry_in, retry_in + drift, 0));

    clock.store(NOON + HOUR, Ordering::Relaxed);
    let block = within(node.mine(vec!["b".to_owned()])).await.unwrap();
    assert_eq!((block.height(), node.status().clock_behind), (12, None));
}

#[tokio::test]
async fn continuous_mining_waits_says_so_once_and_goes_on_when_the_clock_is_set() {
    let (node, clock) = start().await;
    let mut events = node.subscribe();
    node.mine_continuously(true).await.unwrap();
    // Any input makes the driver check what to mine.
    for text in 0..50 {
        within(node.submit(text.to_string())).await.unwrap();
    }
    let status = node.status();
    assert_eq!((status.height, status.mining, status.mining_error), (11, None, None));
    assert!(status.clock_behind.is_some());

    clock.store(NOON + HOUR, Ordering::Relaxed);
    within(node.wait_for(|chain| chain.height() > 11)).await.unwrap();
    let (mut begun, mut ended) = (0, 0);
    loop {
        match within(events.recv()).await.unwrap() {
            Event::ClockBehind(_) => begun += 1,
            Event::ClockCaughtUp => ended += 1,
            Event::BlockConnected { .. } => break,
            _ => {}
        }
    }
    assert_eq!((begun, ended), (1, 1));
}
