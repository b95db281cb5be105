//! Configuring and starting a node.

use core::num::NonZeroUsize;
use core::sync::atomic::AtomicBool;
#[cfg(all(feature = "client", feature = "evidence"))]
use core::time::Duration;
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use tokio::sync::{Semaphore, broadcast, mpsc, watch};

use super::clock::{Clock, WallClock, system_time};
#[cfg(all(feature = "client", feature = "evidence"))]
use super::cosigning::{self, AskedWitness};
#[cfg(feature = "metrics")]
use super::counts::Counts;
use super::driver::{Driver, Notifier};
use super::end::NodeFailure;
use super::events::Events;
use super::handle::NodeHandle;
use super::mining::MiningConfig;
use super::shared::{Shared, blocking};
#[cfg(feature = "metrics")]
use super::timed_store::TimedStore;
use crate::chain::{Blockchain, OpenError};
#[cfg(all(feature = "client", feature = "evidence"))]
use crate::client::Client;
use crate::consensus::ChainSpec;
#[cfg(all(feature = "client", feature = "evidence"))]
use crate::evidence::NoteVerifier;
#[cfg(feature = "evidence")]
use crate::evidence::{LogSigner, SignError, Witness, WitnessError};
use crate::primitives::{Address, Timestamp, Transaction};
use crate::protocol::{ConnectError, Event, Now, PeerAddr, Protocol, ProtocolConfig};
use crate::store::{Memory, Store, StoreError};
use crate::transport::{Transport, TransportError};

/// The entry point to a node, which keeps a chain and synchronises it with peers. [`Node::builder`]
/// configures one; [`NodeHandle`] is a running one.
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
    /// Starts from the chain's spec; everything else has a default.
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
            #[cfg(feature = "evidence")]
            signer: None,
            #[cfg(feature = "evidence")]
            witness: None,
            #[cfg(all(feature = "client", feature = "evidence"))]
            asked_witnesses: Vec::new(),
            #[cfg(all(feature = "client", feature = "evidence"))]
            witness_interval: cosigning::DEFAULT_INTERVAL,
        }
    }
}

/// The configuration of a node that is not started yet.
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
    #[cfg(feature = "evidence")]
    signer: Option<LogSigner>,
    #[cfg(feature = "evidence")]
    witness: Option<Witness>,
    #[cfg(all(feature = "client", feature = "evidence"))]
    asked_witnesses: Vec<AskedWitness>,
    #[cfg(all(feature = "client", feature = "evidence"))]
    witness_interval: Duration,
}

/// The capacity of the driver's queue of inputs. If the queue is full, the tasks of the connections wait, and
/// read no further messages of their peers.
const MAX_INCOMING: usize = 64;

/// The capacity of the driver's queue of commands from handles.
const MAX_COMMANDS: usize = 64;

/// The number of events that are buffered for the slowest subscriber. A subscriber that falls further behind
/// learns how many events it missed.
const MAX_EVENTS: usize = 1_024;

impl<T: Transaction> NodeBuilder<T> {
    /// Sets the store of the chain, the pending transactions, the addresses of peers, and bans. Default: in
    /// memory.
    ///
    /// The node's task blocks while the store does I/O. On a runtime with one thread, every other task there
    /// waits as well.
    pub fn store(self, store: impl Store) -> Self {
        self.boxed_store(Box::new(store))
    }

