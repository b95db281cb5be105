//! Waits for a condition; each wait has a variant with a time limit. A change of the node wakes the waiting
//! task, which evaluates its condition on the chain and the mempool under one lock, so that it misses no
//! change and sees no partial one.

mod search;

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use tokio::task::yield_now;
use tokio::time::timeout;

use super::NodeHandle;
use crate::chain::Blockchain;
use crate::node::error::Stopped;
use crate::primitives::{Block, Hash, Span, Transaction};
use crate::protocol::Protocol;
use crate::store::StoreError;
use search::{Search, Step};

impl<T: Transaction> NodeHandle<T> {
    /// Waits until `predicate` returns true for the chain. The predicate is called at once and after every
    /// change, under the lock of [`chain`](Self::chain), so it must not call a method of a handle.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`Stopped`], if the node stops first.
    pub async fn wait_for(&self, predicate: impl Fn(&Blockchain<T>) -> bool) -> Result<(), Stopped> {
        self.wait(|protocol| predicate(protocol.chain())).await
    }

    /// [`wait_for`](Self::wait_for) for at most `limit`. A limit of zero checks once.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`WaitError::Deadline`] with the height of the chain, and [`WaitError::Stopped`].
    pub async fn wait_for_timeout(
        &self,
        predicate: impl Fn(&Blockchain<T>) -> bool,
        limit: Duration,
    ) -> Result<(), WaitError> {
        self.in_time(limit, self.wait_for(predicate)).await.unwrap_or_else(|| {
            Err(WaitError::Deadline { limit, reached: WaitProgress::Height(self.chain().height()) })
        })
    }

    /// Waits until at least `count` peers have completed the handshake.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`Stopped`], if the node stops first.
    pub async fn wait_for_peers(&self, count: usize) -> Result<(), Stopped> {
        self.wait(|protocol| protocol.peer_count() >= count).await
    }

    /// [`wait_for_peers`](Self::wait_for_peers) for at most `limit`. A limit of zero checks once.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`WaitError::Deadline`] with the number of peers, and [`WaitError::Stopped`].
    pub async fn wait_for_peers_timeout(&self, count: usize, limit: Duration) -> Result<(), WaitError> {
        self.in_time(limit, self.wait_for_peers(count)).await.unwrap_or_else(|| {
            let reached = WaitProgress::Peers { got: self.shared.read().peer_count(), expected: count };
            Err(WaitError::Deadline { limit, reached })
        })
    }

    /// Waits until at least `count` transactions are pending.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`Stopped`], if the node stops first.
    pub async fn wait_for_pending(&self, count: usize) -> Result<(), Stopped> {
        self.wait(|protocol| protocol.mempool().len() >= count).await
    }

    /// [`wait_for_pending`](Self::wait_for_pending) for at most `limit`. A limit of zero checks once.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`WaitError::Deadline`] with the number of pending transactions, and [`WaitError::Stopped`].
    pub async fn wait_for_pending_timeout(&self, count: usize, limit: Duration) -> Result<(), WaitError> {
        self.in_time(limit, self.wait_for_pending(count)).await.unwrap_or_else(|| {
            let reached = WaitProgress::Pending { got: self.shared.read().mempool().len(), expected: count };
            Err(WaitError::Deadline { limit, reached })
        })
    }

    /// Waits until a transaction is in the best chain and its block is at least `depth` blocks deep, and
    /// returns the block. The tip has depth 1. If a reorganisation makes the transaction pending again or
    /// moves it to another block, the wait continues.
    ///
    /// If the transaction is not pending, it is looked up in the [index](crate::ChainConfig::index_transactions). Without
    /// one, the last 1,000 blocks are searched for it. Each is read once; pruned bodies are skipped. After that, each new
    /// block is searched once.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`WaitError::Unknown`], [`WaitError::Dropped`], [`WaitError::Store`] and [`WaitError::Stopped`].
    pub async fn wait_for_transaction(&self, id: Hash, depth: u64) -> Result<Arc<Block<T>>, WaitError> {
        self.search(&mut Search::new(id, depth)).await
    }

