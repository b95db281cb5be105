//! Import of headers and blocks: validation, fork choice, reorganisation.

use std::collections::VecDeque;
use std::sync::Arc;

use super::ancestry::frontier;
use super::imported::{ChainUpdate, Imported, ImportedAll, Verdict};
use super::records::ChainStore;
use super::tree::{Body, Node};
use super::{BlockError, Blockchain, work_of};
use crate::consensus::headers::BranchEnd;
use crate::consensus::{RuleError, check};
use crate::primitives::{Block, BodyDigest, Hash, Header, Timestamp, Transaction};
use crate::store::StoreError;

/// How many branch ends are cached.
const MAX_BRANCH_ENDS: usize = 8;

impl<T: Transaction> Blockchain<T> {
    /// Validates a header and adds it to the header tree, ahead of its block. Returns whether it was new.
    ///
    /// # Errors
    ///
    /// The rule that the header breaks, as far as a header without its body can be checked. An error changes
    /// nothing.
    pub fn import_header(&mut self, header: &Header, now: Timestamp) -> Result<bool, BlockError> {
        self.import_hashed_header(header.hash(), header, now)
    }

    /// [`import_header`](Self::import_header) for a header whose hash is known.
    pub(crate) fn import_hashed_header(
        &mut self,
        hash: Hash,
        header: &Header,
        now: Timestamp,
    ) -> Result<bool, BlockError> {
        self.recover_if_stale()?;
        if let Some(node) = self.tree.node(&hash) {
            return if node.is_invalid() { Err(BlockError::KnownInvalid { hash }) } else { Ok(false) };
        }
        if self.records.row_at(header.height, &hash)?.is_some() {
            return Ok(false);
        }
        check::proof_of_work(header, &hash, &self.spec)?;
        let parent = header.previous_hash;
        self.insert_header(hash, header, now, |chain| chain.make_header_room(&[parent]))?;
        Ok(true)
    }

    /// Validates a block and adds it. The best chain and the state follow the branch with the most work.
    ///
    /// # Errors
    ///
    /// The rule that the block breaks. The best chain and the state do not change then, and a block that is
    /// permanently invalid is remembered as such. [`BlockError::Store`] if the store fails.
    pub fn import(&mut self, block: Arc<Block<T>>, now: Timestamp) -> Result<Imported<T>, BlockError> {
        let ImportedAll { mut verdicts, disconnected, connected } = self.import_all([block], now)?;
        let verdict = verdicts.pop().unwrap_or(Ok(Verdict::Duplicate))?;
        Ok(match verdict {
            _ if !disconnected.is_empty() => Imported::Reorged { disconnected, connected },
            _ if !connected.is_empty() => Imported::Extended { connected },
            Verdict::Kept => Imported::SideBranch,
            Verdict::Orphan { missing } => Imported::Orphan { missing },
            Verdict::Duplicate => Imported::Duplicate,
        })
    }

    /// Imports blocks one after the other, like [`import`](Self::import), and makes them durable in one
    /// commit, which is much faster on a disk than one commit per block. A block that breaks a rule does not
    /// stop the import of the blocks after it.
    ///
    /// # Errors
    ///
    /// [`StoreError`]. The chain is then as it was before the first of the blocks, except that everything
    /// that was only in memory is lost: headers without bodies, verdicts, and some of the pending blocks.
    pub fn import_all(
        &mut self,
        blocks: impl IntoIterator<Item = Arc<Block<T>>>,
        now: Timestamp,
    ) -> Result<ImportedAll<T>, StoreError> {
        self.recover_if_stale()?;
        self.moves = ChainUpdate::default();
        self.ids.clear();
        self.import_and_commit(blocks, now).inspect_err(|_| self.roll_back())
    }

