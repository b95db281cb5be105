//! The blocks at the end of a chain from which the target and the median timestamp of its next block are computed.

use std::collections::VecDeque;

use super::{FIRST_MINED, Retarget, Sample};
use crate::primitives::Timestamp;

/// How many timestamps the median is taken over, as in Bitcoin (`nMedianTimeSpan`).
pub(super) const MEDIAN_SPAN: usize = 11;

/// The blocks of a growing chain that its rule and the median of timestamps may read for the next block or a later
/// one, without a look-up of any ancestor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Past {
    /// The last blocks, one after the other: as many as the rule or the median reads, so at most
    /// [`Retarget::MAX_LWMA_BLOCKS`] and one.
    recent: VecDeque<Sample>,
    /// The block from which the rule measures, which may be below the recent ones.
    anchor: Option<Sample>,
}

impl Past {
    /// The past of the child of the block at `height`. Calls `read` for the heights of the blocks that it has.
    pub(crate) fn read<E>(
        rule: Retarget,
        height: u64,
        mut read: impl FnMut(u64) -> Result<Sample, E>,
    ) -> Result<Self, E> {
        let first = height.saturating_add(1).saturating_sub(kept(rule) as u64);
        let recent = (first..=height).map(&mut read).collect::<Result<_, E>>()?;
        let mut past = Self { recent, anchor: None };
        past.anchor = match rule.anchor(height) {
            Some(at) if at < first => Some(read(at)?),
            at => at.and_then(|at| past.at(at)),
        };
        Ok(past)
    }

    /// Appends the next block, and drops those that `rule` will not read again.
    pub(crate) fn push(&mut self, rule: Retarget, block: Sample) {
        if self.recent.len() == kept(rule) {
            self.recent.pop_front();
        }
        self.recent.push_back(block);
        let anchor = rule.anchor(block.height);
        if self.anchor.map(|sample| sample.height) != anchor {
            // An anchor is the block itself or its parent when it is first asked for.
            self.anchor = anchor.and_then(|at| self.at(at));
        }
    }

    /// The last block.
    pub(crate) fn last(&self) -> Option<&Sample> {
        self.recent.back()
    }

    /// The last blocks without genesis, in their order: as many as the rule averages over, and one, or more.
    pub(crate) fn mined(&self) -> Vec<Sample> {
        let first = usize::from(self.recent.front().is_some_and(|sample| sample.height < FIRST_MINED));
        let (older, newer) = self.recent.as_slices();
        [&older[first..], newer].concat()
    }

    /// The median of the last [`MEDIAN_SPAN`] timestamps; of an even number, the upper one of the two middle ones, as
    /// in Bitcoin.
    pub(crate) fn median(&self) -> Timestamp {
        // In their order, in which timestamps are nearly sorted.
        let last = self.recent.len().saturating_sub(MEDIAN_SPAN)..;
        let mut sorted = [Timestamp::default(); MEDIAN_SPAN];
        let mut count = 0;
        for (place, sample) in sorted.iter_mut().zip(self.recent.range(last)) {
            *place = sample.timestamp;
            count += 1;
        }
        let sorted = &mut sorted[..count];
        sorted.sort_unstable();
        sorted.get(count / 2).copied().unwrap_or_default()
    }

    /// The block at this height, unless it was dropped.
    pub(crate) fn at(&self, height: u64) -> Option<Sample> {
        match height.checked_sub(self.recent.front()?.height) {
            Some(index) => self.recent.get(usize::try_from(index).ok()?).copied(),
            None => self.anchor.filter(|anchor| anchor.height == height),
        }
    }
}

/// How many of the last blocks are kept.
fn kept(rule: Retarget) -> usize {
    rule.span().max(MEDIAN_SPAN)
}
