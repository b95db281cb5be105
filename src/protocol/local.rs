//! What this node has and every machine acts upon: the chain, the mempool, and the status of the store. While
//! the store fails, nothing is imported until the store works again; reads continue.

use core::time::Duration;
use std::sync::Arc;

use super::config::ProtocolConfig;
use super::dropped::Dropped;
use super::event::{BlockSource, Event};
use super::limits;
use super::now::Now;
use super::outbox::Outbox;
#[cfg(feature = "evidence")]
use super::signing::Signing;
use crate::chain::{BlockError, Blockchain, Imported, Verdict, VerifiedBlock};
#[cfg(feature = "evidence")]
use crate::evidence::Witness;
use crate::mempool::{Mempool, RemovalReason};
use crate::primitives::{Block, Hash, Transaction};
use crate::store::StoreError;

/// The chain and the mempool of this node.
#[derive(Debug)]
pub(super) struct Local<T: Transaction> {
    pub(super) chain: Blockchain<T>,
    pub(super) mempool: Mempool<T>,
    dropped: Dropped,
    /// The last failure of the store, if the store has not worked since.
    store_error: Option<StoreError>,
    /// When the store is tried again; while this is `Some`, nothing is imported.
    store_retry: Option<Duration>,
    /// When what is stored besides the chain is written next.
    save_due: Option<Duration>,
    #[cfg(feature = "evidence")]
    pub(super) signing: Option<Signing>,
    #[cfg(feature = "evidence")]
    pub(super) witness: Option<Witness>,
}

/// The outcome of an import of blocks.
#[derive(Debug)]
pub(super) struct ImportedBlocks {
    /// The verdict on each block, in order.
    pub(super) verdicts: Vec<Result<Verdict, BlockError>>,
    /// If blocks were disconnected: the ids of their transactions that are pending again.
    pub(super) returned: Option<Vec<Hash>>,
}

impl<T: Transaction> Local<T> {
    pub(super) fn new(chain: Blockchain<T>, config: &ProtocolConfig) -> Self {
        Self {
            mempool: Mempool::new(&chain, config.mempool.clone()),
            chain,
            dropped: Dropped::default(),
            store_error: None,
            store_retry: None,
            save_due: None,
            #[cfg(feature = "evidence")]
            signing: None,
            #[cfg(feature = "evidence")]
            witness: None,
        }
    }

    /// Returns the hash of the tip.
    pub(super) fn tip(&self) -> &Hash {
        self.chain.tip().hash()
    }

    /// Imports blocks, updates the mempool and notifies the application. Calls `before_return` before the
    /// transactions of disconnected blocks become pending again. `source` is what connects the blocks. Returns `None` if the store fails or has
    /// failed; nothing was imported in that case.
    pub(super) fn import(
        &mut self,
        blocks: Vec<Arc<Block<T>>>,
        source: &BlockSource,
        outbox: &mut Outbox<T>,
        now: Now,
        before_return: impl FnOnce(&Mempool<T>),
    ) -> Option<ImportedBlocks> {
        if self.is_halted() {
            return None;
        }
        let imported = match self.chain.import_all(blocks, now.wall) {
            Ok(imported) => imported,
            Err(error) => {
                self.import_failed(error, outbox, now);
                return None;
            }
        };
        let Imported { disconnected, connected, .. } = &imported;
        if !self.mempool.is_empty() || !disconnected.is_empty() {
            self.plan_to_save(now);
        }
        if disconnected.is_empty() && connected.is_empty() {
            return Some(ImportedBlocks { verdicts: imported.verdicts, returned: None });
        }
        if !disconnected.is_empty() {
            before_return(&self.mempool);
        }
        self.mempool.update(&imported, &self.chain, now.wall);
        let Imported { verdicts, disconnected, connected, .. } = imported;
        let returned = (!disconnected.is_empty()).then(|| {
            let undone = disconnected.iter().rev().filter_map(|block| block.digest().ok());
            undone.flat_map(|digest| digest.ids).filter(|id| self.mempool.contains(id)).collect()
        });
        for block in disconnected {
            outbox.event(Event::BlockDisconnected(block));
        }
        let parent = connected.first().and_then(|first| first.height().checked_sub(1));
        let parent = parent.and_then(|height| self.chain.header_at(height).ok().flatten());
        let mut previous = parent.map(|header| header.timestamp);
        for block in connected.into_iter().map(VerifiedBlock::into_block) {
            let header = block.header();
            let difficulty = self.chain.difficulty(header.target);
            let interval =
                previous.map_or(Duration::ZERO, |previous| header.timestamp.saturating_since(previous));
            previous = Some(header.timestamp);
            outbox.event(Event::BlockConnected { block, source: source.clone(), difficulty, interval });
        }
        // Reported after the blocks that caused the removals.
        self.report_lost(outbox);
        #[cfg(feature = "evidence")]
        if let Some(signing) = &mut self.signing {
            signing.follow(&self.chain, outbox);
        }
        Some(ImportedBlocks { verdicts, returned })
    }

