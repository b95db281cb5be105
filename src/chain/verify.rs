//! Verification of a stored chain: every rule that an import checks. Changes nothing, and trusts no value
//! that was computed when the blocks were imported.

use core::ops::{Range, RangeBounds};

use super::ancestry::{best_end, push_block};
use super::entry::BestEntry;
use super::error::ApplyError;
use super::{Blockchain, Progress};
use crate::consensus::check;
use crate::consensus::headers::{BranchEnd, work_of};
use crate::consensus::{Retarget, RuleError};
use crate::primitives::{Hash, Timestamp, Transaction};
use crate::store::{StoreError, Table};

/// Verifies the best chain, a few blocks at a time; created by [`Blockchain::verifier`].
///
/// A verifier does not borrow the chain, which may grow, and be locked and unlocked, between two steps.
///
/// ```
/// # use hashloom::{Blockchain, ChainSpec, Timestamp};
/// # let mut chain: Blockchain = Blockchain::new(ChainSpec::default());
/// # let now = Timestamp::from_millis(1_767_225_700_000);
/// # let block = chain.template(vec!["hello".to_owned()], now)?.mine()?;
/// # let _ = chain.import(block.into(), now)?;
/// let mut verifier = chain.verifier(..)?;
/// loop {
///     let progress = verifier.step(&chain, 1_000)?;
///     println!("{} of {} blocks", progress.done, progress.total);
///     if progress.is_complete {
///         break;
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a verifier checks nothing until it is stepped"]
pub struct Verifier<T: Transaction = String> {
    start: u64,
    next: u64,
    /// The height after the last one to verify.
    end: u64,
    /// The end of the chain of all blocks below `next`.
    end_below: BranchEnd,
    /// The state after the block below `next`, if it is known.
    state: Option<T::State>,
    failed: Option<VerifyError>,
}

/// The lowest fault of a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A block breaks a rule.
    #[error("block {height}: {error}")]
    Block {
        /// The height of the block on the best chain.
        height: u64,
        /// The rule.
        #[source]
        error: RuleError,
    },
    /// A block's header does not hash to the block's hash.
    #[error("block {height} hashes to {got}, expected {expected}")]
    Hash {
        /// The height of the block on the best chain.
        height: u64,
        /// The hash of the header.
        got: Hash,
        /// The hash under which the chain stores it; at height 0, that of the genesis block of its spec.
        expected: Hash,
    },
    /// The store fails, or is damaged.
    #[error("block {height}: {error}")]
    Store {
        /// The height of the block that was to be verified.
        height: u64,
        /// What is wrong with it.
        #[source]
        error: StoreError,
    },
    /// A verified block left the best chain since the last step. Neither branch is at fault; verify again
    /// from a lower height.
    #[error("block {height} left the best chain while it was verified")]
    Reorganised {
        /// The height up to which the old branch was verified.
        height: u64,
    },
}

impl VerifyError {
    /// The height of the block that the error names.
    pub const fn height(&self) -> u64 {
        match self {
            Self::Block { height, .. }
            | Self::Hash { height, .. }
            | Self::Store { height, .. }
            | Self::Reorganised { height } => *height,
        }
    }
}

impl<T: Transaction> Blockchain<T> {
    /// Verifies the blocks of the best chain at these heights in one call; see [`verifier`](Self::verifier)
    /// for what is checked.
    ///
    /// # Errors
    ///
    /// The lowest faulty block, and its fault.
    pub fn verify(&self, heights: impl RangeBounds<u64>) -> Result<(), VerifyError> {
        self.verifier(heights)?.step(self, u64::MAX).map(|_| ())
    }

    /// Creates a verifier of the blocks of the best chain at these heights. Heights above the tip are left
    /// out.
    ///
    /// Everything that an [`import`](Self::import) checks is computed anew: the hash, the proof of work, the
    /// link to the parent, height, target, median of timestamps, history root, Merkle root and size, and from
    /// genesis on also that every transaction applies and what the state root is. A range that begins higher
    /// takes the headers below it as they are, and does not verify the state unless one is
    /// [given](Verifier::with_state). Whether a timestamp is too far ahead of the clock is checked only at
    /// import.
    ///
    /// If a body was pruned, only the block's header is verified, and no state from there on.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Store`] if the blocks below the range cannot be read.
    pub fn verifier(&self, heights: impl RangeBounds<u64>) -> Result<Verifier<T>, VerifyError> {
        let Range { start, end } = self.clip(heights);
        let failed = |error| VerifyError::Store { height: start.saturating_sub(1), error };
        let end_below = match start.checked_sub(1) {
            Some(below) => best_end(&self.store, self.spec.retarget(), below).map_err(failed)?,
            None => BranchEnd::default(),
        };
        Ok(Verifier {
            start,
            next: start,
            end,
            end_below,
            state: (start == 0).then(|| self.genesis.state.clone()),
            failed: None,
        })
    }
}

