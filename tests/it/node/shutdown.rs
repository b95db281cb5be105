//! The shutdown of a node: nothing hangs, and no task or port is left.

use async_trait::async_trait;
use hashloom::node::{EventError, Events};
use hashloom::protocol::{Hello, Reach, Tip, limits};
use hashloom::transport::{Connection, Listener, Memory, Outgoing, Receiver, Sender, TransportError};
use hashloom::{Event, Message, MineError, Node, PeerAddr, ProtocolConfig, StartError, Transport};
use tokio::runtime::Handle;

use crate::kit::{Network, Wire, easy_spec, hopeless_spec, until, within};

#[tokio::test]
async fn whoever_waits_is_told() {
    let node = Node::<String>::builder(hopeless_spec()).start().await.unwrap();
    let mut events = node.subscribe();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let node = node.clone();
        waiting.spawn(async move { matches!(node.mine(Vec::new()).await, Err(MineError::Stopped(_))) });
    }
    let waits = node.clone();
    waiting.spawn(async move { waits.wait_for(|chain| chain.height() > 0).await.is_err() });
    let waits = node.clone();
    waiting.spawn(async move { waits.wait_for_peers(1).await.is_err() });
    until(|| node.status().mining.is_some()).await;
    within(node.shutdown()).await;
    assert!(within(waiting.join_all()).await.into_iter().all(|stopped| stopped));
    assert!(is_end_of_search(&mut events).await);
    assert_eq!(within(node.subscribe().recv()).await.err(), Some(EventError::Stopped));
    assert_eq!(node.status().mining, None);

    // Data in memory can still be read, and a second shutdown succeeds.
    assert_eq!(node.status().height, 0);
    within(node.shutdown()).await;
    assert!(node.wait_for(|chain| chain.height() == 0).await.is_ok());
    assert!(node.wait_for_peers(1).await.is_err());
    assert!(matches!(node.mine(Vec::new()).await, Err(MineError::Stopped(_))));
    assert!(node.submit("late".to_owned()).await.is_err());
}

