//! Misbehaviour scores and bans. Both apply to hosts and not to connections, because a peer can open another
//! connection at no cost.

use core::time::Duration;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::primitives::Timestamp;
use crate::protocol::address::PeerHost;
use crate::protocol::limits;
use crate::protocol::now::Now;

/// A banned host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Ban {
    /// The host.
    pub host: PeerHost,
    /// The remaining duration of the ban, in whole seconds.
    #[serde(rename = "seconds", with = "seconds")]
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub remaining: Duration,
}

/// The serde form of a duration as a number of whole seconds.
mod seconds {
    use super::{Deserialize, Deserializer, Duration, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(duration.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Reputation {
    scores: BTreeMap<PeerHost, Score>,
    bans: BTreeMap<PeerHost, Expiry>,
}

/// When a ban ends.
#[derive(Clone, Copy, Debug)]
struct Expiry {
    /// By the wall clock, for the next run.
    wall: Timestamp,
    /// By the monotonic clock of this run, which cannot be set; `None` for a ban from an earlier run.
    elapsed: Option<Duration>,
}

impl Expiry {
    fn remaining(self, now: Now) -> Option<Duration> {
        let remaining = match self.elapsed {
            Some(elapsed) => elapsed.saturating_sub(now.elapsed),
            None => self.wall.saturating_since(now.wall),
        };
        (!remaining.is_zero()).then_some(remaining)
    }
}

#[derive(Clone, Copy, Debug)]
struct Score {
    points: u32,
    /// When the score was last updated.
    at: Duration,
}

impl Score {
    fn now(&self, now: Duration) -> u32 {
        let forgiven = now.saturating_sub(self.at).as_secs() / limits::FORGIVENESS.as_secs();
        self.points.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX))
    }
}

impl Reputation {
    /// Adds points to a host's score. Returns whether the host has to be banned.
    pub(super) fn punish(&mut self, host: &PeerHost, penalty: u32, now: Duration) -> bool {
        let before = self.scores.get(host).map_or(0, |score| score.now(now));
        let points = before.saturating_add(penalty);
        if points >= limits::BAN_SCORE {
            self.scores.remove(host);
            return true;
        }
        self.scores.insert(host.clone(), Score { points, at: now });
        if self.scores.len() > limits::MAX_SCORED_HOSTS {
            self.scores.retain(|_, score| score.now(now) > 0);
        }
        if self.scores.len() > limits::MAX_SCORED_HOSTS {
            let best = self.scores.iter().min_by_key(|(_, score)| (score.now(now), score.at));
            if let Some(host) = best.map(|(host, _)| host.clone()) {
                self.scores.remove(&host);
            }
        }
        false
    }

    pub(super) fn ban(&mut self, host: PeerHost, duration: Duration, now: Now) {
        self.forget_ended(now);
        let elapsed = Some(now.elapsed.saturating_add(duration));
        self.bans.insert(host, Expiry { wall: now.wall.saturating_add(duration), elapsed });
        if self.bans.len() > limits::MAX_BANS {
            let first = self.bans.iter().min_by_key(|(_, expiry)| expiry.remaining(now));
            if let Some(host) = first.map(|(host, _)| host.clone()) {
                self.bans.remove(&host);
            }
        }
    }

    /// Restores a ban from an earlier run, unless it has ended.
    pub(super) fn restore(&mut self, host: PeerHost, until: Timestamp, now: Timestamp) {
        if until > now {
            self.bans.insert(host, Expiry { wall: until, elapsed: None });
        }
    }

    /// Removes the bans that have ended. Returns whether there were any.
    pub(super) fn forget_ended(&mut self, now: Now) -> bool {
        let before = self.bans.len();
        self.bans.retain(|_, expiry| expiry.remaining(now).is_some());
        self.bans.len() < before
    }

    /// Returns the bans with the wall clock time at which each ends or has ended.
    pub(super) fn expiries(&self) -> impl Iterator<Item = (&PeerHost, Timestamp)> {
        self.bans.iter().map(|(host, expiry)| (host, expiry.wall))
    }

    /// Returns the remaining duration of a host's ban; `None` if the host is not banned.
    pub(super) fn remaining(&self, host: &PeerHost, now: Now) -> Option<Duration> {
        self.bans.get(host)?.remaining(now)
    }

