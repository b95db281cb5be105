//! The two clocks of a node, which give the protocol its time. Only the throttles of log lines and the
//! transport read another one.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::primitives::Timestamp;
use crate::protocol::Now;

/// 100 years.
const FAR_AHEAD: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Tokio's monotonic clock for timers, and a wall clock that can be replaced for blocks.
#[derive(Clone)]
pub(super) struct Clock {
    start: Instant,
    wall: WallClock,
}

/// Returns the time of day.
pub(super) type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

impl Clock {
    pub(super) fn new(wall: WallClock) -> Self {
        Self { start: Instant::now(), wall }
    }

    pub(super) fn now(&self) -> Now {
        Now { elapsed: self.start.elapsed(), wall: (self.wall)() }
    }

    /// The instant at which `elapsed` will have passed; 100 years after the start if that instant cannot be
    /// represented.
    pub(super) fn at(&self, elapsed: Duration) -> Instant {
        self.start.checked_add(elapsed).unwrap_or_else(|| self.start + FAR_AHEAD)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("start", &self.start).finish_non_exhaustive()
    }
}

/// The system's time of day. A clock that is set before 1970 counts as 1970.
pub(super) fn system_time() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is where the time comes from")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(0).saturating_add(since)
}
