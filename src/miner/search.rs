//! The search: a miner that pauses when its budget is spent and continues from there in the next call. Starts
//! no threads.

use core::num::NonZeroUsize;
use core::ops::Range;

use super::kernel::{Kernel, MiningKernel, MiningKernelError};
use super::template::Template;
use crate::primitives::{CompactTargetError, Target};
use crate::{Block, Header, Timestamp};

/// A search for the nonce of one [`Template`]. It does nothing by itself: each call of
/// [`search`](Self::search) spends a budget of hashes on the calling thread.
///
/// The nonces are tried in order. After the last one, the header's timestamp rolls to the next millisecond
/// and the nonces are tried again, so a search over all 2^53 nonces advances the timestamp by one millisecond
/// for every 2^53 hashes. A search over fewer nonces ([`with_nonces`](Self::with_nonces),
/// [`split`](Self::split)) rolls proportionally sooner; [`header`](Self::header) has the rolled timestamp.
/// The search has no clock, so it cannot keep a chain's limit on timestamps in the future: a caller that
/// narrows the search to few nonces must watch that limit.
#[derive(Clone, Debug)]
pub struct Miner<T = String> {
    template: Template<T>,
    target: Target,
    kernel: Kernel,
    nonces: Range<u64>,
    /// The first nonce that has not been tried at the header's timestamp.
    next: u64,
    hashes: u64,
}

/// How a call of [`Miner::search`] ended.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a found block is in here and nowhere else"]
#[expect(clippy::large_enum_variant, reason = "it is matched where it is returned, and kept nowhere")]
#[non_exhaustive]
pub enum SearchOutcome<T = String> {
    /// A block that meets its target. The next call continues after its nonce, for another block of the same
    /// template.
    Found(Block<T>),
    /// The budget is spent.
    Continue {
        /// The attempts that this call made.
        hashes: u64,
    },
    /// No nonce is left and the timestamp cannot roll: the range of nonces is empty, or the timestamp is the
    /// largest that its type holds. Every later call has this outcome too.
    Exhausted,
}

impl<T: Clone> Miner<T> {
    /// A search over all nonces from 0 to below [`Header::NONCE_LIMIT`].
    ///
    /// # Errors
    ///
    /// [`CompactTargetError`], if the header's compact form encodes no valid target.
    pub fn new(template: Template<T>) -> Result<Self, CompactTargetError> {
        let target = Target::try_from(template.header().target)?;
        let kernel = Kernel::new(template.header(), target);
        Ok(Self { template, target, kernel, nonces: 0..Header::NONCE_LIMIT, next: 0, hashes: 0 })
    }

    /// Limits the search to those of its nonces that are in `nonces`. Nonces that have been tried at the
    /// current timestamp are not tried again.
    #[must_use]
    pub fn with_nonces(mut self, nonces: Range<u64>) -> Self {
        let start = self.nonces.start.max(nonces.start);
        let end = self.nonces.end.min(nonces.end).max(start);
        self.nonces = start..end;
        self.next = self.next.clamp(start, end);
        self
    }

    /// Uses this kernel instead of the fastest one: for tests and comparisons.
    ///
    /// # Errors
    ///
    /// [`MiningKernelError::Unavailable`] if this processor cannot run the kernel.
    pub fn with_kernel(mut self, kernel: MiningKernel) -> Result<Self, MiningKernelError> {
        self.kernel = self.kernel.with(kernel)?;
        Ok(self)
    }

    /// Splits the search into lanes, one for each thread or machine. The lanes' nonces are consecutive
    /// disjoint ranges that together cover those of this search, and their sizes differ by at most one.
    pub fn split(self, lanes: NonZeroUsize) -> impl ExactSizeIterator<Item = Self> {
        let Range { start, end } = self.nonces;
        let bound = move |index: usize| {
            let offset = u128::from(end - start) * index as u128 / lanes.get() as u128;
            #[expect(clippy::cast_possible_truncation, reason = "index <= lanes, so offset <= end - start")]
            let offset = offset as u64;
            start + offset
        };
        (0..lanes.get())
            .map(move |index| Self { hashes: 0, ..self.clone() }.with_nonces(bound(index)..bound(index + 1)))
    }

