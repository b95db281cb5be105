//! Limits how often the application is notified of a condition that peers can cause: when it begins, when it
//! ends, and not again for a while.

use core::time::Duration;

use super::limits;
use super::now::Now;

/// The notifications about one condition.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    /// Whether the last event reported that the condition has begun.
    is_open: bool,
    /// No further beginning is reported before this time.
    quiet_until: Duration,
}

/// The change to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Begun,
    Ended,
}

impl Report {
    /// Updates whether the condition holds. Returns the change to report, if any.
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
