//! Writing the chain to its store: all changes of an import go into one batch, with a state from time to
//! time, and pruned bodies are deleted.

use super::Blockchain;
use super::chain_store::{MetaKey, heights_to_bytes};
use super::snapshots::superfluous;
use super::tree::Node;
use crate::primitives::Transaction;
use crate::store::{Batch, Store, StoreError};

/// How many canonical bytes of blocks are replayed at most when a chain is opened, unless the state is
/// larger.
const MAX_REPLAY_BYTES: usize = 1 << 20;

/// How many bodies one commit removes at most, so that the first pruning of a long chain does not delay an
/// import.
const MAX_PRUNED_AT_ONCE: u64 = 256;

impl<T: Transaction> Blockchain<T> {
    /// The store of this chain.
    pub(crate) fn store(&self) -> &dyn Store {
        self.store.store()
    }

    /// Closes the chain and returns its store. Queries of memory still work; reads of blocks fail with
    /// [`StoreError::Closed`].
    #[cfg(feature = "node")]
    pub(crate) fn close_store(&mut self) -> Box<dyn Store> {
        self.store.close()
    }

    /// Commits changes that do not concern the chain.
    pub(crate) fn commit_aside(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.store.commit_aside(batch)
    }

    /// Probes a store that failed, and reloads the chain from it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store still fails.
    pub fn recover(&mut self) -> Result<(), StoreError> {
        self.store.probe()?;
        self.reload()
    }

    /// Writes the state at the tip, so that the next opening has nothing to replay. Meant for a clean stop; a
    /// chain that was not stopped cleanly opens too, after a replay.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.recover_if_stale()?;
        if self.checkpoints.replay_bytes == 0 {
            return Ok(());
        }
        self.put_state().and_then(|()| self.store.commit()).inspect_err(|_| self.roll_back())
    }

    /// Commits all changes to the store.
    pub(super) fn commit(&mut self) -> Result<(), StoreError> {
        let changes = self.tree.take_changes();
        for (height, hash) in changes.dropped {
            let came_back = self.tree.node(&hash).is_some_and(Node::is_complete)
                || self.store.is_best_at(height, &hash)?;
            if !came_back {
                self.store.delete_block(height, &hash);
            }
        }
        for hash in changes.touched {
            match self.tree.node(&hash).filter(|node| node.is_complete()) {
                Some(node) => {
                    self.stored_branches.insert(hash);
                    self.store.put_branch(&node.entry);
                }
                None if self.stored_branches.remove(&hash) => self.store.delete_branch(&hash),
                None => {}
            }
        }
        if self.checkpoints.replay_bytes >= self.checkpoints.state_bytes.max(MAX_REPLAY_BYTES) {
            self.put_state()?;
        }
        self.prune()?;
        self.update_index();
        self.store.commit()
    }

    /// Reloads the chain from the store after an error.
    pub(super) fn roll_back(&mut self) {
        self.checkpoints.is_stale = self.reload().is_err();
    }

    /// Reloads the chain from the store if an earlier reload failed.
    pub(super) fn recover_if_stale(&mut self) -> Result<(), StoreError> {
        if self.checkpoints.is_stale { self.reload() } else { Ok(()) }
    }

    /// Deletes the states above `height`, at which the best chain ends, from the store.
    pub(super) fn forget_states_above(&mut self, height: u64) -> Result<(), StoreError> {
        let kept = self.checkpoints.states.partition_point(|at| *at <= height);
        for at in self.checkpoints.states.split_off(kept) {
            self.store.delete_state(at);
        }
        self.store.put_meta(MetaKey::States, heights_to_bytes(&self.checkpoints.states));
        let last = self.checkpoints.states.last().copied().unwrap_or(0);
        self.checkpoints.replay_bytes = 0;
        for at in last + 1..=height {
            self.checkpoints.replay_bytes += self.store.row_below_tip(at)?.size;
        }
        Ok(())
    }

    fn put_state(&mut self) -> Result<(), StoreError> {
        let (height, hash) = (self.height(), self.store.tip().hash);
        self.checkpoints.state_bytes = self.store.put_state(height, &hash, self.snapshots.tip())?;
        self.checkpoints.replay_bytes = 0;
        let base = self.checkpoints.base();
        let superfluous = superfluous(&self.checkpoints.states, height);
        // A state below the base is useless for a replay, because the bodies above it are pruned.
        let goes = |at: &u64| *at < base || (superfluous.contains(at) && *at != base);
        for at in self.checkpoints.states.extract_if(.., |at| goes(at)) {
            self.store.delete_state(at);
        }
        self.checkpoints.states.push(height);
        self.store.put_meta(MetaKey::States, heights_to_bytes(&self.checkpoints.states));
        Ok(())
    }

    /// Deletes the bodies that the config does not keep. Prunes only up to a stored state, which stays, so
    /// that the chain can restore it.
    fn prune(&mut self) -> Result<(), StoreError> {
        let Some(keep) = self.config.keep_bodies else { return Ok(()) };
        // The tip keeps its body, which opening a chain reads.
        let limit = self.height().saturating_sub(keep.max(1));
        let Some(floor) = self.checkpoints.states.iter().copied().rfind(|height| *height <= limit) else {
            return Ok(());
        };
        let end = floor.min(self.checkpoints.pruned + MAX_PRUNED_AT_ONCE);
        if end > self.checkpoints.pruned && self.checkpoints.readable != Some(floor) {
            // If that state cannot be read, the bodies below it are still needed for a replay.
            if self.store.stored_state(&[floor], floor - 1, floor)?.is_none() {
                self.checkpoints.states.retain(|height| *height != floor);
                self.store.delete_state(floor);
                self.store.put_meta(MetaKey::States, heights_to_bytes(&self.checkpoints.states));
                return Ok(());
            }
            self.checkpoints.readable = Some(floor);
        }
        for height in self.checkpoints.pruned + 1..=end {
            match self.store.row_below_tip(height) {
                Ok(row) => self.store.delete_block(height, &row.hash),
                // Without a readable row the body cannot be found. It stays in the store, which does no harm.
                Err(error) if error.is_damage() => {}
                Err(error) => return Err(error),
            }
        }
        if end > self.checkpoints.pruned {
            self.checkpoints.pruned = end;
            self.store.put_meta(MetaKey::Pruned, heights_to_bytes(&[end]));
        }
        Ok(())
    }
}
