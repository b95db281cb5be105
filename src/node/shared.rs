//! What the tasks of a node and its handles share.

use core::sync::atomic::AtomicBool;
use core::time::Duration;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::task::block_in_place;

use super::clock::Clock;
#[cfg(feature = "metrics")]
use super::counts::Counts;
use super::end::NodeFailure;
use crate::miner::MiningJob;
use crate::primitives::{Hash, Transaction};
use crate::protocol::{Event, MiningStatus, PeerAddr, Protocol};

/// What the driver and the handles share. A read holds the lock briefly and does not wait for network I/O:
/// the driver holds the write lock only while the protocol processes one input, which may write to the store.
#[derive(Debug)]
pub(super) struct Shared<T: Transaction> {
    pub(super) protocol: RwLock<Protocol<T>>,
    /// Whether transactions are pending, as of the last change. Known without the lock.
    pub(super) has_pending: AtomicBool,
    /// The hash of the genesis block, which never changes.
    pub(super) genesis: Hash,
    /// Whether calls of the store may block on disk I/O.
    pub(super) waits_for_disk: bool,
    /// The permit to read blocks for a peer. Only one connection reads at a time, so that the requests of
    /// many peers do not keep the driver from the write lock for longer than one message takes.
    pub(super) answering: Semaphore,
    pub(super) clock: Clock,
    pub(super) listen: Option<PeerAddr>,
    /// The running mining job, for the hash rate in the status.
    pub(super) mining: Mutex<Option<Running>>,
    /// The last error of continuous mining, until it finds a block.
    pub(super) mining_error: Mutex<Option<String>>,
    /// The size of the last checkpoint that a witness has answered for, and the checkpoint with its cosignatures.
    #[cfg(all(feature = "client", feature = "evidence"))]
    pub(super) published: Mutex<Option<(u64, crate::evidence::SignedNote)>>,
    /// Weak, so that subscribers see the end of the driver and not that of the last handle.
    pub(super) events: broadcast::WeakSender<Event<T>>,
    /// Notified after every change of the protocol that is visible from outside; closed when the driver and
    /// all its tasks have ended.
    pub(super) changes: watch::Receiver<()>,
    /// How the node has ended. Set before `changes` is closed, unless the runtime ends first.
    pub(super) ended: OnceLock<Result<(), NodeFailure>>,
    #[cfg(feature = "metrics")]
    pub(super) counts: Arc<Counts>,
}

impl<T: Transaction> Shared<T> {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Protocol<T>> {
        self.protocol.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls a function under the read lock, from a task of the node. While the lock is not free, and if the function
    /// may wait for a disk, the other tasks of this thread move to another one.
    pub(super) fn with_read<R>(&self, may_wait: bool, call: impl FnOnce(&Protocol<T>) -> R) -> R {
        // A short call under a free lock takes less time than moving the other tasks.
        let free = if may_wait { None } else { self.try_read() };
        match free {
            Some(protocol) => call(&protocol),
            None => blocking(|| call(&self.read())),
        }
    }

    /// Takes the read lock only if it is free: `None` while a writer holds it or waits for it.
    pub(super) fn try_read(&self) -> Option<RwLockReadGuard<'_, Protocol<T>>> {
        match self.protocol.try_read() {
            Ok(protocol) => Some(protocol),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Protocol<T>> {
        self.protocol.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Event<T>> {
        match self.events.upgrade() {
            Some(events) => events.subscribe(),
            // The sender of this channel is dropped at once, so the receiver reports that the node has
            // stopped.
            None => broadcast::channel(1).1,
        }
    }

    pub(super) fn set_mining_error(&self, error: Option<String>) {
        *self.mining_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    /// The search for a block, if one is running.
    pub(super) fn mining_status(&self) -> Option<MiningStatus> {
        let running = self.mining.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let elapsed = self.clock.now().elapsed.saturating_sub(running.since);
        Some(MiningStatus { hashes: running.threads.hashes(), elapsed, ..running.search })
    }

    pub(super) fn set_mining(&self, running: Option<Running>) {
        let mut current = self.mining.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(feature = "metrics")]
        self.counts.hashes.inc_by(current.as_ref().map_or(0, |ended| ended.threads.hashes()));
        *current = running;
    }
}

/// What the handles see of a mining job.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) threads: Arc<MiningJob>,
    /// The search at its start.
    pub(super) search: MiningStatus,
    pub(super) since: Duration,
}

/// Runs a call that may block on disk I/O or a lock. On a multi-threaded runtime the other tasks of the
/// current thread move to another one.
pub(super) fn blocking<R>(call: impl FnOnce() -> R) -> R {
    let has_more_threads = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
    if has_more_threads { block_in_place(call) } else { call() }
}
