//! The metrics of a node, for Prometheus. Their names, and what they count, are in `docs/metrics.md`.

mod encoder;

use core::fmt;
use std::sync::{Arc, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text};
use prometheus_client::registry::Registry;

pub(crate) use encoder::{BYTES, Encoder, SECONDS};

use super::counts::{Counts, REASONS, Traffic};
use super::handle::NodeHandle;
use super::shared::Shared;
use crate::api::Status;
use crate::primitives::Transaction;
use crate::protocol::{Direction, MessageKind};

/// The metrics of a node, which an application registers in a registry of its own, or encodes as text. Their names begin
/// with `hashloom_`; [the table of all metrics](https://github.com/hashloom/hashloom/blob/main/docs/metrics.md) has their
/// meaning. `GET /metrics` of [`http`](crate::http) serves them with those of the HTTP routes.
///
/// Reads take the lock of the node as briefly as [`NodeHandle::status`], and may wait while the node applies a change.
/// Metrics keep no node running; those of a node that has ended show its last state.
///
/// ```
/// use hashloom::node::prometheus_client::registry::Registry;
/// use hashloom::{ChainSpec, Node};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = Node::<String>::builder(ChainSpec::default()).start().await?;
/// node.mine(vec!["hello".to_owned()]).await?;
/// let mut registry = Registry::default();
/// node.metrics().register(&mut registry);
/// assert!(node.metrics().encode().contains("\nhashloom_chain_height 1\n"));
/// # node.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NodeMetrics<T: Transaction = String>(Arc<Shared<T>>);

impl<T: Transaction> Clone for NodeMetrics<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Transaction> NodeHandle<T> {
    /// The metrics of the node, for Prometheus.
    pub fn metrics(&self) -> NodeMetrics<T> {
        NodeMetrics(Arc::clone(&self.shared))
    }
}

impl<T: Transaction> NodeMetrics<T> {
    /// Adds the metrics to a registry, which reads them at each scrape. The metrics of several nodes in one registry need a
    /// label that tells them apart: see [`Registry::sub_registry_with_label`].
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(self.clone()));
    }

    /// The metrics in Prometheus' text format, version 0.0.4.
    pub fn encode(&self) -> String {
        let mut registry = Registry::default();
        self.register(&mut registry);
        let mut text = String::new();
        // Writing to a string cannot fail, and neither can a metric of this collector.
        let _ = prometheus_text::encode(&mut text, &registry);
        text
    }
}

impl<T: Transaction> Collector for NodeMetrics<T> {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let shared = &*self.0;
        let state = State::of(shared);
        let mut to = Encoder::new(encoder);
        state.encode(&mut to)?;
        encode_counts(&shared.counts, state.hashes, &mut to)
    }
}

/// What the metrics show of the state of a node.
struct State {
    status: Status,
    hashes: u64,
    inbound: usize,
    outbound: usize,
    banned: usize,
    side_blocks: usize,
    pending_bytes: usize,
}

impl State {
    fn of<T: Transaction>(shared: &Shared<T>) -> Self {
        let protocol = shared.read();
        let status = Status::of(shared, &protocol);
        let peers = protocol.peers();
        let inbound = peers.iter().filter(|peer| peer.direction == Direction::Inbound).count();
        Self {
            status,
            hashes: hashes(shared),
            inbound,
            outbound: peers.len() - inbound,
            banned: protocol.bans(shared.clock.now()).len(),
            side_blocks: protocol.chain().side_block_count(),
            pending_bytes: protocol.mempool().bytes(),
        }
    }

    fn encode(&self, to: &mut Encoder<'_>) -> fmt::Result {
        let Self { status, .. } = self;
        to.info("hashloom_build", "The version of hashloom.", &[("version", env!("CARGO_PKG_VERSION"))])?;
        let chain = [("name", status.chain.clone()), ("genesis", status.genesis.to_string())];
        to.info("hashloom_chain", "The chain that the node keeps.", &chain)?;
        to.gauge(
            "hashloom_chain_height",
            "The height of the tip, the last block of the best chain.",
            None,
            &status.height,
        )?;
        let seconds = seconds(status.timestamp.as_millis());
        to.gauge("hashloom_chain_tip_timestamp", "The timestamp of the tip, since 1970.", SECONDS, &seconds)?;
        let work = f64::from(status.work.as_uint());
        to.gauge(
            "hashloom_chain_work_hashes",
            "The work of the best chain: the expected number of hashes to mine it.",
            None,
            &work,
        )?;
        let difficulty = status.next_difficulty.as_f64();
        to.gauge("hashloom_chain_next_difficulty", "The difficulty of the next block.", None, &difficulty)?;
        to.gauge(
            "hashloom_chain_header_height",
            "The height of the header with the most work. Above the height of the tip while blocks are being fetched.",
            None,
            &status.header_height,
        )?;
        to.gauge("hashloom_side_blocks", "Stored blocks on side branches.", None, &self.side_blocks)?;
        to.gauge("hashloom_mempool_transactions", "Pending transactions.", None, &status.pending)?;
        to.gauge(
            "hashloom_mempool",
            "The bytes of memory of the pending transactions.",
            BYTES,
            &self.pending_bytes,
        )?;
        to.gauges(
            "hashloom_peers",
            "Peers that have completed the handshake, by the side that opened the connection.",
            None,
            [([("direction", "inbound")], self.inbound), ([("direction", "outbound")], self.outbound)],
        )?;
        to.gauge("hashloom_banned_hosts", "Hosts that are banned now.", None, &self.banned)?;
        let is_offline = status.peers == 0 && !status.unconnected.is_empty();
        for (name, help, is) in [
            (
                "hashloom_halted",
                "Whether the store cannot be written to, so that nothing is imported or mined.",
                status.halted,
            ),
            (
                "hashloom_store_failing",
                "Whether the store has failed and has not worked since.",
                status.store_error.is_some(),
            ),
            ("hashloom_offline", "Whether the node has addresses to connect to and no peer.", is_offline),
            (
                "hashloom_clock_behind",
                "Whether blocks or headers wait for the clock of the node.",
                status.clock_behind.is_some(),
            ),
            (
                "hashloom_branch_refused",
                "Whether peers have a branch with more work, which the node refuses.",
                status.refused_branch.is_some(),
            ),
            ("hashloom_mining", "Whether the node searches for a block.", status.mining.is_some()),
            #[cfg(feature = "evidence")]
            (
                "hashloom_signing_stopped",
                "Whether the chain lacks what the node has signed, so that it signs no checkpoints.",
                status.signing.as_ref().is_some_and(|signing| signing.stopped.is_some()),
            ),
        ] {
            to.gauge(name, help, None, &u32::from(is))?;
        }
        Ok(())
    }
}

