//! Taking in headers and blocks: validation, fork choice, reorganisation.

use core::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

use super::tree::{Body, Node};
use super::{Blockchain, history_leaf, work_of};
use crate::consensus::BlockError;
use crate::consensus::check::{self, Expected, MEDIAN_SPAN};
use crate::consensus::retarget::Sample;
use crate::primitives::merkle::CompactRange;
use crate::primitives::{Block, Hash, Header, Timestamp, Transaction};

/// What became of a block that breaks no rule.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
#[non_exhaustive]
pub enum Imported<T = String> {
    /// It, and blocks that had waited for it, became the end of the best chain.
    Extended {
        /// The new blocks of the best chain, lowest first.
        connected: Vec<Arc<Block<T>>>,
    },
    /// It gave another branch the most work.
    Reorged {
        /// The blocks that left the best chain, highest first.
        disconnected: Vec<Arc<Block<T>>>,
        /// The blocks that joined it, lowest first.
        connected: Vec<Arc<Block<T>>>,
    },
    /// It is kept on a branch that does not have the most work.
    SideBranch,
    /// It is kept until an ancestor arrives.
    Orphan {
        /// The hash of the nearest ancestor that is missing.
        missing: Hash,
    },
    /// It was here already.
    Duplicate,
}

/// How many history frontiers at the ends of branches are remembered.
const MAX_BRANCH_RANGES: usize = 8;

impl<T: Transaction> Blockchain<T> {
    /// Validates a header and adds it to the header tree, ahead of its block. Returns whether it was new.
    ///
    /// # Errors
    ///
    /// The rule that the header breaks, as far as a header alone can tell. Nothing changes then.
    pub fn import_header(&mut self, header: &Header, now: Timestamp) -> Result<bool, BlockError> {
        let hash = header.hash();
        if let Some(node) = self.tree.node(&hash) {
            return if node.is_invalid() { Err(BlockError::KnownInvalid { hash }) } else { Ok(false) };
        }
        check::proof_of_work(header, &hash, &self.spec)?;
        let parent = header.previous_hash;
        self.insert_header(hash, header, now, |chain| chain.make_header_room(&[parent]))?;
        Ok(true)
    }

    /// Validates a block and adds it; the best chain and the state follow the branch with the most work.
    ///
    /// # Errors
    ///
    /// The rule that the block breaks. The best chain and the state stay as they were then, and a block that
    /// is wrong for ever is remembered as such.
    pub fn import(&mut self, block: Arc<Block<T>>, now: Timestamp) -> Result<Imported<T>, BlockError> {
        let hash = *block.hash();
        let result = self.import_block(block, now);
        self.forget_final_forks();
        // Adopted orphans, the old branch after a reorganisation and a bad block on the tip went aside unasked.
        let (headers, bytes) = (self.config.max_side_headers.saturating_add(1), self.config.max_side_bytes);
        let keep = result.is_ok().then_some(hash);
        self.tree.make_room(headers, bytes, 0, keep.as_slice());
        result
    }

