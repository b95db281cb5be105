//! What the routes need of a node, and nothing else, so that they are tested without one.

use core::time::Duration;
use std::sync::Arc;

use serde::Serialize;

use super::client::Client;
use super::error::ApiError;
use crate::{Ban, Block, CompactTarget, Hash, PeerAddr, PeerHost, PeerId, Transaction};

/// A node as the routes see it. Every call may block, reads only for a moment, those that return what is at hand never.
pub(crate) trait Backend<T: Transaction>: Send + Sync + 'static {
    /// The target that difficulties are measured against.
    fn easiest_target(&self) -> CompactTarget;

    /// Up to `limit` blocks of the best chain from this height on, and the height of its tip, as of one
    /// moment. Ends with the block that brings it to `max_bytes` of memory.
    fn blocks(&self, from: u64, limit: usize, max_bytes: usize) -> Result<Page<T>, ApiError>;

    /// The block at this height of the best chain.
    fn block_at(&self, height: u64) -> Result<Option<Arc<Block<T>>>, ApiError>;

    /// The block with this hash, on the best chain or beside it.
    fn block(&self, hash: &Hash) -> Result<Option<Arc<Block<T>>>, ApiError>;

    /// What [`block_at`](Self::block_at) finds, where that is in memory, small, and no lock has to be waited for.
    fn block_at_if_at_hand(&self, height: u64) -> Option<Arc<Block<T>>>;

    /// What [`block`](Self::block) finds, on the same terms.
    fn block_if_at_hand(&self, hash: &Hash) -> Option<Arc<Block<T>>>;

    /// Up to `limit` pending transactions with their ids, in the order in which a block would take them.
    fn pending(&self, limit: usize) -> Vec<(Hash, T)>;

    /// The pending transaction with this id.
    fn transaction(&self, id: &Hash) -> Option<T>;

    /// Removes a pending transaction. Returns whether it was there.
    fn remove_transaction(&self, id: Hash) -> Result<bool, ApiError>;

    /// Hands a transaction in and returns its id.
    fn submit(&self, transaction: T) -> Result<Hash, ApiError>;

    /// Mines a block with these transactions, or with those pending. Stops when the time is up or the client is gone.
    fn mine(
        &self,
        data: Option<Vec<T>>,
        timeout: Duration,
        client: &Client,
    ) -> Result<Arc<Block<T>>, ApiError>;

    /// The connected peers.
    fn peers(&self) -> Vec<impl Serialize>;

    /// Starts to connect to one more peer.
    fn connect(&self, address: PeerAddr) -> Result<(), ApiError>;

    /// Ends a connection and keeps no other to its address. Returns whether it was there.
    fn remove(&self, peer: PeerId) -> Result<bool, ApiError>;

    /// The addresses that discovery knows.
    fn addresses(&self) -> Vec<impl Serialize>;

    /// Forgets an address. Returns whether it was known.
    fn forget_address(&self, address: PeerAddr) -> Result<bool, ApiError>;

    /// The hosts that are banned.
    fn bans(&self) -> Vec<Ban>;

    /// Bans a host.
    fn ban(&self, host: PeerHost, duration: Duration) -> Result<(), ApiError>;

    /// Lifts a ban. Returns whether there was one.
    fn unban(&self, host: PeerHost) -> Result<bool, ApiError>;

    /// The node at a glance.
    fn status(&self) -> Result<impl Serialize, ApiError>;

    /// The same, where no lock has to be waited for.
    fn status_if_at_hand(&self) -> Option<impl Serialize>;
}

/// Some blocks of the best chain.
#[derive(Clone, Debug)]
pub(crate) struct Page<T> {
    /// The height of the tip.
    pub(crate) height: u64,
    /// The blocks, in order of height.
    pub(crate) blocks: Vec<Arc<Block<T>>>,
}
