//! Blocking variants of the async calls, for threads outside the runtime.

use core::time::Duration;
use std::sync::Arc;

use super::NodeHandle;
use crate::node::error::{MineError, PeerError, Stopped, SubmitError};
use crate::primitives::{Block, Hash, Transaction};
use crate::protocol::{PeerAddr, PeerHost, PeerId};

impl<T: Transaction> NodeHandle<T> {
    /// [`submit`](Self::submit) for threads.
    ///
    /// # Errors
    ///
    /// [`SubmitError`].
    ///
    /// # Panics
    ///
    /// In async code.
    pub fn submit_blocking(&self, transaction: T) -> Result<Hash, SubmitError> {
        self.runtime.block_on(self.submit(transaction))
    }

    /// [`remove_transaction`](Self::remove_transaction) for threads.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    ///
    /// # Panics
    ///
    /// In async code.
    pub fn remove_transaction_blocking(&self, id: Hash) -> Result<bool, Stopped> {
        self.runtime.block_on(self.remove_transaction(id))
    }

    /// [`mine`](Self::mine) for threads.
    ///
    /// # Errors
    ///
    /// [`MineError`].
    ///
    /// # Panics
    ///
    /// In async code.
    pub fn mine_blocking(&self, data: Vec<T>) -> Result<Arc<Block<T>>, MineError> {
        self.runtime.block_on(self.mine(data))
    }

    /// [`mine_pending`](Self::mine_pending) for threads.
    ///
    /// # Errors
    ///
    /// [`MineError`].
    ///
    /// # Panics
    ///
    /// In async code.
    pub fn mine_pending_blocking(&self) -> Result<Arc<Block<T>>, MineError> {
        self.runtime.block_on(self.mine_pending())
    }

    /// [`connect`](Self::connect) for threads.
    ///
    /// # Errors
    ///
    /// [`PeerError`].
    ///
    /// # Panics
    ///
    /// In async code.
    pub fn connect_blocking(&self, address: PeerAddr) -> Result<(), PeerError> {
        self.runtime.block_on(self.connect(address))
    }

    /// [`remove`](Self::remove) for threads.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    ///
    /// # Panics
    ///
    /// In async code.
    pub fn remove_blocking(&self, peer: PeerId) -> Result<bool, Stopped> {
        self.runtime.block_on(self.remove(peer))
    }

    /// [`forget_address`](Self::forget_address) for threads.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    ///
    /// # Panics
    ///
    /// In async code.
    pub fn forget_address_blocking(&self, address: PeerAddr) -> Result<bool, Stopped> {
        self.runtime.block_on(self.forget_address(address))
    }

    /// [`ban`](Self::ban) for threads.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    ///
    /// # Panics
    ///
    /// In async code.
    pub fn ban_blocking(&self, host: PeerHost, duration: Duration) -> Result<(), Stopped> {
        self.runtime.block_on(self.ban(host, duration))
    }

    /// [`unban`](Self::unban) for threads.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    ///
    /// # Panics
    ///
    /// In async code.
    pub fn unban_blocking(&self, host: PeerHost) -> Result<bool, Stopped> {
        self.runtime.block_on(self.unban(host))
    }

    /// [`shutdown`](Self::shutdown) for threads.
    ///
    /// # Panics
    ///
    /// In async code.
    pub fn shutdown_blocking(&self) {
        self.runtime.block_on(self.shutdown());
    }
}