    /// Makes up to `budget` attempts and stops at the first that succeeds. The budgets do not change which
    /// blocks are found, nor their order.
    pub fn search(&mut self, budget: u64) -> SearchOutcome<T> {
        let mut left = budget;
        loop {
            if self.next == self.nonces.end && !self.roll() {
                return SearchOutcome::Exhausted;
            }
            if left == 0 {
                return SearchOutcome::Continue { hashes: budget };
            }
            let end = self.next + left.min(self.nonces.end - self.next);
            let found = self.kernel.find(self.next..end);
            let reached = found.map_or(end, |nonce| nonce + 1);
            let hashes = reached - self.next;
            self.next = reached;
            self.hashes = self.hashes.saturating_add(hashes);
            left -= hashes;
            if let Some(nonce) = found {
                let block = self.template.clone().into_block(nonce);
                // `Block::new` computed this hash on another code path; an import checks it again.
                debug_assert!(self.target.is_met_by(block.hash()), "the kernel found {:?}", block.header());
                return SearchOutcome::Found(block);
            }
        }
    }

    /// The header of the template, with the timestamp as it has rolled so far.
    pub const fn header(&self) -> &Header {
        self.template.header()
    }

    /// The kernel that makes the attempts: the fastest that this processor can run, unless
    /// [`with_kernel`](Self::with_kernel) selected another.
    pub const fn kernel(&self) -> MiningKernel {
        self.kernel.kernel()
    }

    /// The number of attempts so far; a lane counts its own attempts since [`split`](Self::split).
    pub const fn hashes(&self) -> u64 {
        self.hashes
    }

    /// Rolls the timestamp to the next millisecond and restarts the nonces. Returns `false` if the range of
    /// nonces is empty or the timestamp is the largest.
    fn roll(&mut self) -> bool {
        if self.nonces.is_empty() {
            return false;
        }
        let header = self.template.header_mut();
        let Some(millis) = header.timestamp.as_millis().checked_add(1) else {
            return false;
        };
        header.timestamp = Timestamp::from_millis(millis);
        self.kernel = self.kernel.renewed(header, self.target);
        self.next = self.nonces.start;
        true
    }
}

impl<T: Clone> Template<T> {
    /// Searches on the calling thread until a block is found: for tests, and for programs that do nothing
    /// else meanwhile. The time depends on the target. This search cannot be stopped; that of a [`Miner`]
    /// can.
    ///
    /// # Errors
    ///
    /// [`SearchError`] if no hash can meet the header's target, or if the search is exhausted.
    pub fn mine(self) -> Result<Block<T>, SearchError> {
        let mut miner = Miner::new(self)?;
        loop {
            match miner.search(u64::MAX) {
                SearchOutcome::Found(block) => return Ok(block),
                SearchOutcome::Continue { .. } => {}
                SearchOutcome::Exhausted => return Err(SearchError::Exhausted),
            }
        }
    }
}

/// Why [`Template::mine`] found no block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// The header's compact target encodes no valid target.
    #[error(transparent)]
    Target(#[from] CompactTargetError),
    /// All nonces were tried at all timestamps from the header's on.
    #[error("every nonce was tried up to the last timestamp")]
    Exhausted,
}

#[cfg(test)]
mod tests {
    use super::super::testing::{EVERY_SECOND, IMPOSSIBLE, ONE_IN_64, naive, template};
    use super::*;
    use crate::CompactTarget;
    use proptest::prelude::*;

    fn miner(target: u32, timestamp: u64) -> Miner {
        Miner::new(template(target, timestamp)).unwrap()
    }