    fn import_block(&mut self, block: Arc<Block<T>>, now: Timestamp) -> Result<Imported<T>, BlockError> {
        let hash = *block.hash();
        match self.tree.node(&hash).map(|node| &node.body) {
            Some(Body::Invalid) => return Err(BlockError::KnownInvalid { hash }),
            Some(Body::Complete(..) | Body::Waiting(..)) => return Ok(Imported::Duplicate),
            Some(Body::Missing) => {}
            None if self.orphans.contains(&hash) => return Ok(Imported::Duplicate),
            None => check::proof_of_work(block.header(), &hash, &self.spec)?,
        }
        let digest = block.digest()?;
        check::body(block.header(), &digest, &self.spec).inspect_err(|error| self.remember(&hash, error))?;
        if self.tree.node(&hash).is_none() {
            let missing = block.header().previous_hash;
            if self.tree.node(&missing).is_none() {
                let missing = self.nearest_missing(missing);
                self.orphans.insert(block, digest.size);
                return Ok(Imported::Orphan { missing });
            }
            // What extends the tip leaves the side at once, so it needs no room there.
            let room = |chain: &mut Self| {
                if missing == *chain.tree.tip_hash() { Ok(()) } else { chain.make_header_room(&[missing]) }
            };
            self.insert_header(hash, block.header(), now, room)?;
        }
        let extends_tip = block.header().previous_hash == *self.tree.tip_hash();
        let (headers, bytes) = (usize::MAX, self.config.max_side_bytes);
        if !extends_tip && !self.tree.make_room(headers, bytes, digest.size, &[hash]) {
            return Err(BlockError::SideBytesFull { got: self.tree.side_bytes(), limit: bytes });
        }
        let old_tip = *self.tree.tip_hash();
        let attached = self.tree.attach(block, digest.size);
        let candidate = self.adopt_orphans(hash, attached, now);
        if let Some(candidate) = candidate {
            self.follow(candidate, &hash)?;
        }
        Ok(self.outcome(&hash, &old_tip))
    }

    /// Follows `candidate` if it has the most work. A branch that turns out bad is given up for the best of
    /// the others; that is an error only where `imported` is bad for it.
    fn follow(&mut self, mut candidate: Hash, imported: &Hash) -> Result<(), BlockError> {
        let mut outcome = Ok(());
        while self.tree.known(&candidate).work > self.tree.tip().work {
            // The candidate had the most work, so a success leaves nothing better to look for.
            let Err((bad, error)) = self.connect(&candidate) else { break };
            match error {
                BlockError::Replay { .. } => return Err(error),
                // Good blocks that came too late: nobody is to blame for what stands on them.
                BlockError::Finality { .. } => self.tree.forget(&bad),
                _ => self.tree.condemn(&bad),
            }
            let refused = self.tree.node(imported).is_none_or(Node::is_invalid);
            if outcome.is_ok() && refused {
                outcome = Err(match error {
                    BlockError::Finality { .. } => error,
                    _ if bad == *imported => error,
                    _ => BlockError::InvalidAncestor { ancestor: bad, error: Box::new(error) },
                });
            }
            candidate = self.tree.best_complete();
        }
        outcome
    }

    /// Forgets the best headers while their branch leaves the best chain below its final part: no body can
    /// make them the best chain any more.
    fn forget_final_forks(&mut self) {
        while let Some(first) = self.tree.ahead().front().copied() {
            if self.check_final(|| self.tree.fork_height(&first)).is_ok() {
                break;
            }
            self.tree.forget(&first);
        }
    }

    /// Makes the branch that ends at `tip` the best chain, or says which of its blocks is bad. Blocks on top of
    /// the present tip are connected one by one; another branch as a whole or not at all.
    fn connect(&mut self, tip: &Hash) -> Result<(), (Hash, BlockError)> {
        let path: Vec<Hash> = self.tree.path_from_best(tip).into();
        let Some(first) = path.first() else { return Ok(()) };
        let fork_height = self.tree.known(first).header.height - 1;
        if fork_height == self.height() {
            for hash in path {
                let state = self.applied(&hash, self.snapshots.tip().clone())?;
                self.snapshots.push(state);
                self.tree.switch(self.height(), &[hash]);
                self.history.push(history_leaf(&hash));
            }
            return Ok(());
        }
        self.check_final(|| fork_height).map_err(|error| (*first, error))?;
        let mut state = self.state_at(fork_height).map_err(|error| (*first, error))?;
        let mut snapshots = self.snapshots.rewound(fork_height, state.clone());
        for hash in &path {
            state = self.applied(hash, state)?;
            snapshots.push(state.clone());
        }
        self.snapshots = snapshots;
        self.tree.switch(fork_height, &path);
        self.history.truncate(fork_height + 1);
        self.history.extend(path.iter().map(history_leaf));
        Ok(())
    }

