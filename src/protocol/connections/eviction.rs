//! Selects the inbound peer to evict when all slots are taken and another peer connects. An attacker that
//! opens many connections must not displace proven peers, so the choice depends on properties that cost time
//! or work to gain.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::BTreeMap;

use crate::protocol::address::PeerHost;
use crate::protocol::peer::PeerId;

/// An inbound connection.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) id: PeerId,
    pub(super) host: PeerHost,
    pub(super) connected_at: Duration,
    /// When the peer last delivered a block that was new.
    pub(super) useful_at: Option<Duration>,
    /// The shortest time in which the peer has answered a ping.
    pub(super) latency: Option<Duration>,
}

/// The number of peers protected because they delivered blocks most recently.
const USEFUL: usize = 4;

/// The number of peers protected for the lowest latency, which a distant peer cannot fake.
const FAST: usize = 4;

/// The minimum number of oldest connections that are protected, so that on a node with few slots new
/// connections do not keep evicting each other.
const MIN_OLDEST: usize = 8;

/// Returns the connection to evict; `None` if every connection is protected.
///
/// Protects the peers that delivered blocks most recently and those with the lowest latency, and then the
/// older half of the rest. Of the remaining connections, evicts the youngest one of the host with the most
/// connections. This follows Bitcoin Core (`AttemptToEvictConnection`), with hosts instead of network groups.
pub(super) fn choose(mut candidates: Vec<Candidate>) -> Option<PeerId> {
    protect(&mut candidates, USEFUL, |candidate| candidate.useful_at.map(Reverse));
    protect(&mut candidates, FAST, |candidate| candidate.latency);
    let oldest = candidates.len().div_ceil(2).max(MIN_OLDEST);
    protect(&mut candidates, oldest, |candidate| Some(candidate.connected_at));
    let mut hosts: BTreeMap<&PeerHost, Vec<&Candidate>> = BTreeMap::new();
    for candidate in &candidates {
        hosts.entry(&candidate.host).or_default().push(candidate);
    }
    let of_hosts = hosts.into_values().filter_map(|of_host| Some((of_host.len(), youngest(&of_host)?)));
    let (_, evicted) = of_hosts.max_by_key(|(count, candidate)| (*count, age(candidate)))?;
    Some(evicted.id)
}

fn youngest<'a>(candidates: &[&'a Candidate]) -> Option<&'a Candidate> {
    candidates.iter().copied().max_by_key(|candidate| age(candidate))
}

const fn age(candidate: &Candidate) -> (Duration, PeerId) {
    (candidate.connected_at, candidate.id)
}

/// Removes the candidates with the smallest values, up to `count` of those that have a value.
fn protect<K: Ord>(candidates: &mut Vec<Candidate>, count: usize, value: impl Fn(&Candidate) -> Option<K>) {
    candidates.sort_by_key(|candidate| {
        let value = value(candidate);
        (value.is_none(), value, candidate.id)
    });
    let protected = candidates.iter().take(count).take_while(|candidate| value(candidate).is_some()).count();
    candidates.drain(..protected);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(number: u64, host: &str) -> Candidate {
        Candidate {
            id: PeerId(number),
            host: host.parse().unwrap(),
            connected_at: Duration::from_secs(number),
            useful_at: None,
            latency: None,
        }
    }

    /// Returns one young candidate for each host, and as many older ones as are protected for their age
    /// alone.
    fn of_hosts(hosts: &[&str]) -> Vec<Candidate> {
        let old = (100..100 + MIN_OLDEST as u64).map(|number| candidate(number, &format!("old-{number}")));
        let young = (1_001..).zip(hosts).map(|(number, host)| candidate(number, host));
        old.chain(young).collect()
    }

    #[test]
    fn nobody_goes_for_a_stranger_where_there_is_no_choice() {
        assert_eq!(choose(Vec::new()), None);
        assert_eq!(choose(of_hosts(&[])), None);
    }

    #[test]
    fn the_host_with_most_connections_loses_its_youngest() {
        let candidates = of_hosts(&["a", "crowd", "b", "crowd", "c"]);
        assert_eq!(choose(candidates), Some(PeerId(1_004)));
    }

    #[test]
    fn the_youngest_goes_where_all_come_from_different_hosts() {
        assert_eq!(choose(of_hosts(&["a", "b", "c", "d"])), Some(PeerId(1_004)));
    }

    #[test]
    fn the_fast_and_the_useful_stay_however_young_they_are() {
        let mut candidates = of_hosts(&["a", "b", "c", "d", "e"]);
        candidates[MIN_OLDEST + 4].useful_at = Some(Duration::from_secs(9));
        candidates[MIN_OLDEST + 3].latency = Some(Duration::from_millis(1));
        assert_eq!(choose(candidates), Some(PeerId(1_003)));
    }

    /// A flood from one host only replaces itself once the other connections are older.
    #[test]
    fn a_flood_from_one_host_does_not_get_the_others_out() {
        let mut connected: Vec<Candidate> = (0..32).map(|n| candidate(n, &format!("honest-{n}"))).collect();
        for number in 32..10_000 {
            if connected.len() == 64 {
                let evicted = choose(connected.clone()).unwrap();
                connected.retain(|candidate| candidate.id != evicted);
            }
            connected.push(candidate(number, "flood"));
        }
        let honest = connected.iter().filter(|candidate| candidate.host.as_str() != "flood").count();
        assert_eq!(honest, 32);
    }
}
