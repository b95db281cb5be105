//! Retargeting: computes the target of the next block. Offers published rules, each a pure function of past
//! blocks.
//!
//! The rules use exact integers only, so that every node on every platform computes the same 32 bits. A rule
//! reads heights, timestamps and targets of ancestors and nothing else. Block validation is elsewhere.
//!
//! Two properties hold for every rule:
//!
//! - The result is never easier than [`Pace::easiest`] and never harder than the target 1 (`01010000`),
//!   for any samples.
//! - The interval between genesis and block 1 never counts: the spec sets the timestamp of genesis, which may
//!   be years older than the first mined block. Heights 0 and 1 have the easiest target.
//!
//! `docs/retargeting.md` compares the rules by measurements.

mod asert;
mod lwma;
mod past;
mod step;
#[cfg(test)]
mod tests;
mod window;

use core::time::Duration;

use ruint::aliases::{U256, U512};
use serde::{Deserialize, Serialize};

use crate::primitives::{CompactTarget, Header, Target, Timestamp};

pub use asert::asert;
pub use lwma::{bounded_lwma, lwma};
pub(crate) use past::Past;
pub use step::step;
pub use window::window;

/// The rule by which a chain sets the target of its next block.
///
/// The genesis block commits to the rule in postcard form, so the order of the variants and of their fields
/// is part of the consensus rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub enum Retarget {
    /// Every block has the easiest target; see [`fixed`].
    Fixed,
    /// Halves or doubles the target after every block, by the last interval alone; see [`step`].
    Step,
    /// Bitcoin's rule: adjusts every `blocks` blocks, by at most a factor of four; see [`window`].
    Window {
        /// Blocks from one adjustment to the next, at least 1. Bitcoin has 2,016.
        blocks: u32,
    },
    /// LWMA-1, a weighted average over the last `blocks` blocks; see [`lwma`].
    Lwma {
        /// Blocks averaged over, 1 to [`Retarget::MAX_LWMA_BLOCKS`].
        blocks: u32,
    },
    /// aserti3-2d, an exponential function of the chain's lag behind an absolute schedule; see [`asert`].
    Asert {
        /// The lag in milliseconds that doubles the target of the next block, at least 1. Bitcoin Cash has
        /// two days, which are 288 of its intervals.
        half_life_ms: u64,
    },
    /// LWMA-1 with limits on the change from the average target; see [`bounded_lwma`].
    BoundedLwma {
        /// Blocks averaged over, 1 to [`Retarget::MAX_LWMA_BLOCKS`].
        blocks: u32,
    },
}

/// Why the parameters of a [`Retarget`] are invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RetargetError {
    /// [`Retarget::Window`] with a window of 0 blocks.
    #[error("a retargeting window of 0 blocks; at least 1 is needed")]
    EmptyWindow,
    /// [`Retarget::Lwma`] or [`Retarget::BoundedLwma`] over too few or too many blocks.
    #[error("an LWMA over {got} blocks; 1 to {max} are allowed", max = Retarget::MAX_LWMA_BLOCKS)]
    LwmaBlocks {
        /// The number of blocks as given.
        got: u32,
    },
    /// [`Retarget::Asert`] with a half-life of 0 ms.
    #[error("an ASERT half-life of 0 ms; at least 1 ms is needed")]
    NoHalfLife,
}

impl Retarget {
    /// The most blocks that [`Retarget::Lwma`] and [`Retarget::BoundedLwma`] may average over. The limit
    /// bounds the look-ups that each new block costs.
    pub const MAX_LWMA_BLOCKS: u32 = 1_024;

    /// Checks the parameters against the bounds in the docs of the variants' fields.
    ///
    /// # Errors
    ///
    /// [`RetargetError`], one variant for each bound.
    pub const fn validate(&self) -> Result<(), RetargetError> {
        match *self {
            Self::Window { blocks: 0 } => Err(RetargetError::EmptyWindow),
            Self::Lwma { blocks: got } | Self::BoundedLwma { blocks: got }
                if got == 0 || got > Self::MAX_LWMA_BLOCKS =>
            {
                Err(RetargetError::LwmaBlocks { got })
            }
            Self::Asert { half_life_ms: 0 } => Err(RetargetError::NoHalfLife),
            Self::Fixed
            | Self::Step
            | Self::Window { .. }
            | Self::Lwma { .. }
            | Self::Asert { .. }
            | Self::BoundedLwma { .. } => Ok(()),
        }
    }

