//! Retargeting: the target of the next block from past ones.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::primitives::{CompactTarget, Timestamp};

/// How the difficulty adjusts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Retarget {
    /// It does not.
    #[default]
    Fixed,
}

/// What a rule reads of one past block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The block's height.
    pub height: u64,
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// Its target.
    pub target: CompactTarget,
}

/// Why the parameters of a rule make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RetargetError {}

impl Retarget {
    /// Whether the parameters make sense.
    ///
    /// # Errors
    ///
    /// [`RetargetError`].
    pub fn validate(&self) -> Result<(), RetargetError> {
        Ok(())
    }

    /// The target of the block after `parent_height`.
    pub fn next_target(
        &self,
        easiest: CompactTarget,
        _interval: Duration,
        _parent_height: u64,
        _past: impl Fn(u64) -> Sample,
    ) -> CompactTarget {
        easiest
    }
}
