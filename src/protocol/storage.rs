//! What happens when the store fails: nothing more is taken in until it works again, while everything that is there
//! can still be read.

use core::time::Duration;

use super::io::{Event, Now};
use super::{Protocol, limits};
use crate::primitives::Transaction;
#[cfg(feature = "node")]
use crate::store::Store;
use crate::store::StoreError;

/// How the store does.
#[derive(Clone, Debug, Default)]
pub(super) struct Storage {
    /// What it failed with last.
    error: Option<StoreError>,
    /// When it is tried again; while this is `Some`, nothing is taken in.
    retry: Option<Duration>,
}

impl Storage {
    pub(super) const fn deadline(&self) -> Option<Duration> {
        self.retry
    }
}

impl<T: Transaction> Protocol<T> {
    /// What the store failed with last, if it has not worked since.
    pub const fn store_error(&self) -> Option<&StoreError> {
        self.storage.error.as_ref()
    }

    /// Whether nothing is taken in because the store cannot be written to.
    pub const fn is_halted(&self) -> bool {
        self.storage.retry.is_some()
    }

    /// Takes the store away from a protocol that gets no more inputs. What is in memory still answers.
    #[cfg(feature = "node")]
    pub(crate) fn close_store(&mut self) -> Box<dyn Store> {
        self.chain.close_store()
    }

    /// The error to answer with while nothing is taken in.
    pub(super) fn store_failure(&self) -> StoreError {
        self.storage.error.clone().unwrap_or(StoreError::Closed)
    }

    /// Takes in nothing more, because the store could not be written to.
    pub(super) fn halt(&mut self, error: StoreError, now: Now) {
        let was_halted = self.storage.retry.replace(now.elapsed + limits::STORE_RETRY).is_some();
        if !was_halted {
            self.storage.error = None;
        }
        self.report(error);
    }

    /// Notes that blocks could not be taken in. Where it was something damaged that had to be read, and the store
    /// works otherwise, the rest goes on.
    pub(super) fn import_failed(&mut self, error: StoreError, now: Now) {
        if error.is_damage() && self.chain.recover().is_ok() {
            self.read_failed(error);
        } else {
            self.halt(error, now);
        }
    }

    /// Reports that something could not be read from the store, by [`Event::StoreFailed`] and until the store can be
    /// written to again. Everything else goes on. Only the first failure is reported, because a peer or a client may
    /// ask for damaged blocks as often as it likes.
    pub fn read_failed(&mut self, error: StoreError) {
        if self.storage.error.is_none() {
            self.report(error);
        }
    }

    /// Checks that the store is still where the next opening looks for it, and imports nothing more if it is not. To be
    /// called every [`limits::STORE_CHECK`].
    pub fn check_store(&mut self, now: Now) {
        if self.is_halted() {
            return;
        }
        if let Err(error) = self.chain.store().check_place() {
            self.halt(error, now);
        }
    }

    /// Tries a store again whose time has come.
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
        // What came meanwhile was passed over, and what was ahead of the blocks is forgotten.
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

    /// Tells the application of a failure, once.
    fn report(&mut self, error: StoreError) {
        if self.storage.error.as_ref() != Some(&error) {
            self.storage.error = Some(error.clone());
            self.event(Event::StoreFailed { error });
        }
    }
}
