//! The application's handle to a running node.

mod blocking;
mod find;
mod wait;

use core::fmt;
use core::ops::{Deref, RangeBounds};
use core::time::Duration;
use std::sync::{Arc, RwLockReadGuard};

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

pub use find::TransactionStatus;
pub use wait::{WaitError, WaitProgress};

use super::command::Command;
use super::end::NodeFailure;
#[cfg(feature = "evidence")]
use super::error::{CosignError, SignCheckpointError};
use super::error::{MineError, PeerError, Stopped, SubmitError};
use super::events::Events;
use super::shared::Shared;
use crate::api::Status;
use crate::chain::Blockchain;
#[cfg(feature = "evidence")]
use crate::evidence::{AddCheckpoint, NoteSignature, SignedNote};
use crate::primitives::{Block, Hash, Transaction};
use crate::protocol::{Ban, KnownAddress, PeerAddr, PeerHost, PeerId, PeerInfo, Protocol};
use crate::store::StoreError;

/// A running node. Cheap to clone; the node stops when [`shutdown`](Self::shutdown) is called or the last
/// handle is dropped.
///
/// Reads take a short lock. They do not wait for the network or for mining, but they may wait while the node
/// applies a change, which includes writing it to the store. The `*_blocking` variants are for threads
/// outside the runtime; they panic in async code, where blocking is not allowed.
///
/// When the node has ended, its store is released, even if there are handles left. A handle still answers
/// from memory: [`status`](Self::status), [`tip`](Self::tip), [`state`](Self::state) and the pending
/// transactions. Reads of blocks fail with [`StoreError::Closed`].
#[derive(Debug)]
pub struct NodeHandle<T: Transaction = String> {
    pub(super) shared: Arc<Shared<T>>,
    commands: mpsc::Sender<Command<T>>,
    runtime: Handle,
}

impl<T: Transaction> Clone for NodeHandle<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            commands: self.commands.clone(),
            runtime: self.runtime.clone(),
        }
    }
}

impl<T: Transaction> NodeHandle<T> {
    pub(super) fn new(shared: Arc<Shared<T>>, commands: mpsc::Sender<Command<T>>) -> Self {
        Self { shared, commands, runtime: Handle::current() }
    }

    /// A summary of the node's current status.
    pub fn status(&self) -> Status {
        self.chain().status()
    }