    /// All blocks that the search finds until it is exhausted, as timestamp and nonce.
    fn all(mut miner: Miner, mut budgets: impl Iterator<Item = u64>) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        loop {
            match miner.search(budgets.next().unwrap()) {
                SearchOutcome::Found(block) => {
                    found.push((block.header().timestamp.as_millis(), block.header().nonce));
                }
                SearchOutcome::Continue { .. } => {}
                SearchOutcome::Exhausted => return found,
            }
        }
    }

    /// All timestamps and nonces that the naive search finds.
    fn all_naive(
        target: u32,
        timestamps: core::ops::RangeInclusive<u64>,
        nonces: &Range<u64>,
    ) -> Vec<(u64, u64)> {
        timestamps
            .flat_map(|timestamp| {
                let header = *template(target, timestamp).header();
                naive(header, nonces.clone()).map(move |nonce| (timestamp, nonce))
            })
            .collect()
    }

    #[test]
    fn a_target_that_is_none_is_refused() {
        let zero = CompactTarget::from_bits(0);
        assert_eq!(Miner::new(template(0, 1)).unwrap_err(), CompactTargetError::Zero(zero));
    }

    #[test]
    fn a_budget_is_spent_to_the_hash() {
        let mut miner = miner(IMPOSSIBLE, 1);
        assert_eq!(miner.search(0), SearchOutcome::Continue { hashes: 0 });
        assert_eq!(miner.search(1000), SearchOutcome::Continue { hashes: 1000 });
        assert_eq!(miner.search(234), SearchOutcome::Continue { hashes: 234 });
        assert_eq!((miner.hashes(), miner.next), (1234, 1234));
    }

    #[test]
    fn the_timestamp_rolls_until_it_cannot() {
        let nonces = 1000..1010;
        let miner = miner(ONE_IN_64, u64::MAX - 20).with_nonces(nonces.clone());
        let expected = all_naive(ONE_IN_64, u64::MAX - 20..=u64::MAX, &nonces);
        assert!(expected.iter().any(|(timestamp, _)| *timestamp > u64::MAX - 20), "nothing to roll for");
        assert_eq!(all(miner, core::iter::repeat(u64::MAX)), expected);
    }

    #[test]
    fn an_exhausted_search_stays_so() {
        let mut last = miner(IMPOSSIBLE, u64::MAX).with_nonces(0..10);
        assert_eq!(last.search(10), SearchOutcome::Exhausted);
        assert_eq!(last.search(0), SearchOutcome::Exhausted);
        assert_eq!(last.hashes(), 10);
        let mut none = miner(EVERY_SECOND, 1).with_nonces(10..10);
        assert_eq!(none.search(u64::MAX), SearchOutcome::Exhausted);
        assert_eq!((none.hashes(), none.header().timestamp.as_millis()), (0, 1));
    }

    #[test]
    fn nonces_stay_below_the_limit() {
        let limit = Header::NONCE_LIMIT;
        let mut miner = miner(IMPOSSIBLE, 1).with_nonces(limit - 3..u64::MAX);
        assert_eq!(miner.search(3), SearchOutcome::Continue { hashes: 3 });
        assert_eq!((miner.next, miner.header().timestamp.as_millis()), (limit - 3, 2));
        assert_eq!(miner.with_nonces(limit..u64::MAX).search(1), SearchOutcome::Exhausted);
    }

    #[test]
    #[expect(clippy::reversed_empty_ranges, reason = "the range of a caller who mixes up its ends")]
    fn a_range_from_the_wrong_end_is_empty() {
        assert_eq!(miner(EVERY_SECOND, 1).with_nonces(10..5).search(1), SearchOutcome::Exhausted);
    }

    #[test]
    fn lanes_of_the_whole_space_are_even() {
        let lanes: Vec<_> = miner(IMPOSSIBLE, 1).split(NonZeroUsize::new(3).unwrap()).collect();
        let third = Header::NONCE_LIMIT / 3;
        assert_eq!(lanes[0].nonces, 0..third);
        assert_eq!(lanes[1].nonces, third..2 * third + 1);
        assert_eq!(lanes[2].nonces, 2 * third + 1..Header::NONCE_LIMIT);
        let many = miner(IMPOSSIBLE, 1).split(NonZeroUsize::MAX);
        assert_eq!(many.len(), usize::MAX);
    }

    proptest! {
        #[test]
        fn budgets_do_not_change_what_is_found(
            first in 1u64..40,
            budgets in proptest::collection::vec(0u64..40, 0..8),
        ) {
            let nonces = 5..150;
            let miner = miner(EVERY_SECOND, u64::MAX - 1).with_nonces(nonces.clone());
            let budgets = core::iter::once(first).chain(budgets);
            let found = all(miner, budgets.collect::<Vec<_>>().into_iter().cycle());
            prop_assert_eq!(found, all_naive(EVERY_SECOND, u64::MAX - 1..=u64::MAX, &nonces));
        }

        /// The lanes in order find the blocks of the whole search in order, even if the search is split after
        /// it has begun, or into more lanes than nonces.
        #[test]
        fn lanes_are_disjoint_and_complete(len in 0u64..60, lanes in 1usize..80, before in 0u64..60) {
            let mut whole = miner(EVERY_SECOND, u64::MAX).with_nonces(100..100 + len);
            let mut expected = all_naive(EVERY_SECOND, u64::MAX..=u64::MAX, &(100..100 + len));
            if let SearchOutcome::Found(block) = whole.search(before) {
                prop_assert_eq!(expected.remove(0), (u64::MAX, block.header().nonce));
            }
            let lanes = whole.split(NonZeroUsize::new(lanes).unwrap());
            let found: Vec<_> = lanes.flat_map(|lane| all(lane, core::iter::repeat(7))).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn mine_finds_the_first_nonce() {
        let template = template(ONE_IN_64, 1);
        let block = template.clone().mine().unwrap();
        let nonce = naive(*template.header(), 0..Header::NONCE_LIMIT).next().unwrap();
        assert_eq!(*block.header(), Header { nonce, ..*template.header() });
        assert_eq!(block.data(), template.data());
    }

    #[test]
    fn mine_refuses_what_is_no_target() {
        let zero = CompactTarget::from_bits(0);
        assert_eq!(template(0, 1).mine(), Err(SearchError::Target(CompactTargetError::Zero(zero))));
    }
}
