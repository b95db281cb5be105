//! The calls of the application and of the driver, besides the inputs: each is a few lines over the machines.

use core::error::Error;
use core::time::Duration;
use std::sync::Arc;

#[cfg(any(test, feature = "test-utils"))]
use super::Output;
use super::call::call;
use super::connections::Connections;
use super::discovery::Discovery;
use super::local::Local;
use super::outbox::Outbox;
use super::relay::Relay;
use super::saved::Saved;
#[cfg(feature = "evidence")]
use super::signing::{Signing, SigningStatus};
use super::sync::ChainSync;
use super::{
    Ban, BlockSource, BlocksAnswer, ClockBehind, CloseReason, ConnectError, Direction, KnownAddress, Message,
    Now, PeerAddr, PeerHost, PeerId, PeerInfo, Protocol, ProtocolConfig, RefusedBranch, TemplateError,
};
use crate::chain::{BlockError, Blockchain, Verdict};
use crate::consensus::ChainSpec;
#[cfg(feature = "evidence")]
use crate::evidence::{
    AddCheckpoint, LogSigner, NoteSignature, SignError, SignedNote, Witness, WitnessError,
};
use crate::mempool::{Mempool, MempoolError, Source};
use crate::miner::Template;
use crate::primitives::{Address, Block, Hash, Timestamp, Transaction};
#[cfg(feature = "node")]
use crate::store::Store;
use crate::store::StoreError;

impl<T: Transaction> Protocol<T> {
    /// Creates a node that knows the genesis block and no peer.
    ///
    /// # Panics
    ///
    /// Panics under the conditions of [`Blockchain::with_config`].
    pub fn new(spec: ChainSpec, config: ProtocolConfig) -> Self {
        Self::bare(Blockchain::with_config(spec, config.chain.clone()), config)
    }

    /// Creates a node on an opened chain, with the bans, the known addresses and the pending transactions
    /// from the chain's store. `config.chain` is ignored, because the chain was opened with its own bounds.
    ///
    /// # Errors
    ///
    /// [`StoreError`], if the store fails.
    pub fn with_chain(
        chain: Blockchain<T>,
        config: ProtocolConfig,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut node = Self::bare(chain, config);
        let Self { config, local, connections, discovery, saved, outbox, .. } = &mut node;
        saved.load_known(local, config, connections, discovery, now)?;
        saved.load_mempool(local, config, outbox, now)?;
        saved.plan_to_drop_stale(local, connections, discovery);
        Ok(node)
    }

    fn bare(chain: Blockchain<T>, config: ProtocolConfig) -> Self {
        let seed = config.seed.unwrap_or(0);
        let local = Local::new(chain, &config);
        Self {
            connections: Connections::new(seed),
            sync: ChainSync::default(),
            relay: Relay::new(*local.tip()),
            discovery: Discovery::new(seed),
            saved: Saved::default(),
            outbox: Outbox::new(),
            local,
            config,
        }
    }

    /// Returns the chain.
    pub const fn chain(&self) -> &Blockchain<T> {
        &self.local.chain
    }

    /// Sets the signer of the checkpoints of this node's chain, which continues after the last one in the store.
    ///
    /// # Errors
    ///
    /// [`SignError`], if the store is in memory or fails, or the last checkpoint in it cannot be read.
    #[cfg(feature = "evidence")]
    pub fn set_signer(&mut self, signer: LogSigner) -> Result<(), SignError> {
        let Self { local, outbox, .. } = self;
        local.signing = Some(Signing::new(signer, &local.chain, outbox)?);
        Ok(())
    }

    /// Signs the largest checkpoint whose blocks lie deep enough, as [`LogSigner::sign`]; `None` without a signer.
    ///
    /// # Errors
    ///
    /// As for [`LogSigner::sign`].
    #[cfg(feature = "evidence")]
    pub fn sign_checkpoint(&mut self) -> Option<Result<SignedNote, SignError>> {
        let Local { signing, chain, .. } = &mut self.local;
        signing.as_mut().map(|signing| signing.sign(chain))
    }

    /// Makes this node a witness of other logs, whose last checkpoints are in the chain's store.
    ///
    /// # Errors
    ///
    /// [`WitnessError::InMemory`], if the store forgets them.
    #[cfg(feature = "evidence")]
    pub fn set_witness(&mut self, witness: Witness) -> Result<(), WitnessError> {
        if self.local.chain.store().is_in_memory() {
            return Err(WitnessError::InMemory);
        }
        self.local.witness = Some(witness);
        Ok(())
    }