    /// The state after the block, from the state after its parent.
    fn applied(&self, hash: &Hash, mut state: T::State) -> Result<T::State, (Hash, BlockError)> {
        if let Some(block) = self.tree.known(hash).block() {
            check::apply(block.header(), block.data(), &mut state).map_err(|error| (*hash, error))?;
        }
        Ok(state)
    }

    /// The state after the block of the best chain at `height`, replayed from the nearest snapshot.
    fn state_at(&self, height: u64) -> Result<T::State, BlockError> {
        let (from, state) = self.snapshots.at_or_below(height);
        let mut state = state.clone();
        for at in from + 1..=height {
            let Some(hash) = self.tree.best_at(at) else { break };
            state = self
                .applied(hash, state)
                .map_err(|(_, error)| BlockError::Replay { height: at, error: Box::new(error) })?;
        }
        Ok(state)
    }

    /// What the import of `hash` came to, by comparing the best chain with what it was.
    fn outcome(&self, hash: &Hash, old_tip: &Hash) -> Imported<T> {
        let disconnected = self.tree.path_from_best(old_tip);
        let fork_height = self.tree.known(old_tip).header.height - disconnected.len() as u64;
        let connected = self.blocks(fork_height + 1..).cloned().collect::<Vec<_>>();
        if connected.is_empty() {
            let node = self.tree.known(hash);
            return match node.body {
                Body::Waiting(..) => {
                    Imported::Orphan { missing: self.nearest_missing(node.header.previous_hash) }
                }
                _ => Imported::SideBranch,
            };
        }
        if disconnected.is_empty() {
            return Imported::Extended { connected };
        }
        let disconnected = disconnected.iter().rev().filter_map(|hash| self.block(hash)).cloned().collect();
        Imported::Reorged { disconnected, connected }
    }

    /// The first block from `next` downwards that is neither in the tree nor waits for its parent.
    fn nearest_missing(&self, mut next: Hash) -> Hash {
        loop {
            let parent = match self.tree.node(&next) {
                Some(node) => node.block().map(|block| block.header().previous_hash),
                None => self.orphans.parent_of(&next),
            };
            match parent {
                Some(parent) => next = parent,
                None => return next,
            }
        }
    }

    /// Checks a header whose proof of work is good against its ancestors, and adds it to the tree once `room`
    /// has been made for it.
    fn insert_header(
        &mut self,
        hash: Hash,
        header: &Header,
        now: Timestamp,
        room: impl FnOnce(&mut Self) -> Result<(), BlockError>,
    ) -> Result<(), BlockError> {
        let parent_hash = header.previous_hash;
        let Some(parent) = self.tree.node(&parent_hash) else {
            return Err(BlockError::UnknownParent { parent: parent_hash });
        };
        if parent.is_invalid() {
            return Err(BlockError::InvalidParent { parent: parent_hash });
        }
        let work = parent.work + work_of(header.target);
        self.check_final(|| self.tree.fork_height(&parent_hash))?;
        let mut range = self.history_range(&parent_hash);
        let expected = Expected {
            height: parent.header.height + 1,
            target: self.target_after(&parent_hash),
            median: self.median_after(&parent_hash),
            history_root: range.root(),
        };
        check::header_in_chain(header, &expected, &self.spec, now)?;
        room(self)?;
        self.tree.insert(hash, *header, work);
        range.push(history_leaf(&hash));
        self.branch_ranges.retain(|(end, _)| *end != parent_hash);
        if self.branch_ranges.len() == MAX_BRANCH_RANGES {
            self.branch_ranges.remove(0);
        }
        self.branch_ranges.push((hash, range));
        Ok(())
    }

