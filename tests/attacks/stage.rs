//! The environment of a row: a node, an honest peer, and a paused clock that only the row advances.
//!
//! Sockets nevertheless work in real time. Whatever is asserted "at once" happens without a tick of the
//! clock, and deadlines are met to the millisecond.

use std::any::Any;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hashloom::mempool::MempoolConfig;
use hashloom::node::{EventError, Events};
use hashloom::protocol::{CloseReason, PeerId, limits};
use hashloom::{Block, Event, Message, Node, NodeHandle, PeerAddr, ProtocolConfig, Transport};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, advance};

use crate::ALLOCATOR;
use crate::caller::Caller;
use crate::carrier::Carrier;
use crate::chain::{self, Entry, entries};
use crate::socket::{Socket, is_closed};
use crate::table::{Ends, Row};

/// How often the sockets are polled before an event counts as missing. Almost every expected event occurs
/// within the first few polls.
const PATIENCE: usize = 2_000;

/// The resolution of timers.
const TICK: Duration = Duration::from_millis(1);

/// The blocks of the chain before the attack. Each is twice as hard as its parent, so that a chain of more
/// than five hundred blocks at the lowest difficulty is needed for as much work.
pub(crate) const HEIGHT: u64 = 10;

/// The length of the text in the last of these blocks.
pub(crate) const LARGE_TEXT: usize = 60_000;

/// The limit of headers on side branches.
pub(crate) const MAX_SIDE_HEADERS: usize = 1_200;

/// The limit of pending transactions.
pub(crate) const MAX_PENDING: usize = 1_500;

pub(crate) struct Stage {
    pub(crate) carrier: &'static Carrier,
    pub(crate) transport: Arc<dyn Transport<Entry>>,
    pub(crate) node: NodeHandle<Entry>,
    /// The number of attackers so far.
    pub(crate) callers: u64,
    /// The attacker whose connection is checked at the end.
    pub(crate) caller: Option<Caller>,
    pub(crate) socket: Option<Socket>,
    /// Connections below the WebSocket. If the node refuses them, it closes them.
    pub(crate) connections: Vec<TcpStream>,
    /// Values that only keep connections open.
    pub(crate) kept: Vec<Box<dyn Any>>,
    /// A block that the node must import after the attack.
    pub(crate) good: Option<Arc<Block<Entry>>>,
    honest: NodeHandle<Entry>,
    honest_id: PeerId,
    events: Events<Entry>,
    log: Log,
    began: Instant,
    memory_before: usize,
    _frozen: Frozen,
}

/// Runs a row over a transport, against a node with or without discovery.
pub(crate) fn play(row: &Row, carrier: &'static Carrier, discovery: bool) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut stage = Stage::new(carrier, discovery, log).await;
        let tip = *stage.node.tip().hash();
        stage.begins();
        (row.attack)(&mut stage).await;
        stage.ends(row).await;
        assert_eq!(*stage.node.tip().hash(), tip, "nothing that an attacker sends extends the chain");
        if let Some(then) = row.then {
            then(&mut stage).await;
        }
        stage.goes_on().await;
        let peak = ALLOCATOR.peak_usage().saturating_sub(stage.memory_before);
        let limit = row.memory + carrier.on_the_way;
        assert!(peak <= limit, "{peak} bytes of memory, at most {limit} are allowed");
        if std::env::var_os("ATTACKS_MEMORY").is_some() {
            println!("{peak:>9} of {limit:>9} bytes: {}::{}", row.name, carrier.name);
        }
    });
}

impl Stage {
    async fn new(carrier: &'static Carrier, discovery: bool, log: Log) -> Self {
        let frozen = Frozen::new();
        let transport = (carrier.make)();
        let start = |discovery, peers: Vec<PeerAddr>| {
            let builder = Node::builder(chain::spec()).shared_transport(Arc::clone(&transport));
            let builder = builder.listen(carrier.anywhere()).protocol(config()).discovery(discovery);
            builder.wall_clock(chain::noon).peers(peers).start()
        };
        let node = start(discovery, Vec::new()).await.unwrap();
        for number in 1..HEIGHT {
            node.mine(entries(&[&format!("block {number}")])).await.unwrap();
        }
        node.mine(entries(&[&"x".repeat(LARGE_TEXT)])).await.unwrap();
        let honest = start(false, vec![node.listen_addr().unwrap().clone()]).await.unwrap();
        honest.wait_for(|chain| chain.height() == HEIGHT).await.unwrap();
        node.wait_for_peers(1).await.unwrap();
        let honest_id = node.peers()[0].id;
        let events = node.subscribe();
        Self {
            carrier,
            transport,
            node,
            callers: 0,
            caller: None,
            socket: None,
            connections: Vec::new(),
            kept: Vec::new(),
            good: None,
            honest,
            honest_id,
            events,
            log,
            began: Instant::now(),
            memory_before: 0,
            _frozen: frozen,
        }
    }