    /// Locks the chain for reading, to read several values that belong to one moment.
    ///
    /// The node imports nothing while the returned guard is held, so hold it briefly and never across an
    /// await. Do not call another method of a handle meanwhile: if the node waits for the write lock, a
    /// second read on the same thread deadlocks. If a read through this guard fails, the caller reports the
    /// failure; the methods of the handle that read blocks report theirs to the node.
    pub fn chain(&self) -> ChainRef<'_, T> {
        ChainRef { protocol: self.shared.read(), shared: &self.shared }
    }

    /// [`chain`](Self::chain) without waiting for the lock: `None` while the node applies a change.
    #[cfg(feature = "http")]
    pub(crate) fn try_chain(&self) -> Option<ChainRef<'_, T>> {
        self.shared.try_read().map(|protocol| ChainRef { protocol, shared: &self.shared })
    }

    /// The tip of the best chain.
    pub fn tip(&self) -> Arc<Block<T>> {
        Arc::clone(self.chain().tip())
    }

    /// The block with this hash, on any branch; `None` if it is unknown or was pruned.
    ///
    /// # Errors
    ///
    /// [`StoreError`], if the store fails or the stored block is corrupt.
    pub fn block(&self, hash: &Hash) -> Result<Option<Arc<Block<T>>>, StoreError> {
        self.read(|chain| chain.block(hash))
    }

    /// The block of the best chain at this height; `None` above the tip, and if it was pruned.
    ///
    /// # Errors
    ///
    /// As for [`block`](Self::block).
    pub fn block_at(&self, height: u64) -> Result<Option<Arc<Block<T>>>, StoreError> {
        self.read(|chain| chain.block_at(height))
    }

    /// The blocks of the best chain at these heights, lowest first, without those whose bodies were pruned.
    /// All returned blocks are in memory at once, so ask for a page at a time.
    ///
    /// # Errors
    ///
    /// As for [`block`](Self::block).
    pub fn blocks(&self, heights: impl RangeBounds<u64>) -> Result<Vec<Arc<Block<T>>>, StoreError> {
        self.read(|chain| chain.blocks(heights).collect())
    }

    /// The application's state after the tip.
    pub fn state(&self) -> T::State {
        self.chain().state().clone()
    }

    /// Up to `limit` pending transactions with their ids, in the order in which they will be mined.
    pub fn pending(&self, limit: usize) -> Vec<(Hash, T)> {
        let protocol = self.shared.read();
        protocol.mempool().iter().take(limit).map(|(id, transaction)| (*id, transaction.clone())).collect()
    }

    /// The pending transaction with this id.
    pub fn transaction(&self, id: &Hash) -> Option<T> {
        self.shared.read().mempool().transaction(id).cloned()
    }

    /// The peers that have completed the handshake.
    pub fn peers(&self) -> Vec<PeerInfo> {
        self.shared.read().peers()
    }

    /// The addresses that discovery knows, in the order of their texts; empty if discovery is off.
    pub fn addresses(&self) -> Vec<KnownAddress> {
        self.shared.read().addresses()
    }

    /// The banned hosts, whether they misbehaved or were banned by [`ban`](Self::ban).
    pub fn bans(&self) -> Vec<Ban> {
        self.shared.read().bans(self.shared.clock.now())
    }

    /// The address at which the node accepts connections. If port 0 was configured, the address has the port
    /// that was assigned.
    pub fn listen_addr(&self) -> Option<&PeerAddr> {
        self.shared.listen.as_ref()
    }

    /// Subscribes to the events from this call on.
    pub fn subscribe(&self) -> Events<T> {
        Events::new(self.shared.subscribe())
    }

    /// Submits a transaction, which any node may mine, and returns its id. The transaction is refused if an
    /// [equal](crate::Transaction#equal-transactions) one is pending or was mined lately.
    ///
    /// Not cancel-safe: if the future is dropped, the transaction may or may not have been submitted.
    ///
    /// # Errors
    ///
    /// [`SubmitError`].
    pub async fn submit(&self, transaction: T) -> Result<Hash, SubmitError> {
        self.call(|reply| Command::Submit { transaction, reply }).await?
    }

    /// Removes a pending transaction, and those that do not apply without it. Returns whether it was pending.
    ///
    /// Peers cannot submit the transaction again while its id is among the last 10,000 that were removed, and
    /// until a restart; the application can. A peer that has the transaction already may still mine it.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    pub async fn remove_transaction(&self, id: Hash) -> Result<bool, Stopped> {
        self.call(|reply| Command::RemoveTransaction { id, reply }).await
    }

    /// Mines a block with these transactions and waits for it. The returned block is durable, is the tip of
    /// this node's chain, and is queued for the peers. If another block becomes the tip first, the node mines
    /// a new block on top of that one.
    ///
    /// Dropping the future stops the search.
    ///
    /// # Errors
    ///
    /// [`MineError`].
    pub async fn mine(&self, data: Vec<T>) -> Result<Arc<Block<T>>, MineError> {
        self.call(|reply| Command::Mine { data: Some(data), reply }).await?
    }

    /// Mines a block with the pending transactions, like [`mine`](Self::mine). The block is empty if none are
    /// pending.
    ///
    /// # Errors
    ///
    /// [`MineError`].
    pub async fn mine_pending(&self) -> Result<Arc<Block<T>>, MineError> {
        self.call(|reply| Command::Mine { data: None, reply }).await?
    }

    /// Signs the largest checkpoint whose blocks lie deep enough, and returns it when it is durable: see
    /// [`LogSigner::sign`](crate::evidence::LogSigner::sign). Returns the last one again until there is a larger one.
    ///
    /// Cancel-safe: a checkpoint that was signed for a future that is dropped counts as given out.
    ///
    /// # Errors
    ///
    /// [`SignCheckpointError`].
    #[cfg(feature = "evidence")]
    pub async fn sign_checkpoint(&self) -> Result<SignedNote, SignCheckpointError> {
        let signed = self.call(|reply| Command::SignCheckpoint { reply }).await?;
        Ok(signed.ok_or(SignCheckpointError::NoSigner)??)
    }

    /// The checkpoint for outsiders. If the node [asks witnesses](super::NodeBuilder::ask_witness), the largest
    /// that one of them has answered for, with the cosignatures that have arrived; otherwise, and before the first
    /// answer, the largest that it [signs](Self::sign_checkpoint).
    ///
    /// Cancel-safe, as [`sign_checkpoint`](Self::sign_checkpoint) is.
    ///
    /// # Errors
    ///
    /// [`SignCheckpointError`].
    #[cfg(feature = "evidence")]
    pub async fn checkpoint(&self) -> Result<SignedNote, SignCheckpointError> {
        // Fails while the chain does not contain what was signed.
        let signed = self.sign_checkpoint().await?;
        #[cfg(feature = "client")]
        if let Some(published) = self.shared.published() {
            return Ok(published);
        }
        Ok(signed)
    }

    /// Cosigns a checkpoint of another log, and returns the cosignature when the checkpoint is durable: see
    /// [`Witness::add_checkpoint`](crate::evidence::Witness::add_checkpoint).
    ///
    /// Cancel-safe: a checkpoint that was cosigned for a future that is dropped is the last one of its log.
    ///
    /// # Errors
    ///
    /// [`CosignError`].
    #[cfg(feature = "evidence")]
    pub async fn add_checkpoint(&self, request: AddCheckpoint) -> Result<NoteSignature, CosignError> {
        let request = Box::new(request);
        let cosigned = self.call(|reply| Command::AddCheckpoint { request, reply }).await?;
        Ok(cosigned.ok_or(CosignError::NoWitness)??)
    }

    /// Turns continuous mining, block after block without a request, on or off.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    pub async fn mine_continuously(&self, continuously: bool) -> Result<(), Stopped> {
        self.commands.send(Command::MineContinuously(continuously)).await.map_err(|_| Stopped)
    }

    /// Connects to this address, and reconnects whenever the connection is lost.
    ///
    /// # Errors
    ///
    /// [`PeerError`].
    pub async fn connect(&self, address: PeerAddr) -> Result<(), PeerError> {
        self.call(|reply| Command::Connect { address, reply }).await?
    }

    /// Ends a connection. If the node keeps a connection to the peer's address, it dials the address again.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    pub async fn disconnect(&self, peer: PeerId) -> Result<(), Stopped> {
        self.commands.send(Command::Disconnect { peer }).await.map_err(|_| Stopped)
    }

    /// Ends a connection, and stops reconnecting to the addresses that are reached over it. Returns whether
    /// the peer was connected.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    pub async fn remove(&self, peer: PeerId) -> Result<bool, Stopped> {
        self.call(|reply| Command::Remove { peer, reply }).await
    }

    /// Forgets an address, whether the node keeps a connection to it or a peer advertised it, and ends the
    /// connection to it if there is one. Returns whether the address was known. The address is removed from
    /// the store as well. A peer may advertise it again; [`ban`](Self::ban) keeps its host out.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    pub async fn forget_address(&self, address: PeerAddr) -> Result<bool, Stopped> {
        self.call(|reply| Command::ForgetAddress { address, reply }).await
    }

    /// Ends all connections with a host, and refuses new ones for this duration. Replaces an earlier ban of
    /// the host. A store keeps bans over a restart.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    pub async fn ban(&self, host: PeerHost, duration: Duration) -> Result<(), Stopped> {
        self.call(|reply| Command::Ban { host, duration, reply }).await
    }

    /// Lifts a ban, whether it was set by [`ban`](Self::ban) or for misbehaviour. Returns whether the host
    /// was banned.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    pub async fn unban(&self, host: PeerHost) -> Result<bool, Stopped> {
        self.call(|reply| Command::Unban { host, reply }).await
    }

    /// Stops mining, says goodbye to the peers and stops the node. Returns when the port and the store are
    /// released, even if there are other handles, so that both can be opened again at once. Takes at most
    /// three seconds, plus the time that the store takes to write and close. Does nothing if the node has
    /// stopped.
    ///
    /// Never returns while the caller holds a [`ChainRef`].
    ///
    /// Cancel-safe: once the request to stop is queued, the node stops even if the future is dropped. The
    /// request is queued at the first poll, unless 64 calls of handles are already queued.
    pub async fn shutdown(&self) {
        // An error means that the node has stopped already or is stopping, which is what the caller asked
        // for.
        let _ = self.commands.send(Command::Shutdown).await;
        // If the node ended with a failure, it has stopped as well.
        let _ = self.closed().await;
    }

    /// Waits until the node has ended, by [`shutdown`](Self::shutdown) or by a failure. A program whose node
    /// has failed should end with a non-zero exit code, so that its supervisor restarts it.
    ///
    /// Cancel-safe. The handle that waits keeps the node running, like any other.
    ///
    /// # Errors
    ///
    /// [`NodeFailure`], if the node ended without a request.
    pub async fn closed(&self) -> Result<(), NodeFailure> {
        let mut changes = self.shared.changes.clone();
        while changes.changed().await.is_ok() {}
        self.shared.ended.get().cloned().unwrap_or(Err(NodeFailure::Runtime))
    }

    /// How the node has ended; `None` while it runs.
    #[cfg(feature = "http")]
    pub(crate) fn ended(&self) -> Option<Result<(), NodeFailure>> {
        let has_ended = self.shared.changes.has_changed().is_err();
        has_ended.then(|| self.shared.ended.get().cloned().unwrap_or(Err(NodeFailure::Runtime)))
    }

    /// The runtime that the node runs on, for code that bridges threads to it.
    #[cfg(feature = "http")]
    pub(crate) const fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Reads from the chain. A failure of the store is reported to the node, like one of a read for a peer,
    /// and returned.
    pub(crate) fn read<R>(
        &self,
        work: impl FnOnce(&Blockchain<T>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        work(&self.chain()).inspect_err(|error| self.report_read_failure(error))
    }

    fn report_read_failure(&self, error: &StoreError) {
        // If the queue is full, this report is lost, and a later failure is reported instead.
        let _ = self.commands.try_send(Command::ReadFailed(error.clone()));
    }

    async fn call<R>(&self, command: impl FnOnce(oneshot::Sender<R>) -> Command<T>) -> Result<R, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}

