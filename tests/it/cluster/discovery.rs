//! Nodes that find each other through a common peer, and stay connected without it. Over WebSocket, because
//! there a node sees the host of an inbound peer.

use super::over_every_transport;
use crate::kit::{Member, Network, assert_agree, easy_spec, until, within};

#[cfg(feature = "ws-json")]
over_every_transport!(@ ws_json Json nodes_with_one_in_common_end_up_connected_to_each_other);
#[cfg(feature = "ws-bincode")]
over_every_transport!(@ ws_bincode Bincode nodes_with_one_in_common_end_up_connected_to_each_other);
#[cfg(feature = "ws-postcard")]
over_every_transport!(@ ws_postcard Postcard nodes_with_one_in_common_end_up_connected_to_each_other);

async fn start(network: &mut Network, knows: &[&Member]) -> Member {
    let peers: Vec<_> = knows.iter().map(|member| member.address()).collect();
    let address = network.free_address();
    network.start_with(easy_spec("cluster"), address, |builder| builder.peers(peers).discovery(true)).await
}

async fn nodes_with_one_in_common_end_up_connected_to_each_other(mut network: Network) {
    let hub = start(&mut network, &[]).await;
    let private = network.start(&[&hub]).await;
    private.has_peers(1).await;
    let mut leaves = Vec::new();
    for _ in 0..4 {
        leaves.push(start(&mut network, &[&hub]).await);
    }
    hub.has_peers(5).await;
    for leaf in &leaves {
        // The hub and the other leaves. If two leaves have dialled each other, one of them closes the
        // redundant connection.
        until(|| leaf.status().unconnected.is_empty() && leaf.status().peers == 4).await;
    }
    assert_eq!((private.status().peers, private.addresses().len()), (1, 0), "it has no discovery");
    for member in leaves.iter().chain([&hub]) {
        let known = member.addresses();
        assert!(known.iter().all(|known| known.address != private.address()), "{known:?}");
        assert!(known.len() >= 4, "{known:?}");
    }

    within(hub.shutdown()).await;
    let block = leaves[0].mine_one("without the hub").await;
    assert_agree(&leaves.iter().collect::<Vec<_>>(), &block).await;
}
