//! Checks of headers against their ancestors, and the states after a chain of blocks.

use super::Blockchain;
use super::chain_store::ChainStore;
use super::entry::ChainEntry;
use super::error::{ApplyError, BlockError, ProveError};
use crate::consensus::check;
use crate::consensus::headers::{BranchEnd, work_of};
use crate::consensus::retarget::{Past, Retarget, Sample};
use crate::primitives::merkle::Subtrees;
use crate::primitives::{Hash, Header, Timestamp, Transaction, Work};
use crate::store::{StoreError, Table};

/// The result of the checks of a header against its ancestors.
#[derive(Debug)]
pub(super) struct CheckedHeader {
    /// The accumulated work of the chain up to and including the header.
    pub(super) work: Work,
    /// The branch end at the parent, if it was computed for the check.
    end: Option<Box<BranchEnd>>,
}

/// A header whose branch end is cached or is not needed.
impl From<Work> for CheckedHeader {
    fn from(work: Work) -> Self {
        Self { work, end: None }
    }
}

/// How many branch ends are cached.
const MAX_BRANCH_ENDS: usize = 8;

impl<T: Transaction> Blockchain<T> {
    /// Checks a header whose proof of work is valid against its ancestors, on any branch.
    pub(super) fn check_header(&self, header: &Header, now: Timestamp) -> Result<CheckedHeader, BlockError> {
        let parent_hash = header.previous_hash;
        let (tip, mut row) = (self.store.tip(), None);
        let parent = match self.tree.node(&parent_hash) {
            Some(node) if node.is_invalid() => {
                return Err(BlockError::InvalidParent { parent: parent_hash });
            }
            Some(node) => &node.entry,
            None if parent_hash == tip.hash => &tip.entry,
            None => {
                let found = self.store.row_of(&parent_hash, Some(header.height.saturating_sub(1)))?;
                &row.insert(found.ok_or(BlockError::UnknownParent { parent: parent_hash })?).entry
            }
        };
        self.check_final(|| self.tree.fork_height(&parent_hash).or(Some(parent.header.height)))?;
        // The last one first: in a list of headers, that is the end at the parent.
        let mut ends = self.branch_ends.iter().rev().chain([&self.end]);
        let (expected, end) = if let Some(end) = ends.find(|end| end.hash == parent_hash) {
            (end.expected(&self.spec), None)
        } else {
            let end = self.branch_end(&parent_hash, parent.header.height)?;
            (end.expected(&self.spec), Some(Box::new(end)))
        };
        check::header_in_chain(header, &expected, &self.spec, now)?;
        Ok(CheckedHeader { work: parent.work + work_of(header.target), end })
    }

    /// Adds a checked header to the header tree.
    pub(super) fn insert_header(&mut self, hash: Hash, header: &Header, checked: CheckedHeader) {
        if let Some(index) = self.branch_ends.iter().rposition(|end| end.hash == header.previous_hash) {
            self.branch_ends[index..].rotate_left(1);
        } else {
            let end = checked.end.map_or_else(|| self.end.without_ahead(), |end| *end);
            self.keep_branch_end(end);
        }
        if let Some(end) = self.branch_ends.last_mut() {
            end.extend(self.spec.retarget(), hash, header, |_| ());
        }
        self.tree.insert(ChainEntry::new(hash, *header, checked.work), self.store.tip());
    }

    /// Caches the end of a branch, as the one that was used last.
    pub(super) fn keep_branch_end(&mut self, end: BranchEnd) {
        if self.branch_ends.len() == MAX_BRANCH_ENDS {
            self.branch_ends.remove(0);
        }
        self.branch_ends.push(end);
    }

    /// Computes the branch end at the header with this hash and height.
    pub(super) fn branch_end(&self, hash: &Hash, height: u64) -> Result<BranchEnd, StoreError> {
        if *hash == self.end.hash {
            return Ok(self.end.without_ahead());
        }
        let (rule, path) = (self.spec.retarget(), self.tree.path_from_best(hash));
        let mut end = best_end(&self.store, rule, height - path.len() as u64)?;
        for hash in path {
            end.extend(rule, hash, &self.tree.known(&hash).entry.header, |_| ());
        }
        Ok(end)
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

/// Extends a branch end by a block, and returns the roots of the subtrees of the history that the block completes.
pub(super) fn push_block(end: &mut BranchEnd, rule: Retarget, hash: Hash, header: &Header) -> Vec<Hash> {
    let mut subtrees = Vec::new();
    end.extend(rule, hash, header, |root| subtrees.push(root));
    subtrees
}

/// The end of the best chain if it ended at `height`, which must not be above the tip.
pub(super) fn best_end<T: Transaction>(
    store: &ChainStore<T>,
    rule: Retarget,
    height: u64,
) -> Result<BranchEnd, StoreError> {
    let history = store.frontier(height + 1).map_err(|error| match error {
        ProveError::Store(error) => error,
        ProveError::Proof(_) => StoreError::damaged(Table::Chain, height, "is above the tip"),
    })?;
    let sample = |height| store.row_below_tip(height).map(|row| Sample::from(&row.header));
    let past = Past::read(rule, height, sample)?;
    Ok(BranchEnd { hash: store.row_below_tip(height)?.hash, history: history.into(), past })
}
