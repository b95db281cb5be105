//! Peers that are no peers: refused by name, on both sides, while the node goes on.

use std::sync::Arc;

use hashloom::transport::{Connection, Outgoing, Receiver, Sender};
use hashloom::{Block, BlockError, CloseReason, CompactTarget, Hash, Header, Hello, Message, Target, limits};

use super::over_every_transport;
use crate::kit::{Member, Network, disconnected, easy_spec, within};

over_every_transport!(
    another_chain_is_refused_by_name,
    a_node_that_dials_itself_stops_doing_so,
    another_version_is_refused,
    something_before_the_hello_is_refused,
    a_second_hello_is_refused,
    a_block_without_proof_of_work_is_refused,
    a_block_with_other_transactions_is_refused,
    a_block_a_million_high_is_refused,
    a_header_that_claims_a_difficulty_is_refused,
    blocks_that_nobody_asked_for_are_refused,
    too_many_hashes_are_refused,
);

async fn another_chain_is_refused_by_name(mut network: Network) {
    let hub = network.start(&[]).await;
    let mut hub_events = hub.subscribe();
    let address = network.free_address();
    let stranger = network.start_with(easy_spec("other"), address, |builder| builder).await;
    let mut events = stranger.subscribe();
    within(stranger.connect(hub.address())).await.unwrap();

    let (ours, theirs) = (hub.status().genesis, stranger.status().genesis);
    let expected = [
        format!("wrong chain: the peer's genesis is {theirs}, expected {ours}"),
        format!("wrong chain: the peer's genesis is {ours}, expected {theirs}"),
    ];
    let (_, at_hub) = disconnected(&mut hub_events).await;
    let (_, at_stranger) = disconnected(&mut events).await;
    // Each looks at the other's hello by itself, or hears first what the other made of its own.
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

async fn another_version_is_refused(mut network: Network) {
    let hello = |hello: Hello| Hello { protocol: 77, ..hello };
    let reason = refused(&mut network, hello, |_| Vec::new()).await;
    assert!(matches!(reason, CloseReason::WrongProtocol { got: 77, expected: 1 }), "{reason}");
}

async fn something_before_the_hello_is_refused(mut network: Network) {
    let hub = network.start(&[]).await;
    let mut rogue = Rogue::connect(&mut network, &hub).await;
    rogue.send(Message::Ping(1)).await;
    let reason = rogue.read_to_end(&hub).await;
    assert!(matches!(reason, CloseReason::ExpectedHello { got: "ping" }), "{reason}");
}

async fn a_second_hello_is_refused(mut network: Network) {
    let reason =
        refused(&mut network, |hello| hello, |rogue| vec![Message::Hello(rogue.hello.clone())]).await;
    assert!(matches!(reason, CloseReason::SecondHello), "{reason}");
}

async fn a_block_without_proof_of_work_is_refused(mut network: Network) {
    let reason = refused(
        &mut network,
        |hello| hello,
        |rogue| {
            let (mut header, data) = rogue.block.clone().into_parts();
            while target(&header).is_met_by(&header.hash()) {
                header.nonce += 1;
            }
            vec![Message::NewBlock(Arc::new(Block::new(header, data)))]
        },
    )
    .await;
    assert!(
        matches!(reason, CloseReason::InvalidBlock { error: BlockError::ProofOfWork { .. }, .. }),
        "{reason}"
    );
}

async fn a_block_with_other_transactions_is_refused(mut network: Network) {
    let reason = refused(
        &mut network,
        |hello| hello,
        |rogue| {
            let (header, _) = rogue.block.clone().into_parts();
            vec![Message::NewBlock(Arc::new(Block::new(header, vec!["tampered".to_owned()])))]
        },
    )
    .await;
    assert!(
        matches!(reason, CloseReason::InvalidBlock { error: BlockError::MerkleRoot { .. }, .. }),
        "{reason}"
    );
}

async fn a_block_a_million_high_is_refused(mut network: Network) {
    let reason = refused(
        &mut network,
        |hello| hello,
        |rogue| {
            let (header, data) = rogue.block.clone().into_parts();
            let header = prove(Header { height: 1_000_000, ..header });
            vec![Message::NewBlock(Arc::new(Block::new(header, data)))]
        },
    )
    .await;
    let CloseReason::InvalidBlock { error: BlockError::Height { got, expected }, .. } = reason else {
        panic!("{reason}");
    };
    assert_eq!((got, expected), (1_000_000, 1));
}

async fn a_header_that_claims_a_difficulty_is_refused(mut network: Network) {
    let reason = refused(
        &mut network,
        |hello| hello,
        |rogue| {
            let (header, _) = rogue.block.clone().into_parts();
            vec![Message::Announce(Header { target: CompactTarget::from_bits(0x0300_0001), ..header })]
        },
    )
    .await;
    assert!(
        matches!(
            reason,
            CloseReason::InvalidBlock {
                error: BlockError::Target { .. } | BlockError::ProofOfWork { .. },
                ..
            }
        ),
        "{reason}"
    );
}

async fn blocks_that_nobody_asked_for_are_refused(mut network: Network) {
    let reason = refused(
        &mut network,
        |hello| hello,
        |rogue| vec![Message::Blocks(vec![Arc::new(rogue.block.clone())])],
    )
    .await;
    assert!(matches!(reason, CloseReason::Unsolicited { kind: "blocks" }), "{reason}");
}

/// In memory by the protocol, on a wire by the parser.
async fn too_many_hashes_are_refused(mut network: Network) {
    let reason = refused(
        &mut network,
        |hello| hello,
        |_| {
            let locator = vec![Hash::ZERO; limits::MAX_LOCATOR_HASHES + 1];
            vec![Message::GetHeaders { locator, limit: 1 }]
        },
    )
    .await;
    assert!(
        matches!(reason, CloseReason::TooManyItems { got: 102, limit: 101, .. } | CloseReason::Malformed(_)),
        "{reason}"
    );
}

/// Lets a rogue say its hello and then these messages to a fresh node. Returns why the node closed it.
async fn refused(
    network: &mut Network,
    hello: impl FnOnce(Hello) -> Hello,
    messages: impl FnOnce(&Rogue) -> Vec<Message>,
) -> CloseReason {
    let hub = network.start(&[]).await;
    let mut rogue = Rogue::connect(network, &hub).await;
    rogue.hello = hello(rogue.hello);
    rogue.send(Message::Hello(rogue.hello.clone())).await;
    for message in messages(&rogue) {
        rogue.send(message).await;
    }
    rogue.read_to_end(&hub).await
}

/// A peer that a test speaks for.
struct Rogue {
    sender: Box<dyn Sender>,
    receiver: Box<dyn Receiver>,
    /// The node's own, with another nonce.
    hello: Hello,
    /// A good block on top of the node's chain, that the node does not have.
    block: Block,
    events: hashloom::Events,
}

impl Rogue {
    async fn connect(network: &mut Network, hub: &Member) -> Self {
        let events = hub.subscribe();
        let connection: Box<dyn Connection> = within(network.transport().dial(&hub.address())).await.unwrap();
        let (sender, mut receiver) = connection.split();
        let Some(Message::Hello(hello)) = within(receiver.recv()).await.unwrap() else {
            panic!("the node says hello first");
        };
        let hello = Hello { nonce: hello.nonce ^ 1, listen: None, ..hello };
        let now = hub.tip().header().timestamp;
        let template = hub.chain().template_for(hashloom::Address::ZERO, vec!["good".to_owned()], now);
        let block = template.unwrap().mine().unwrap();
        Self { sender, receiver, hello, block, events }
    }

    async fn send(&mut self, message: Message) {
        within(self.sender.send(&Outgoing::new(message))).await.unwrap();
    }

    /// The node tells this peer why it closes the connection, and its own application the same, and goes on.
    async fn read_to_end(mut self, hub: &Member) -> CloseReason {
        let mut told = None;
        while let Some(message) = within(self.receiver.recv()).await.unwrap() {
            assert_eq!(told, None, "nothing follows a goodbye");
            if let Message::Bye { reason } = message {
                told = Some(reason);
            }
        }
        let (_, reason) = disconnected(&mut self.events).await;
        assert_eq!(told, Some(reason.to_string()));
        assert_eq!(hub.status().peers, 0);
        assert_eq!(hub.status().height, 0);
        let block = hub.mine_one("goes on").await;
        assert_eq!(block.height(), 1);
        reason
    }
}

fn target(header: &Header) -> Target {
    Target::try_from(header.target).unwrap()
}

/// Finds a nonce.
fn prove(mut header: Header) -> Header {
    header.nonce = 0;
    while !target(&header).is_met_by(&header.hash()) {
        header.nonce += 1;
    }
    header
}
