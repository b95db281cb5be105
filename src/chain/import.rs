//! Import of headers and blocks in three steps. *Admit* checks a block by itself, and its header against its
//! ancestors. *Connect* applies the block if its branch has the most work. *Commit* writes all changes to the
//! store as one batch.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Blockchain;
use super::ancestry::{CheckedHeader, best_end, push_block};
use super::chain_store::ChainStore;
use super::entry::{BestEntry, ChainEntry};
use super::error::BlockError;
use super::outcome::{Imported, Verdict};
use super::prepare::BLOCKS_AT_ONCE;
use super::tree::{Body, Node};
use super::verified::VerifiedBlock;
use crate::consensus::{RuleError, check};
use crate::primitives::{Block, BodyDigest, Hash, Timestamp, Transaction, Work};
use crate::store::StoreError;

/// The result of the checks of a block before it is connected.
enum Admission<T> {
    /// The block is valid as far as it can be checked without the state.
    Admitted { block: VerifiedBlock<T>, header: CheckedHeader },
    /// Nothing is left to do.
    Settled(Verdict),
}

impl<T: Transaction> Blockchain<T> {
    /// Validates a block and adds it. The best chain and the state follow the branch with the most work.
    ///
    /// # Errors
    ///
    /// The rule that the block breaks. The best chain and the state do not change then, and a block that is
    /// permanently invalid is remembered as such. [`BlockError::Store`] if the store fails.
    pub fn import(&mut self, block: Arc<Block<T>>, now: Timestamp) -> Result<Imported<T>, BlockError> {
        let mut imported = self.import_all([block], now)?;
        match imported.verdicts.pop() {
            Some(Err(error)) => Err(error),
            verdict => {
                imported.verdicts.extend(verdict);
                Ok(imported)
            }
        }
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
    ) -> Result<Imported<T>, StoreError> {
        self.recover_if_stale()?;
        self.outcome = Imported::default();
        self.import_and_commit(blocks, now).inspect_err(|_| self.roll_back())
    }

    fn import_and_commit(
        &mut self,
        blocks: impl IntoIterator<Item = Arc<Block<T>>>,
        now: Timestamp,
    ) -> Result<Imported<T>, StoreError> {
        let mut blocks = blocks.into_iter();
        loop {
            let batch: Vec<Arc<Block<T>>> = blocks.by_ref().take(BLOCKS_AT_ONCE).collect();
            if batch.is_empty() {
                break;
            }
            for (block, digest) in self.prepare_blocks(batch) {
                self.import_next(block, digest, now)?;
            }
        }
        self.commit()?;
        Ok(core::mem::take(&mut self.outcome))
    }

    fn import_next(
        &mut self,
        block: Arc<Block<T>>,
        digest: Option<BodyDigest>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let hash = *block.hash();
        let verdict = self.import_block(block, digest, now);
        if let Err(BlockError::Store(error)) = verdict {
            return Err(error);
        }
        self.forget_final_forks();
        // Adopted orphans, the branch that a reorganisation disconnected and an invalid block on the tip all
        // enter the side branches without a check of the limits.
        let (headers, bytes) = (self.config.max_side_headers.saturating_add(1), self.config.max_side_bytes);
        let keep = verdict.is_ok().then_some(hash);
        if !self.tree.evict_until_fits(headers, bytes, 0, keep.as_slice()) {
            self.tree.evict_pending(bytes, 0);
        }
        self.outcome.verdicts.push(verdict);
        Ok(())
    }

    fn import_block(
        &mut self,
        block: Arc<Block<T>>,
        digest: Option<BodyDigest>,
        now: Timestamp,
    ) -> Result<Verdict, BlockError> {
        match self.admit(block, digest, now)? {
            Admission::Settled(verdict) => Ok(verdict),
            Admission::Admitted { block, header } => self.connect(block, header, now),
        }
    }

