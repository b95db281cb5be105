//! A message that is sent to many peers is encoded once.

use std::sync::{Arc, Mutex};

use hashloom::transport::WebSocket;
use hashloom::wire::{Frame, Json, WireError, WireFormat};
use hashloom::{Node, NodeHandle, WsJson};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::kit::{easy_spec, within};

/// JSON that records the frames that it encodes.
#[derive(Clone, Debug, Default)]
struct Noting(Arc<Mutex<Vec<Frame>>>);

impl WireFormat for Noting {
    const SUBPROTOCOL: &'static str = Json::SUBPROTOCOL;

    fn encode<M: Serialize>(&self, message: &M) -> Result<Frame, WireError> {
        let frame = Json.encode(message)?;
        self.0.lock().unwrap().push(frame.clone());
        Ok(frame)
    }

    fn decode<M: DeserializeOwned>(&self, frame: &Frame) -> Result<M, WireError> {
        Json.decode(frame)
    }
}

impl Noting {
    /// How many messages of this kind were encoded.
    fn count(&self, kind: &str) -> usize {
        let start = format!("{{\"{kind}\":");
        self.0.lock().unwrap().iter().filter(|frame| frame.as_bytes().starts_with(start.as_bytes())).count()
    }
}

const PEERS: usize = 5;

#[tokio::test]
async fn for_all_peers() {
    let format = Noting::default();
    let builder = Node::builder(easy_spec("encoded-once")).transport(WebSocket::new(format.clone()));
    let hub: NodeHandle = builder.listen("ws://127.0.0.1:0".parse().unwrap()).start().await.unwrap();
    let mut peers: Vec<NodeHandle> = Vec::new();
    for _ in 0..PEERS {
        let peer = Node::builder(easy_spec("encoded-once")).transport(WsJson::default());
        peers.push(peer.peers([hub.listen_addr().unwrap().clone()]).start().await.unwrap());
    }
    within(hub.wait_for_peers(PEERS)).await.unwrap();
    for peer in &peers {
        within(peer.wait_for_peers(1)).await.unwrap();
    }
    assert_eq!(format.count("hello"), PEERS, "a hello is of one connection");

    let block = hub.mine(vec!["from the hub".to_owned()]).await.unwrap();
    for peer in &peers {
        within(peer.wait_for(|chain| chain.tip().hash() == block.hash())).await.unwrap();
    }
    // Once before the block is mined, to check that it fits into a frame, and once for all peers.
    assert_eq!(format.count("new_block"), 2);

    let block = peers[0].mine(vec!["from a peer".to_owned()]).await.unwrap();
    for peer in &peers {
        within(peer.wait_for(|chain| chain.tip().hash() == block.hash())).await.unwrap();
    }
    assert_eq!(format.count("announce"), 1);
    // Once before the hub mined, to check that its block fits, and once for each peer that requested it.
    assert_eq!(format.count("blocks"), 1 + (PEERS - 1));
}
