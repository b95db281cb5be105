//! Nodes that start and stop in any order.

use super::over_every_transport;
use crate::kit::{Network, assert_agree, easy_spec, within};
use hashloom::Event;

over_every_transport!(
    a_node_that_is_not_up_yet_is_found,
    two_that_dial_each_other_keep_one_connection,
    a_restarted_node_is_found_again,
    a_node_that_leaves_says_so,
);

async fn a_node_that_is_not_up_yet_is_found(mut network: Network) {
    // The address of a node that has just ended, so that it is free.
    let gone = network.start(&[]).await;
    let address = gone.address();
    within(gone.shutdown()).await;

    let mut network = network.again();
    let free = network.free_address();
    let hub_transport_first = network.transport();
    let early = network.start_at(free, vec![]).await;
    let mut events = early.subscribe();
    within(early.connect(address.clone())).await.unwrap();
    let block = early.mine_one("alone so far").await;
    loop {
        if let Event::DialFailed { address: failed, .. } = within(events.recv()).await.unwrap() {
            assert_eq!(failed, address);
            break;
        }
    }
    assert_eq!(early.status().unconnected, std::slice::from_ref(&address));

    let builder = hashloom::Node::builder(easy_spec("cluster")).shared_transport(hub_transport_first);
    let late = within(builder.listen(address).start()).await.unwrap();
    within(late.wait_for(|chain| chain.tip().hash() == block.hash())).await.unwrap();
    assert_eq!(late.blocks(..).unwrap(), early.blocks(..).unwrap());
    assert!(early.status().unconnected.is_empty());
}

async fn two_that_dial_each_other_keep_one_connection(mut network: Network) {
    let hub = network.start(&[]).await;
    let other = network.start(&[]).await;
    let (mut hub_events, mut other_events) = (hub.subscribe(), other.subscribe());
    let (one, two) = tokio::join!(hub.connect(other.address()), other.connect(hub.address()));
    one.unwrap();
    two.unwrap();
    // Each end sees two connections, and the end of one of them unless it was never established.
    for events in [&mut hub_events, &mut other_events] {
        let _ = crate::kit::disconnected(events).await;
    }
    let settled = |node: &hashloom::NodeHandle| {
        let status = node.status();
        status.peers == 1 && status.unconnected.is_empty()
    };
    crate::kit::until(|| settled(&hub) && settled(&other)).await;
    for miner in [&hub, &other, &hub] {
        let block = miner.mine_one("flows").await;
        assert_agree(&[&hub, &other], &block).await;
    }
}

async fn a_restarted_node_is_found_again(mut network: Network) {
    let hub = network.start(&[]).await;
    let leaf = network.start(&[&hub]).await;
    hub.has_peers(1).await;
    leaf.mine_one("before").await;
    hub.at_height(1).await;

    let address = hub.address();
    within(hub.shutdown()).await;
    let meanwhile = leaf.mine_one("meanwhile").await;

    let mut network = network.again();
    let hub = network.start_at(address, Vec::new()).await;
    assert_eq!(hub.status().height, 0);
    assert_agree(&[&hub, &leaf], &meanwhile).await;
    let after = hub.mine_one("after").await;
    assert_agree(&[&hub, &leaf], &after).await;
}

async fn a_node_that_leaves_says_so(mut network: Network) {
    let hub = network.start(&[]).await;
    let leaf = network.start(&[&hub]).await;
    hub.has_peers(1).await;
    let mut events = hub.subscribe();
    within(leaf.shutdown()).await;
    let (_, reason) = crate::kit::disconnected(&mut events).await;
    assert_eq!(reason.to_string(), "peer closed the connection: node is shutting down");
    assert_eq!(hub.status().peers, 0);
}