    pub(crate) fn address(&self) -> PeerAddr {
        self.node.listen_addr().unwrap().clone()
    }

    /// Marks the beginning of the attack, from which time and memory count.
    pub(crate) fn begins(&mut self) {
        ALLOCATOR.reset_peak_usage();
        self.memory_before = ALLOCATOR.current_usage();
        self.began = Instant::now();
    }

    /// Advances the clock, in steps in which honest peers can answer each other.
    pub(crate) async fn pass(&mut self, mut time: Duration) {
        let longest = limits::REQUEST_TIMEOUT / 4;
        while !time.is_zero() {
            let step = time.min(longest);
            advance(step).await;
            self.settle().await;
            time -= step;
        }
    }

    /// Lets the runtime poll its sockets, and the driver handle what has arrived.
    pub(crate) async fn settle(&self) {
        for _ in 0..4 {
            // The runtime polls its sockets when all other tasks are idle.
            spawn_blocking(|| ()).await.unwrap();
            // A round trip through the driver, which handles one input at a time, in any order.
            self.node.unban("nobody".parse().unwrap()).await.unwrap();
        }
    }

    pub(crate) async fn has_peers(&self, count: usize) {
        self.node.wait_for_peers(count).await.unwrap();
    }

    /// Waits until the node has closed a connection of an attacker.
    pub(crate) async fn closed(&mut self) -> CloseReason {
        for _ in 0..PATIENCE {
            if let Some(reason) = self.closed_by_now() {
                return reason;
            }
            self.settle().await;
        }
        panic!("the node closes no connection");
    }

    /// The reason, if the node has already closed a connection of an attacker.
    fn closed_by_now(&mut self) -> Option<CloseReason> {
        loop {
            let event = self.events.try_recv().transpose()?;
            if let Some(reason) = self.disconnect_in(event) {
                return Some(reason);
            }
        }
    }

    fn disconnect_in(&self, event: Result<Event<Entry>, EventError>) -> Option<CloseReason> {
        match event {
            Ok(Event::PeerDisconnected { peer, reason, .. }) => {
                assert_ne!(peer, self.honest_id, "an honest peer is closed: {reason}");
                Some(reason)
            }
            Err(EventError::Stopped) => panic!("the node has stopped"),
            // Events that are lost in a flood do not include the close, after which no event follows.
            Ok(_) | Err(_) => None,
        }
    }

    /// Waits until a dial of the node has failed. Returns the transport's error.
    async fn not_reached(&mut self) -> String {
        for _ in 0..PATIENCE {
            while let Some(event) = self.events.try_recv().transpose() {
                if let Ok(Event::DialFailed { error, .. }) = event {
                    return error.to_string();
                }
            }
            self.settle().await;
        }
        panic!("the node reaches whom it called");
    }

    /// Compares the end of the attack and its time with the row.
    async fn ends(&mut self, row: &Row) {
        let left = row.after.saturating_sub(self.began.elapsed());
        if !left.is_zero() {
            self.pass(left.saturating_sub(TICK)).await;
            self.has_not_ended(row);
            self.pass(2 * TICK).await;
        }
        let before = Instant::now();
        match row.ends {
            Ends::Harmless => self.stays().await,
            Ends::Refused(says) => {
                let logged = self.log.wait(self).await;
                assert!(logged.contains(says), "{logged:?} says nothing of {says:?}");
                self.settle().await;
                assert!(self.connections.iter().all(is_closed), "refused and still open");
            }
            Ends::NotReached(says) => {
                let error = self.not_reached().await;
                assert!(error.contains(says), "{error:?} says nothing of {says:?}");
            }
            ends => {
                let reason = self.closed().await;
                assert!(ends.fits(&reason, self.carrier), "expected {ends:?}, got {reason:?}");
                if let Some(is_offence) = ends.is_offence() {
                    assert_eq!(reason.penalty() > 0, is_offence, "{reason:?}");
                }
                self.was_told(&reason).await;
            }
        }
        assert_eq!(before.elapsed(), Duration::ZERO, "no timer was needed");
    }

    fn has_not_ended(&mut self, row: &Row) {
        let early = self.closed_by_now();
        assert!(early.is_none(), "closed before its time: {early:?}");
        if let Ends::Refused(_) = row.ends {
            assert_eq!(self.log.read(), "", "refused before its time");
        }
    }