    /// Cosigns a checkpoint of another log, as [`Witness::add_checkpoint`]; `None` if this node is no witness.
    ///
    /// # Errors
    ///
    /// As for [`Witness::add_checkpoint`].
    #[cfg(feature = "evidence")]
    pub fn add_checkpoint(
        &mut self,
        request: &AddCheckpoint,
        now: Now,
    ) -> Option<Result<NoteSignature, WitnessError>> {
        let Local { witness, chain, .. } = &mut self.local;
        witness.as_ref().map(|witness| witness.add_checkpoint(chain, request, now.wall))
    }

    /// Returns what this node signs; `None` without a signer.
    #[cfg(feature = "evidence")]
    pub fn signing(&self) -> Option<SigningStatus> {
        self.local.signing.as_ref().map(Signing::status)
    }

    /// Returns the number of blocks in the last checkpoint that this node signed; 0 if it signed none.
    #[cfg(feature = "evidence")]
    pub fn signed_size(&self) -> u64 {
        self.local.signing.as_ref().map_or(0, Signing::size)
    }

    /// Returns the pool of pending transactions.
    pub const fn mempool(&self) -> &Mempool<T> {
        &self.local.mempool
    }

    /// Returns the peers that have completed the handshake.
    pub fn peers(&self) -> Vec<PeerInfo> {
        let info = |(id, address, direction, agent): (PeerId, &PeerAddr, Direction, &str)| {
            let (height, blocks_in_flight) = self.sync.progress(id);
            PeerInfo {
                id,
                address: address.clone(),
                direction,
                agent: agent.to_owned(),
                format: self.connections.format_of(id).to_owned(),
                height,
                blocks_in_flight,
            }
        };
        self.connections.ready().map(info).collect()
    }

    /// Returns the number of peers that have completed the handshake.
    pub fn peer_count(&self) -> usize {
        self.connections.ready().count()
    }

    /// Returns the addresses that this node keeps a connection to and that have none at present.
    pub fn unconnected(&self) -> impl Iterator<Item = &PeerAddr> {
        self.connections.unconnected()
    }

    /// Returns the addresses that discovery knows, in the order of their texts: at most
    /// [`limits::MAX_ADDRESSES`](super::limits::MAX_ADDRESSES).
    pub fn addresses(&self) -> Vec<KnownAddress> {
        self.discovery.addresses()
    }

    /// Returns the stored addresses at which peers were reached.
    ///
    /// # Errors
    ///
    /// [`StoreError`], if the store fails.
    pub fn remembered_peers(&mut self) -> Result<Vec<PeerAddr>, StoreError> {
        self.saved.load_peers(&self.local)
    }

    /// Returns the banned hosts.
    pub fn bans(&self, now: Now) -> Vec<Ban> {
        self.connections.bans(now)
    }

    /// Returns the last failure of the store, if the store has not worked since.
    pub const fn store_error(&self) -> Option<&StoreError> {
        self.local.store_error()
    }

    /// Whether imports are halted because the store cannot be written to.
    pub const fn is_halted(&self) -> bool {
        self.local.is_halted()
    }

    /// Returns how far a clock that reads `now` is behind, if anything waits for it.
    pub fn clock_behind(&self, now: Timestamp) -> Option<ClockBehind> {
        self.sync.clock_behind(&self.local.chain, now)
    }

    /// Returns the branch with the most work among the peers' branches that this node refuses, if there is
    /// one with more work than its own.
    pub fn refused_branch(&self) -> Option<RefusedBranch> {
        self.sync.refused_branch(&self.local.chain)
    }

    /// Keeps a connection to this address: dials it at once, and again whenever the connection ends.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], if the address is kept already, its host is banned, or the limit is reached.
    pub fn connect(&mut self, address: PeerAddr, now: Now) -> Result<(), ConnectError> {
        self.connections.connect(call!(self, now), address)
    }

    /// Closes a connection. An address that this node keeps a connection to is dialled again.
    pub fn disconnect(&mut self, peer: PeerId, reason: CloseReason, now: Now) {
        self.close(peer, reason, now);
        self.finish(now);
    }

    /// Closes a connection and removes the addresses that are reached over it, so that they are not dialled
    /// again. Returns whether the connection existed.
    pub fn remove(&mut self, peer: PeerId, now: Now) -> bool {
        let was_there = self.connections.contains(peer);
        for address in self.connections.forget_addresses_of(peer) {
            self.discovery.forget(&address);
        }
        self.disconnect(peer, CloseReason::Requested, now);
        if was_there {
            self.local.plan_to_save(now);
        }
        was_there
    }

