//! Checks of headers against their ancestors, and the states after a chain of blocks.

use core::cell::{Cell, RefCell};
use std::collections::VecDeque;

use super::Blockchain;
use super::chain_store::ChainStore;
use super::entry::ChainEntry;
use super::error::{ApplyError, BlockError, ProveError};
use super::next::NextBlockRules;
use crate::consensus::check::{self, Expected, MEDIAN_SPAN};
use crate::consensus::headers::{BranchEnd, History, work_of};
use crate::consensus::retarget::Sample;
use crate::primitives::merkle::Subtrees;
use crate::primitives::{CompactTarget, Hash, Header, Timestamp, Transaction};
use crate::store::{StoreError, Table};

/// A header that was checked against its ancestors.
#[derive(Debug)]
pub(super) struct CheckedHeader {
    pub(super) entry: ChainEntry,
    /// The branch end at the parent, if it was computed for the check.
    end: Option<Box<BranchEnd>>,
}

/// A header whose branch end is cached or is not needed.
impl From<ChainEntry> for CheckedHeader {
    fn from(entry: ChainEntry) -> Self {
        Self { entry, end: None }
    }
}

/// How many branch ends are cached.
const MAX_BRANCH_ENDS: usize = 8;

impl<T: Transaction> Blockchain<T> {
    /// Checks a header whose proof of work is valid against its ancestors, on any branch.
    pub(super) fn check_header(
        &mut self,
        hash: Hash,
        header: &Header,
        now: Timestamp,
    ) -> Result<CheckedHeader, BlockError> {
        let parent_hash = header.previous_hash;
        if parent_hash == self.store.tip().hash {
            self.update_next_block_rules()?;
            let expected = Expected {
                height: self.height() + 1,
                target: self.next.target,
                median: self.next.median,
                history_root: self.history.root(),
            };
            check::header_in_chain(header, &expected, &self.spec, now)?;
            let work = self.work() + work_of(header.target);
            return Ok(ChainEntry::new(hash, *header, work).into());
        }
        let row;
        let parent = match self.tree.node(&parent_hash) {
            Some(node) if node.is_invalid() => {
                return Err(BlockError::InvalidParent { parent: parent_hash });
            }
            Some(node) => &node.entry,
            None => {
                let found = self.store.row_of(&parent_hash, Some(header.height.saturating_sub(1)))?;
                row = found.ok_or(BlockError::UnknownParent { parent: parent_hash })?;
                &row.entry
            }
        };
        self.check_final(|| self.tree.fork_height(&parent_hash).or(Some(parent.header.height)))?;
        let target = self.target_after(&parent_hash, &parent.header)?;
        let cached = self.branch_ends.iter().find(|end| end.hash == parent_hash);
        let (expected, end) = if let Some(end) = cached {
            (end.expected(&parent.header, target), None)
        } else {
            let end = self.branch_end(&parent_hash, &parent.header)?;
            (end.expected(&parent.header, target), Some(Box::new(end)))
        };
        check::header_in_chain(header, &expected, &self.spec, now)?;
        let work = parent.work + work_of(header.target);
        Ok(CheckedHeader { entry: ChainEntry::new(hash, *header, work), end })
    }

    /// Adds a checked header to the header tree.
    pub(super) fn insert_header(&mut self, checked: CheckedHeader) -> Result<(), StoreError> {
        let CheckedHeader { entry, end } = checked;
        let parent = entry.header.previous_hash;
        if let Some(index) = self.branch_ends.iter().position(|end| end.hash == parent) {
            self.branch_ends[index..].rotate_left(1);
        } else {
            let tip = self.store.tip();
            let end = end.map_or_else(|| self.branch_end(&tip.hash, &tip.header), |end| Ok(*end))?;
            self.keep_branch_end(end);
        }
        if let Some(end) = self.branch_ends.last_mut() {
            end.extend(entry.hash, entry.header.timestamp);
        }
        self.tree.insert(entry, self.store.tip());
        Ok(())
    }

    /// Caches the end of a branch, as the one that was used last.
    pub(super) fn keep_branch_end(&mut self, end: BranchEnd) {
        if self.branch_ends.len() == MAX_BRANCH_ENDS {
            self.branch_ends.remove(0);
        }
        self.branch_ends.push(end);
    }

    /// Computes the requirements for the block after the tip.
    pub(super) fn next_block_rules(&self) -> Result<NextBlockRules, StoreError> {
        let ChainEntry { hash, header, .. } = &self.store.tip().entry;
        let median = match self.store.last_timestamps(header.height) {
            Some(timestamps) => check::median(timestamps),
            None => self.median_after(header)?,
        };
        Ok(NextBlockRules { parent: *hash, target: self.target_after(hash, header)?, median })
    }

