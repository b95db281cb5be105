//! Honest nodes that cannot be peers: both sides refuse with a specific reason, and both continue.
//! `tests/attacks` has the hostile ones.

use hashloom::protocol::CloseReason;

use super::over_every_transport;
use crate::kit::{Network, disconnected, easy_spec, within};

over_every_transport!(another_chain_is_refused_by_name, a_node_that_dials_itself_stops_doing_so);

async fn another_chain_is_refused_by_name(mut network: Network) {
    let hub = network.start(&[]).await;
    let mut hub_events = hub.subscribe();
    let address = network.free_address();
    let stranger = network.start_with(easy_spec("other"), address, |builder| builder).await;
    let mut events = stranger.subscribe();
    within(stranger.connect(hub.address())).await.unwrap();

    let (ours, theirs) = (hub.status().genesis, stranger.status().genesis);
    let expected = [
        format!(
            "wrong chain: the peer's genesis is {theirs}, expected {ours}; name, block interval or another rule differs"
        ),
        format!(
            "wrong chain: the peer's genesis is {ours}, expected {theirs}; name, block interval or another rule differs"
        ),
    ];
    let (_, at_hub) = disconnected(&mut hub_events).await;
    let (_, at_stranger) = disconnected(&mut events).await;
    // Each end either checks the other's hello itself, or receives the other's refusal first.
    let bye = |text: &str| format!("peer closed the connection: {text}");
    assert!([expected[0].clone(), bye(&expected[1])].contains(&at_hub.to_string()), "{at_hub}");
    assert!([expected[1].clone(), bye(&expected[0])].contains(&at_stranger.to_string()), "{at_stranger}");
    assert_eq!((hub.status().peers, stranger.status().peers), (0, 0));
    hub.mine_one("goes on").await;
    stranger.mine_one("goes on").await;
}

async fn a_node_that_dials_itself_stops_doing_so(mut network: Network) {
    let hub = network.start(&[]).await;
    let mut events = hub.subscribe();
    within(hub.connect(hub.address())).await.unwrap();
    let (_, reason) = disconnected(&mut events).await;
    let (_, other) = disconnected(&mut events).await;
    let known = |reason: &CloseReason| match reason {
        CloseReason::SelfConnection => true,
        CloseReason::Bye { reason } => reason == "connected to itself",
        _ => false,
    };
    assert!(known(&reason) && known(&other), "{reason} and {other}");
    crate::kit::until(|| hub.status().unconnected.is_empty()).await;
    hub.mine_one("goes on").await;
}