    /// Forgets an address, whether it is kept, is being dialled, or came from a peer, and closes the
    /// connection to it if there is one. Returns whether the address was known. A peer may advertise the
    /// address again; a ban of its host prevents that.
    pub fn forget_address(&mut self, address: &PeerAddr, now: Now) -> bool {
        let (was_dialled, reached_over) = self.connections.forget_address(address);
        let was_known = self.discovery.forget(address) || was_dialled;
        if was_known {
            self.local.plan_to_save(now);
        }
        if let Some(peer) = reached_over {
            self.disconnect(peer, CloseReason::Requested, now);
        }
        was_known
    }

    /// Bans a host for `duration` and closes all connections to it. Replaces an existing ban of the host.
    pub fn ban(&mut self, host: &PeerHost, duration: Duration, now: Now) {
        self.ban_host(host, duration, now);
        self.finish(now);
    }

    /// Lifts a ban and resets the score of the host. Returns whether the host was banned.
    pub fn unban(&mut self, host: &PeerHost, now: Now) -> bool {
        self.connections.unban(call!(self, now), host)
    }

    /// Submits a transaction to the mempool and offers it to the peers.
    ///
    /// # Errors
    ///
    /// [`MempoolError`]; the transaction is not added.
    pub fn submit(&mut self, transaction: T, now: Now) -> Result<Hash, MempoolError> {
        let local = &mut self.local;
        let submitted = local.mempool.submit(transaction, Source::Local, &local.chain, now.wall);
        local.report_lost(&mut self.outbox);
        let id = submitted?;
        let call = call!(self, now);
        self.relay.on_accepted(call, id);
        self.relay.offer_new(call);
        call.local.plan_to_save(now);
        Ok(id)
    }

    /// Removes a pending transaction and those that depend on it. Returns whether the transaction was
    /// pending.
    ///
    /// The node accepts the transaction from no peer while it is among the last 10,000 removed ones, until a
    /// restart. The application can submit it again. A peer that already has the transaction may still mine
    /// it.
    pub fn remove_transaction(&mut self, id: &Hash, now: Now) -> bool {
        self.local.remove_transaction(*id, &mut self.outbox, now)
    }

    /// Why a transaction left the mempool without being mined, as text of at most
    /// [`MAX_DROP_REASON_BYTES`](super::limits::MAX_DROP_REASON_BYTES), if it is one of the last
    /// [`MAX_DROPPED_TRANSACTIONS`](super::limits::MAX_DROPPED_TRANSACTIONS) that did. It may have come back since.
    pub fn drop_reason(&self, id: &Hash) -> Option<&str> {
        self.local.drop_reason(id)
    }

    /// Refuses a transaction from all peers, because of an error that is not the fault of a peer.
    pub fn refuse_transaction(&mut self, id: Hash, error: Arc<dyn Error + Send + Sync>) {
        self.local.refuse_transaction(id, error, &mut self.outbox);
    }

    /// Builds a template for the next block from `data`, or from the pending transactions if `data` is
    /// `None`.
    ///
    /// # Errors
    ///
    /// The consensus rule that a block with these transactions would break, or the store's error while
    /// nothing can be imported.
    pub fn template(
        &self,
        data: Option<Vec<T>>,
        miner: Address,
        now: Timestamp,
    ) -> Result<Template<T>, BlockError> {
        self.local.template(data, miner, now)
    }