/// Whether the events are those of searches, the last of which ended without a block, and then the end of the node.
async fn is_end_of_search(events: &mut Events) -> bool {
    let mut is_searching = true;
    loop {
        match within(events.recv()).await {
            Ok(Event::MiningStarted(_)) => is_searching = true,
            Ok(Event::MiningEnded { found: None, .. }) => is_searching = false,
            Err(EventError::Stopped) => return !is_searching,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn dropping_the_last_handle_stops_the_node() {
    let network = Memory::new();
    let address: PeerAddr = "memory://node".parse().unwrap();
    let start = async || {
        let builder = Node::<String>::builder(hopeless_spec()).transport(network.clone());
        builder.listen(address.clone()).mine_continuously(true).start().await
    };
    let node = start().await.unwrap();
    let mut events = node.subscribe();
    let other = node.clone();
    drop(node);
    // One handle is left.
    assert_eq!(other.status().height, 0);
    assert!(matches!(start().await.unwrap_err(), StartError::Transport(TransportError::AddressInUse { .. })));
    drop(other);
    assert!(is_end_of_search(&mut events).await);
    start().await.unwrap();
}

async fn the_port_is_free_at_once(wire: Wire) {
    let mut network = Network::new(wire);
    let mut node = network.start(&[]).await;
    let address = node.address();
    let _peer = network.start(&[&node]).await;
    node.has_peers(1).await;
    for _ in 0..5 {
        // Several concurrent shutdowns all complete.
        let mut asking: Vec<_> = (0..3).map(|_| tokio::spawn(shut_down(node.handle.clone()))).collect();
        within(asking.swap_remove(1)).await.unwrap();
        node = network.start_at(address.clone(), Vec::new()).await;
        node.mine_one("here again").await;
    }
}

async fn shut_down(node: hashloom::NodeHandle) {
    node.shutdown().await;
}

#[tokio::test]
async fn an_address_in_memory_is_free_at_once() {
    the_port_is_free_at_once(Wire::Memory).await;
}

#[cfg(feature = "ws-json")]
#[tokio::test]
async fn a_port_is_free_at_once() {
    the_port_is_free_at_once(Wire::Json).await;
}

#[tokio::test]
async fn no_task_is_left() {
    let before = Handle::current().metrics().num_alive_tasks();
    let mut network = Network::new(Wire::Memory);
    let hub = network.start(&[]).await;
    let leaf = network.start(&[&hub]).await;
    hub.has_peers(1).await;
    leaf.connect("memory://nobody".parse().unwrap()).await.unwrap();
    leaf.mine_one("a").await;
    for node in [hub, leaf] {
        within(node.shutdown()).await;
    }
    until(|| Handle::current().metrics().num_alive_tasks() == before).await;
}

/// A transport whose connections accept no data, as if the other end did not read.
#[derive(Debug)]
struct Stuck(Memory);

#[derive(Debug)]
struct StuckListener(Box<dyn Listener>);

#[derive(Debug)]
struct StuckConnection(Box<dyn Connection>);

#[derive(Debug)]
struct StuckSender {
    /// Dropped with this value, so that a test sees that nothing of the connection is left.
    _inner: Box<dyn Sender>,
}

#[async_trait]
impl Transport for Stuck {
    fn check_address(&self, address: &PeerAddr) -> Result<(), TransportError> {
        Transport::<String>::check_address(&self.0, address)
    }

    async fn listen(&self, address: &PeerAddr) -> Result<Box<dyn Listener>, TransportError> {
        Ok(Box::new(StuckListener(self.0.listen(address).await?)))
    }

    async fn dial(&self, address: &PeerAddr, reach: Reach) -> Result<Box<dyn Connection>, TransportError> {
        self.0.dial(address, reach).await
    }
}

#[async_trait]
impl Listener for StuckListener {
    fn local_addr(&self) -> &PeerAddr {
        self.0.local_addr()
    }

    async fn accept(&mut self) -> Result<Box<dyn Connection>, TransportError> {
        Ok(Box::new(StuckConnection(self.0.accept().await?)))
    }
}

impl Connection for StuckConnection {
    fn remote_addr(&self) -> &PeerAddr {
        self.0.remote_addr()
    }

    fn split(self: Box<Self>) -> (Box<dyn Sender>, Box<dyn Receiver>) {
        let (sender, receiver) = self.0.split();
        (Box::new(StuckSender { _inner: sender }), receiver)
    }
}

#[async_trait]
impl Sender for StuckSender {
    async fn feed(&mut self, _: &Outgoing) -> Result<(), TransportError> {
        core::future::pending().await
    }

    async fn flush(&mut self) -> Result<(), TransportError> {
        core::future::pending().await
    }

    async fn close(&mut self) {
        core::future::pending::<()>().await;
    }
}

/// tokio's clock is paused and advances when all tasks are idle.
#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_delays_the_end_for_three_seconds_and_keeps_nothing() {
    let before = Handle::current().metrics().num_alive_tasks();
    let memory = Memory::new();
    let builder = Node::<String>::builder(easy_spec("a")).transport(Stuck(memory.clone()));
    let node = builder.listen("memory://stuck".parse().unwrap()).start().await.unwrap();
    let mut events = node.subscribe();
    let connection = memory.dial(node.listen_addr().unwrap(), Reach::ANY).await.unwrap();
    let (mut sender, mut receiver) = connection.split();
    sender.send(&Outgoing::new(Message::Ping(1))).await.unwrap();
    let (_, reason) = crate::kit::disconnected(&mut events).await;
    assert_eq!(reason.to_string(), "expected hello first, got ping");
    let started = tokio::time::Instant::now();
    node.shutdown().await;
    assert!(started.elapsed() <= std::time::Duration::from_millis(3_100), "{:?}", started.elapsed());
    until(|| Handle::current().metrics().num_alive_tasks() == before).await;
    assert!(matches!(receiver.recv().await, Err(TransportError::Vanished)));
}

/// The number of refused connections that linger because they are not read is limited.
#[tokio::test(start_paused = true)]
async fn refused_connections_that_linger_are_bounded() {
    let memory = Memory::new();
    let protocol = ProtocolConfig::default().with_max_inbound(1);
    let builder = Node::<String>::builder(easy_spec("a")).transport(Stuck(memory.clone())).protocol(protocol);
    let node = builder.listen("memory://stuck".parse().unwrap()).start().await.unwrap();
    let mut events = node.subscribe();
    let address = node.listen_addr().unwrap();
    let mut open = Vec::new();
    let mut ended = 0;
    for _ in 0..100 {
        let (sender, receiver) = memory.dial(address, Reach::ANY).await.unwrap().split();
        open.push((sender, Handle::current().spawn(receive_all(receiver))));
        tokio::task::yield_now().await;
        while let Some(event) = events.try_recv().unwrap() {
            ended += usize::from(matches!(event, Event::PeerDisconnected { .. }));
        }
        let gone = open.iter().filter(|(_, receiving)| receiving.is_finished()).count();
        assert!(ended - gone <= 17, "{} connections linger", ended - gone);
    }
    assert!(ended > 17);
}

async fn receive_all(mut receiver: Box<dyn Receiver>) {
    while let Ok(Some(_)) = receiver.recv().await {}
}

/// The send queue of a peer is limited in bytes of memory.
#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_its_answers_is_closed() {
    let memory = Memory::new();
    let builder = Node::<String>::builder(easy_spec("a")).transport(Stuck(memory.clone()));
    let node = builder.listen("memory://stuck".parse().unwrap()).start().await.unwrap();
    let mut events = node.subscribe();
    let connection = memory.dial(node.listen_addr().unwrap(), Reach::ANY).await.unwrap();
    let (mut sender, mut receiver) = connection.split();
    let status = node.status();
    let hello = Hello {
        protocol: limits::PROTOCOL_VERSION,
        genesis: status.genesis,
        nonce: 1,
        tip: Tip { hash: status.tip, height: status.height, work: status.work },
        agent: "never reads".to_owned(),
        listen: None,
        wants_new_blocks: true,
        keeps_bodies: None,
    };
    sender.send(&Outgoing::new(Message::Hello(hello))).await.unwrap();
    let ping = Outgoing::new(Message::Ping(1));
    while sender.send(&ping).await.is_ok() {}
    let (_, reason) = crate::kit::disconnected(&mut events).await;
    assert_eq!(
        reason.to_string(),
        "peer reads too slowly: messages of 2097152 bytes of memory are waiting for it"
    );
    // The connection ends at once, and does not wait for the peer to read.
    assert!(matches!(receiver.recv().await, Err(TransportError::Vanished)));
    assert_eq!(node.status().peers, 0);
}
