//! Detection of a clock that is behind: what waits for the clock, whether the application was notified, and
//! when to check again. The wall clock may be set at any moment, so it is checked every
//! [`limits::CLOCK_CHECK`] while something waits for it.

use core::time::Duration;

use super::ChainSync;
use crate::chain::Blockchain;
use crate::primitives::{Timestamp, Transaction};
use crate::protocol::call::Call;
use crate::protocol::event::{ClockBehind, Event};
use crate::protocol::limits;
use crate::protocol::report::{Change, Report};

/// Whether the application was notified that the clock is behind, and when the clock is checked again.
#[derive(Clone, Debug, Default)]
pub(super) struct ClockWatch {
    /// Limits the rate of events, because headers that are slightly early arrive again and again.
    report: Report,
    check: Option<Duration>,
}

impl ClockWatch {
    pub(super) const fn deadline(&self) -> Option<Duration> {
        self.check
    }
}

impl ChainSync {
    /// Returns how far a clock that reads `now` is behind, if anything waits for it.
    pub(in crate::protocol) fn clock_behind<T: Transaction>(
        &self,
        chain: &Blockchain<T>,
        now: Timestamp,
    ) -> Option<ClockBehind> {
        let limit = now.saturating_add(chain.spec().max_future_drift());
        let mining_in = chain.next_block_wait(now);
        let mining = (!mining_in.is_zero()).then(|| limit.saturating_add(mining_in));
        let early = self.peers.values().filter_map(|peer| peer.early_header).map(|early| early.timestamp);
        let early = early.filter(|timestamp| *timestamp > limit);
        let latest = early.clone().chain(mining).max()?;
        Some(ClockBehind { behind: latest.saturating_since(now), mining_in, peers: early.count() })
    }

    /// Notifies the application when the clock begins to be behind and when it has caught up.
    pub(in crate::protocol) fn watch_clock<T: Transaction>(&mut self, call: &mut Call<'_, T>) {
        let now = call.now;
        let behind = self.clock_behind(&call.local.chain, now.wall);
        match (self.clock.report.update(behind.is_some(), now), behind) {
            (Some(Change::Begun), Some(behind)) => call.outbox.event(Event::ClockBehind(behind)),
            (Some(Change::Ended), _) => call.outbox.event(Event::ClockCaughtUp),
            _ => {}
        }
        self.clock.check = behind.map(|behind| {
            let mining = Some(behind.mining_in).filter(|wait| !wait.is_zero());
            now.elapsed + mining.unwrap_or(limits::CLOCK_CHECK).min(limits::CLOCK_CHECK)
        });
    }
}