    /// Builds a template with pending transactions after [`template`](Self::template) has failed, or after
    /// `check` has refused the block of its template. Removes the transactions that are the cause and reports
    /// them in a [`TransactionsRemoved`](super::Event::TransactionsRemoved). `check` returns whether every
    /// peer can read a message.
    ///
    /// The number of templates built grows with the logarithm of the number of pending transactions.
    ///
    /// # Errors
    ///
    /// [`TemplateError`], if not even a block without transactions can be mined.
    pub fn minable_template<E: Error + Send + Sync + 'static>(
        &mut self,
        miner: Address,
        now: Now,
        check: impl Fn(Message<T>) -> Result<(), E>,
    ) -> Result<Template<T>, TemplateError<E>> {
        self.local.minable_template(miner, &mut self.outbox, now, check)
    }

    /// Imports a block that this node mined, makes it durable and sends it to the peers. Returns whether the
    /// block is on the best chain.
    ///
    /// # Errors
    ///
    /// The consensus rule that the block breaks, or the store's error.
    pub fn mined(&mut self, block: &Arc<Block<T>>, now: Now) -> Result<bool, BlockError> {
        let verdict = match self.import(vec![Arc::clone(block)], &BlockSource::Mined, now) {
            Some(mut verdicts) => verdicts.pop().unwrap_or(Ok(Verdict::Duplicate)),
            None => Err(self.local.store_failure().into()),
        };
        let call = call!(self, now);
        verdict.inspect_err(|error| call.local.drop_refused(block, error, call.outbox, now))?;
        let is_best = call.local.chain.is_best(block.hash()).unwrap_or_else(|error| {
            call.local.read_failed(error, call.outbox);
            call.local.chain.tip() == block
        });
        if is_best {
            self.relay.push_block(call, block);
        }
        self.finish(now);
        Ok(is_best)
    }

    /// Returns the next message of an answer to `GetBlocks`; `None` if the answer is complete. Reads about
    /// [`MAX_BLOCKS_BYTES`](super::limits::MAX_BLOCKS_BYTES) bytes from the store, so the driver should call
    /// it only after the previous message was written to the peer.
    ///
    /// A block that cannot be read counts as missing. `failed` is called with the error, which the driver
    /// must pass to [`read_failed`](Self::read_failed).
    pub fn next_blocks(
        &self,
        answer: &mut BlocksAnswer<T>,
        failed: impl FnMut(StoreError),
    ) -> Option<Message<T>> {
        answer.next_message(&self.local.chain, failed)
    }

    /// Reports a failed read as [`StoreFailed`](super::Event::StoreFailed) and in
    /// [`store_error`](Self::store_error), until the store can be written to again. Imports continue. Only
    /// the first failure is reported, because a peer or a client may request damaged blocks any number of
    /// times.
    pub fn read_failed(&mut self, error: StoreError) {
        self.local.read_failed(error, &mut self.outbox);
    }

    /// Checks that the store is still at the place from which the next run opens it, and halts imports if it
    /// is not. The driver must call this every [`limits::STORE_CHECK`](super::limits::STORE_CHECK).
    pub fn check_store(&mut self, now: Now) {
        self.local.check_store(&mut self.outbox, now);
    }

    /// Notifies the application when the clock begins or ceases to be behind.
    #[cfg(feature = "node")]
    pub(crate) fn watch_clock(&mut self, now: Now) {
        self.sync.watch_clock(call!(self, now));
    }

    /// Sends a `Bye` to every peer, closes all connections, and writes everything unsaved to the store. Later
    /// inputs are ignored, except new connections.
    pub fn shutdown(&mut self, now: Now) {
        if let Err(error) = self.save().and_then(|()| self.local.chain.checkpoint()) {
            // Data that cannot be written is lost, as in a crash.
            self.read_failed(error);
        }
        self.config.discovery = false;
        self.discovery.stop();
        self.connections.stop_dialling();
        for peer in self.connections.ids() {
            self.close(peer, CloseReason::Shutdown, now);
        }
    }

    /// Takes the store out of a protocol that receives no further inputs. Reads from memory still work.
    #[cfg(feature = "node")]
    pub(crate) fn close_store(&mut self) -> Box<dyn Store> {
        self.local.chain.close_store()
    }

    /// Returns all outputs, with every [`Output::SendBlocks`] replaced by its messages.
    #[cfg(any(test, feature = "test-utils"))]
    pub(crate) fn drain_outputs(&mut self) -> Vec<Output<T>> {
        let mut outputs = Vec::new();
        while let Some(output) = self.poll_output() {
            let Output::SendBlocks { peer, mut answer } = output else {
                outputs.push(output);
                continue;
            };
            let mut failures = Vec::new();
            while let Some(message) = self.next_blocks(&mut answer, |error| failures.push(error)) {
                outputs.push(Output::Send { peers: vec![peer], message });
            }
            for error in failures {
                self.read_failed(error);
            }
        }
        outputs
    }

    /// Writes the latest changes besides the chain, if they are due.
    pub(super) fn save_if_due(&mut self, now: Now) {
        if !self.local.take_save_due(now) {
            return;
        }
        if self.is_halted() {
            self.local.plan_to_save(now);
        } else if let Err(error) = self.save() {
            self.local.halt(error, &mut self.outbox, now);
            self.local.plan_to_save(now);
        }
    }

    fn save(&mut self) -> Result<(), StoreError> {
        self.saved.save(&mut self.local, &self.connections, &self.discovery)
    }
}