    /// Checks that the node sent the reason to the peer, unless the peer does not read.
    async fn was_told(&mut self, reason: &CloseReason) {
        let told = match (&mut self.caller, &mut self.socket) {
            (Some(caller), _) => caller.last_word().await,
            (None, Some(socket)) => socket.last_word().await,
            (None, None) => return,
        };
        let is_mute = matches!(
            reason,
            CloseReason::QueueFull { .. }
                | CloseReason::WriteTimeout(_)
                | CloseReason::Bye { .. }
                | CloseReason::Lost(_)
        );
        if is_mute {
            assert_eq!(told, None);
            return;
        }
        let told = told.expect("the node says why");
        let reason = reason.to_string();
        let is_cut = reason.len() > limits::MAX_REASON_BYTES && !told.is_empty() && reason.starts_with(&told);
        assert!(is_cut || told == reason, "{told:?} is not {reason:?}");
    }

    /// Checks that the attacker's connection is open and working.
    async fn stays(&mut self) {
        if let Some(caller) = &mut self.caller {
            caller.is_heard().await;
        }
        self.settle().await;
        let early = self.closed_by_now();
        assert!(early.is_none(), "closed: {early:?}");
    }

    /// Checks that the node mines and answers, and that its honest peer follows.
    async fn goes_on(&mut self) {
        let ids: Vec<PeerId> = self.node.peers().iter().map(|peer| peer.id).collect();
        assert!(ids.contains(&self.honest_id), "the honest peer is still there");
        let height = self.node.status().height;
        let mined = self.node.mine(entries(&["goes on"])).await.unwrap();
        self.agree(&mined).await;
        let answer = self.honest.mine(entries(&["and on"])).await.unwrap();
        self.agree(&answer).await;
        let status = self.node.status();
        assert_eq!((status.height, status.tip), (height + 2, *answer.hash()));
        assert_eq!(status.store_error, None);
        // A new peer is served, too.
        self.kept.clear();
        self.connections.clear();
        (self.caller, self.socket) = (None, None);
        let mut newcomer = Caller::introduced(self).await;
        newcomer.say(Message::GetBlocks { hashes: vec![*mined.hash()] }).await;
        let served = newcomer.hear_of(|message| match message {
            Message::Blocks(blocks) => Some(blocks),
            _ => None,
        });
        assert_eq!(served.await, [mined]);
    }

    async fn agree(&self, block: &Block<Entry>) {
        let is_tip = |handle: &NodeHandle<Entry>| handle.tip().hash() == block.hash();
        let mut looks = 0..PATIENCE;
        while !(is_tip(&self.node) && is_tip(&self.honest)) {
            assert!(looks.next().is_some(), "the nodes do not take in the block {}", block.height());
            self.settle().await;
        }
        assert_eq!(self.node.blocks(..).unwrap(), self.honest.blocks(..).unwrap());
        assert_eq!(self.node.state(), self.honest.state());
    }

    /// Waits until both honest nodes have this block on their best chains.
    pub(crate) async fn is_taken_in(&self, block: &Block<Entry>) {
        self.agree(block).await;
    }
}

/// Small limits, so that the floods can be short.
fn config() -> ProtocolConfig {
    let mempool = MempoolConfig::default().with_max_transactions(MAX_PENDING).with_max_bytes(1 << 20);
    let chain = hashloom::ChainConfig::default()
        .with_max_side_headers(MAX_SIDE_HEADERS)
        .with_max_orphan_bytes(1 << 20)
        .with_max_side_bytes(4 << 20)
        .with_max_cached_bytes(1 << 20);
    ProtocolConfig::default().with_chain(chain).with_mempool(mempool)
}

/// Keeps the paused clock from advancing automatically while only sockets are awaited. The runtime does not
/// advance it while blocking work is in progress.
struct Frozen {
    _until: Sender<()>,
}

impl Frozen {
    fn new() -> Self {
        let (until, dropped) = channel();
        spawn_blocking(move || dropped.recv());
        Self { _until: until }
    }
}

/// The log of listeners about refused connections.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn read(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Waits until the log is not empty.
    async fn wait(&self, stage: &Stage) -> String {
        for _ in 0..PATIENCE {
            stage.settle().await;
            let text = self.read();
            if !text.is_empty() {
                return text;
            }
        }
        panic!("the listener refuses nobody");
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        const REFUSED: &[u8] = b"refused a connection";
        if bytes.windows(REFUSED.len()).any(|window| window == REFUSED) {
            self.0.lock().unwrap().extend(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