impl<T: Transaction> Verifier<T> {
    /// Verifies the state too. `state` is the state after the block below the next one.
    pub fn with_state(mut self, state: T::State) -> Self {
        self.state = Some(state);
        self
    }

    /// Verifies at most `blocks` more blocks.
    ///
    /// # Errors
    ///
    /// The lowest faulty block, and its fault. Further steps return the same error.
    pub fn step(&mut self, chain: &Blockchain<T>, blocks: u64) -> Result<Progress, VerifyError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let pause = self.next.saturating_add(blocks).min(self.end);
        while self.next < pause {
            self.verify_next(chain).inspect_err(|error| self.failed = Some(error.clone()))?;
        }
        Ok(self.progress())
    }

    /// The progress so far.
    pub const fn progress(&self) -> Progress {
        let (done, total) = (self.next - self.start, self.end - self.start);
        Progress { done, total, is_complete: done == total }
    }

    /// The height of the block that is verified next.
    pub const fn next_height(&self) -> u64 {
        self.next
    }

    /// The state after the block below the next one, if it is known. Another verifier can continue with it,
    /// even in another process. Not valid after an error.
    pub const fn state(&self) -> Option<&T::State> {
        self.state.as_ref()
    }

    fn verify_next(&mut self, chain: &Blockchain<T>) -> Result<(), VerifyError> {
        let height = self.next;
        let failed = |error| VerifyError::Store { height, error };
        if let Some(below) = height.checked_sub(1)
            && !chain.store.is_best_at(below, &self.end_below.hash).map_err(failed)?
        {
            return Err(VerifyError::Reorganised { height: below });
        }
        let Some(row) = chain.store.row(height).map_err(failed)? else {
            return Err(VerifyError::Reorganised { height });
        };
        if height == 0 && row.hash != *chain.genesis().hash() {
            return Err(VerifyError::Hash { height, got: row.hash, expected: *chain.genesis().hash() });
        }
        self.check(chain, &row).map_err(|error| match error {
            ApplyError::Store(error) => failed(error),
            ApplyError::Rule(error) => VerifyError::Block { height, error },
        })?;
        self.push(chain.spec.retarget(), &row).map_err(failed)?;
        self.next += 1;
        Ok(())
    }

    fn check(&mut self, chain: &Blockchain<T>, row: &BestEntry) -> Result<(), ApplyError> {
        let (header, spec) = (&row.header, &chain.spec);
        // Genesis has no parent and no proof of work; it is what the spec says that it is.
        if self.next > 0 {
            check::proof_of_work(header, &row.hash, spec)?;
            let (got, expected) = (header.previous_hash, self.end_below.hash);
            if got != expected {
                return Err(RuleError::Parent { got, expected }.into());
            }
            check::header_in_chain(header, &self.end_below.expected(spec), spec, END_OF_TIME)?;
            let work = chain.store.row_below_tip(self.next - 1)?.work + work_of(header.target);
            if row.work != work {
                return Err(StoreError::damaged(Table::Chain, self.next, "has another work").into());
            }
        }
        chain.store.check_found(row)?;
        let Some(block) = chain.kept_block(row)? else {
            self.state = None;
            return Ok(());
        };
        let digest = check::body(&block, chain.genesis().hash(), spec)?;
        if chain.indexed_from().is_some_and(|first| first <= self.next) {
            chain.check_indexed(self.next, &digest.ids)?;
        }
        match &mut self.state {
            // No block led to the first state, so none is ended.
            Some(state) if self.next == 0 => Ok(check::state_root::<T>(header, state)?),
            Some(state) => Ok(check::apply(header, chain.genesis().hash(), block.data(), state)?),
            None => Ok(()),
        }
    }

    /// Extends the verified chain by this block, and compares the subtrees with those in its row.
    fn push(&mut self, rule: Retarget, row: &BestEntry) -> Result<(), StoreError> {
        if push_block(&mut self.end_below, rule, row.hash, &row.header) != row.subtrees {
            return Err(StoreError::damaged(Table::Chain, self.next, "has another history"));
        }
        Ok(())
    }
}

/// A clock that no timestamp is ahead of.
const END_OF_TIME: Timestamp = Timestamp::from_millis(u64::MAX);
