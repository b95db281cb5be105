//! L5: a running node. The tasks, timers, sockets and mining threads around the protocol. The protocol makes
//! every decision; this layer performs I/O.

mod builder;
mod clock;
mod connection;
mod driver;
mod end;
mod events;
mod handle;
mod log;
mod mining;
mod status;
#[cfg(test)]
#[cfg(feature = "ws-json")]
mod tests;

pub use builder::{Node, NodeBuilder, StartError};
pub use end::NodeFailure;
pub use events::{EventError, Events};
pub use handle::{ChainRef, MineError, NodeHandle, PeerError, Stopped, SubmitError, WaitError, WaitProgress};
pub use status::{MiningStatus, Status};

#[cfg(feature = "http")]
use std::sync::TryLockError;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::task::block_in_place;

use crate::primitives::Transaction;
use crate::protocol::{Event, PeerAddr, Protocol};
use clock::Clock;
use mining::Running;

/// What the driver and the handles share. A read holds the lock briefly and does not wait for network I/O:
/// the driver holds the write lock only while the protocol processes one input, which may write to the store.
#[derive(Debug)]
struct Shared<T: Transaction> {
    protocol: RwLock<Protocol<T>>,
    /// The permit to read blocks for a peer. Only one connection reads at a time, so that the requests of
    /// many peers do not keep the driver from the write lock for longer than one message takes.
    answering: Semaphore,
    clock: Clock,
    listen: Option<PeerAddr>,
    /// The running mining job, for the hash rate in the status.
    mining: Mutex<Option<Running>>,
    /// The last error of continuous mining, until it finds a block.
    mining_error: Mutex<Option<String>>,
    /// Weak, so that subscribers see the end of the driver and not that of the last handle.
    events: broadcast::WeakSender<Event<T>>,
    /// Notified after every change of the protocol that is visible from outside; closed when the driver and
    /// all its tasks have ended.
    changes: watch::Receiver<()>,
    /// How the node has ended. Set before `changes` is closed, unless the runtime ends first.
    ended: OnceLock<Result<(), NodeFailure>>,
}

impl<T: Transaction> Shared<T> {
    fn read(&self) -> RwLockReadGuard<'_, Protocol<T>> {
        self.protocol.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the read lock only if it is free: `None` while a writer holds it or waits for it.
    #[cfg(feature = "http")]
    fn try_read(&self) -> Option<RwLockReadGuard<'_, Protocol<T>>> {
        match self.protocol.try_read() {
            Ok(protocol) => Some(protocol),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn write(&self) -> RwLockWriteGuard<'_, Protocol<T>> {
        self.protocol.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscribe(&self) -> broadcast::Receiver<Event<T>> {
        match self.events.upgrade() {
            Some(events) => events.subscribe(),
            // The sender of this channel is dropped at once, so the receiver reports that the node has
            // stopped.
            None => broadcast::channel(1).1,
        }
    }

    fn set_mining_error(&self, error: Option<String>) {
        *self.mining_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    fn set_mining(&self, running: Option<Running>) {
        *self.mining.lock().unwrap_or_else(PoisonError::into_inner) = running;
    }
}

/// Runs a call that may block on disk I/O or a lock. On a multi-threaded runtime the other tasks of the
/// current thread move to another one.
fn blocking<R>(call: impl FnOnce() -> R) -> R {
    let has_more_threads = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
    if has_more_threads { block_in_place(call) } else { call() }
}
