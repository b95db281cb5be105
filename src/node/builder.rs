//! Putting a node together and starting it.

use core::num::NonZeroUsize;
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use tokio::sync::{Semaphore, broadcast, mpsc, watch};

use super::clock::{Clock, WallClock, system_time};
use super::driver::{Driver, Outside};
use super::handle::NodeHandle;
use super::mining::MiningConfig;
use super::{Events, Shared, blocking};
use crate::chain::{Blockchain, OpenError};
use crate::consensus::ChainSpec;
use crate::primitives::{Address, Timestamp, Transaction};
use crate::protocol::{ConnectError, Event, PeerAddr, Protocol, ProtocolConfig};
use crate::store::{Memory, Store, StoreError};
use crate::transport::{Transport, TransportError};

/// A node: a chain that is kept together with peers.
///
/// ```
/// use hashloom::{ChainSpec, Node};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = Node::<String>::builder(ChainSpec::default()).start().await?;
/// let block = node.mine(vec!["hello".to_owned()]).await?;
/// assert_eq!(node.tip().hash(), block.hash());
/// node.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Node<T = String>(core::marker::PhantomData<T>);

impl<T: Transaction> Node<T> {
    /// Starts from a chain's rules; everything else has a default.
    pub fn builder(spec: ChainSpec) -> NodeBuilder<T> {
        NodeBuilder {
            spec,
            store: None,
            protocol: ProtocolConfig::default(),
            discovery: None,
            transport: None,
            listen: None,
            peers: Vec::new(),
            mining: MiningConfig::default(),
            wall_clock: Arc::new(system_time),
            events: broadcast::Sender::new(MAX_EVENTS),
        }
    }
}

/// Sets up a node.
#[must_use]
pub struct NodeBuilder<T: Transaction = String> {
    spec: ChainSpec,
    store: Option<Box<dyn Store>>,
    protocol: ProtocolConfig,
    discovery: Option<bool>,
    transport: Option<Arc<dyn Transport<T>>>,
    listen: Option<PeerAddr>,
    peers: Vec<PeerAddr>,
    mining: MiningConfig,
    wall_clock: WallClock,
    events: broadcast::Sender<Event<T>>,
}

/// Inputs that wait for the driver. A peer whose message finds no room is read from no further until it does.
const MAX_INCOMING: usize = 64;

/// Calls of handles that wait for the driver.
const MAX_COMMANDS: usize = 64;

/// Events that wait for the slowest subscriber; it is told how many it missed.
const MAX_EVENTS: usize = 1_024;

impl<T: Transaction> NodeBuilder<T> {
    /// Sets where the chain is kept, with the transactions that wait to be mined, the addresses of peers, and bans.
    /// Default: in memory.
    ///
    /// The node's task waits for the store, on a runtime with one thread together with everything else there.
    pub fn store(self, store: impl Store) -> Self {
        self.boxed_store(Box::new(store))
    }