    /// Updates `next` by [`next_block_rules`](Self::next_block_rules), unless the tip is unchanged since the
    /// last time.
    pub(super) fn update_next_block_rules(&mut self) -> Result<(), StoreError> {
        if self.next.parent != self.store.tip().hash {
            self.next = self.next_block_rules()?;
        }
        Ok(())
    }

    /// The required target of a block on top of `parent`.
    pub(super) fn target_after(
        &self,
        parent_hash: &Hash,
        parent: &Header,
    ) -> Result<CompactTarget, StoreError> {
        // Descending look-ups continue from the last one, so each costs one step. No node means that the block is
        // on the best chain, like all below it.
        let parent_place = (parent.height, self.tree.node(parent_hash));
        let last = Cell::new(parent_place);
        let failure = RefCell::new(None);
        let past = |height: u64| {
            let (at, from) = if height <= last.get().0 { last.get() } else { parent_place };
            let node = from.and_then(|from| match at - height {
                0 => Some(from),
                1 => self.tree.node(&from.entry.header.previous_hash),
                _ => Some(self.tree.known(self.tree.ancestor(&from.entry.hash, height)?)),
            });
            last.set((height, node));
            if let Some(node) = node {
                return Sample::from(&node.entry.header);
            }
            self.store.row_below_tip(height).map_or_else(
                |error| {
                    failure.replace(Some(error));
                    Sample { height, ..Sample::from(parent) }
                },
                |row| Sample::from(&row.header),
            )
        };
        let (easiest, interval) = (self.spec.easiest_target(), self.spec.block_interval());
        let target = self.spec.retarget().next_target(easiest, interval, parent.height, past);
        failure.into_inner().map_or(Ok(target), Err)
    }

    /// The median timestamp that a block on top of `parent` has to be later than.
    pub(super) fn median_after(&self, parent: &Header) -> Result<Timestamp, StoreError> {
        Ok(check::median(self.last_timestamps(parent)?.into_iter()))
    }

    /// The timestamps up to and including that of `last`, oldest first, as many as the median is taken over.
    fn last_timestamps(&self, last: &Header) -> Result<VecDeque<Timestamp>, StoreError> {
        let mut header = *last;
        let mut timestamps = VecDeque::from([header.timestamp]);
        while timestamps.len() < MEDIAN_SPAN && header.height > 0 {
            header = match self.tree.node(&header.previous_hash) {
                Some(node) => node.entry.header,
                None => self.store.row_below_tip(header.height - 1)?.header,
            };
            timestamps.push_front(header.timestamp);
        }
        Ok(timestamps)
    }

    /// Computes the branch end at this header.
    pub(super) fn branch_end(&self, hash: &Hash, header: &Header) -> Result<BranchEnd, StoreError> {
        let history = if *hash == self.store.tip().hash {
            self.history.range().clone().into()
        } else {
            let path = self.tree.path_from_best(hash);
            let mut history = frontier(&self.store, header.height + 1 - path.len() as u64)?;
            for hash in &path {
                history.push(hash, |_| ());
            }
            history
        };
        Ok(BranchEnd { hash: *hash, history, timestamps: self.last_timestamps(header)? })
    }

    /// The state after the block of the best chain at `height`, replayed from the nearest one below.
    pub(super) fn state_at(&self, height: u64) -> Result<T::State, BlockError> {
        let in_memory = self.snapshots.at_or_below(height);
        let above = in_memory.map_or(0, |(at, _)| at);
        let stored = self.store.stored_state(&self.checkpoints.states, above, height)?;
        let (from, mut state) = stored.unwrap_or_else(|| {
            let (at, state) = in_memory.unwrap_or((0, &self.genesis.state));
            (at, state.clone())
        });
        for at in from + 1..=height {
            let row = self.store.row_below_tip(at)?;
            state =
                self.store.applied(&row, self.genesis.block.hash(), state).map_err(|error| match error {
                    ApplyError::Store(error) => BlockError::Store(error),
                    ApplyError::Rule(error) => BlockError::Replay { height: at, error },
                })?;
        }
        Ok(state)
    }
}

/// Extends the history tree by a block, and returns the roots of the subtrees that the block completes.
pub(super) fn push_block(history: &mut History, hash: &Hash) -> Vec<Hash> {
    let mut subtrees = Vec::new();
    history.push(hash, |root| subtrees.push(root));
    subtrees
}

/// The frontier of the history tree over the first `len` blocks of the best chain, which must have as many.
pub(super) fn frontier<T: Transaction>(store: &ChainStore<T>, len: u64) -> Result<History, StoreError> {
    store.frontier(len).map(History::from).map_err(|error| match error {
        ProveError::Store(error) => error,
        ProveError::Proof(_) => StoreError::damaged(Table::Chain, len, "is above the tip"),
    })
}