    /// Reports the transactions that the last change of the mempool removed.
    pub(super) fn report_lost(&mut self, outbox: &mut Outbox<T>) {
        let lost = self.mempool.take_lost();
        self.report_removed(lost, outbox);
    }

    /// Reports transactions that left the mempool without being mined.
    pub(super) fn report_removed(&mut self, removed: Vec<(Hash, RemovalReason)>, outbox: &mut Outbox<T>) {
        if !removed.is_empty() {
            self.dropped.add(&removed);
            outbox.event(Event::TransactionsRemoved { removed: removed.into() });
        }
    }

    /// Why a transaction left the mempool without being mined, if it is one of the last that did.
    pub(super) fn drop_reason(&self, id: &Hash) -> Option<&str> {
        self.dropped.reason(id)
    }

    /// Returns the last failure of the store, if the store has not worked since.
    pub(super) const fn store_error(&self) -> Option<&StoreError> {
        self.store_error.as_ref()
    }

    /// Whether imports are halted because the store cannot be written to.
    pub(super) const fn is_halted(&self) -> bool {
        self.store_retry.is_some()
    }

    /// Returns the error to answer with while imports are halted.
    pub(super) fn store_failure(&self) -> StoreError {
        self.store_error.clone().unwrap_or(StoreError::Closed)
    }

    /// Halts imports, because the store cannot be written to.
    pub(super) fn halt(&mut self, error: StoreError, outbox: &mut Outbox<T>, now: Now) {
        let was_halted = self.store_retry.replace(now.elapsed + limits::STORE_RETRY).is_some();
        if !was_halted {
            self.store_error = None;
        }
        self.report_failure(error, outbox);
    }

    /// Handles a failed import of blocks. If the cause was damaged data and the store works otherwise, the
    /// node continues.
    fn import_failed(&mut self, error: StoreError, outbox: &mut Outbox<T>, now: Now) {
        if error.is_damage() && self.chain.recover().is_ok() {
            self.read_failed(error, outbox);
        } else {
            self.halt(error, outbox, now);
        }
    }

    /// Reports a failed read, if it is the first one since the store has worked.
    pub(super) fn read_failed(&mut self, error: StoreError, outbox: &mut Outbox<T>) {
        if self.store_error.is_none() {
            self.report_failure(error, outbox);
        }
    }

    /// Halts imports if the store is no longer at the place from which the next run opens it.
    pub(super) fn check_store(&mut self, outbox: &mut Outbox<T>, now: Now) {
        if self.is_halted() {
            return;
        }
        if let Err(error) = self.chain.store().check_place() {
            self.halt(error, outbox, now);
        }
    }

    /// Tries to recover the store when the retry is due. Returns whether imports continue.
    pub(super) fn recover_if_due(&mut self, outbox: &mut Outbox<T>, now: Now) -> bool {
        if self.store_retry.is_none_or(|at| at > now.elapsed) {
            return false;
        }
        match self.chain.recover() {
            Ok(()) => {
                (self.store_error, self.store_retry) = (None, None);
                outbox.event(Event::StoreRecovered);
                true
            }
            Err(error) => {
                self.halt(error, outbox, now);
                false
            }
        }
    }

    /// Schedules a write of the latest changes.
    pub(super) fn plan_to_save(&mut self, now: Now) {
        self.save_due.get_or_insert(now.elapsed + limits::SAVE_INTERVAL);
    }

    /// Schedules a write for the first timeout.
    pub(super) const fn plan_to_save_at_once(&mut self) {
        self.save_due = Some(Duration::ZERO);
    }

    /// Whether a write is due. It is not scheduled any more in that case.
    pub(super) fn take_save_due(&mut self, now: Now) -> bool {
        self.save_due.take_if(|due| *due <= now.elapsed).is_some()
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.store_retry.into_iter().chain(self.save_due).min()
    }

    /// Reports a failure to the application, unless it equals the last one.
    fn report_failure(&mut self, error: StoreError, outbox: &mut Outbox<T>) {
        if self.store_error.as_ref() != Some(&error) {
            self.store_error = Some(error.clone());
            outbox.event(Event::StoreFailed { error });
        }
    }
}