    fn import_and_commit(
        &mut self,
        blocks: impl IntoIterator<Item = Arc<Block<T>>>,
        now: Timestamp,
    ) -> Result<ImportedAll<T>, StoreError> {
        let mut verdicts = Vec::new();
        for block in blocks {
            let hash = *block.hash();
            let verdict = self.import_block(block, now);
            if let Err(BlockError::Store(error)) = verdict {
                return Err(error);
            }
            self.forget_final_forks();
            // Adopted orphans, the branch that a reorganisation disconnected and an invalid block on the tip
            // all enter the side branches without a check of the limits.
            let (headers, bytes) =
                (self.config.max_side_headers.saturating_add(1), self.config.max_side_bytes);
            let keep = verdict.is_ok().then_some(hash);
            if !self.tree.make_room(headers, bytes, 0, keep.as_slice()) {
                self.tree.trim_waiting(bytes, 0);
            }
            verdicts.push(verdict);
        }
        self.commit()?;
        let ChainUpdate { disconnected, connected } = core::mem::take(&mut self.moves);
        Ok(ImportedAll { verdicts, disconnected, connected })
    }

    fn import_block(&mut self, block: Arc<Block<T>>, now: Timestamp) -> Result<Verdict, BlockError> {
        let hash = *block.hash();
        match self.tree.node(&hash).map(|node| &node.body) {
            Some(Body::Invalid) => return Err(BlockError::KnownInvalid { hash }),
            Some(Body::Complete(_) | Body::Waiting(..)) => return Ok(Verdict::Duplicate),
            Some(Body::Missing) => {}
            None if self.orphans.contains(&hash) => return Ok(Verdict::Duplicate),
            None if hash == self.tree.tip().hash || hash == *self.genesis.block.hash() => {
                return Ok(Verdict::Duplicate);
            }
            None => {
                // Checked first, so that a peer without proof of work cannot cause store reads.
                check::proof_of_work(block.header(), &hash, &self.spec)?;
                if self.records.row_at(block.height(), &hash)?.is_some() {
                    return Ok(Verdict::Duplicate);
                }
            }
        }
        let BodyDigest { ids, size } =
            check::body(&block, &self.spec).inspect_err(|error| self.remember(&hash, error))?;
        self.ids.keep(hash, ids);
        // Encoded before anything is inserted, because a block that cannot be encoded cannot be stored.
        let bytes = ChainStore::encode_block(&block, size).map_err(RuleError::from)?;
        if let Some(extension) = self.extension(&block, now)? {
            let verdict = self.extend(block, size, bytes, extension);
            if let Some(candidate) = self.adopt_orphans(hash, None, now)? {
                self.follow(candidate, self.height(), &hash)?;
            }
            return Ok(verdict);
        }
        if self.tree.node(&hash).is_none() {
            let missing = block.header().previous_hash;
            if self.parent_of(block.header())?.is_none() {
                let missing = self.nearest_missing(block.height(), missing)?;
                self.orphans.insert(block);
                return Ok(Verdict::Orphan { missing });
            }
            // A block on the tip joins the best chain at once, so it counts against no side branch limit.
            let room = |chain: &mut Self| {
                if missing == chain.tree.tip().hash { Ok(()) } else { chain.make_header_room(&[missing]) }
            };
            self.insert_header(hash, block.header(), now, room)?;
        }
        let extends_tip = block.header().previous_hash == self.tree.tip().hash;
        let limit = self.config.max_side_bytes;
        if !extends_tip && !self.tree.make_body_room(&block, limit) {
            return Err(BlockError::SideBytesFull { got: self.tree.side_bytes(), limit });
        }
        let (height, parent) = (block.height(), block.header().previous_hash);
        let attached = self.tree.attach(block);
        self.store_completed(Some((hash, bytes)))?;
        let candidate = self.adopt_orphans(hash, attached, now)?;
        if let Some(candidate) = candidate {
            self.follow(candidate, height, &hash)?;
        }
        let waits = match self.tree.node(&hash).map(|node| &node.body) {
            Some(body) => matches!(body, Body::Waiting(..)),
            // A damaged ancestor was forgotten, and this block with it.
            None => self.records.row_at(height, &hash)?.is_none(),
        };
        if waits {
            return Ok(Verdict::Orphan { missing: self.nearest_missing(height, parent)? });
        }
        Ok(Verdict::Kept)
    }