    /// The target of the block whose parent is at `parent_height`.
    ///
    /// `past` returns the block at a height from 1 to `parent_height` on the branch that ends with the
    /// parent. The number of calls is bounded:
    ///
    /// | rule | look-ups |
    /// | --- | --- |
    /// | `Fixed` | none |
    /// | `Step` | 2: the parent and its parent |
    /// | `Window` | 2: the parent and, at the end of a window, the block before the window |
    /// | `Lwma`, `BoundedLwma` | `blocks + 1`: consecutive ancestors down from the parent |
    /// | `Asert` | 2: the parent and block 1 |
    ///
    /// Parameters that [`validate`](Self::validate) refuses are clamped to the nearest bound. An `easiest`
    /// that encodes no valid target counts as the hardest target, 1, so that a mistake makes no block cheap.
    #[must_use]
    pub fn next_target(
        &self,
        easiest: CompactTarget,
        interval: Duration,
        parent_height: u64,
        past: impl Fn(u64) -> Sample,
    ) -> CompactTarget {
        let last = |blocks| last_samples(blocks, parent_height, &past);
        self.target(easiest, interval, parent_height, &past, last)
    }

    /// [`next_target`](Self::next_target) of the block after these. Takes a third of the time, because no block of
    /// an average is looked up.
    pub(crate) fn target_after(
        &self,
        easiest: CompactTarget,
        interval: Duration,
        past: &Past,
    ) -> CompactTarget {
        #[expect(clippy::expect_used, reason = "`Past` keeps what its rule asks for")]
        let at = |height| past.at(height).expect("a height that the rule needs");
        let parent_height = past.last().map_or(0, |parent| parent.height);
        self.target(easiest, interval, parent_height, at, |_| past.mined())
    }

    /// The target of the block whose parent is at `parent_height`. `past` returns a block by its height, and `last`
    /// the last blocks that were mined, the oldest first: at least as many as it is asked for, and one.
    fn target(
        &self,
        easiest: CompactTarget,
        interval: Duration,
        parent_height: u64,
        past: impl Fn(u64) -> Sample,
        last: impl Fn(u32) -> Vec<Sample>,
    ) -> CompactTarget {
        let easiest = Target::try_from(easiest).unwrap_or(Target::from_uint(U256::ONE));
        let pace = &Pace::new(easiest, interval);
        if parent_height < FIRST_MINED {
            return fixed(pace);
        }
        match *self {
            Self::Fixed => fixed(pace),
            Self::Step => {
                let before = parent_height.saturating_sub(1).max(FIRST_MINED);
                step(pace, &past(before), &past(parent_height))
            }
            Self::Window { blocks } => {
                // As in Bitcoin, the new target begins at the heights that `blocks` divides.
                let length = u64::from(blocks.max(1));
                let ends_window = parent_height % length == length - 1;
                let parent = past(parent_height);
                if !ends_window {
                    return pace.keep(&parent);
                }
                window(pace, &past(before_window(blocks, parent_height)), &parent)
            }
            Self::Lwma { blocks } => lwma(pace, blocks, &last(blocks)),
            Self::BoundedLwma { blocks } => bounded_lwma(pace, blocks, &last(blocks)),
            Self::Asert { half_life_ms } => {
                asert(pace, half_life_ms, &past(FIRST_MINED), &past(parent_height))
            }
        }
    }

    /// How many of the last blocks [`next_target`](Self::next_target) reads at most, the parent included.
    const fn span(&self) -> usize {
        match *self {
            Self::Fixed | Self::Window { .. } | Self::Asert { .. } => 1,
            Self::Step => 2,
            Self::Lwma { blocks } | Self::BoundedLwma { blocks } => averaged(blocks) as usize + 1,
        }
    }

    /// The height of the block that [`next_target`](Self::next_target) reads besides the last ones, if it does, for
    /// a parent at this height. If another one than for the parent's parent, it is that block or the parent.
    const fn anchor(&self, parent_height: u64) -> Option<u64> {
        match *self {
            Self::Fixed | Self::Step | Self::Lwma { .. } | Self::BoundedLwma { .. } => None,
            Self::Asert { .. } => Some(FIRST_MINED),
            Self::Window { blocks } => Some(before_window(blocks, parent_height)),
        }
    }
}