    /// The target that a block on top of `parent` has to have.
    pub(super) fn target_after(&self, parent: &Hash) -> crate::CompactTarget {
        // Look-ups that descend go on from the last one, so each costs one step on a side branch too.
        let last = Cell::new(parent);
        let past = |height: u64| {
            let is_below = self.tree.known(last.get()).header.height >= height;
            let from = if is_below { last.get() } else { parent };
            // Retargeting asks for ancestors of the parent, all of which are known.
            let hash = self.tree.ancestor(from, height).unwrap_or(parent);
            last.set(hash);
            let header = &self.tree.known(hash).header;
            Sample { height: header.height, timestamp: header.timestamp, target: header.target }
        };
        let height = self.tree.known(parent).header.height;
        let (easiest, interval) = (self.spec.easiest_target(), self.spec.block_interval());
        self.spec.retarget().next_target(easiest, interval, height, past)
    }

    /// The median timestamp that a block on top of `parent` has to be later than.
    pub(super) fn median_after(&self, parent: &Hash) -> Timestamp {
        let ancestors =
            core::iter::successors(self.tree.node(parent), |node| self.tree.node(&node.header.previous_hash));
        check::median(ancestors.take(MEDIAN_SPAN).map(|node| node.header.timestamp).collect())
    }

    /// The history up to and including `hash`.
    pub(super) fn history_range(&self, hash: &Hash) -> CompactRange {
        if let Some((_, range)) = self.branch_ranges.iter().find(|(end, _)| end == hash) {
            return range.clone();
        }
        let path = self.tree.path_from_best(hash);
        let fork_len = self.tree.known(hash).header.height + 1 - path.len() as u64;
        let mut range = self.history.compact_range_at(fork_len).unwrap_or_default();
        range.extend(path.iter().map(history_leaf));
        range
    }

    /// Refuses a branch that leaves the best chain below its final part. Asks for the height at which it does
    /// only where there is such a part, because that may take a walk.
    fn check_final(&self, fork_height: impl FnOnce() -> u64) -> Result<(), BlockError> {
        let Some(depth) = self.spec.finality_depth() else { return Ok(()) };
        let final_height = self.height().saturating_sub(depth);
        let fork_height = fork_height();
        if fork_height < final_height {
            return Err(BlockError::Finality { fork_height, final_height });
        }
        Ok(())
    }

    /// Adds the orphans that stand on `hash`, and those that stand on them, the oldest first. Returns the best
    /// of `best` and the blocks that this completes.
    fn adopt_orphans(&mut self, hash: Hash, mut best: Option<Hash>, now: Timestamp) -> Option<Hash> {
        let mut open = VecDeque::from([hash]);
        while let Some(parent) = open.pop_front() {
            for (orphan, size) in self.orphans.take_children(&parent) {
                let hash = *orphan.hash();
                let adoptable = match self.tree.node(&hash).map(|node| &node.body) {
                    // Its header came while it waited.
                    Some(Body::Missing) => true,
                    Some(_) => false,
                    None => {
                        let keep = [parent, best.unwrap_or(parent)];
                        let room = |chain: &mut Self| chain.make_header_room(&keep);
                        // A bad orphan is dropped in silence: its sender may be long gone.
                        self.insert_header(hash, orphan.header(), now, room).is_ok()
                    }
                };
                if adoptable {
                    let attached = self.tree.attach(orphan, size);
                    best = best.into_iter().chain(attached).max_by_key(|hash| self.tree.known(hash).rank());
                    open.push_back(hash);
                }
            }
        }
        best
    }

    fn remember(&mut self, hash: &Hash, error: &BlockError) {
        if error.condemns_header() && self.tree.node(hash).is_some() {
            self.tree.condemn(hash);
        }
    }

    /// Makes room for one more header beside the best chain, without the ways to `keep`.
    fn make_header_room(&mut self, keep: &[Hash]) -> Result<(), BlockError> {
        let limit = self.config.max_side_headers;
        if !self.tree.make_room(limit, usize::MAX, 0, keep) {
            return Err(BlockError::SideBranchesFull { got: self.tree.side_len(), limit });
        }
        Ok(())
    }
}
