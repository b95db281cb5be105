//! The log lines of a node for its operator.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::mempool::RemovalReason;
use crate::primitives::{Difficulty, Hash};
use crate::protocol::{
    BlockSource, ClockBehind, CloseReason, Event, MiningStatus, PeerAddr, PeerHost, RefusedBranch,
};
use crate::transport::throttle::Throttle;

/// Lines per minute about peers that connect, disconnect or are banned. A node with well-behaved peers logs
/// far fewer.
const PEER_LINES: u32 = 30;

/// Addresses whose failed dials have a line of their own, and hosts whose refusals as peers of another chain
/// have. All others share one line. Bounds the memory that peers can make the node use for its log.
const MAX_KEYS: usize = 64;

/// How often a host with a peer of another chain is reported.
const OTHER_CHAIN_PERIOD: Duration = Duration::from_secs(60 * 60);

/// Throttles for log lines that peers can cause repeatedly, and counts of the lines that were skipped.
#[derive(Debug)]
pub(super) struct EventLog {
    /// Whether each flaw of the application's type was warned of already.
    pub(super) unsendable: bool,
    unreadable: bool,
    refused: bool,
    /// Lines about peers that connect, disconnect or are banned.
    peers: Throttle,
    /// Lines about dials that fail, for each address.
    dials: Throttles<PeerAddr>,
    /// Lines about peers of other chains, for each host, as an inbound connection has another port each time.
    other_chains: Throttles<PeerHost>,
    /// The name of the node's own chain.
    chain: String,
    blocks: Blocks,
}

/// Blocks that one call of the protocol disconnected and connected, which share one line: a synchronisation connects hundreds
/// at once.
#[derive(Debug, Default)]
struct Blocks {
    disconnected: u64,
    connected: u64,
    transactions: usize,
    /// The line about the last block that was connected.
    last: Option<Connected>,
}

/// What the log says of a connected block.
#[derive(Debug)]
struct Connected {
    height: u64,
    hash: Hash,
    source: BlockSource,
    difficulty: Difficulty,
    interval: Duration,
}

impl EventLog {
    pub(super) fn new(chain: String) -> Self {
        Self {
            unsendable: false,
            unreadable: false,
            refused: false,
            peers: Throttle::per_minute(PEER_LINES),
            dials: Throttles::new(Duration::from_secs(60)),
            other_chains: Throttles::new(OTHER_CHAIN_PERIOD),
            chain,
            blocks: Blocks::default(),
        }
    }

    /// Logs an event, throttled if peers can cause it repeatedly.
    pub(super) fn log<T>(&mut self, event: &Event<T>) {
        match event {
            Event::BlockConnected { block, source, difficulty, interval } => {
                self.blocks.connected += 1;
                self.blocks.transactions += block.data().len();
                self.blocks.last = Some(Connected {
                    height: block.height(),
                    hash: *block.hash(),
                    source: source.clone(),
                    difficulty: *difficulty,
                    interval: *interval,
                });
            }
            Event::BlockDisconnected(block) => {
                tracing::debug!(height = block.height(), hash = %block.hash(), "block disconnected");
                self.blocks.disconnected += 1;
            }
            Event::PeerDisconnected { reason: reason @ CloseReason::Unreadable(_), .. } => {
                let is_first = !core::mem::replace(&mut self.unreadable, true);
                warn_once(is_first, reason, "a peer's messages cannot be read");
                log(event);
            }
            Event::TransactionRefused { id, error } => {
                let is_first = !core::mem::replace(&mut self.refused, true);
                warn_once(is_first, error, &format!("a peer's transaction {id} is refused"));
            }
            Event::PeerConnected { address, .. } => {
                // A later failure after a success is logged again.
                self.dials.each.remove(address);
                self.log_peer(event);
            }
            Event::PeerDisconnected {
                address, reason: reason @ CloseReason::WrongGenesis { .. }, ..
            } => {
                if let Some(skipped) = self.other_chains.of(&PeerHost::from(address)).admit() {
                    tracing::warn!(%address, chain = self.chain, %reason, skipped, "peer of another chain refused");
                }
            }
            Event::PeerDisconnected { .. } | Event::HostBanned { .. } => self.log_peer(event),
            Event::DialFailed { address, error, retry_in } => {
                if let Some(skipped) = self.dials.of(address).admit() {
                    tracing::warn!(%address, %error, ?retry_in, skipped, "peer not reached, trying again");
                }
            }
            _ => log(event),
        }
    }

