//! The interface of a node that the routes need, so that the routes can be tested without a node.

use core::time::Duration;
use std::sync::Arc;

use serde::Serialize;

use super::client::Client;
use super::error::ApiError;
use crate::{Ban, Block, CompactTarget, Hash, PeerAddr, PeerHost, PeerId, Transaction};

/// A node, for the routes. Every call may block, except those that end in `_if_at_hand`; reads block only
/// briefly.
pub(crate) trait Backend<T: Transaction>: Send + Sync + 'static {
    /// The target of difficulty 1.
    fn easiest_target(&self) -> CompactTarget;

    /// Up to `limit` blocks of the best chain from this height on, and the height of its tip, as of one
    /// moment. The last block is the one that reaches `max_bytes` of memory.
    fn blocks(&self, from: u64, limit: usize, max_bytes: usize) -> Result<Page<T>, ApiError>;

    /// The block of the best chain at this height.
    fn block_at(&self, height: u64) -> Result<Option<Arc<Block<T>>>, ApiError>;

    /// The block with this hash, on any branch.
    fn block(&self, hash: &Hash) -> Result<Option<Arc<Block<T>>>, ApiError>;

    /// Like [`block_at`](Self::block_at), but `None` unless the block is cached and small and the lock is
    /// free.
    fn block_at_if_at_hand(&self, height: u64) -> Option<Arc<Block<T>>>;

    /// Like [`block`](Self::block), but `None` unless the block is cached and small and the lock is free.
    fn block_if_at_hand(&self, hash: &Hash) -> Option<Arc<Block<T>>>;

    /// Up to `limit` pending transactions with their ids, in the order in which they will be mined.
    fn pending(&self, limit: usize) -> Vec<(Hash, T)>;

    /// The pending transaction with this id.
    fn transaction(&self, id: &Hash) -> Option<T>;

    /// Removes a pending transaction. Returns whether it was pending.
    fn remove_transaction(&self, id: Hash) -> Result<bool, ApiError>;

    /// Submits a transaction and returns its id.
    fn submit(&self, transaction: T) -> Result<Hash, ApiError>;

    /// Mines a block with these transactions, or with the pending ones. Stops after the timeout or when the
    /// client disconnects.
    fn mine(
        &self,
        data: Option<Vec<T>>,
        timeout: Duration,
        client: &Client,
    ) -> Result<Arc<Block<T>>, ApiError>;

    /// The connected peers.
    fn peers(&self) -> Vec<impl Serialize>;

    /// Adds an address to dial.
    fn connect(&self, address: PeerAddr) -> Result<(), ApiError>;

    /// Ends a connection, and stops dialling its address. Returns whether the peer was connected.
    fn remove(&self, peer: PeerId) -> Result<bool, ApiError>;

    /// The addresses that discovery knows.
    fn addresses(&self) -> Vec<impl Serialize>;

    /// Forgets an address. Returns whether it was known.
    fn forget_address(&self, address: PeerAddr) -> Result<bool, ApiError>;

    /// The banned hosts.
    fn bans(&self) -> Vec<Ban>;

    /// Bans a host.
    fn ban(&self, host: PeerHost, duration: Duration) -> Result<(), ApiError>;

    /// Lifts a ban. Returns whether the host was banned.
    fn unban(&self, host: PeerHost) -> Result<bool, ApiError>;

    /// A summary of the node's state.
    fn status(&self) -> Result<impl Serialize, ApiError>;

    /// Like [`status`](Self::status), but `None` unless the lock is free.
    fn status_if_at_hand(&self) -> Option<impl Serialize>;
}

/// Consecutive blocks of the best chain.
#[derive(Clone, Debug)]
pub(crate) struct Page<T> {
    /// The height of the tip.
    pub(crate) height: u64,
    /// The blocks, by ascending height.
    pub(crate) blocks: Vec<Arc<Block<T>>>,
}
