//! The fast path of an import: a block that extends the tip becomes the tip without entering the header tree.
//! Any other block, and any block that fails here, takes the general path, which also finds out which rule it
//! breaks.

use std::sync::Arc;

use super::imported::Verdict;
use super::records::ChainEntry;
use super::tree::Tip;
use super::{Blockchain, history_leaf, work_of};
use crate::consensus::check::{self, Expected};
use crate::primitives::{Block, Hash, Header, Timestamp, Transaction, Work};
use crate::store::StoreError;

/// The work and the state of the chain after a block that extends the tip.
#[derive(Debug)]
pub(super) struct Extension<T: Transaction> {
    /// The work up to the block.
    work: Work,
    /// The state after the block.
    state: T::State,
}

impl<T: Transaction> Blockchain<T> {
    /// The work and the state after a block whose proof of work and body were checked. `None` if the block
    /// does not extend the tip, breaks a rule, or has to be compared with other branches.
    pub(super) fn extension(
        &mut self,
        block: &Block<T>,
        now: Timestamp,
    ) -> Result<Option<Extension<T>>, StoreError> {
        let (hash, header) = (block.hash(), block.header());
        let tip = self.tree.tip();
        if header.previous_hash != tip.hash || !self.tree.is_next(hash) {
            return Ok(None);
        }
        let work = if let Some(node) = self.tree.node(hash) {
            // The header was checked when it was imported, ahead of its block.
            node.work
        } else {
            let height = tip.header.height + 1;
            let work = tip.work + work_of(header.target);
            self.look_ahead_once()?;
            let expected = Expected {
                height,
                target: self.next.target,
                median: self.next.median,
                history_root: self.history.root(),
            };
            if check::header_in_chain(header, &expected, &self.spec, now).is_err() {
                return Ok(None);
            }
            work
        };
        if work <= self.tree.tip().work {
            return Ok(None);
        }
        let mut state = self.snapshots.tip().clone();
        if check::apply(header, block.data(), &mut state).is_err() {
            return Ok(None);
        }
        Ok(Some(Extension { work, state }))
    }

    /// Makes a block the tip. `size` is its canonical size, `bytes` its encoding for the store.
    pub(super) fn extend(
        &mut self,
        block: Arc<Block<T>>,
        size: usize,
        bytes: Vec<u8>,
        extension: Extension<T>,
    ) -> Verdict {
        let Extension { work, state } = extension;
        let (hash, header) = (*block.hash(), *block.header());
        self.records.put_block(&block, bytes);
        let seen = self.tree.advance(Tip { hash, header, work });
        self.push_row(hash, header, work, seen, size);
        self.snapshots.push(state);
        self.tip = Arc::clone(&block);
        self.moves.connect(block);
        Verdict::Kept
    }

    /// Appends the row of a block that becomes the tip.
    pub(super) fn push_row(&mut self, hash: Hash, header: Header, work: Work, seen: u64, size: usize) {
        let mut subtrees = Vec::new();
        self.history.push_with(history_leaf(&hash), |root| subtrees.push(root));
        self.records.push_row(ChainEntry { hash, header, work, seen, size, subtrees });
        self.checkpoints.replay_bytes += size;
    }
}
