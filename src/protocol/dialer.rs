//! The addresses that a node keeps a connection to, and when each is dialled again; beside them those that it tries
//! out once because others told of them.

use core::time::Duration;
use std::collections::BTreeMap;

use super::address::PeerAddr;
use super::io::PeerId;
use super::limits;
use crate::primitives::Span;

/// Why an address is not dialled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A connection to it is open or being opened.
    #[error("{address} is among the peers already")]
    AlreadyAdded {
        /// The address.
        address: PeerAddr,
    },
    /// Its host is banned.
    #[error("{address} is banned for another {}", Span(*.remaining))]
    Banned {
        /// The address.
        address: PeerAddr,
        /// For how long yet.
        remaining: Duration,
    },
    /// No more addresses are kept.
    #[error("too many peers: {limit} addresses are kept already")]
    TooMany {
        /// The limit.
        limit: usize,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Dialer {
    addresses: BTreeMap<PeerAddr, Line>,
    rng: fastrand::Rng,
}

#[derive(Clone, Debug)]
struct Line {
    status: Status,
    /// Whether it is dialled again and again, and not only tried out.
    is_kept: bool,
    /// Attempts in a row that came to no lasting connection.
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// To be dialled at this time.
    Waiting(Duration),
    Dialling,
    Connected(PeerId),
}

impl Dialer {
    pub(super) const fn new(rng: fastrand::Rng) -> Self {
        Self { addresses: BTreeMap::new(), rng }
    }

    /// How many addresses are kept a connection to.
    pub(super) fn kept(&self) -> usize {
        self.addresses.values().filter(|line| line.is_kept).count()
    }

    /// How many are tried out, or connected after that.
    pub(super) fn tried_out(&self) -> usize {
        self.addresses.values().filter(|line| !line.is_kept).count()
    }

    /// Whether a connection is kept to the address.
    pub(super) fn keeps(&self, address: &PeerAddr) -> bool {
        self.addresses.get(address).is_some_and(|line| line.is_kept)
    }

    /// Whether an address is reached over this connection, whoever opened it.
    pub(super) fn reaches(&self, peer: PeerId) -> bool {
        self.addresses.values().any(|line| line.status == Status::Connected(peer))
    }

    /// All addresses, kept or tried out.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &PeerAddr> {
        self.addresses.keys()
    }

    /// Whether the address is kept or tried out.
    pub(super) fn contains(&self, address: &PeerAddr) -> bool {
        self.addresses.contains_key(address)
    }

    /// The addresses that are kept a connection to and have none.
    pub(super) fn unconnected(&self) -> impl Iterator<Item = &PeerAddr> {
        let is_open = |line: &Line| line.is_kept && !matches!(line.status, Status::Connected(_));
        self.addresses.iter().filter(move |(_, line)| is_open(line)).map(|(address, _)| address)
    }

    /// Keeps a connection to an address, which is dialled at once unless it is being tried out.
    pub(super) fn add(&mut self, address: PeerAddr, now: Duration) {
        let line = Line { status: Status::Waiting(now), is_kept: true, failures: 0 };
        self.addresses.entry(address).or_insert(line).is_kept = true;
    }

    /// Dials an address once, unless it is kept a connection to.
    pub(super) fn try_out(&mut self, address: PeerAddr, now: Duration) {
        let line = Line { status: Status::Waiting(now), is_kept: false, failures: 0 };
        self.addresses.entry(address).or_insert(line);
    }

    /// Gives up an address that was tried out. Returns whether it was.
    pub(super) fn give_up(&mut self, address: &PeerAddr) -> bool {
        let was_tried_out = self.addresses.get(address).is_some_and(|line| !line.is_kept);
        if was_tried_out {
            self.addresses.remove(address);
        }
        was_tried_out
    }

    /// Gives up what was tried out and is reached over this connection. Returns whether something was.
    pub(super) fn give_up_reached(&mut self, peer: PeerId) -> bool {
        let before = self.addresses.len();
        self.addresses.retain(|_, line| line.is_kept || line.status != Status::Connected(peer));
        self.addresses.len() < before
    }

    /// Never dials the address again. Returns whether it was kept or tried out.
    pub(super) fn forget(&mut self, address: &PeerAddr) -> bool {
        self.addresses.remove(address).is_some()
    }

    /// The connection over which an address is reached.
    pub(super) fn reached_over(&self, address: &PeerAddr) -> Option<PeerId> {
        match self.addresses.get(address)?.status {
            Status::Connected(peer) => Some(peer),
            Status::Waiting(_) | Status::Dialling => None,
        }
    }

    /// Takes out the addresses that are reached over this connection.
    pub(super) fn forget_reached(&mut self, peer: PeerId) -> Vec<PeerAddr> {
        let (reached, others) = core::mem::take(&mut self.addresses)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, line)| line.status == Status::Connected(peer));
        self.addresses = others;
        reached.into_keys().collect()
    }

    /// When the next address is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.addresses
            .values()
            .filter_map(|line| match line.status {
                Status::Waiting(at) => Some(at),
                Status::Dialling | Status::Connected(_) => None,
            })
            .min()
    }

    /// Takes the addresses that are due.
    pub(super) fn take_due(&mut self, now: Duration) -> Vec<PeerAddr> {
        let mut due = Vec::new();
        for (address, line) in &mut self.addresses {
            if matches!(line.status, Status::Waiting(at) if at <= now) {
                line.status = Status::Dialling;
                due.push(address.clone());
            }
        }
        due
    }

    /// Puts an address off that was about to be dialled.
    pub(super) fn postpone(&mut self, address: &PeerAddr, until: Duration) {
        if let Some(line) = self.addresses.get_mut(address) {
            line.status = Status::Waiting(until);
        }
    }

    /// Has addresses dialled at once that wait for it.
    pub(super) fn hurry(&mut self, which: impl Fn(&PeerAddr) -> bool, now: Duration) {
        for (_, line) in self.addresses.iter_mut().filter(|(address, _)| which(address)) {
            if let Status::Waiting(at) = &mut line.status {
                *at = now.min(*at);
            }
        }
    }

    /// The address is reached over this connection, whoever opened it.
    pub(super) fn connected(&mut self, address: &PeerAddr, peer: PeerId) {
        if let Some(line) = self.addresses.get_mut(address) {
            line.status = Status::Connected(peer);
        }
    }

    /// An address that was reached over one connection is reached over another one. Where it was not, it may be dialled
    /// at this moment, and that attempt has an end of its own.
    pub(super) fn handed_over(&mut self, address: &PeerAddr, from: PeerId, to: PeerId) {
        let line = self.addresses.get_mut(address);
        if let Some(line) = line.filter(|line| line.status == Status::Connected(from)) {
            line.status = Status::Connected(to);
        }
    }

    /// An attempt failed. Returns the wait before the next, if there is to be one.
    pub(super) fn failed(&mut self, address: &PeerAddr, now: Duration) -> Option<Duration> {
        let line = self.addresses.get_mut(address)?;
        Some(Self::back_off(line, &mut self.rng, now))
    }

    /// A connection ended; every address that it served is dialled again. One that had lasted starts from
    /// the shortest wait.
    pub(super) fn disconnected(&mut self, peer: PeerId, lasted: bool, now: Duration) {
        for line in self.addresses.values_mut().filter(|line| line.status == Status::Connected(peer)) {
            if lasted {
                line.failures = 0;
            }
            Self::back_off(line, &mut self.rng, now);
        }
    }

    /// Doubles the wait up to its cap and takes off up to a half at random, so that nodes which lost the same
    /// peer do not come back at the same moment.
    fn back_off(line: &mut Line, rng: &mut fastrand::Rng, now: Duration) -> Duration {
        let full = limits::MIN_BACKOFF.saturating_mul(1 << line.failures.min(16)).min(limits::MAX_BACKOFF);
        line.failures = line.failures.saturating_add(1);
        let half = full / 2;
        let wait = half + half.mul_f64(rng.f64());
        line.status = Status::Waiting(now + wait);
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
    fn what_is_being_dialled_is_not_handed_over() {
        let (mut dialer, address) = dialer();
        let [first, second] = [PeerId(1), PeerId(2)];
        assert_eq!(dialer.take_due(NOW), std::slice::from_ref(&address));
        dialer.handed_over(&address, first, second);
        dialer.disconnected(second, false, NOW);
        assert_eq!(dialer.deadline(), None, "it is still being dialled");
        dialer.connected(&address, first);
        dialer.handed_over(&address, first, second);
        dialer.disconnected(first, false, NOW);
        assert_eq!(dialer.deadline(), None, "it is reached over the second");
        dialer.disconnected(second, false, NOW);
        assert!(dialer.deadline().is_some());
    }

    #[test]
    fn what_is_tried_out_is_dialled_once() {
        let (mut dialer, kept) = dialer();
        let told: PeerAddr = "memory://b".parse().unwrap();
        dialer.try_out(told.clone(), NOW);
        dialer.try_out(kept.clone(), NOW);
        assert_eq!((dialer.kept(), dialer.tried_out()), (1, 1), "what is kept stays so");
        assert_eq!(dialer.take_due(NOW), [kept.clone(), told.clone()]);
        assert!(dialer.unconnected().eq([&kept]));
        assert!(dialer.give_up(&told) && !dialer.give_up(&told) && !dialer.give_up(&kept));
        assert!(!dialer.contains(&told));

        dialer.try_out(told.clone(), NOW);
        dialer.connected(&told, PeerId(1));
        assert!(!dialer.give_up_reached(PeerId(2)) && dialer.give_up_reached(PeerId(1)));
        dialer.try_out(told.clone(), NOW);
        dialer.add(told.clone(), NOW);
        assert!(dialer.keeps(&told) && !dialer.give_up(&told), "from then on it is kept");
    }

    #[test]
    fn what_is_forgotten_is_not_dialled() {
        let (mut dialer, address) = dialer();
        dialer.forget(&address);
        assert_eq!((dialer.deadline(), dialer.failed(&address, NOW)), (None, None));
    }
}
