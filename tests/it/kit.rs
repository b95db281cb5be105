//! Helpers of the other tests: starts, connects and compares nodes in one process, over each transport.

use core::ops::Deref;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hashloom::node::Events;
use hashloom::protocol::{CloseReason, PeerId};
use hashloom::testing::Switch;
use hashloom::transport::Memory;
use hashloom::{
    Block, ChainSpec, CompactTarget, Event, Hash, Node, NodeBuilder, NodeHandle, PeerAddr, Retarget,
    Transport,
};

/// Far more time than any step takes. Ends a test that would hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for a future, and fails after [`PATIENCE`].
#[track_caller]
pub(crate) fn within<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = core::panic::Location::caller();
    async move {
        let output = tokio::time::timeout(PATIENCE, future).await;
        output.unwrap_or_else(|_| panic!("it takes too long, at {caller}"))
    }
}

/// Polls a condition until it holds, for changes that have no event.
#[track_caller]
pub(crate) fn until(condition: impl Fn() -> bool) -> impl Future<Output = ()> {
    within(async move {
        let mut looks = tokio::time::interval(Duration::from_millis(1));
        while !condition() {
            looks.tick().await;
        }
    })
}

/// A clock that stands still, and panics once `panics` is set, which ends the driver.
#[cfg(any(feature = "http", feature = "redb"))]
pub(crate) fn clock_that_panics(
    panics: &Arc<std::sync::atomic::AtomicBool>,
) -> impl Fn() -> hashloom::Timestamp + Send + Sync + use<> {
    let panics = Arc::clone(panics);
    move || {
        assert!(!panics.load(std::sync::atomic::Ordering::Relaxed), "no clock");
        hashloom::Timestamp::from_millis(1_900_000_000_000)
    }
}

/// A chain on which every second hash is a block.
pub(crate) fn easy_spec(name: &str) -> ChainSpec {
    ChainSpec::builder(name)
        .easiest_target(CompactTarget::from_bits(0x207f_ffff))
        .retarget(Retarget::Fixed)
        .build()
        .unwrap()
}

/// A chain whose target no hash will ever meet.
pub(crate) fn hopeless_spec() -> ChainSpec {
    ChainSpec::builder("hopeless")
        .easiest_target(CompactTarget::from_bits(0x0101_0000))
        .retarget(Retarget::Fixed)
        .build()
        .unwrap()
}

/// The transport between the nodes of a network.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wire {
    Memory,
    #[cfg(feature = "ws-json")]
    Json,
    #[cfg(feature = "ws-bincode")]
    Bincode,
    #[cfg(feature = "ws-postcard")]
    Postcard,
    /// The first node speaks both formats, the others one of them, alternately.
    #[cfg(all(feature = "ws-json", feature = "ws-bincode"))]
    Mixed,
}

/// A network in which nodes are started and connected.
#[derive(Debug)]
pub(crate) struct Network {
    wire: Wire,
    memory: Memory,
    started: usize,
}

/// A node that can be disconnected from the network.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) handle: NodeHandle,
    pub(crate) switch: Switch,
}

impl Network {
    pub(crate) fn new(wire: Wire) -> Self {
        Self { wire, memory: Memory::new(), started: 0 }
    }

    /// The network as it was before its first node started.
    pub(crate) fn again(self) -> Self {
        Self { started: 0, ..self }
    }

    /// An address at which a listener gets any free port.
    pub(crate) fn free_address(&self) -> PeerAddr {
        if matches!(self.wire, Wire::Memory) { "memory://" } else { "ws://127.0.0.1:0" }.parse().unwrap()
    }

    /// The transport of the next node. In a mixed network only the first node reaches all others.
    pub(crate) fn transport(&mut self) -> Arc<dyn Transport> {
        self.started += 1;
        match self.wire {
            Wire::Memory => Arc::new(self.memory.clone()),
            #[cfg(feature = "ws-json")]
            Wire::Json => Arc::new(hashloom::WsJson::default()),
            #[cfg(feature = "ws-bincode")]
            Wire::Bincode => Arc::new(hashloom::WsBincode::default()),
            #[cfg(feature = "ws-postcard")]
            Wire::Postcard => Arc::new(hashloom::WsPostcard::default()),
            #[cfg(all(feature = "ws-json", feature = "ws-bincode"))]
            Wire::Mixed => match self.started {
                1 => {
                    use hashloom::wire::{Bincode, Json};
                    Arc::new(hashloom::transport::WsMulti::new(Bincode).and(Json))
                }
                even if even % 2 == 0 => Arc::new(hashloom::WsJson::default()),
                _ => Arc::new(hashloom::WsBincode::default()),
            },
        }
    }

    /// Starts a node that keeps a connection to each of these nodes.
    pub(crate) async fn start(&mut self, peers: &[&Member]) -> Member {
        let peers = peers.iter().map(|peer| peer.address()).collect::<Vec<_>>();
        let address = self.free_address();
        self.start_at(address, peers).await
    }

    /// Starts a node that listens at this address.
    pub(crate) async fn start_at(&mut self, address: PeerAddr, peers: Vec<PeerAddr>) -> Member {
        self.start_with(easy_spec("cluster"), address, |builder| builder.peers(peers)).await
    }

    /// Starts a node with another spec or configuration.
    pub(crate) async fn start_with(
        &mut self,
        spec: ChainSpec,
        address: PeerAddr,
        set_up: impl FnOnce(NodeBuilder) -> NodeBuilder,
    ) -> Member {
        let switch = Switch::over(self.transport());
        let builder = Node::builder(spec).transport(switch.clone()).listen(address);
        let handle = within(set_up(builder).start()).await.unwrap();
        Member { handle, switch }
    }
}

impl Member {
    pub(crate) fn address(&self) -> PeerAddr {
        self.listen_addr().unwrap().clone()
    }

    /// Mines a block with one transaction.
    pub(crate) async fn mine_one(&self, data: &str) -> Arc<Block> {
        within(self.handle.mine(vec![data.to_owned()])).await.unwrap()
    }

    pub(crate) async fn at_height(&self, height: u64) {
        within(self.wait_for(|chain| chain.height() >= height)).await.unwrap();
    }

    pub(crate) async fn has_peers(&self, count: usize) {
        within(self.wait_for_peers(count)).await.unwrap();
    }

    /// Waits until this block is the tip.
    pub(crate) async fn has_tip(&self, tip: Hash) {
        within(self.wait_for(|chain| *chain.tip().hash() == tip)).await.unwrap();
    }

    /// The transactions of every block after genesis.
    pub(crate) fn contents(&self) -> Vec<Vec<String>> {
        self.blocks(1..).unwrap().iter().map(|block| block.data().to_vec()).collect()
    }
}

impl Deref for Member {
    type Target = NodeHandle;

    fn deref(&self) -> &NodeHandle {
        &self.handle
    }
}

/// Waits until all chains have this tip, and compares every block.
pub(crate) async fn assert_agree(members: &[&Member], tip: &Block) {
    let mut all = Vec::new();
    for member in members {
        member.has_tip(*tip.hash()).await;
        all.push(member.blocks(..).unwrap());
    }
    for blocks in &all {
        assert_eq!(blocks.len() as u64, tip.height() + 1);
        assert_eq!(*blocks, all[0]);
    }
}

/// Waits until a connection ends.
pub(crate) async fn disconnected(events: &mut Events) -> (PeerId, CloseReason) {
    loop {
        if let Event::PeerDisconnected { peer, reason, .. } = within(events.recv()).await.unwrap() {
            return (peer, reason);
        }
    }
}