    /// Checks a block as far as that is possible without the state of its parent. Keeps an orphan.
    fn admit(
        &mut self,
        block: Arc<Block<T>>,
        digest: Option<BodyDigest>,
        now: Timestamp,
    ) -> Result<Admission<T>, BlockError> {
        let (hash, header) = (*block.hash(), *block.header());
        let duplicate = Ok(Admission::Settled(Verdict::Duplicate));
        let known = match self.tree.node(&hash) {
            Some(node) if node.is_invalid() => return Err(BlockError::KnownInvalid { hash }),
            Some(node) if node.has_body() => return duplicate,
            Some(node) => Some(node.entry.work),
            None if self.orphans.contains(&hash) => return duplicate,
            None if hash == self.store.tip().hash || hash == *self.genesis.block.hash() => {
                return duplicate;
            }
            None => {
                // Checked first, so that a peer without proof of work cannot cause store reads.
                check::proof_of_work(&header, &hash, &self.spec)?;
                if self.store.is_best_at(header.height, &hash)? {
                    return duplicate;
                }
                None
            }
        };
        let block = VerifiedBlock::new(block, digest, self.genesis.block.hash(), &self.spec)
            .inspect_err(|error| self.condemn_if_permanent(&hash, error))?;
        if let Some(work) = known {
            return Ok(Admission::Admitted { block, header: work.into() });
        }
        match self.check_header(&header, now) {
            Ok(header) => Ok(Admission::Admitted { block, header }),
            Err(BlockError::UnknownParent { parent }) => {
                let missing = self.nearest_missing(header.height, parent)?;
                self.orphans.insert(block.into_block());
                Ok(Admission::Settled(Verdict::Orphan { missing }))
            }
            Err(error) => Err(error),
        }
    }

    /// Adds an admitted block to the chain, and follows the branch that has the most work then.
    fn connect(
        &mut self,
        block: VerifiedBlock<T>,
        checked: CheckedHeader,
        now: Timestamp,
    ) -> Result<Verdict, BlockError> {
        let (hash, header) = (*block.hash(), *block.header());
        let (height, parent) = (header.height, header.previous_hash);
        let extends_tip = parent == self.store.tip().hash;
        // Usually no other branch has to be considered, and the block does not enter the header tree. A block
        // that does not apply enters the tree, where it is marked as invalid with its descendants.
        if extends_tip && self.tree.is_next(&hash) {
            let mut state = self.snapshots.tip().clone();
            let genesis = self.genesis.block.hash();
            if checked.work > self.work() && check::apply(&header, genesis, block.data(), &mut state).is_ok()
            {
                self.extend(block, checked.work, state);
                if let Some(candidate) = self.adopt_orphans(hash, None, now)? {
                    self.follow(candidate, height, &hash)?;
                }
                return Ok(Verdict::Kept);
            }
        }
        if self.tree.node(&hash).is_none() {
            // A block on the tip joins the best chain at once, so it counts against no side branch limit.
            if !extends_tip {
                self.evict_for_header(&[parent])?;
            }
            self.insert_header(hash, &header, checked);
        }
        let limit = self.config.max_side_bytes;
        if !extends_tip && !self.tree.evict_for_body(&block, limit) {
            return Err(BlockError::SideBytesFull { got: self.tree.side_bytes(), limit });
        }
        let attached = self.tree.attach(Arc::clone(&block));
        self.store_completed(Some(block))?;
        if let Some(candidate) = self.adopt_orphans(hash, attached, now)? {
            self.follow(candidate, height, &hash)?;
        }
        let is_pending = match self.tree.node(&hash).map(|node| &node.body) {
            Some(body) => matches!(body, Body::Pending(..)),
            // A damaged ancestor was forgotten, and this block with it.
            None => !self.store.is_best_at(height, &hash)?,
        };
        if is_pending {
            return Ok(Verdict::Orphan { missing: self.nearest_missing(height, parent)? });
        }
        Ok(Verdict::Kept)
    }

    /// Makes a block the tip that was applied to the state of the tip, without an entry in the header tree.
    fn extend(&mut self, mut block: VerifiedBlock<T>, work: Work, state: T::State) {
        let stored = block.take_stored();
        let mut entry = ChainEntry::new(*block.hash(), *block.header(), work);
        self.store.put_block(&block, stored);
        entry.seen = self.tree.advance(&entry.hash);
        entry.size = block.size();
        self.push_row(entry);
        self.snapshots.push(state);
        self.tip = Arc::clone(&block);
        self.outcome.connect(block);
    }

    /// Appends a block to the best chain, as its tip.
    fn push_row(&mut self, entry: ChainEntry) {
        let subtrees = push_block(&mut self.end, self.spec.retarget(), entry.hash, &entry.header);
        self.checkpoints.replay_bytes += entry.size;
        self.store.push_row(BestEntry { entry, subtrees });
    }