/// The attempts of all searches, with those of the one that is running.
fn hashes<T: Transaction>(shared: &Shared<T>) -> u64 {
    // The end of a search is counted under this lock.
    let running = shared.mining.lock().unwrap_or_else(PoisonError::into_inner);
    let hashes = running.as_ref().map_or(0, |running| running.threads.hashes());
    shared.counts.hashes.get() + hashes
}

fn encode_counts(counts: &Counts, hashes: u64, to: &mut Encoder<'_>) -> fmt::Result {
    to.counter(
        "hashloom_blocks_connected",
        "Blocks that were connected to the best chain.",
        None,
        counts.connected.get(),
    )?;
    to.counter(
        "hashloom_blocks_disconnected",
        "Blocks that reorganisations disconnected.",
        None,
        counts.disconnected.get(),
    )?;
    to.histogram(
        "hashloom_reorganisation_depth_blocks",
        "The number of blocks that each reorganisation disconnected.",
        None,
        &counts.reorganisations,
    )?;
    to.counter(
        "hashloom_mempool_accepted",
        "Transactions that were submitted or received and became pending.",
        None,
        counts.accepted.get(),
    )?;
    let removed = REASONS
        .into_iter()
        .zip(&counts.removed)
        .map(|(reason, removed)| ([("reason", reason)], removed.get()));
    to.counters(
        "hashloom_mempool_removed",
        "Transactions that left the mempool without being mined.",
        None,
        removed,
    )?;
    to.counter("hashloom_bans", "Bans, for misbehaviour and on request.", None, counts.bans.get())?;
    to.counter(
        "hashloom_failed_dials",
        "Addresses that were dialled and not reached.",
        None,
        counts.failed_dials.get(),
    )?;
    for (traffic, messages, bytes, done) in [
        (
            &counts.received,
            "hashloom_peer_messages_received",
            "hashloom_peer_received",
            "received from peers",
        ),
        (&counts.sent, "hashloom_peer_messages_sent", "hashloom_peer_sent", "sent to peers"),
    ] {
        to.counters(
            messages,
            &format!("Messages {done}."),
            None,
            by_kind(traffic, |one| one.messages.get()),
        )?;
        let help = format!("Bytes of the messages {done}, as far as the transport counts them.");
        to.counters(bytes, &help, BYTES, by_kind(traffic, |one| one.bytes.get()))?;
    }
    to.counter(
        "hashloom_mining_searches",
        "Searches for a block that were started.",
        None,
        counts.searches.get(),
    )?;
    to.counter("hashloom_mining_hashes", "Hashes that were tried to mine a block.", None, hashes)?;
    to.counter("hashloom_mining_blocks", "Blocks that the node has mined.", None, counts.mined.get())?;
    to.histogram(
        "hashloom_store_commit_duration",
        "The time that commits of the store take.",
        SECONDS,
        &counts.commits,
    )?;
    to.counter(
        "hashloom_store_failed_commits",
        "Commits of the store that have failed.",
        None,
        counts.failed_commits.get(),
    )
}

fn by_kind(
    traffic: &[Traffic],
    value: impl Fn(&Traffic) -> u64,
) -> impl Iterator<Item = ([(&'static str, &'static str); 1], u64)> {
    MessageKind::ALL.iter().zip(traffic).map(move |(kind, one)| ([("kind", kind.name())], value(one)))
}

/// Milliseconds in seconds.
#[expect(clippy::cast_precision_loss, reason = "exact for hundreds of thousands of years")]
fn seconds(millis: u64) -> f64 {
    millis as f64 / 1_000.0
}