    /// Writes blocks that became complete to the store. `known` are the canonical bytes of one of them.
    fn store_completed(&mut self, mut known: Option<(Hash, Vec<u8>)>) -> Result<(), BlockError> {
        for block in self.tree.take_completed() {
            let size = block.size();
            let bytes = match known.take_if(|(hash, _)| hash == block.hash()) {
                Some((_, bytes)) => bytes,
                None => ChainStore::encode_block(&block, size).map_err(RuleError::from)?,
            };
            self.records.put_block(&block, bytes);
        }
        Ok(())
    }

    /// Makes `candidate` the tip if it has the most work. If a block of its branch is invalid, the next best
    /// complete branch is tried. Returns an error only if `imported`, the block at this height, was refused
    /// for that.
    fn follow(&mut self, candidate: Hash, height: u64, imported: &Hash) -> Result<(), BlockError> {
        let mut outcome = Ok(());
        let mut candidate = Some(candidate);
        while let Some(next) = candidate.filter(|hash| self.wins(hash)) {
            // The candidate had the most work of all complete blocks, so no better one is left after a
            // success.
            let Err((bad, error)) = self.connect(&next) else { break };
            match error {
                // A damaged side branch body has to be fetched again. Damage on the best chain is for a
                // repair to handle.
                BlockError::Store(error) if error.is_damage() && self.is_damaged_beside(&bad) => {
                    self.tree.forget(&bad);
                    candidate = self.tree.best_complete();
                    continue;
                }
                BlockError::Replay { .. } | BlockError::Store(_) => return Err(error),
                // These blocks break no rule but came too late, so their descendants are not marked invalid.
                BlockError::Finality { .. } | BlockError::Pruned { .. } => self.tree.forget(&bad),
                _ => self.tree.condemn(&bad),
            }
            let on_best = self.records.row_at(height, imported)?.is_some();
            let refused = !on_best && self.tree.node(imported).is_none_or(Node::is_invalid);
            if outcome.is_ok() && refused {
                outcome = Err(match error {
                    BlockError::Rule(error) if bad != *imported => {
                        BlockError::InvalidAncestor { ancestor: bad, error: Box::new(error) }
                    }
                    error => error,
                });
            }
            candidate = self.tree.best_complete();
        }
        outcome
    }

    /// Whether the chain that ends at this block has more work than the best one.
    fn wins(&self, hash: &Hash) -> bool {
        let (candidate, tip) = (self.tree.known(hash), self.tree.tip());
        if flaw!(FollowsLength) {
            return candidate.header.height > tip.header.height;
        }
        candidate.work > tip.work || flaw!(FollowsTheLast) && candidate.work == tip.work
    }

    /// Whether the stored body of a side branch block is damaged or missing.
    fn is_damaged_beside(&self, hash: &Hash) -> bool {
        let height = self.tree.node(hash).filter(|node| node.is_complete()).map(|node| node.header.height);
        let read = height.map(|height| self.records.block(height, hash));
        read.is_some_and(|read| read.map_or_else(|error| error.is_damage(), |block| block.is_none()))
    }

    /// Forgets the path to the best header while it forks off below the final part of the best chain or below
    /// the kept bodies, because it can never become the best chain.
    fn forget_final_forks(&mut self) {
        while let Some(first) = self.tree.ahead().front().copied() {
            if self.check_final(|| self.tree.fork_height(&first)).is_ok() {
                break;
            }
            self.tree.forget(&first);
        }
    }

