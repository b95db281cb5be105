//! The outbound addresses and when each is dialled: addresses that the node keeps a connection to, and
//! addresses from discovery, which are dialled once.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::primitives::Span;
use crate::protocol::address::PeerAddr;
use crate::protocol::limits;
use crate::protocol::peer::PeerId;

/// Why an address is not added to those that the node keeps a connection to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The node keeps a connection to the address already.
    #[error("{address} is among the peers already")]
    AlreadyAdded {
        /// The address.
        address: PeerAddr,
    },
    /// The host of the address is banned.
    #[error("{address} is banned for another {}", Span(*.remaining))]
    Banned {
        /// The address.
        address: PeerAddr,
        /// The remaining duration of the ban.
        remaining: Duration,
    },
    /// The limit of kept addresses is reached.
    #[error("too many peers: {limit} addresses are kept already")]
    TooMany {
        /// The limit.
        limit: usize,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Dialer {
    addresses: BTreeMap<PeerAddr, Entry>,
    rng: fastrand::Rng,
}

#[derive(Clone, Debug)]
struct Entry {
    status: Status,
    /// Whether a connection to the address is kept, so that it is dialled again after each failure. False for
    /// an address from discovery, which is dialled once.
    is_kept: bool,
    /// Consecutive attempts without a lasting connection.
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// Dial at this time.
    Waiting(Duration),
    Dialling,
    Connected(PeerId),
}

impl Dialer {
    pub(super) const fn new(rng: fastrand::Rng) -> Self {
        Self { addresses: BTreeMap::new(), rng }
    }

    /// Returns the number of addresses that the node keeps a connection to.
    pub(super) fn kept(&self) -> usize {
        self.addresses.values().filter(|entry| entry.is_kept).count()
    }

    /// Returns the number of addresses from discovery that are being dialled or are connected.
    pub(super) fn discovered(&self) -> usize {
        self.addresses.values().filter(|entry| !entry.is_kept).count()
    }

    /// Whether the node keeps a connection to the address.
    pub(super) fn keeps(&self, address: &PeerAddr) -> bool {
        self.addresses.get(address).is_some_and(|entry| entry.is_kept)
    }

    /// Whether an address is reached over this connection, in either direction.
    pub(super) fn reaches(&self, peer: PeerId) -> bool {
        self.addresses.values().any(|entry| entry.status == Status::Connected(peer))
    }

    /// Returns all addresses, kept and from discovery.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &PeerAddr> {
        self.addresses.keys()
    }

    /// Whether the address is kept or from discovery.
    pub(super) fn contains(&self, address: &PeerAddr) -> bool {
        self.addresses.contains_key(address)
    }

    /// Returns the kept addresses without a connection.
    pub(super) fn unconnected(&self) -> impl Iterator<Item = &PeerAddr> {
        let is_open = |entry: &Entry| entry.is_kept && !matches!(entry.status, Status::Connected(_));
        self.addresses.iter().filter(move |(_, entry)| is_open(entry)).map(|(address, _)| address)
    }

    /// Keeps a connection to an address. Dials the address at once, unless discovery is already dialling it.
    pub(super) fn add(&mut self, address: PeerAddr, now: Duration) {
        let entry = Entry { status: Status::Waiting(now), is_kept: true, failures: 0 };
        self.addresses.entry(address).or_insert(entry).is_kept = true;
    }

    /// Dials an address from discovery once, unless it is kept.
    pub(super) fn dial_once(&mut self, address: PeerAddr, now: Duration) {
        let entry = Entry { status: Status::Waiting(now), is_kept: false, failures: 0 };
        self.addresses.entry(address).or_insert(entry);
    }

    /// Removes an address from discovery. Returns whether there was one.
    pub(super) fn forget_discovered(&mut self, address: &PeerAddr) -> bool {
        let was_discovered = self.addresses.get(address).is_some_and(|entry| !entry.is_kept);
        if was_discovered {
            self.addresses.remove(address);
        }
        was_discovered
    }

    /// Removes the addresses from discovery that are reached over this connection. Returns whether there were
    /// any.
    pub(super) fn forget_discovered_over(&mut self, peer: PeerId) -> bool {
        let before = self.addresses.len();
        self.addresses.retain(|_, entry| entry.is_kept || entry.status != Status::Connected(peer));
        self.addresses.len() < before
    }

    /// Removes an address, kept or from discovery. Returns whether there was one.
    pub(super) fn forget(&mut self, address: &PeerAddr) -> bool {
        self.addresses.remove(address).is_some()
    }

    /// Returns the connection over which an address is reached.
    pub(super) fn reached_over(&self, address: &PeerAddr) -> Option<PeerId> {
        match self.addresses.get(address)?.status {
            Status::Connected(peer) => Some(peer),
            Status::Waiting(_) | Status::Dialling => None,
        }
    }

    /// Removes and returns the addresses that are reached over this connection.
    pub(super) fn forget_reached(&mut self, peer: PeerId) -> Vec<PeerAddr> {
        let (reached, others) = core::mem::take(&mut self.addresses)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, entry)| entry.status == Status::Connected(peer));
        self.addresses = others;
        reached.into_keys().collect()
    }

    /// Returns when the next address is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.addresses
            .values()
            .filter_map(|entry| match entry.status {
                Status::Waiting(at) => Some(at),
                Status::Dialling | Status::Connected(_) => None,
            })
            .min()
    }

    /// Returns the addresses that are due and marks them as being dialled.
    pub(super) fn take_due(&mut self, now: Duration) -> Vec<PeerAddr> {
        let mut due = Vec::new();
        for (address, entry) in &mut self.addresses {
            if matches!(entry.status, Status::Waiting(at) if at <= now) {
                entry.status = Status::Dialling;
                due.push(address.clone());
            }
        }
        due
    }

    /// Postpones the dial of an address.
    pub(super) fn postpone(&mut self, address: &PeerAddr, until: Duration) {
        if let Some(entry) = self.addresses.get_mut(address) {
            entry.status = Status::Waiting(until);
        }
    }

    /// Makes the selected addresses due at once if they wait for a dial.
    pub(super) fn make_due(&mut self, which: impl Fn(&PeerAddr) -> bool, now: Duration) {
        for (_, entry) in self.addresses.iter_mut().filter(|(address, _)| which(address)) {
            if let Status::Waiting(at) = &mut entry.status {
                *at = now.min(*at);
            }
        }
    }

    /// Notes that an address is reached over this connection, in either direction.
    pub(super) fn connected(&mut self, address: &PeerAddr, peer: PeerId) {
        if let Some(entry) = self.addresses.get_mut(address) {
            entry.status = Status::Connected(peer);
        }
    }

    /// Transfers an address from one connection to another. An address that is not reached over `from` is
    /// unchanged: it may be being dialled, and that attempt ends on its own.
    pub(super) fn transfer(&mut self, address: &PeerAddr, from: PeerId, to: PeerId) {
        let entry = self.addresses.get_mut(address);
        if let Some(entry) = entry.filter(|entry| entry.status == Status::Connected(from)) {
            entry.status = Status::Connected(to);
        }
    }

    /// Notes a failed attempt. Returns the wait before the next attempt, if there is one.
    pub(super) fn failed(&mut self, address: &PeerAddr, now: Duration) -> Option<Duration> {
        let entry = self.addresses.get_mut(address)?;
        Some(Self::back_off(entry, &mut self.rng, now))
    }

    /// Notes the end of a connection and schedules a dial of every address that it served. After a lasting
    /// connection the wait starts at its minimum.
    pub(super) fn disconnected(&mut self, peer: PeerId, lasted: bool, now: Duration) {
        for entry in self.addresses.values_mut().filter(|entry| entry.status == Status::Connected(peer)) {
            if lasted {
                entry.failures = 0;
            }
            Self::back_off(entry, &mut self.rng, now);
        }
    }

    /// A connection ended because its peer is of another chain. The addresses that it served are dialled
    /// again after [`limits::OTHER_CHAIN_BACKOFF`].
    pub(super) fn disconnected_from_other_chain(&mut self, peer: PeerId, now: Duration) {
        for entry in self.addresses.values_mut().filter(|entry| entry.status == Status::Connected(peer)) {
            Self::wait(entry, &mut self.rng, limits::OTHER_CHAIN_BACKOFF, now);
        }
    }

    /// Doubles the wait up to its maximum and subtracts up to half of it at random, so that nodes which lost
    /// the same peer do not redial at the same moment.
    fn back_off(entry: &mut Entry, rng: &mut fastrand::Rng, now: Duration) -> Duration {
        let full = limits::MIN_BACKOFF.saturating_mul(1 << entry.failures.min(16)).min(limits::MAX_BACKOFF);
        entry.failures = entry.failures.saturating_add(1);
        Self::wait(entry, rng, full, now)
    }

    fn wait(entry: &mut Entry, rng: &mut fastrand::Rng, full: Duration, now: Duration) -> Duration {
        let half = full / 2;
        let wait = half + half.mul_f64(rng.f64());
        entry.status = Status::Waiting(now + wait);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn dialer() -> (Dialer, PeerAddr) {
        let mut dialer = Dialer::new(fastrand::Rng::with_seed(1));
        let address: PeerAddr = "memory://a".parse().unwrap();
        dialer.add(address.clone(), NOW);
        (dialer, address)
    }

    #[test]
    fn waits_double_up_to_the_cap_with_jitter_below() {
        let (mut dialer, address) = dialer();
        let mut full = limits::MIN_BACKOFF;
        for _ in 0..40 {
            assert_eq!(dialer.take_due(NOW), std::slice::from_ref(&address));
            let wait = dialer.failed(&address, Duration::ZERO).unwrap();
            assert!((full / 2..=full).contains(&wait), "{wait:?} of {full:?}");
            full = (full * 2).min(limits::MAX_BACKOFF);
        }
    }

    #[test]
    fn an_address_is_dialled_once_at_a_time() {
        let (mut dialer, address) = dialer();
        assert_eq!(dialer.take_due(NOW), std::slice::from_ref(&address));
        dialer.add(address.clone(), NOW);
        assert!(dialer.take_due(NOW).is_empty());
        dialer.connected(&address, PeerId(1));
        assert_eq!(dialer.deadline(), None);
        assert_eq!(dialer.unconnected().count(), 0);
    }

    #[test]
    fn a_connection_that_lasted_starts_over() {
        let (mut dialer, address) = dialer();
        for _ in 0..10 {
            dialer.failed(&address, NOW);
        }
        dialer.connected(&address, PeerId(1));
        dialer.disconnected(PeerId(2), true, NOW);
        assert_eq!(dialer.deadline(), None);
        dialer.disconnected(PeerId(1), true, NOW);
        assert!(dialer.deadline().unwrap() <= NOW + limits::MIN_BACKOFF);
        dialer.connected(&address, PeerId(3));
        dialer.disconnected(PeerId(3), false, NOW);
        assert!(dialer.deadline().unwrap() >= NOW + limits::MIN_BACKOFF);
    }

    #[test]
    fn a_node_of_another_chain_is_dialled_again_late() {
        let (mut dialer, address) = dialer();
        dialer.connected(&address, PeerId(1));
        dialer.disconnected_from_other_chain(PeerId(1), NOW);
        let wait = dialer.deadline().unwrap().saturating_sub(NOW);
        let full = limits::OTHER_CHAIN_BACKOFF;
        assert!((full / 2..=full).contains(&wait), "{wait:?} of {full:?}");
        // A failed dial says nothing about the chain, so it waits as usual.
        assert!(dialer.failed(&address, NOW).unwrap() <= limits::MIN_BACKOFF);
    }

    #[test]
    fn what_is_being_dialled_is_not_handed_over() {
        let (mut dialer, address) = dialer();
        let [first, second] = [PeerId(1), PeerId(2)];
        assert_eq!(dialer.take_due(NOW), std::slice::from_ref(&address));
        dialer.transfer(&address, first, second);
        dialer.disconnected(second, false, NOW);
        assert_eq!(dialer.deadline(), None, "it is still being dialled");
        dialer.connected(&address, first);
        dialer.transfer(&address, first, second);
        dialer.disconnected(first, false, NOW);
        assert_eq!(dialer.deadline(), None, "it is reached over the second");
        dialer.disconnected(second, false, NOW);
        assert!(dialer.deadline().is_some());
    }

    #[test]
    fn what_is_tried_out_is_dialled_once() {
        let (mut dialer, kept) = dialer();
        let told: PeerAddr = "memory://b".parse().unwrap();
        dialer.dial_once(told.clone(), NOW);
        dialer.dial_once(kept.clone(), NOW);
        assert_eq!((dialer.kept(), dialer.discovered()), (1, 1), "what is kept stays so");
        assert_eq!(dialer.take_due(NOW), [kept.clone(), told.clone()]);
        assert!(dialer.unconnected().eq([&kept]));
        assert!(
            dialer.forget_discovered(&told)
                && !dialer.forget_discovered(&told)
                && !dialer.forget_discovered(&kept)
        );
        assert!(!dialer.contains(&told));

        dialer.dial_once(told.clone(), NOW);
        dialer.connected(&told, PeerId(1));
        assert!(!dialer.forget_discovered_over(PeerId(2)) && dialer.forget_discovered_over(PeerId(1)));
        dialer.dial_once(told.clone(), NOW);
        dialer.add(told.clone(), NOW);
        assert!(dialer.keeps(&told) && !dialer.forget_discovered(&told), "from then on it is kept");
    }

    #[test]
    fn what_is_forgotten_is_not_dialled() {
        let (mut dialer, address) = dialer();
        dialer.forget(&address);
        assert_eq!((dialer.deadline(), dialer.failed(&address, NOW)), (None, None));
    }
}
