//! When the application is told of a condition that others can cause: once when it begins, once when it ends, and not
//! again for a while.

use core::time::Duration;

use super::io::Now;
use super::limits;

/// What the application was told of a condition.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    /// Whether the last event said that it has begun.
    is_open: bool,
    /// Before this no further begin is told of.
    quiet_until: Duration,
}

/// What is to be told now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Begun,
    Ended,
}

impl Report {
    /// Notes whether the condition holds now.
    pub(super) fn update(&mut self, holds: bool, now: Now) -> Option<Change> {
        if holds && !self.is_open && self.quiet_until <= now.elapsed {
            self.is_open = true;
            self.quiet_until = now.elapsed + limits::REPORT_INTERVAL;
            Some(Change::Begun)
        } else if !holds && self.is_open {
            self.is_open = false;
            Some(Change::Ended)
        } else {
            None
        }
    }
}
