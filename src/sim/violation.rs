//! The report of a broken invariant.

use core::fmt;
use core::time::Duration;

use super::invariants::Breach;
use super::trace::TraceEvent;

/// A broken invariant, with all that is necessary to reproduce it.
#[derive(Clone, Debug)]
pub struct Violation {
    report: Box<Report>,
}

#[derive(Clone, Debug)]
struct Report {
    seed: u64,
    at: Duration,
    node: Option<usize>,
    breach: Breach,
    replay: String,
    trace: Vec<TraceEvent>,
}

impl Violation {
    pub(super) fn new(
        seed: u64,
        at: Duration,
        node: Option<usize>,
        breach: Breach,
        replay: &str,
        trace: Vec<TraceEvent>,
    ) -> Self {
        let replay = replay.replace("{seed}", &seed.to_string());
        Self { report: Box::new(Report { seed, at, node, breach, replay, trace }) }
    }

    /// The seed of the run.
    pub fn seed(&self) -> u64 {
        self.report.seed
    }

    /// The virtual time at which the violation was detected.
    pub fn at(&self) -> Duration {
        self.report.at
    }

    /// The node that broke the invariant; `None` for an invariant of the whole network.
    pub fn node(&self) -> Option<usize> {
        self.report.node
    }

    /// The broken invariant and its details.
    pub fn breach(&self) -> &Breach {
        &self.report.breach
    }

    /// The command that replays the run.
    pub fn replay(&self) -> &str {
        &self.report.replay
    }

    /// The last events before the violation.
    pub fn trace(&self) -> &[TraceEvent] {
        &self.report.trace
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { seed, at, node, breach, replay, trace } = &*self.report;
        write!(f, "seed {seed}, after {:.6} s", at.as_secs_f64())?;
        if let Some(node) = node {
            write!(f, ", node {node}")?;
        }
        write!(f, ": {breach}\nreplay it with: {replay}\nthe last events:")?;
        for event in trace {
            write!(f, "\n{event}")?;
        }
        Ok(())
    }
}

impl core::error::Error for Violation {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.report.breach)
    }
}