    /// [`wait_for_transaction`](Self::wait_for_transaction) for at most `limit`.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    ///
    /// As for [`wait_for_transaction`](Self::wait_for_transaction), and [`WaitError::Deadline`] with the
    /// depth of the transaction's block.
    pub async fn wait_for_transaction_timeout(
        &self,
        id: Hash,
        depth: u64,
        limit: Duration,
    ) -> Result<Arc<Block<T>>, WaitError> {
        let mut search = Search::new(id, depth);
        self.in_time(limit, self.search(&mut search)).await.unwrap_or_else(|| {
            let reached = WaitProgress::Depth { got: search.reached(), expected: depth };
            Err(WaitError::Deadline { limit, reached })
        })
    }

    async fn wait(&self, predicate: impl Fn(&Protocol<T>) -> bool) -> Result<(), Stopped> {
        let mut changes = self.shared.changes.clone();
        loop {
            if predicate(&self.shared.read()) {
                return Ok(());
            }
            changes.changed().await.map_err(|_| Stopped)?;
        }
    }

    async fn search(&self, search: &mut Search<T>) -> Result<Arc<Block<T>>, WaitError> {
        let mut changes = self.shared.changes.clone();
        loop {
            // One block per lock, so that the search does not keep the node from the write lock.
            let step = search.step(&self.shared.read());
            if let Err(WaitError::Store(error)) = &step {
                self.report_read_failure(error);
            }
            match step? {
                Step::Done(block) => return Ok(block),
                Step::More => yield_now().await,
                Step::Wait => changes.changed().await.map_err(|_| Stopped)?,
            }
        }
    }

    /// The outcome of a future, or `None` after `limit`. The timer belongs to the node's runtime, so that any
    /// executor may poll the future.
    async fn in_time<R, E>(
        &self,
        limit: Duration,
        wait: impl Future<Output = Result<R, E>>,
    ) -> Option<Result<R, WaitError>>
    where
        WaitError: From<E>,
    {
        let wait = {
            let _runtime = self.runtime.enter();
            timeout(limit, wait)
        };
        Some(wait.await.ok()?.map_err(WaitError::from))
    }
}

/// Why a wait ended without its condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The time limit has passed.
    #[error("not within {}: {reached}", Span(*.limit))]
    Deadline {
        /// The time limit.
        limit: Duration,
        /// What was reached by then.
        reached: WaitProgress,
    },
    /// The transaction is neither pending nor in the last blocks: it was never submitted, its block is
    /// deeper, or it was dropped before the wait began.
    #[error("transaction {id} is neither pending nor in the last {searched} blocks")]
    Unknown {
        /// The transaction's id.
        id: Hash,
        /// How many blocks at the end of the best chain were searched.
        searched: u64,
    },
    /// The transaction was pending, or in a block that was disconnected, and is neither pending nor in the
    /// best chain. An [`Event::TransactionsRemoved`](crate::Event::TransactionsRemoved) has the reason. A
    /// peer that has the transaction may still mine it.
    #[error("transaction {id} was dropped without being mined")]
    Dropped {
        /// The transaction's id.
        id: Hash,
    },
    /// A block could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// What a wait had reached at its time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitProgress {
    /// The height of the chain, which does not satisfy the predicate.
    Height(u64),
    /// Too few peers have completed the handshake.
    Peers {
        /// The number of peers.
        got: usize,
        /// The number that was waited for.
        expected: usize,
    },
    /// Too few transactions are pending.
    Pending {
        /// The number of pending transactions.
        got: usize,
        /// The number that was waited for.
        expected: usize,
    },
    /// The block of a transaction is not deep enough.
    Depth {
        /// The depth of the block: 1 at the tip, and 0 if the transaction is in no block of the best chain.
        got: u64,
        /// The depth that was waited for.
        expected: u64,
    },
}

impl fmt::Display for WaitProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Height(height) => write!(f, "the height is {height}"),
            Self::Peers { got, expected } => write!(f, "{got} of {expected} peers are connected"),
            Self::Pending { got, expected } => write!(f, "{got} of {expected} transactions are pending"),
            Self::Depth { got, expected } => write!(f, "the depth is {got} of {expected}"),
        }
    }
}

#[cfg(test)]
mod tests;