/// The height of the block before the window that has this height: where the window begins to count. Block 1 for
/// the first window, which has no mined block before it.
const fn before_window(blocks: u32, height: u64) -> u64 {
    let blocks = if blocks == 0 { 1 } else { blocks as u64 };
    let before = (height - height % blocks).saturating_sub(1);
    if before < FIRST_MINED { FIRST_MINED } else { before }
}

/// The number of blocks that an average over `blocks` is taken over.
const fn averaged(blocks: u32) -> u32 {
    match blocks {
        0 => 1,
        1..=Retarget::MAX_LWMA_BLOCKS => blocks,
        _ => Retarget::MAX_LWMA_BLOCKS,
    }
}

/// The last `blocks + 1` blocks up to the parent, oldest first; fewer if the chain is shorter. Never genesis.
fn last_samples(blocks: u32, parent_height: u64, past: impl Fn(u64) -> Sample) -> Vec<Sample> {
    let first = parent_height.saturating_sub(u64::from(averaged(blocks))).max(FIRST_MINED);
    let mut samples: Vec<Sample> = (first..=parent_height).rev().map(past).collect();
    samples.reverse();
    samples
}

impl Default for Retarget {
    /// LWMA-1 over 90 blocks with limits: for a chain that is mined on demand, continuously, or in
    /// alternation, by miners of whom a minority may be hostile.
    ///
    /// A short burst of blocks after an idle gap does not have to wait. If a mostly idle chain is then mined
    /// continuously, its blocks keep the interval after fewer than 200 intervals. In that case, `Asert` makes
    /// up for the whole idle time with blocks of the easiest target. After a tenfold drop of the hash rate, a
    /// `Window` as long as Bitcoin's takes 25,000 intervals to recover. `Lwma`, which has no such limits,
    /// recovers twice as fast from a drop, but lets a private fork raise its own difficulty until luck
    /// decides. `docs/retargeting.md` has the numbers.
    fn default() -> Self {
        Self::BoundedLwma { blocks: 90 }
    }
}

/// The fields of a past block that a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The height of the block.
    pub height: u64,
    /// The timestamp of the block, which need not be later than its parent's.
    pub timestamp: Timestamp,
    /// The target of the block. An invalid compact form, or a target above the easiest, counts as the
    /// easiest.
    pub target: CompactTarget,
}

impl From<&Header> for Sample {
    fn from(header: &Header) -> Self {
        Self { height: header.height, timestamp: header.timestamp, target: header.target }
    }
}

/// The parameters that a chain gives to its rule: the interval between blocks, and the easiest target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Never zero.
    easiest: U256,
    /// Never zero.
    interval_ms: u64,
}

impl Pace {
    /// A pace of one block per `interval`, in whole milliseconds: the fraction of a millisecond is dropped,
    /// and a shorter interval counts as one millisecond. An easiest target of zero, which no hash meets,
    /// counts as 1.
    pub fn new(easiest: Target, interval: Duration) -> Self {
        Self {
            easiest: easiest.as_uint().max(U256::ONE),
            interval_ms: u64::try_from(interval.as_millis()).unwrap_or(u64::MAX).max(1),
        }
    }

    /// The easiest target that a block may have.
    pub const fn easiest(&self) -> Target {
        Target::from_uint(self.easiest)
    }

    /// The interval between blocks that the rule aims at.
    pub const fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }

    /// The target of a past block as a number from 1 to the easiest.
    fn read(&self, sample: &Sample) -> U256 {
        Target::try_from(sample.target).map_or(self.easiest, |target| target.as_uint().min(self.easiest))
    }

    /// A rule's result, clamped to the range from 1 to the easiest and rounded down to the compact form.
    fn write(&self, target: U512) -> CompactTarget {
        let target = target.clamp(U512::ONE, U512::from(self.easiest));
        Target::from_uint(target.to::<U256>()).to_compact()
    }

    /// The target of `sample`, unchanged.
    fn keep(&self, sample: &Sample) -> CompactTarget {
        self.write(U512::from(self.read(sample)))
    }
}

/// Always the easiest target: for tests, and for chains whose miners do not compete.
#[must_use]
pub fn fixed(pace: &Pace) -> CompactTarget {
    pace.easiest().to_compact()
}

/// The lowest height whose timestamp a miner set; the spec sets that of the genesis block.
const FIRST_MINED: u64 = 1;