    /// Returns the banned hosts.
    pub(super) fn bans(&self, now: Now) -> Vec<Ban> {
        let remaining = |host| self.remaining(host, now);
        let hosts = self.bans.keys();
        hosts.filter_map(|host| Some(Ban { host: host.clone(), remaining: remaining(host)? })).collect()
    }

    /// Lifts a ban and resets the score of the host. Returns whether there was a ban, ended or not.
    pub(super) fn lift(&mut self, host: &PeerHost) -> bool {
        self.scores.remove(host);
        self.bans.remove(host).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000_000);

    fn host(number: usize) -> PeerHost {
        PeerHost::from_stored(&format!("host-{number}"))
    }

    #[test]
    fn points_add_up_and_fade() {
        let mut reputation = Reputation::default();
        let fifth = limits::BAN_SCORE / 5;
        for _ in 1..5 {
            assert!(!reputation.punish(&host(1), fifth, NOW));
        }
        let later = NOW + limits::FORGIVENESS * fifth;
        assert!(!reputation.punish(&host(1), fifth, later), "one of them is forgiven by then");
        assert!(!reputation.punish(&host(2), fifth, later), "another host is another matter");
        assert!(reputation.punish(&host(1), fifth, later));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_worst_stay() {
        let mut reputation = Reputation::default();
        let now = Now { elapsed: NOW, wall: Timestamp::from_millis(1) };
        assert!(!reputation.punish(&host(0), 50, NOW));
        for number in 1..=2 * limits::MAX_SCORED_HOSTS {
            assert!(!reputation.punish(&host(number), 1, NOW));
            reputation.ban(host(number), Duration::from_secs(number as u64), now);
        }
        assert_eq!(reputation.scores.len(), limits::MAX_SCORED_HOSTS);
        assert_eq!(reputation.scores[&host(0)].points, 50);
        assert_eq!(reputation.bans.len(), limits::MAX_BANS);
        assert_eq!(reputation.remaining(&host(1), now), None);
        let last = 2 * limits::MAX_SCORED_HOSTS;
        assert_eq!(reputation.remaining(&host(last), now), Some(Duration::from_secs(last as u64)));
    }

    #[test]
    fn who_has_no_points_left_gives_way_first() {
        let mut reputation = Reputation::default();
        for number in 0..limits::MAX_SCORED_HOSTS {
            assert!(!reputation.punish(&host(number), 1, NOW));
        }
        assert_eq!(reputation.scores.len(), limits::MAX_SCORED_HOSTS);
        assert!(!reputation.punish(&host(limits::MAX_SCORED_HOSTS), 1, NOW + limits::FORGIVENESS));
        assert_eq!(reputation.scores.len(), 1, "all others are forgiven");
    }

    #[test]
    fn neither_this_machine_nor_what_costs_nothing_is_remembered() {
        let mut connections = crate::protocol::connections::Connections::new(0);
        let now = Now { elapsed: NOW, wall: Timestamp::from_millis(1) };
        let this_machine: PeerHost = "127.0.0.1".parse().unwrap();
        assert!(!connections.punish(&this_machine, limits::BAN_SCORE, NOW));
        assert!(!connections.punish(&host(1), 0, NOW));
        assert_eq!((connections.bans(now), connections.reputation.scores.len()), (Vec::new(), 0));
        assert!(!connections.punish(&host(1), 1, NOW));
        assert_eq!(connections.reputation.scores.len(), 1);
    }

    #[test]
    fn a_ban_of_an_earlier_run_ends_by_the_time_of_day() {
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1_000);
        let mut before = Reputation::default();
        before.ban(host(1), Duration::from_secs(60), Now { elapsed: NOW, wall: at(1_000) });
        before.ban(host(2), Duration::MAX, Now { elapsed: NOW, wall: at(1_000) });
        let mut after = Reputation::default();
        for (host, until) in before.expiries() {
            after.restore(host.clone(), until, at(1_020));
        }
        let now = |seconds| Now { elapsed: Duration::ZERO, wall: at(seconds) };
        assert_eq!(after.remaining(&host(1), now(1_020)), Some(Duration::from_secs(40)));
        assert_eq!(after.remaining(&host(1), now(1_060)), None);
        assert!(after.remaining(&host(2), now(1_000_000_000)).is_some());
        after.restore(host(3), at(1_020), at(1_020));
        assert_eq!(after.bans.len(), 2, "what has ended is not taken in");
    }
}