    /// Writes blocks that became complete to the store. `imported` may be one of them.
    fn store_completed(&mut self, mut imported: Option<VerifiedBlock<T>>) -> Result<(), BlockError> {
        for block in self.tree.take_completed() {
            let stored = match imported.take_if(|imported| imported.hash() == block.hash()) {
                Some(mut imported) => imported.take_stored(),
                None => ChainStore::encode_block(&block, block.size()).map_err(RuleError::from)?,
            };
            self.store.put_block(&block, stored);
        }
        Ok(())
    }

    /// Makes `candidate` the tip if it has the most work. If a block of its branch is refused, tries the next
    /// best complete branch. Returns the reason if `imported`, the block at `height`, is refused as well. A
    /// failure of the store or of a replay is returned at once, unless only a body of a side branch is
    /// damaged: that block is forgotten.
    fn follow(&mut self, candidate: Hash, height: u64, imported: &Hash) -> Result<(), BlockError> {
        let mut outcome = Ok(());
        let mut candidate = Some(candidate);
        while let Some(next) = candidate.filter(|hash| self.wins(hash)) {
            // The candidate had the most work of all complete blocks, so no better one is left after a
            // success.
            let Err((bad, error)) = self.follow_branch(&next) else { break };
            match error {
                // A damaged side branch body has to be fetched again. Damage on the best chain is for a
                // repair to handle.
                BlockError::Store(error) if error.is_damage() && self.is_side_body_damaged(&bad) => {
                    self.tree.forget(&bad, self.store.tip());
                    candidate = self.tree.best_complete(self.store.tip());
                    continue;
                }
                BlockError::Replay { .. } | BlockError::Store(_) => return Err(error),
                // These blocks break no rule but came too late, so their descendants are not marked invalid.
                BlockError::Finality { .. } | BlockError::Pruned { .. } => {
                    self.tree.forget(&bad, self.store.tip());
                }
                _ => self.tree.condemn(&bad, self.store.tip()),
            }
            let on_best = self.store.is_best_at(height, imported)?;
            let refused = !on_best && self.tree.node(imported).is_none_or(Node::is_invalid);
            if outcome.is_ok() && refused {
                outcome = Err(match error {
                    BlockError::Rule(error) if bad != *imported => {
                        BlockError::InvalidAncestor { ancestor: bad, error: Box::new(error) }
                    }
                    error => error,
                });
            }
            candidate = self.tree.best_complete(self.store.tip());
        }
        outcome
    }

    /// Whether the chain that ends at this block has more work than the best one.
    fn wins(&self, hash: &Hash) -> bool {
        let (candidate, tip) = (&self.tree.known(hash).entry, self.store.tip());
        candidate.work > tip.work
    }

    /// Whether the stored body of a side branch block is damaged or missing.
    fn is_side_body_damaged(&self, hash: &Hash) -> bool {
        let node = self.tree.node(hash).filter(|node| node.is_complete());
        // A missing body is damage too.
        node.is_some_and(|node| self.store.stored_block(&node.entry).is_err_and(|error| error.is_damage()))
    }

    /// Forgets the path to the best header while it forks off below the final part of the best chain or below
    /// the kept bodies, because it can never become the best chain.
    fn forget_final_forks(&mut self) {
        while let Some(first) = self.tree.ahead().front().copied() {
            if self.check_final(|| self.tree.fork_height(&first)).is_ok() {
                break;
            }
            self.tree.forget(&first, self.store.tip());
        }
    }

    /// Makes the branch that ends at `tip` the best chain, or returns the block that failed and its error.
    /// Blocks on top of the current tip are connected one by one; a reorganisation connects its whole branch
    /// or nothing.
    fn follow_branch(&mut self, tip: &Hash) -> Result<(), (Hash, BlockError)> {
        let path: Vec<Hash> = self.tree.path_from_best(tip).into();
        let Some(first) = path.first() else { return Ok(()) };
        let at_first = |error: BlockError| (*first, error);
        let fork_height = self.tree.known(first).entry.header.height - 1;
        if fork_height == self.height() {
            for hash in path {
                let state = self.applied_side_block(&hash, self.snapshots.tip().clone())?;
                self.snapshots.push(state);
                self.switch(self.height(), &[hash]).map_err(|error| (hash, error))?;
            }
            return Ok(());
        }
        self.check_final(|| Some(fork_height)).map_err(at_first)?;
        let mut state = self.state_at(fork_height).map_err(at_first)?;
        let mut snapshots = self.snapshots.rewound(fork_height, state.clone());
        for hash in &path {
            state = self.applied_side_block(hash, state)?;
            snapshots.push(state.clone());
        }
        self.snapshots = snapshots;
        self.switch(fork_height, &path).map_err(at_first)
    }

