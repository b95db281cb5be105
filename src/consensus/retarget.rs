//! Retargeting: the target of the next block. A choice of published rules, each a pure function over past
//! blocks.
//!
//! Exact integers only, so that every node on every platform comes to the same 32 bits. A rule reads
//! timestamps and targets of ancestors and nothing else; which blocks are valid is not decided here.
//!
//! Two things hold for every rule:
//!
//! - The result is never easier than [`Pace::easiest`] and never harder than the target 1 (`01010000`),
//!   whatever the samples say.
//! - The interval between genesis and block 1 never counts. Genesis is written into the source and may be
//!   years older than the first mined block. Heights 0 and 1 have the easiest target.
//!
//! `docs/retargeting.md` compares the rules by measurements.

mod asert;
mod lwma;
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
pub use step::step;
pub use window::window;

/// The rule by which a chain sets the target of its next block.
///
/// The genesis block commits to it in its postcard form, so the order of the variants and of their fields is
/// part of the consensus rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub enum Retarget {
    /// Always the easiest target; see [`fixed`].
    Fixed,
    /// One binary digit harder or easier after every block, by the last interval alone; see [`step`].
    Step,
    /// Bitcoin's: every `blocks` blocks, by at most a factor of four; see [`window`].
    Window {
        /// Blocks from one adjustment to the next, at least 1. Bitcoin has 2,016.
        blocks: u32,
    },
    /// LWMA-1, a weighted average over the last `blocks` blocks; see [`lwma`].
    Lwma {
        /// Blocks averaged over, 1 to [`Retarget::MAX_LWMA_BLOCKS`].
        blocks: u32,
    },
    /// aserti3-2d, an exponential of the chain's lag behind its absolute schedule; see [`asert`].
    Asert {
        /// The lag in milliseconds that makes the next block half as hard, at least 1. Bitcoin Cash has two
        /// days, which are 288 of its intervals.
        half_life_ms: u64,
    },
    /// LWMA-1 whose change of the average target is limited; see [`bounded_lwma`].
    BoundedLwma {
        /// Blocks averaged over, 1 to [`Retarget::MAX_LWMA_BLOCKS`].
        blocks: u32,
    },
}

/// Why the parameters of a [`Retarget`] are invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RetargetError {
    /// [`Retarget::Window`] of no blocks.
    #[error("a retargeting window of 0 blocks; at least 1 is needed")]
    EmptyWindow,
    /// [`Retarget::Lwma`] or [`Retarget::BoundedLwma`] over too few or too many blocks.
    #[error("an LWMA over {got} blocks; 1 to {max} are allowed", max = Retarget::MAX_LWMA_BLOCKS)]
    LwmaBlocks {
        /// The number asked for.
        got: u32,
    },
    /// [`Retarget::Asert`] without a half-life.
    #[error("an ASERT half-life of 0 ms; at least 1 ms is needed")]
    NoHalfLife,
}

impl Retarget {
    /// The longest average of [`Retarget::Lwma`] and [`Retarget::BoundedLwma`], because each new block costs
    /// that many look-ups.
    pub const MAX_LWMA_BLOCKS: u32 = 1_024;

    /// Checks the parameters against the bounds that are documented at their fields.
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

    /// The target of the block whose parent stands at `parent_height`.
    ///
    /// `past` gives the parent's ancestor at a height from 1 to `parent_height`, the parent included. It is
    /// asked for a bounded number of them:
    ///
    /// | rule | look-ups |
    /// | --- | --- |
    /// | `Fixed` | none |
    /// | `Step` | 2: the parent and its parent |
    /// | `Window` | 2: the parent and, at the end of a window, the block before the window |
    /// | `Lwma`, `BoundedLwma` | `blocks + 1`: consecutive ancestors down from the parent |
    /// | `Asert` | 2: the parent and block 1 |
    ///
    /// Parameters that [`validate`](Self::validate) refuses are moved to the nearest bound. An
    /// `easiest` that stands for no target counts as the hardest, so that nothing is given away.
    #[must_use]
    pub fn next_target(
        &self,
        easiest: CompactTarget,
        interval: Duration,
        parent_height: u64,
        past: impl Fn(u64) -> Sample,
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
                let blocks = u64::from(blocks.max(1));
                // As in Bitcoin, the new target begins at the heights that `blocks` divides.
                let ends_window = parent_height % blocks == blocks - 1;
                let parent = past(parent_height);
                if !ends_window {
                    return pace.keep(&parent);
                }
                window(pace, &past(parent_height.saturating_sub(blocks).max(FIRST_MINED)), &parent)
            }
            Self::Lwma { blocks } => lwma(pace, blocks, &last_samples(blocks, parent_height, past)),
            Self::BoundedLwma { blocks } => {
                bounded_lwma(pace, blocks, &last_samples(blocks, parent_height, past))
            }
            Self::Asert { half_life_ms } => {
                asert(pace, half_life_ms, &past(FIRST_MINED), &past(parent_height))
            }
        }
    }

    /// Whether [`next_target`](Self::next_target) may read the block at `height` if the parent is at
    /// `parent_height` or higher.
    const fn needs(&self, height: u64, parent_height: u64) -> bool {
        let age = parent_height.saturating_sub(height);
        if age == 0 || height == FIRST_MINED {
            return true;
        }
        match *self {
            Self::Fixed | Self::Asert { .. } => false,
            Self::Step | Self::Window { blocks: 0 } => age <= 1,
            Self::Window { blocks } => {
                let blocks = blocks as u64;
                age <= blocks && height % blocks == blocks - 1
            }
            Self::Lwma { blocks } | Self::BoundedLwma { blocks } => age <= blocks as u64,
        }
    }
}