    /// Sets the store, for a store that is chosen at run time.
    pub fn boxed_store(mut self, store: Box<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Sets the transport that reaches peers. Default: none, so the node has no peers.
    pub fn transport(mut self, transport: impl Transport<T>) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Sets the transport, for a transport that is shared or chosen at run time.
    pub fn shared_transport(mut self, transport: Arc<dyn Transport<T>>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Sets the address at which the node accepts connections. Default: none.
    pub fn listen(mut self, address: PeerAddr) -> Self {
        self.listen = Some(address);
        self
    }

    /// Adds addresses to which the node keeps a connection. A peer that is not up yet is dialled until it is.
    pub fn peers(mut self, addresses: impl IntoIterator<Item = PeerAddr>) -> Self {
        self.peers.extend(addresses);
        self
    }

    /// Sets the limits and the behaviour towards peers. If the configuration has no address to advertise, the
    /// node advertises the one at which it listens.
    pub fn protocol(mut self, config: ProtocolConfig) -> Self {
        self.protocol = config;
        self
    }

    /// Sets whether the node finds peers beyond those that it was configured with, and helps others to find
    /// peers: see [`ProtocolConfig::discovery`]. Default: as the configuration says, which is no.
    pub const fn discovery(mut self, discovery: bool) -> Self {
        self.discovery = Some(discovery);
        self
    }

    /// Sets the address that this node's blocks name as their miner. Default: [`Address::ZERO`].
    pub const fn miner(mut self, address: Address) -> Self {
        self.mining.miner = address;
        self
    }

    /// Sets the number of threads that mine a block. Default: 1.
    pub const fn mining_threads(mut self, threads: NonZeroUsize) -> Self {
        self.mining.threads = threads;
        self
    }

    /// Sets whether the node mines block after block without a request, even if no transactions are pending.
    /// Default: no.
    pub const fn mine_continuously(mut self, continuously: bool) -> Self {
        self.mining.continuously = continuously;
        self
    }

    /// Sets the wall clock, which gives blocks their timestamps and limits those of received blocks. Default:
    /// the system clock.
    pub fn wall_clock(mut self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.wall_clock = Arc::new(clock);
        self
    }

    /// Sets what signs the checkpoints of this node's chain. Default: none. Needs a store on disk.
    #[cfg(feature = "evidence")]
    pub fn signer(mut self, signer: LogSigner) -> Self {
        self.signer = Some(signer);
        self
    }

    /// Makes the node a witness of other logs, whose checkpoints it cosigns on request. Default: of none. Needs a store on
    /// disk.
    #[cfg(feature = "evidence")]
    pub fn witness(mut self, witness: Witness) -> Self {
        self.witness = Some(witness);
        self
    }

    /// Adds a witness to ask for cosignatures of this node's checkpoints: where it is, with the prefix of its
    /// [`add-checkpoint`](Client::add_checkpoint), and its public key. Default: none. Needs a [`signer`](Self::signer).
    ///
    /// Each witness is asked when there is a larger checkpoint, at most one in each
    /// [`witness_interval`](Self::witness_interval), and independently of the others: one that is down, slow or hostile
    /// costs nothing but its own cosignature, and is asked again after a wait that doubles up to ten minutes.
    #[cfg(all(feature = "client", feature = "evidence"))]
    pub fn ask_witness(mut self, client: Client, key: NoteVerifier) -> Self {
        self.asked_witnesses.push(AskedWitness::new(client, key));
        self
    }

    /// Sets the least time between two checkpoints that witnesses are asked to cosign. Default: 10 seconds.
    #[cfg(all(feature = "client", feature = "evidence"))]
    pub const fn witness_interval(mut self, interval: Duration) -> Self {
        self.witness_interval = interval;
        self
    }

    /// Subscribes to the events from the start on. [`NodeHandle::subscribe`] misses what the node finds when
    /// it opens its store: an [`Event::TransactionsRemoved`] for transactions that were pending before a
    /// restart and are refused after it.
    pub fn subscribe(&self) -> Events<T> {
        Events::new(self.events.subscribe())
    }

    /// Starts the node on the current tokio runtime. The node runs until [`NodeHandle::shutdown`] is called
    /// or the last handle is dropped.
    ///
    /// # Errors
    ///
    /// [`StartError`]. After an error nothing is left running.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, and in a runtime without I/O or time enabled.
    pub async fn start(self) -> Result<NodeHandle<T>, StartError> {
        let clock = Clock::new(self.wall_clock);
        let (incoming, inputs) = mpsc::channel(MAX_INCOMING);
        // A bad address is refused before anything is opened.
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
        // Without a transport discovery could not dial anything.
        protocol.discovery = self.discovery.unwrap_or(protocol.discovery) && self.transport.is_some();
        let store = self.store.unwrap_or_else(|| Box::new(Memory::new()));
        #[cfg(feature = "metrics")]
        let counts = Arc::<Counts>::default();
        #[cfg(feature = "metrics")]
        let store = Box::new(TimedStore::new(store, Arc::clone(&counts)));
        let waits_for_disk = !store.is_in_memory();
        let chain = Blockchain::open(self.spec, protocol.chain.clone(), store)?;
        let mut protocol = Protocol::with_chain(chain, protocol, clock.now().wall)?;
        #[cfg(feature = "evidence")]
        if let Some(signer) = self.signer {
            protocol.set_signer(signer)?;
        }
        #[cfg(feature = "evidence")]
        if let Some(witness) = self.witness {
            protocol.set_witness(witness)?;
        }
        #[cfg(all(feature = "client", feature = "evidence"))]
        for witness in &self.asked_witnesses {
            if !witness.key().is_cosigner() {
                return Err(StartError::NoCosigner { key: witness.key().to_string() });
            }
            if protocol.signing().is_none() {
                return Err(StartError::NoSigner);
            }
        }
        connect_configured(&mut protocol, self.peers, self.transport.as_deref(), clock.now())?;
        let events = self.events;
        let (changes, seen) = watch::channel(());
        let shared = Arc::new(Shared {
            genesis: *protocol.chain().genesis().hash(),
            has_pending: AtomicBool::new(!protocol.mempool().is_empty()),
            protocol: RwLock::new(protocol),
            waits_for_disk,
            answering: Semaphore::new(1),
            clock,
            listen,
            mining: Mutex::default(),
            mining_error: Mutex::default(),
            #[cfg(all(feature = "client", feature = "evidence"))]
            published: Mutex::default(),
            events: events.downgrade(),
            changes: seen,
            ended: OnceLock::new(),
            #[cfg(feature = "metrics")]
            counts,
        });
        let (commands, calls) = mpsc::channel(MAX_COMMANDS);
        #[cfg(all(feature = "client", feature = "evidence"))]
        if !self.asked_witnesses.is_empty() {
            let (shared, commands, changes) =
                (Arc::clone(&shared), commands.downgrade(), changes.subscribe());
            tokio::spawn(cosigning::run(
                self.asked_witnesses,
                self.witness_interval,
                shared,
                commands,
                changes,
            ));
        }
        let handle = NodeHandle::new(Arc::clone(&shared), commands);
        let notifier = Notifier { events, changes: changes.clone() };
        let mut driver = Driver::new(Arc::clone(&shared), notifier, self.transport, self.mining, incoming);
        if let Some(listener) = listener {
            driver.accept(listener, max_inbound);
        }
        spawn(driver.run(inputs, calls), StoreGuard { shared, _changes: changes });
        Ok(handle)
    }
}

/// Adds the configured addresses, and then those of the last run.
fn connect_configured<T: Transaction>(
    protocol: &mut Protocol<T>,
    peers: Vec<PeerAddr>,
    transport: Option<&dyn Transport<T>>,
    now: Now,
) -> Result<(), StartError> {
    for address in peers {
        match protocol.connect(address, now) {
            // A configuration that names a peer twice is harmless.
            Ok(()) | Err(ConnectError::AlreadyAdded { .. }) => {}
            Err(error @ (ConnectError::TooMany { .. } | ConnectError::Banned { .. })) => {
                return Err(error.into());
            }
        }
    }
    for address in protocol.remembered_peers()? {
        if transport.is_some_and(|transport| transport.check_address(&address).is_ok()) {
            // The configured addresses were added first; those of the last run fill the remaining slots.
            let _ = protocol.connect(address, now);
        }
    }
    Ok(())
}

/// Runs a driver to its end, and then sets the outcome and releases the store.
fn spawn<T: Transaction>(
    driver: impl Future<Output = Result<(), NodeFailure>> + Send + 'static,
    guard: StoreGuard<T>,
) {
    let driver = tokio::spawn(driver);
    tokio::spawn(async move {
        let ended = driver.await.unwrap_or_else(|error| Err(error.into()));
        if let Err(failure) = &ended {
            tracing::error!(%failure, "the node has ended");
        }
        // This is the only place that sets the outcome.
        let _ = guard.shared.ended.set(ended);
        // Closing the store may block on disk I/O.
        blocking(|| drop(guard));
    });
}

/// Releases the store when it is dropped: after the driver has ended, or with the runtime. The handles that
/// are left keep the rest of the node.
struct StoreGuard<T: Transaction> {
    shared: Arc<Shared<T>>,
    /// Dropped last, so that the port and the store are released before the waiting handles see the end.
    _changes: watch::Sender<()>,
}

impl<T: Transaction> Drop for StoreGuard<T> {
    fn drop(&mut self) {
        // The store is dropped after the lock is released, because closing it may block.
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

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The node has an address to listen at, or peers, but no transport.
    #[error("a node that listens or has peers needs a transport")]
    NoTransport,
    /// The transport cannot listen, or cannot dial one of the addresses.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The store cannot be opened with this chain's spec.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The configuration names too many peers, or one whose host is banned.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The node has a signer, and cannot know what was signed.
    #[cfg(feature = "evidence")]
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The node is a witness, and would forget what it has cosigned.
    #[cfg(feature = "evidence")]
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// Witnesses are to be asked, and the node signs nothing.
    #[cfg(all(feature = "client", feature = "evidence"))]
    #[error("witnesses are asked to cosign what the node signs, and it has no signer")]
    NoSigner,
    /// A witness is to be asked whose key makes no cosignatures.
    #[cfg(all(feature = "client", feature = "evidence"))]
    #[error("{key} is not the key of a witness: it makes signatures without a time")]
    NoCosigner {
        /// The public key.
        key: String,
    },
}
