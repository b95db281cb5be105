//! What a node counts while it runs, for its [metrics](super::NodeMetrics). Whatever the state of the node shows is read
//! from the state instead.

use core::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

use crate::mempool::RemovalReason;
use crate::protocol::{Event, MessageKind};

/// The counts of a node since its start.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) connected: Counter,
    pub(super) disconnected: Counter,
    /// The number of blocks that each reorganisation disconnected.
    pub(super) reorganisations: Histogram,
    /// The blocks that the reorganisation in progress has disconnected.
    depth: AtomicU64,
    pub(super) accepted: Counter,
    /// Transactions that left the mempool without being mined, by the position of the reason in [`REASONS`].
    pub(super) removed: [Counter; REASONS.len()],
    pub(super) bans: Counter,
    pub(super) failed_dials: Counter,
    /// By the number of the kind.
    pub(super) received: [Traffic; KINDS],
    pub(super) sent: [Traffic; KINDS],
    pub(super) searches: Counter,
    /// The attempts of the searches that have ended.
    pub(super) hashes: Counter,
    pub(super) mined: Counter,
    pub(super) commits: Histogram,
    pub(super) failed_commits: Counter,
}

/// The messages of one kind in one direction.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) messages: Counter,
    pub(super) bytes: Counter,
}

impl Traffic {
    pub(super) fn add(&self, bytes: u64) {
        self.messages.inc();
        self.bytes.inc_by(bytes);
    }
}

const KINDS: usize = MessageKind::ALL.len();

/// The names of the reasons for which transactions are removed.
pub(super) const REASONS: [&str; 7] =
    ["requested", "dependent", "unminable", "evicted", "inapplicable", "not_restored", "unreadable"];

/// The position of a reason in [`REASONS`].
const fn position(reason: &RemovalReason) -> usize {
    match reason {
        RemovalReason::Requested => 0,
        RemovalReason::Dependent => 1,
        RemovalReason::Unminable(_) => 2,
        RemovalReason::Evicted => 3,
        RemovalReason::Inapplicable(_) => 4,
        RemovalReason::NotRestored(_) => 5,
        RemovalReason::Unreadable => 6,
    }
}

/// The upper bounds of the buckets for the depth of a reorganisation, in blocks. Depths of one and two are common; the
/// rest tells an accident from an attack.
const DEPTHS: [f64; 9] = [1.0, 2.0, 3.0, 6.0, 10.0, 25.0, 100.0, 250.0, 1_000.0];

impl Default for Counts {
    fn default() -> Self {
        Self {
            connected: Counter::default(),
            disconnected: Counter::default(),
            reorganisations: Histogram::new(DEPTHS),
            depth: AtomicU64::new(0),
            accepted: Counter::default(),
            removed: Default::default(),
            bans: Counter::default(),
            failed_dials: Counter::default(),
            received: Default::default(),
            sent: Default::default(),
            searches: Counter::default(),
            hashes: Counter::default(),
            mined: Counter::default(),
            // From a quarter of a millisecond, for a store in memory or on a fast disk, to four seconds.
            commits: Histogram::new(exponential_buckets(0.000_25, 4.0, 8)),
            failed_commits: Counter::default(),
        }
    }
}

impl Counts {
    /// Counts an event. Events have to come in their order, without a gap.
    pub(super) fn on_event<T>(&self, event: &Event<T>) {
        match event {
            Event::BlockDisconnected(_) => {
                self.disconnected.inc();
                self.depth.fetch_add(1, Ordering::Relaxed);
            }
            Event::BlockConnected { .. } => {
                self.connected.inc();
                // The first block of the new branch ends the disconnecting.
                let depth = self.depth.swap(0, Ordering::Relaxed);
                if depth > 0 {
                    #[expect(clippy::cast_precision_loss, reason = "a depth is far below 2^52")]
                    self.reorganisations.observe(depth as f64);
                }
            }
            Event::TransactionAccepted { .. } => {
                self.accepted.inc();
            }
            Event::TransactionsRemoved { removed } => {
                for (_, reason) in removed.iter() {
                    self.removed[position(reason)].inc();
                }
            }
            Event::MiningStarted(_) => {
                self.searches.inc();
            }
            Event::HostBanned { .. } => {
                self.bans.inc();
            }
            Event::DialFailed { .. } => {
                self.failed_dials.inc();
            }
            _ => {}
        }
    }

    pub(super) fn on_received(&self, kind: MessageKind, bytes: u64) {
        of(&self.received, kind).add(bytes);
    }

    pub(super) fn on_sent(&self, kind: MessageKind, bytes: u64) {
        of(&self.sent, kind).add(bytes);
    }
}

fn of(traffic: &[Traffic; KINDS], kind: MessageKind) -> &Traffic {
    // The number of a kind is its position.
    &traffic[kind as usize]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Hash;
    use crate::mempool::MempoolError;

    #[test]
    fn each_reason_is_counted_under_its_name() {
        let refused = || MempoolError::AlreadyPending { id: Hash::ZERO };
        let all = [
            ("requested", RemovalReason::Requested),
            ("dependent", RemovalReason::Dependent),
            ("unminable", RemovalReason::Unminable(Arc::new(refused()))),
            ("evicted", RemovalReason::Evicted),
            ("inapplicable", RemovalReason::Inapplicable(refused())),
            ("not_restored", RemovalReason::NotRestored(refused())),
            ("unreadable", RemovalReason::Unreadable),
        ];
        let counts = Counts::default();
        for (number, (name, reason)) in all.into_iter().enumerate() {
            let removed = vec![(Hash::ZERO, reason); number + 1];
            counts.on_event(&Event::<String>::TransactionsRemoved { removed: removed.into() });
            let place = REASONS.iter().position(|reason| *reason == name).unwrap();
            assert_eq!(counts.removed[place].get(), number as u64 + 1, "{name}");
        }
    }

    #[test]
    fn the_number_of_a_kind_is_its_position() {
        let counts = Counts::default();
        for (position, kind) in MessageKind::ALL.iter().enumerate() {
            counts.on_received(*kind, 7);
            assert_eq!(counts.received[position].messages.get(), 1, "{kind}");
            assert_eq!(counts.received[position].bytes.get(), 7, "{kind}");
        }
    }
}