/// The last `blocks + 1` blocks up to the parent, oldest first; fewer if the chain is shorter.
fn last_samples(blocks: u32, parent_height: u64, past: impl Fn(u64) -> Sample) -> Vec<Sample> {
    let blocks = blocks.clamp(1, Retarget::MAX_LWMA_BLOCKS);
    let first = parent_height.saturating_sub(u64::from(blocks)).max(FIRST_MINED);
    let mut samples: Vec<Sample> = (first..=parent_height).rev().map(past).collect();
    samples.reverse();
    samples
}

impl Default for Retarget {
    /// LWMA-1 over 90 blocks with limits: for a chain that is mined on demand, all the time, or first one and then
    /// the other, by miners of whom a minority may be hostile.
    ///
    /// Short bursts after idle gaps cost no waiting, and when a chain that was mostly idle is mined all the time,
    /// it keeps its pace after less than 200 intervals. `Asert` then pays out the whole idle time in blocks of the
    /// easiest target, and a `Window` as long as Bitcoin's lasts for 25,000 intervals when the hash rate drops.
    /// Without the limits, `Lwma` recovers twice as fast from a drop, but lets a private fork raise its own
    /// difficulty until luck decides. The numbers are in `docs/retargeting.md`.
    fn default() -> Self {
        Self::BoundedLwma { blocks: 90 }
    }
}

/// The fields of a past block that a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its height.
    pub height: u64,
    /// Its timestamp, which need not be later than its parent's.
    pub timestamp: Timestamp,
    /// Its target. One that stands for no target, or for one beyond the easiest, counts as the easiest.
    pub target: CompactTarget,
}

impl From<&Header> for Sample {
    fn from(header: &Header) -> Self {
        Self { height: header.height, timestamp: header.timestamp, target: header.target }
    }
}

/// Those blocks of a growing chain that [`Retarget::next_target`] may ask for, now or when it has grown further.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    /// By height, lowest first; without genesis, which no rule asks for.
    samples: Vec<Sample>,
}

impl Past {
    /// Goes on to the next block, and drops those that `rule` never asks for again.
    pub(crate) fn push(&mut self, rule: Retarget, parent: Sample) {
        self.samples.push(parent);
        self.samples.retain(|sample| rule.needs(sample.height, parent.height));
    }

    /// The block at this height, if it is kept.
    pub(crate) fn at(&self, height: u64) -> Option<Sample> {
        let index = self.samples.binary_search_by_key(&height, |sample| sample.height).ok()?;
        self.samples.get(index).copied()
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
    /// A pace of one block per `interval`, in whole milliseconds: a fraction is dropped, and an interval
    /// below one millisecond counts as one. An easiest target of zero, which no hash meets, counts as 1.
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

    /// A rule's result, brought into the range from 1 to the easiest and rounded down to the compact form.
    fn write(&self, target: U512) -> CompactTarget {
        let target = target.clamp(U512::ONE, U512::from(self.easiest));
        Target::from_uint(target.to::<U256>()).to_compact()
    }

    /// The target of `sample`, unchanged.
    fn keep(&self, sample: &Sample) -> CompactTarget {
        self.write(U512::from(self.read(sample)))
    }
}

/// Always the easiest target: for tests, and for chains that need a log and no competition of miners.
#[must_use]
pub fn fixed(pace: &Pace) -> CompactTarget {
    pace.write(U512::from(pace.easiest))
}

/// The lowest height whose timestamp was set by a miner's clock and not by the author of the genesis block.
const FIRST_MINED: u64 = 1;
