//! Blocks and transactions reach all nodes.

use super::over_every_transport;
use crate::kit::{Network, assert_agree, within};

over_every_transport!(
    a_block_from_anybody_reaches_all,
    a_late_joiner_catches_up,
    a_transaction_is_mined_by_another,
    transactions_reach_a_late_joiner,
    all_mine_at_once,
);

async fn a_block_from_anybody_reaches_all(mut network: Network) {
    let hub = network.start(&[]).await;
    let left = network.start(&[&hub]).await;
    let right = network.start(&[&hub]).await;
    hub.has_peers(2).await;
    for (height, miner) in [&left, &hub, &right, &left].into_iter().enumerate() {
        let block = miner.mine_one(&format!("block {}", height + 1)).await;
        assert_eq!(block.height(), height as u64 + 1);
        assert_agree(&[&hub, &left, &right], &block).await;
    }
    assert_eq!(hub.contents(), [["block 1"], ["block 2"], ["block 3"], ["block 4"]]);
}

/// More blocks than may be in flight at a time and than fit into the download window.
async fn a_late_joiner_catches_up(mut network: Network) {
    const BLOCKS: u64 = 1_200;
    let hub = network.start(&[]).await;
    for height in 1..=BLOCKS {
        hub.mine_one(&height.to_string()).await;
    }
    let direct = network.start(&[&hub]).await;
    assert_agree(&[&hub, &direct], &hub.tip()).await;
    let expected: Vec<_> = (1..=BLOCKS).map(|height| vec![height.to_string()]).collect();
    assert_eq!(direct.contents(), expected);

    // The node that has caught up also follows new blocks.
    let block = direct.mine_one("and on").await;
    assert_agree(&[&hub, &direct], &block).await;
}

async fn a_transaction_is_mined_by_another(mut network: Network) {
    let hub = network.start(&[]).await;
    let left = network.start(&[&hub]).await;
    let right = network.start(&[&hub]).await;
    hub.has_peers(2).await;
    let mut events = right.subscribe();
    let id = within(left.submit("hello".to_owned())).await.unwrap();
    loop {
        if let hashloom::Event::TransactionAccepted { id: accepted } = within(events.recv()).await.unwrap() {
            assert_eq!(accepted, id);
            break;
        }
    }
    assert_eq!(right.pending(9), [(id, "hello".to_owned())]);
    let block = within(right.mine_pending()).await.unwrap();
    assert_eq!(block.data(), ["hello"]);
    assert_agree(&[&hub, &left, &right], &block).await;
    for member in [&hub, &left, &right] {
        assert_eq!(member.pending(9), []);
    }
}

async fn transactions_reach_a_late_joiner(mut network: Network) {
    let hub = network.start(&[]).await;
    let mut expected = Vec::new();
    for text in ["one", "two", "three"] {
        expected.push((within(hub.submit(text.to_owned())).await.unwrap(), text.to_owned()));
    }
    let late = network.start(&[]).await;
    let mut events = late.subscribe();
    within(late.connect(hub.address())).await.unwrap();
    let mut accepted = 0;
    while accepted < expected.len() {
        let event = within(events.recv()).await.unwrap();
        accepted += usize::from(matches!(event, hashloom::Event::TransactionAccepted { .. }));
    }
    assert_eq!(late.pending(9), expected);
}

/// Forks occur all the time, and one chain remains at the end.
async fn all_mine_at_once(mut network: Network) {
    let hub = network.start(&[]).await;
    let left = network.start(&[&hub]).await;
    let right = network.start(&[&hub]).await;
    hub.has_peers(2).await;
    let mine = async |name: &str, member: &crate::kit::Member| {
        for number in 0..20 {
            member.mine_one(&format!("{name} {number}")).await;
        }
    };
    tokio::join!(mine("hub", &hub), mine("left", &left), mine("right", &right));
    // The node with the best chain resolves a remaining tie.
    let best = [&hub, &left, &right].into_iter().max_by_key(|member| member.chain().work()).unwrap();
    let last = best.mine_one("last").await;
    assert_agree(&[&hub, &left, &right], &last).await;
}