/// The chain of a running node, locked for reading.
pub struct ChainRef<'a, T: Transaction = String> {
    protocol: RwLockReadGuard<'a, Protocol<T>>,
    shared: &'a Shared<T>,
}

impl<T: Transaction> ChainRef<'_, T> {
    pub(crate) fn status(&self) -> Status {
        Status::of(self.shared, &self.protocol)
    }
}

#[cfg(feature = "evidence")]
impl<T: Transaction> ChainRef<'_, T> {
    /// The number of blocks in the last checkpoint that the node signed; 0 if it signed none.
    pub fn signed_size(&self) -> u64 {
        self.protocol.signed_size()
    }
}

impl<T: Transaction> Deref for ChainRef<'_, T> {
    type Target = Blockchain<T>;

    fn deref(&self) -> &Blockchain<T> {
        self.protocol.chain()
    }
}

impl<T: Transaction> fmt::Debug for ChainRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{PeerError, Stopped};
    use crate::transport::{Memory, TransportError};
    use crate::{ChainSpec, Node, ProtocolConfig, StartError};

    #[tokio::test]
    async fn nodes_with_the_same_settings_are_not_taken_for_one() {
        let network = Memory::new();
        let builder = || {
            let protocol = ProtocolConfig::default().with_max_inbound(1);
            Node::<String>::builder(ChainSpec::default()).transport(network.clone()).protocol(protocol)
        };
        let one = builder().listen("memory://one".parse().unwrap()).start().await.unwrap();
        let other = builder().peers(["memory://one".parse().unwrap()]).start().await.unwrap();
        let met = tokio::time::timeout(Duration::from_secs(30), one.wait_for_peers(1));
        assert_eq!(met.await, Ok(Ok(())));
        assert_eq!(other.wait_for_peers(1).await, Ok(()));
    }

    #[tokio::test]
    async fn a_foreign_address_is_refused_where_it_is_given() {
        let builder = || Node::<String>::builder(ChainSpec::default()).transport(Memory::new());
        let foreign = "http://localhost:5001".parse().unwrap();
        let node = builder().start().await.unwrap();
        let refused = node.connect(foreign).await.unwrap_err();
        assert!(matches!(refused, PeerError::Address(TransportError::BadAddress { .. })), "{refused}");
        let foreign = "http://localhost:5001".parse().unwrap();
        let refused = builder().peers([foreign]).start().await.unwrap_err();
        assert!(matches!(refused, StartError::Transport(TransportError::BadAddress { .. })), "{refused}");
    }

    #[cfg(feature = "http")]
    #[tokio::test]
    async fn what_must_not_wait_does_not() {
        let node = Node::<String>::builder(ChainSpec::default()).start().await.unwrap();
        let change = node.shared.write();
        assert!(node.try_chain().is_none());
        drop(change);
        assert_eq!(node.try_chain().map(|chain| chain.status()), Some(node.status()));
        assert_eq!(node.try_chain().map(|chain| chain.height()), Some(0));
    }

    #[tokio::test]
    async fn waiting_for_transactions_ends_with_the_last_one_and_with_the_node() {
        let node = Node::<String>::builder(ChainSpec::default()).start().await.unwrap();
        let wait_for = |count| {
            let node = node.clone();
            tokio::spawn(async move { node.wait_for_pending(count).await })
        };
        let (two, three) = (wait_for(2), wait_for(3));
        node.submit("a".to_owned()).await.unwrap();
        node.wait_for_pending(1).await.unwrap();
        node.submit("b".to_owned()).await.unwrap();
        assert_eq!(two.await.unwrap(), Ok(()));
        node.shutdown().await;
        assert_eq!(three.await.unwrap(), Err(Stopped));
    }
}
