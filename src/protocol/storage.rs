//! Handles failures of the store: nothing is imported until the store works again, while reads continue.

use core::time::Duration;

use super::event::Event;
use super::now::Now;
use super::{Protocol, limits};
use crate::primitives::Transaction;
#[cfg(feature = "node")]
use crate::store::Store;
use crate::store::StoreError;

/// The status of the store.
#[derive(Clone, Debug, Default)]
pub(super) struct Storage {
    /// The last failure, if the store has not worked since.
    error: Option<StoreError>,
    /// When the store is tried again; while this is `Some`, nothing is imported.
    retry: Option<Duration>,
}

impl Storage {
    pub(super) const fn deadline(&self) -> Option<Duration> {
        self.retry
    }
}

impl<T: Transaction> Protocol<T> {
    /// Returns the last failure of the store, if the store has not worked since.
    pub const fn store_error(&self) -> Option<&StoreError> {
        self.storage.error.as_ref()
    }

    /// Whether imports are halted because the store cannot be written to.
    pub const fn is_halted(&self) -> bool {
        self.storage.retry.is_some()
    }

    /// Takes the store out of a protocol that receives no further inputs. Reads from memory still work.
    #[cfg(feature = "node")]
    pub(crate) fn close_store(&mut self) -> Box<dyn Store> {
        self.chain.close_store()
    }

    /// Returns the error to answer with while imports are halted.
    pub(super) fn store_failure(&self) -> StoreError {
        self.storage.error.clone().unwrap_or(StoreError::Closed)
    }

    /// Halts imports, because the store cannot be written to.
    pub(super) fn halt(&mut self, error: StoreError, now: Now) {
        let was_halted = self.storage.retry.replace(now.elapsed + limits::STORE_RETRY).is_some();
        if !was_halted {
            self.storage.error = None;
        }
        self.report(error);
    }

    /// Handles a failed import of blocks. If the cause was damaged data and the store works otherwise, the
    /// node continues.
    pub(super) fn import_failed(&mut self, error: StoreError, now: Now) {
        if error.is_damage() && self.chain.recover().is_ok() {
            self.read_failed(error);
        } else {
            self.halt(error, now);
        }
    }

    /// Reports a failed read as [`Event::StoreFailed`] and in [`store_error`](Self::store_error), until the
    /// store can be written to again. Imports continue. Only the first failure is reported, because a peer or
    /// a client may request damaged blocks any number of times.
    pub fn read_failed(&mut self, error: StoreError) {
        if self.storage.error.is_none() {
            self.report(error);
        }
    }

    /// Checks that the store is still at the place from which the next run opens it, and halts imports if it
    /// is not. The driver must call this every [`limits::STORE_CHECK`].
    pub fn check_store(&mut self, now: Now) {
        if self.is_halted() {
            return;
        }
        if let Err(error) = self.chain.store().check_place() {
            self.halt(error, now);
        }
    }

    /// Tries to recover the store when the retry is due.
    pub(super) fn attend_to_storage(&mut self, now: Now) {
        if self.storage.retry.is_none_or(|at| at > now.elapsed) {
            return;
        }
        match self.chain.recover() {
            Ok(()) => self.resume(),
            Err(error) => self.halt(error, now),
        }
    }

    fn resume(&mut self) {
        self.storage = Storage::default();
        self.event(Event::StoreRecovered);
        // Messages were ignored meanwhile, and recovery discarded the headers ahead of the stored blocks.
        for peer in self.peers.values_mut().filter(|peer| peer.is_ready()) {
            peer.wants_headers = true;
            peer.headers_from = None;
            peer.headers_void = peer.headers_request.is_some();
            peer.paused = None;
            peer.claimed = peer.claimed.or(peer.best.take().map(|best| best.hash));
        }
        self.settle_claims();
        self.blocks_due = true;
    }

    /// Reports a failure to the application, unless it equals the last one.
    fn report(&mut self, error: StoreError) {
        if self.storage.error.as_ref() != Some(&error) {
            self.storage.error = Some(error.clone());
            self.event(Event::StoreFailed { error });
        }
    }
}