    /// Makes the branch that ends at `tip` the best chain, or returns the block that failed and its error.
    /// Blocks on top of the current tip are connected one by one; a reorganisation connects its whole branch
    /// or nothing.
    fn connect(&mut self, tip: &Hash) -> Result<(), (Hash, BlockError)> {
        let path: Vec<Hash> = self.tree.path_from_best(tip).into();
        let Some(first) = path.first() else { return Ok(()) };
        let at_first = |error: BlockError| (*first, error);
        let fork_height = self.tree.known(first).header.height - 1;
        if fork_height == self.height() {
            for hash in path {
                let state = self.applied_beside(&hash, self.snapshots.tip().clone())?;
                self.snapshots.push(state);
                self.switch(self.height(), &[hash]).map_err(|error| (hash, error.into()))?;
            }
            return Ok(());
        }
        self.check_final(|| Some(fork_height)).map_err(at_first)?;
        let state_height = if flaw!(KeepsState) { self.height() } else { fork_height };
        let mut state = self.state_at(state_height).map_err(at_first)?;
        let mut snapshots = self.snapshots.rewound(fork_height, state.clone());
        for hash in &path {
            state = self.applied_beside(hash, state)?;
            snapshots.push(state.clone());
        }
        self.snapshots = snapshots;
        self.switch(fork_height, &path).map_err(|error| at_first(error.into()))
    }

    /// Replaces the best chain above `fork_height` by `path`, whose blocks have been applied.
    fn switch(&mut self, fork_height: u64, path: &[Hash]) -> Result<(), StoreError> {
        let replaced = self.records.truncate(fork_height)?;
        for row in replaced.iter().rev() {
            let block = self.records.best_block(row)?;
            self.moves.disconnect(block);
        }
        if !replaced.is_empty() {
            self.history = frontier(&self.records, fork_height + 1)?;
            self.forget_states_above(fork_height)?;
        }
        let replaced: Vec<_> = replaced.iter().map(|row| (row.hash, row.to_branch())).collect();
        let joined = self.tree.switch(path, &replaced);
        for (hash, node) in path.iter().zip(joined) {
            let Body::Complete(size) = node.body else { continue };
            self.push_row(*hash, node.header, node.work, node.seen, size);
            self.tip = self.records.best_block(self.records.tip())?;
            self.moves.connect(Arc::clone(&self.tip));
        }
        Ok(())
    }

    /// The state after a side branch block, computed from the state after its parent.
    fn applied_beside(&self, hash: &Hash, state: T::State) -> Result<T::State, (Hash, BlockError)> {
        let height = self.tree.known(hash).header.height;
        self.records.applied_block(height, hash, state).map_err(|error| (*hash, error.into()))
    }

    /// Walks down from `next`, which is below `height`, to the first block whose body is unknown: it is
    /// neither in the chain nor pending nor an orphan.
    fn nearest_missing(&self, mut height: u64, mut next: Hash) -> Result<Hash, StoreError> {
        loop {
            height = height.saturating_sub(1);
            let parent = match self.tree.node(&next) {
                Some(node) => node.has_body().then_some(node.header.previous_hash),
                None => match self.orphans.parent_of(&next) {
                    None => self.records.row_near(height, &next)?.map(|row| row.header.previous_hash),
                    parent => parent,
                },
            };
            match parent {
                Some(parent) => next = parent,
                None => return Ok(next),
            }
        }
    }

    /// Checks a header whose proof of work is valid against its ancestors, calls `room` to make space for it,
    /// and adds it to the tree.
    fn insert_header(
        &mut self,
        hash: Hash,
        header: &Header,
        now: Timestamp,
        room: impl FnOnce(&mut Self) -> Result<(), BlockError>,
    ) -> Result<(), BlockError> {
        let parent_hash = header.previous_hash;
        let Some(parent) = self.parent_of(header)? else {
            return Err(BlockError::UnknownParent { parent: parent_hash });
        };
        if self.is_invalid(&parent_hash) {
            return Err(BlockError::InvalidParent { parent: parent_hash });
        }
        let work = parent.work + work_of(header.target);
        self.check_final(|| self.tree.fork_height(&parent_hash).or(Some(parent.header.height)))?;
        let known_end = self.branch_ends.iter().position(|end| end.hash == parent_hash);
        let mut end = match known_end {
            Some(index) => self.branch_ends.remove(index),
            None => self.branch_end(&parent_hash, &parent.header)?,
        };
        let accepted = self.check_header(header, &parent.header, &end, now).and_then(|()| room(self));
        match known_end {
            _ if accepted.is_ok() => {
                self.tree.insert(hash, *header, work);
                end.extend(hash, header.timestamp);
                if self.branch_ends.len() == MAX_BRANCH_ENDS {
                    self.branch_ends.remove(0);
                }
                self.branch_ends.push(end);
            }
            Some(index) => self.branch_ends.insert(index, end),
            None => {}
        }
        accepted
    }

