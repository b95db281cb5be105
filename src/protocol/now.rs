//! The time of a call.

use core::time::Duration;

use crate::primitives::Timestamp;

/// The time of a call. Deadlines use `elapsed`, which is monotonic; block timestamps use `wall`, which may be
/// set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The monotonic time since some fixed point, such as the start of the program.
    pub elapsed: Duration,
    /// The time of day.
    pub wall: Timestamp,
}
