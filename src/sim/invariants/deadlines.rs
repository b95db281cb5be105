//! A timeout moves the deadline on.

use super::{Breach, Cause, Invariant, Observation};

/// After a timeout, the next deadline is in the future; otherwise a driver would spin.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeadlinesPass;

impl Invariant for DeadlinesPass {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        let next = observed.protocol.poll_timeout();
        match next.filter(|at| *observed.cause == Cause::Timeout && *at <= observed.at) {
            Some(deadline) => Err(Breach::DeadlineStands { deadline, now: observed.at }),
            None => Ok(()),
        }
    }
}