    /// Checks a header against its ancestors. `end` is the branch end at its parent.
    fn check_header(
        &self,
        header: &Header,
        parent: &Header,
        end: &BranchEnd,
        now: Timestamp,
    ) -> Result<(), BlockError> {
        let expected = end.expected(parent, self.target_after(&end.hash, parent)?);
        Ok(check::header_in_chain(header, &expected, &self.spec, now)?)
    }

    /// Refuses a branch that forks off below the final part of the best chain, or below the kept bodies.
    /// `fork_height` may walk the tree, so it is called only if there is a finality depth or a pruned part.
    fn check_final(&self, fork_height: impl FnOnce() -> Option<u64>) -> Result<(), BlockError> {
        let depth = self.spec.finality_depth();
        let base = self.checkpoints.base();
        if depth.is_none() && base == 0 {
            return Ok(());
        }
        let final_height = depth.map_or(0, |depth| self.height().saturating_sub(depth));
        let Some(fork_height) = fork_height() else { return Ok(()) };
        if fork_height < final_height {
            return Err(BlockError::Finality { fork_height, final_height });
        }
        if fork_height < base {
            return Err(BlockError::Pruned { fork_height, base });
        }
        Ok(())
    }

    /// Adds the orphans that descend from `hash`, parents before children. Returns the best of `best` and the
    /// blocks that became complete.
    fn adopt_orphans(
        &mut self,
        hash: Hash,
        mut best: Option<Hash>,
        now: Timestamp,
    ) -> Result<Option<Hash>, BlockError> {
        if self.orphans.len() == 0 {
            return Ok(best);
        }
        let mut open = VecDeque::from([hash]);
        while let Some(parent) = open.pop_front() {
            for orphan in self.orphans.take_children(&parent) {
                let hash = *orphan.hash();
                let adoptable = match self.tree.node(&hash).map(|node| &node.body) {
                    // Its header was imported after the block became an orphan.
                    Some(Body::Missing) => true,
                    Some(_) => false,
                    None => {
                        let keep = [parent, best.unwrap_or(parent)];
                        let room = |chain: &mut Self| chain.make_header_room(&keep);
                        match self.insert_header(hash, orphan.header(), now, room) {
                            Err(error @ BlockError::Store(_)) => return Err(error),
                            // An invalid orphan is dropped without an error: the peer that sent it may have
                            // disconnected.
                            inserted => inserted.is_ok(),
                        }
                    }
                };
                if adoptable {
                    let attached = self.tree.attach(orphan);
                    self.store_completed(None)?;
                    best = best.into_iter().chain(attached).max_by_key(|hash| self.tree.known(hash).rank());
                    open.push_back(hash);
                }
            }
        }
        Ok(best)
    }

    fn remember(&mut self, hash: &Hash, error: &RuleError) {
        let condemns = error.condemns_header() || flaw!(CondemnsByBody);
        if condemns && self.tree.node(hash).is_some() {
            self.tree.condemn(hash);
        }
    }

    /// Evicts side branches until one more header fits. Keeps the paths to the headers in `keep`.
    fn make_header_room(&mut self, keep: &[Hash]) -> Result<(), BlockError> {
        let limit = self.config.max_side_headers;
        if !self.tree.make_room(limit, usize::MAX, 0, keep) {
            return Err(BlockError::SideBranchesFull { got: self.tree.side_len(), limit });
        }
        Ok(())
    }
}