    /// Sets where the chain is kept, by a store that was chosen at run time.
    pub fn boxed_store(mut self, store: Box<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Sets how peers are reached. Default: not at all.
    pub fn transport(mut self, transport: impl Transport<T>) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Sets how peers are reached, by a transport that is shared or was chosen at run time.
    pub fn shared_transport(mut self, transport: Arc<dyn Transport<T>>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Accepts connections at this address. Default: nowhere.
    pub fn listen(mut self, address: PeerAddr) -> Self {
        self.listen = Some(address);
        self
    }

    /// Keeps a connection to each of these addresses. A peer that is not up yet is dialled until it is.
    pub fn peers(mut self, addresses: impl IntoIterator<Item = PeerAddr>) -> Self {
        self.peers.extend(addresses);
        self
    }

    /// Sets the bounds and the behaviour towards peers. Without an address to tell them of, peers are told
    /// the one that the node listens at.
    pub fn protocol(mut self, config: ProtocolConfig) -> Self {
        self.protocol = config;
        self
    }

    /// Sets whether the node finds peers beyond those that it was given, and helps others to find theirs: see
    /// [`ProtocolConfig::discovery`]. Default: as the configuration says, which is no.
    pub const fn discovery(mut self, discovery: bool) -> Self {
        self.discovery = Some(discovery);
        self
    }

    /// Sets who is named as the miner of this node's blocks. Default: nobody.
    pub const fn miner(mut self, address: Address) -> Self {
        self.mining.miner = address;
        self
    }

    /// Sets on how many threads a block is mined. Default: 1.
    pub const fn mining_threads(mut self, threads: NonZeroUsize) -> Self {
        self.mining.threads = threads;
        self
    }

    /// Mines without being asked, block after block, whether or not transactions are pending. Default: no.
    pub const fn mine_continuously(mut self, continuously: bool) -> Self {
        self.mining.continuously = continuously;
        self
    }

    /// Sets the clock that stamps and judges blocks. Default: the system's.
    pub fn wall_clock(mut self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.wall_clock = Arc::new(clock);
        self
    }

    /// What happens from the start on. [`NodeHandle::subscribe`] may come too late for what a node finds when it opens its
    /// store: an [`Event::TransactionsRemoved`] for transactions that were pending before a restart and are refused now.
    pub fn subscribe(&self) -> Events<T> {
        Events::new(self.events.subscribe())
    }

    /// Starts the node on the current tokio runtime. It runs until [`NodeHandle::shutdown`], or until the
    /// last handle is dropped.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing is left running then.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, and in one without I/O or time.
    pub async fn start(self) -> Result<NodeHandle<T>, StartError> {
        let clock = Clock::new(self.wall_clock);
        let (incoming, inputs) = mpsc::channel(MAX_INCOMING);
        for address in &self.peers {
            self.transport.as_ref().ok_or(StartError::NoTransport)?.check_address(address)?;
        }
        let listener = match (&self.listen, &self.transport) {
            (None, _) => None,
            (Some(_), None) => return Err(StartError::NoTransport),
            (Some(address), Some(transport)) => Some(transport.listen(address).await?),
        };
        let listen = listener.as_ref().map(|listener| listener.local_addr().clone());
        let max_inbound = self.protocol.max_inbound;
        let mut protocol = self.protocol;
        protocol.seed.get_or_insert_with(|| fastrand::u64(..));
        protocol.listen = protocol.listen.or_else(|| listen.clone());
        // Without a transport there is nobody to be found.
        protocol.discovery = self.discovery.unwrap_or(protocol.discovery) && self.transport.is_some();
        let store = self.store.unwrap_or_else(|| Box::new(Memory::new()));
        let waits_for_disk = !store.is_in_memory();
        let chain = Blockchain::open(self.spec, protocol.chain.clone(), store)?;
        let mut protocol = Protocol::with_chain(chain, protocol, clock.now().wall)?;
        for address in self.peers {
            match protocol.connect(address, clock.now()) {
                // A list that names a peer twice is no reason not to start.
                Ok(()) | Err(ConnectError::AlreadyAdded { .. }) => {}
                Err(error @ (ConnectError::TooMany { .. } | ConnectError::Banned { .. })) => {
                    return Err(error.into());
                }
            }
        }
        let remembered = protocol.remembered_peers()?;
        for address in remembered {
            let is_ours = |transport: &Arc<dyn Transport<T>>| transport.check_address(&address).is_ok();
            if self.transport.as_ref().is_some_and(is_ours) {
                // What is named now comes first; the others are worth a try as far as there is room.
                let _ = protocol.connect(address, clock.now());
            }
        }
        let events = self.events;
        let (changes, seen) = watch::channel(());
        let shared = Arc::new(Shared {
            protocol: RwLock::new(protocol),
            answering: Semaphore::new(1),
            clock,
            listen,
            mining: Mutex::default(),
            mining_error: Mutex::default(),
            events: events.downgrade(),
            changes: seen,
            ended: OnceLock::new(),
        });
        let (commands, calls) = mpsc::channel(MAX_COMMANDS);
        let handle = NodeHandle::new(Arc::clone(&shared), commands);
        let outside = Outside { events, changes: changes.clone() };
        let mut driver =
            Driver::new(Arc::clone(&shared), outside, waits_for_disk, self.transport, self.mining, incoming);
        if let Some(listener) = listener {
            driver.accept(listener, max_inbound);
        }
        let driver = tokio::spawn(driver.run(inputs, calls));
        let ending = Ending { shared, _changes: changes };
        tokio::spawn(async move {
            let ended = driver.await.unwrap_or_else(|error| Err(error.into()));
            if let Err(failure) = &ended {
                tracing::error!(%failure, "the node has ended");
            }
            // The only place that sets it.
            let _ = ending.shared.ended.set(ended);
            // Closing the store may wait for the disk.
            blocking(|| drop(ending));
        });
        Ok(handle)
    }
}

/// Releases the store when it is dropped: after the driver has ended, or with the runtime. The handles that are left have
/// the rest of the node.
struct Ending<T: Transaction> {
    shared: Arc<Shared<T>>,
    /// Dropped last: what a node has is free when its end is seen.
    _changes: watch::Sender<()>,
}

impl<T: Transaction> Drop for Ending<T> {
    fn drop(&mut self) {
        // Not under the lock, which readers wait for.
        let store = self.shared.write().close_store();
        drop(store);
    }
}

impl<T: Transaction> core::fmt::Debug for NodeBuilder<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("NodeBuilder")
            .field("spec", &self.spec)
            .field("store", &self.store)
            .field("protocol", &self.protocol)
            .field("discovery", &self.discovery)
            .field("transport", &self.transport)
            .field("listen", &self.listen)
            .field("peers", &self.peers)
            .field("mining", &self.mining)
            .finish_non_exhaustive()
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Open(error.into())
    }
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It has an address to listen at, or peers, and no transport to reach them.
    #[error("a node that listens or has peers needs a transport")]
    NoTransport,
    /// The transport cannot listen, or an address is none of its own.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The store cannot be opened as this chain.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There are too many peers.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}