    /// Logs the blocks since the last call.
    pub(super) fn flush(&mut self) {
        let Blocks { disconnected, connected, transactions, last } = core::mem::take(&mut self.blocks);
        let Some(Connected { height, hash, source, difficulty, interval }) = last else { return };
        if disconnected > 0 {
            tracing::info!(disconnected, connected, height, "reorganisation to a branch with more work");
        }
        let (blocks, difficulty) = (connected, difficulty.as_f64());
        match source {
            BlockSource::Mined => {
                tracing::info!(height, %hash, difficulty, transactions, since_last = ?interval, "block mined");
            }
            BlockSource::Peer { peer, address, format } => {
                tracing::info!(
                    height, %hash, blocks, %peer, %address, format, difficulty, transactions, since_last = ?interval,
                    "block received"
                );
            }
        }
    }

    fn log_peer<T>(&mut self, event: &Event<T>) {
        match self.peers.admit() {
            Some(0) => log(event),
            Some(skipped) => {
                tracing::info!(skipped, "peers came and went without a line of their own");
                log(event);
            }
            None => {}
        }
    }
}

/// One line in each period for every key, and one for all keys beyond [`MAX_KEYS`] together.
#[derive(Debug)]
struct Throttles<K> {
    each: BTreeMap<K, Throttle>,
    others: Throttle,
    period: Duration,
}

impl<K: Ord + Clone> Throttles<K> {
    const fn new(period: Duration) -> Self {
        Self { each: BTreeMap::new(), others: Throttle::once_in(period), period }
    }

    fn of(&mut self, key: &K) -> &mut Throttle {
        if self.each.len() >= MAX_KEYS && !self.each.contains_key(key) {
            return &mut self.others;
        }
        self.each.entry(key.clone()).or_insert_with(|| Throttle::once_in(self.period))
    }
}

/// Logs a flaw in the application's type: the first time as a warning, later at debug level.
pub(super) fn warn_once(is_first: bool, error: &impl core::fmt::Display, what: &str) {
    if is_first {
        tracing::warn!(%error, "{what}; see the documentation of `Transaction`; later cases are logged at debug level");
    } else {
        tracing::debug!(%error, "{what}");
    }
}

fn log<T>(event: &Event<T>) {
    match event {
        // `EventLog::log` logs these.
        Event::BlockConnected { .. }
        | Event::BlockDisconnected(_)
        | Event::TransactionRefused { .. }
        | Event::DialFailed { .. } => {}
        Event::MiningStarted(MiningStatus { height, difficulty, work, .. }) => {
            tracing::debug!(height, difficulty = difficulty.as_f64(), expected_hashes = %work, "search for a block started");
        }
        Event::MiningContinues(search) => log_search(search, "still searching for a block"),
        Event::MiningEnded { search, found: Some(_) } if search.elapsed >= LONG_SEARCH => {
            log_search(search, "block found");
        }
        Event::MiningEnded { search, found } => {
            let is_found = found.is_some();
            tracing::debug!(height = search.height, hashes = search.hashes, elapsed = ?search.elapsed, is_found, "search for a block ended");
        }
        Event::HeadersAdvanced { height } => tracing::debug!(height, "headers advanced"),
        Event::TransactionAccepted { id } => tracing::debug!(%id, "transaction accepted"),
        Event::TransactionsRemoved { removed } => log_removed(removed),
        Event::PeerConnected { peer, address, agent, format, .. } => {
            tracing::info!(%peer, %address, agent, format, "peer connected");
        }
        Event::PeerDisconnected { peer, address, reason } => {
            tracing::info!(%peer, %address, %reason, "peer disconnected");
        }
        Event::StoreFailed { error } => tracing::error!(%error, "store failed"),
        Event::StoreRecovered => tracing::info!("store works again"),
        Event::ClockBehind(ClockBehind { behind, mining_in, peers }) => {
            let (behind_seconds, mining_in_seconds) = (behind.as_secs(), mining_in.as_secs());
            tracing::warn!(
                behind_seconds,
                mining_in_seconds,
                peers,
                "the clock is behind the chain or the headers of peers, which wait for it; check the clock"
            );
        }
        Event::ClockCaughtUp => tracing::info!("the clock has caught up, nothing waits for it any more"),
        Event::BranchRefused(RefusedBranch { error, work, peers, .. }) => {
            tracing::warn!(%error, %work, peers, "peers have a branch with more work, which this node refuses");
        }
        Event::BranchRefusalEnded => tracing::info!("no peer has a branch with more work that is refused"),
        #[cfg(feature = "evidence")]
        Event::SigningStopped { error } => tracing::error!(%error, "checkpoints are no longer signed"),
        #[cfg(feature = "evidence")]
        Event::SigningResumed => tracing::info!("checkpoints are signed again"),
        Event::HostBanned { host, duration } => {
            tracing::warn!(%host, seconds = duration.as_secs(), "host banned");
        }
    }
}

