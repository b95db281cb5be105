//! A network that splits and heals.

use super::over_every_transport;
use crate::kit::{Member, Network, assert_agree, within};

over_every_transport!(the_heavier_side_of_a_partition_wins, a_long_fork_heals);

async fn cut_off(member: &Member, rest: &[&Member]) {
    let mut events: Vec<_> = rest.iter().map(|member| member.subscribe()).collect();
    member.switch.cut();
    for events in &mut events {
        crate::kit::disconnected(events).await;
    }
}

async fn the_heavier_side_of_a_partition_wins(mut network: Network) {
    let hub = network.start(&[]).await;
    let alone = network.start(&[&hub]).await;
    let other = network.start(&[&hub]).await;
    hub.has_peers(2).await;
    let common = hub.mine_one("common").await;
    assert_agree(&[&hub, &alone, &other], &common).await;

    cut_off(&alone, &[&hub]).await;
    within(alone.submit("only the loser has it".to_owned())).await.unwrap();
    let lost = within(alone.mine_pending()).await.unwrap();
    let lost_too = alone.mine_one("nor this").await;
    assert_eq!(lost.data(), ["only the loser has it"]);
    hub.mine_one("won 1").await;
    other.at_height(2).await;
    other.mine_one("won 2").await;
    hub.at_height(3).await;
    let won = hub.mine_one("won 3").await;
    assert_agree(&[&hub, &other], &won).await;
    assert_eq!(alone.tip().hash(), lost_too.hash());

    let mut events = alone.subscribe();
    alone.switch.heal();
    assert_agree(&[&hub, &alone, &other], &won).await;
    let mut history = Vec::new();
    while let Some(event) = events.try_recv().unwrap() {
        match event {
            hashloom::Event::BlockConnected { block, .. } => history.push(('+', block.height())),
            hashloom::Event::BlockDisconnected(block) => history.push(('-', block.height())),
            _ => {}
        }
    }
    assert_eq!(history[..4], [('-', 3), ('-', 2), ('+', 2), ('+', 3)]);
    assert_eq!(history.last(), Some(&('+', 4)));

    // The disconnected transactions are pending again, and any node can mine them.
    let back: Vec<_> = alone.pending(9).into_iter().map(|(_, text)| text).collect();
    assert_eq!(back, ["only the loser has it", "nor this"]);
    let again = within(alone.mine_pending()).await.unwrap();
    assert_agree(&[&hub, &alone, &other], &again).await;
    assert_eq!(
        other.contents(),
        [
            vec!["common"],
            vec!["won 1"],
            vec!["won 2"],
            vec!["won 3"],
            vec!["only the loser has it", "nor this"]
        ]
    );
}

/// Both branches are longer than a download window.
async fn a_long_fork_heals(mut network: Network) {
    let hub = network.start(&[]).await;
    let alone = network.start(&[&hub]).await;
    hub.has_peers(1).await;
    cut_off(&alone, &[&hub]).await;
    for number in 0..300 {
        hub.mine_one(&format!("hub {number}")).await;
        alone.mine_one(&format!("alone {number}")).await;
    }
    let won = alone.mine_one("one more").await;
    alone.switch.heal();
    assert_agree(&[&hub, &alone], &won).await;
    let again = hub.pending(1_000).len();
    assert_eq!(again, 300);
}