    /// Replaces the best chain above `fork_height` by `path`, whose blocks have been applied.
    fn switch(&mut self, fork_height: u64, path: &[Hash]) -> Result<(), BlockError> {
        // Everything is read before the rows change, so that the tip is a whole block even if the store
        // fails.
        let read = |hash: &Hash| self.store.stored_block(&self.tree.known(hash).entry);
        let blocks = path.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let replaced = self.store.rows_above(fork_height)?;
        for row in replaced.iter().rev() {
            let block = self.store.stored_block(row)?;
            self.outcome.disconnect(block);
        }
        if !replaced.is_empty() {
            self.end = best_end(&self.store, self.spec.retarget(), fork_height)?;
            self.forget_states_above(fork_height)?;
            self.store.truncate(&replaced)?;
        }
        for (entry, block) in self.tree.switch(path, &replaced).into_iter().zip(blocks) {
            self.tip = Arc::clone(&block);
            self.outcome.connect(VerifiedBlock::from_store(block, entry.size));
            self.push_row(entry);
        }
        Ok(())
    }

    /// The state after a side branch block, computed from the state after its parent.
    fn applied_side_block(&self, hash: &Hash, state: T::State) -> Result<T::State, (Hash, BlockError)> {
        let entry = &self.tree.known(hash).entry;
        let applied = self.store.applied(entry, self.genesis.block.hash(), state);
        applied.map_err(|error| (*hash, error.into()))
    }

    /// Walks down from `next`, which is below `height`, to the first block whose body is unknown: it is
    /// neither in the chain nor pending nor an orphan.
    fn nearest_missing(&self, mut height: u64, mut next: Hash) -> Result<Hash, StoreError> {
        loop {
            height = height.saturating_sub(1);
            let parent = match self.tree.node(&next) {
                Some(node) => node.has_body().then_some(node.entry.header.previous_hash),
                None => match self.orphans.parent_of(&next) {
                    None => self.store.row_of(&next, Some(height))?.map(|row| row.header.previous_hash),
                    parent => parent,
                },
            };
            match parent {
                Some(parent) => next = parent,
                None => return Ok(next),
            }
        }
    }

    /// Refuses a branch that forks off below the final part of the best chain, or below the kept bodies.
    /// `fork_height` may walk the tree, so it is called only if there is a finality depth or a pruned part.
    pub(super) fn check_final(&self, fork_height: impl FnOnce() -> Option<u64>) -> Result<(), BlockError> {
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
                    None => match self.check_header(orphan.header(), now) {
                        Ok(checked) => {
                            let fits = self.evict_for_header(&[parent, best.unwrap_or(parent)]).is_ok();
                            if fits {
                                self.insert_header(hash, orphan.header(), checked);
                            }
                            fits
                        }
                        Err(error @ BlockError::Store(_)) => return Err(error),
                        // An invalid orphan is dropped without an error: the peer that sent it may have
                        // disconnected.
                        Err(_) => false,
                    },
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

    /// Marks a header that is in the header tree as invalid if the verdict on its block is permanent.
    fn condemn_if_permanent(&mut self, hash: &Hash, error: &RuleError) {
        if error.condemns_header() && self.tree.node(hash).is_some() {
            self.tree.condemn(hash, self.store.tip());
        }
    }

    /// Evicts side branches until one more header fits. Keeps the paths to the headers in `keep`.
    pub(super) fn evict_for_header(&mut self, keep: &[Hash]) -> Result<(), BlockError> {
        let limit = self.config.max_side_headers;
        if !self.tree.evict_until_fits(limit, usize::MAX, 0, keep) {
            return Err(BlockError::SideBranchesFull { got: self.tree.side_len(), limit });
        }
        Ok(())
    }
}