/// A search that took less has no line of its own at level `info`, only that of the block.
const LONG_SEARCH: Duration = Duration::from_secs(1);

fn log_search(search: &MiningStatus, what: &str) {
    let MiningStatus { height, hashes, elapsed, difficulty, .. } = search;
    // Whole hashes a second and seconds: nothing finer has a meaning here.
    let (rate, seconds) = (search.hash_rate().round(), elapsed.as_secs());
    let expected_seconds = search.expected_time().map(|time| time.as_secs());
    let difficulty = difficulty.as_f64();
    tracing::info!(height, difficulty, hashes, hashes_per_second = rate, seconds, expected_seconds, "{what}");
}

/// Logs one line for all transactions that were removed together, with the first one as the example: there
/// may be as many as the mempool holds.
fn log_removed(removed: &[(Hash, RemovalReason)]) {
    let Some(((id, reason), others)) = removed.split_first() else { return };
    let others = others.len();
    match reason {
        RemovalReason::Unminable(_) | RemovalReason::NotRestored(_) | RemovalReason::Unreadable => {
            tracing::warn!(%id, %reason, others, "pending transactions removed");
        }
        // Peers can cause any number of evictions.
        RemovalReason::Evicted => tracing::debug!(%id, %reason, others, "pending transactions removed"),
        _ => tracing::info!(%id, %reason, others, "pending transactions removed"),
    }
    for (id, reason) in removed.iter().skip(1) {
        tracing::debug!(%id, %reason, "pending transaction removed");
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::ChainSpec;
    use crate::primitives::{Block, CompactTarget, Header, Target, Work};
    use crate::protocol::PeerId;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged on this thread while the guard is alive.
    fn captured() -> (Lines, tracing::subscriber::DefaultGuard) {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    fn dial_failed(address: &str) -> Event<String> {
        let (address, error) = (address.parse().unwrap(), io::Error::from(io::ErrorKind::ConnectionRefused));
        Event::DialFailed { address, error: Arc::new(error), retry_in: Duration::from_secs(15) }
    }

    fn other_chain(address: &str) -> Event<String> {
        let reason = CloseReason::WrongGenesis { got: Hash::ZERO, expected: Hash::from_bytes([7; 32]) };
        Event::PeerDisconnected { peer: PeerId(1), address: address.parse().unwrap(), reason }
    }

    #[test]
    fn the_blocks_of_one_message_are_one_line() {
        let (lines, _guard) = captured();
        let genesis: Block<String> = ChainSpec::default().genesis().unwrap();
        let block = |height| {
            let header = Header { height, ..*genesis.header() };
            Arc::new(Block::new(header, vec!["a".to_owned(), "b".to_owned()]))
        };
        let source = BlockSource::Peer {
            peer: PeerId(3),
            address: "ws://10.0.0.1:5001".parse().unwrap(),
            format: "hashloom.v1.json",
        };
        let connected = |height, source: &BlockSource| Event::BlockConnected {
            block: block(height),
            source: source.clone(),
            difficulty: Difficulty::new(Target::MAX, Target::MAX),
            interval: Duration::from_millis(2_500),
        };
        let mut event_log = EventLog::new("test".to_owned());
        event_log.log(&connected(1, &BlockSource::Mined));
        event_log.flush();
        event_log.flush();
        event_log.log(&Event::BlockDisconnected(block(1)));
        for height in 1..=3 {
            event_log.log(&connected(height, &source));
        }
        event_log.flush();
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = text.lines().filter_map(|line| line.split_once("node::log: ")).collect();
        let (first, last) = (*block(1).hash(), *block(3).hash());
        assert_eq!(
            lines.iter().map(|(_, line)| *line).collect::<Vec<_>>(),
            [
                format!("block mined height=1 hash={first} difficulty=1.0 transactions=2 since_last=2.5s"),
                "reorganisation to a branch with more work disconnected=1 connected=3 height=3".to_owned(),
                format!(
                    "block received height=3 hash={last} blocks=3 peer=#3 address=ws://10.0.0.1:5001 \
                     format=\"hashloom.v1.json\" difficulty=1.0 transactions=6 since_last=2.5s"
                ),
            ]
        );
    }

    #[test]
    fn a_long_search_says_how_fast_it_is_and_how_long_it_takes() {
        let (lines, _guard) = captured();
        let target = Target::try_from(CompactTarget::from_bits(0x1e00_ffff)).unwrap();
        let search = MiningStatus {
            hashes: 50_000_000,
            elapsed: Duration::from_secs(20),
            ..MiningStatus::new(7, Difficulty::new(Target::MAX, Target::MAX), Work::from(target))
        };
        let mut event_log = EventLog::new("test".to_owned());
        event_log.log(&Event::<String>::MiningStarted(search));
        event_log.log(&Event::<String>::MiningContinues(search));
        event_log.log(&Event::<String>::MiningEnded { search, found: None });
        event_log.log(&Event::<String>::MiningEnded { search, found: Some(Hash::ZERO) });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = text.lines().filter_map(|line| line.split_once("node::log: ")).collect();
        // 2^24 expected hashes at 2.5 million a second.
        let fields = "height=7 difficulty=1.0 hashes=50000000 hashes_per_second=2500000.0 seconds=20 expected_seconds=6";
        assert_eq!(
            lines.iter().map(|(_, line)| *line).collect::<Vec<_>>(),
            [format!("still searching for a block {fields}"), format!("block found {fields}")]
        );
    }

    #[test]
    fn what_is_not_restored_is_one_warning() {
        let (lines, _guard) = captured();
        let id = Hash::from_bytes([7; 32]);
        let removed = |reason: RemovalReason| Event::<String>::TransactionsRemoved {
            removed: vec![(id, reason); 1_000].into(),
        };
        let mut event_log = EventLog::new("test".to_owned());
        for reason in [RemovalReason::Unreadable, RemovalReason::Evicted, RemovalReason::Requested] {
            event_log.log(&removed(reason));
        }
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let [warning, info] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        let says = format!("pending transactions removed id={id} reason=was pending before the restart, and");
        assert!(warning.contains(" WARN ") && warning.contains(&says), "{warning}");
        assert!(warning.ends_with(" others=999"), "{warning}");
        assert!(info.contains(" INFO ") && info.contains("reason=removed on request"), "{info}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_others_repeat_is_a_bounded_number_of_lines() {
        let (lines, _guard) = captured();
        let mut event_log = EventLog::new("test".to_owned());
        for _ in 0..1_000 {
            let address = "ws://10.0.0.1:5001".parse().unwrap();
            event_log.log(&Event::<String>::PeerDisconnected {
                peer: PeerId(1),
                address,
                reason: CloseReason::Ended,
            });
            event_log.log(&dial_failed("ws://10.0.0.2:5001"));
            event_log.log(&dial_failed("ws://10.0.0.3:5001"));
        }
        for port in 1..=1_000 {
            event_log.log(&other_chain(&format!("ws://10.0.0.5:{port}")));
        }
        for port in 1..=1_000 {
            event_log.log(&dial_failed(&format!("ws://10.0.0.4:{port}")));
            event_log.log(&other_chain(&format!("ws://host-{port}:5001")));
        }
        assert_eq!((event_log.dials.each.len(), event_log.other_chains.each.len()), (MAX_KEYS, MAX_KEYS));
        tokio::time::advance(Duration::from_secs(60)).await;
        event_log.log(&dial_failed("ws://10.0.0.2:5001"));
        event_log.log(&other_chain("ws://10.0.0.5:5001"));
        tokio::time::advance(OTHER_CHAIN_PERIOD).await;
        event_log.log(&other_chain("ws://10.0.0.5:5001"));
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let count = |part: &str| text.lines().filter(|line| line.contains(part)).count();
        assert_eq!(count("peer disconnected"), PEER_LINES as usize);
        assert_eq!((count("ws://10.0.0.2:5001"), count("ws://10.0.0.3:5001")), (2, 1));
        assert_eq!(count("ws://10.0.0.4:"), MAX_KEYS - 2 + 1);
        assert_eq!(count("skipped=999"), 1, "{text}");
        let refused: Vec<_> = text.lines().filter(|line| line.contains("peer of another chain")).collect();
        let of_host: Vec<_> = refused.iter().filter(|line| line.contains("ws://10.0.0.5:")).collect();
        assert_eq!((refused.len(), of_host.len()), (2 + MAX_KEYS - 1 + 1, 2), "{text}");
        let (got, expected) = (Hash::ZERO, Hash::from_bytes([7; 32]));
        let says = format!(
            "peer of another chain refused address=ws://10.0.0.5:1 chain=\"test\" reason=wrong chain: the peer's genesis \
             is {got}, expected {expected}; name, block interval or another rule differs skipped=0"
        );
        assert!(of_host[0].contains(" WARN ") && of_host[0].ends_with(&says), "{}", of_host[0]);
        assert!(of_host[1].ends_with("skipped=1000"), "{}", of_host[1]);
    }
}
