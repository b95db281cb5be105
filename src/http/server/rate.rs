//! Limits how many requests each client address may make, with a token bucket for each.
//!
//! A bucket of its own: the crate `governor` bounds no number of addresses, and would add 17 crates.

use core::net::IpAddr;
use core::num::NonZeroU32;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::protocol::host::network;

/// The number of addresses whose requests are counted, which bounds the memory at about 2 MiB. When one more makes a
/// request, the address whose bucket is full soonest is forgotten, as if it were full already.
const MAX_ADDRESSES: usize = 16_384;

/// The buckets of all addresses. A bucket is kept as the time at which it is full again, and one that is full is not kept.
#[derive(Debug)]
pub(super) struct Rate {
    /// The time in which a bucket gets one token back.
    interval: Duration,
    /// The time in which an empty bucket gets full.
    capacity: Duration,
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    full_at: BTreeMap<IpAddr, Instant>,
    /// The addresses by the time at which their buckets are full.
    queue: BTreeSet<(Instant, IpAddr)>,
}

impl Rate {
    /// Buckets of `burst` tokens, which get `per_second` back each second.
    pub(super) fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let interval = Duration::from_secs(1) / per_second.get();
        Self { interval, capacity: interval.saturating_mul(burst.get()), buckets: Mutex::default() }
    }

    /// Takes a token for a request that comes from this address now.
    ///
    /// # Errors
    ///
    /// The time until there is one, if the bucket of the address is empty.
    pub(super) fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let address = network(address);
        // A poisoned lock is used as it is: no panic can leave the two maps with different contents.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.forget_full(now);
        let full_at = buckets.full_at.get(&address).copied();
        let after = full_at.unwrap_or(now) + self.interval;
        let missing = after.duration_since(now).saturating_sub(self.capacity);
        if !missing.is_zero() {
            return Err(missing);
        }
        buckets.set(address, full_at, after);
        Ok(())
    }
}

impl Buckets {
    fn forget_full(&mut self, now: Instant) {
        while let Some((full_at, address)) =
            self.queue.first().copied().filter(|(full_at, _)| *full_at <= now)
        {
            self.remove(address, full_at);
        }
    }

    fn set(&mut self, address: IpAddr, before: Option<Instant>, after: Instant) {
        if let Some(before) = before {
            self.remove(address, before);
        } else if self.full_at.len() >= MAX_ADDRESSES
            && let Some((full_at, soonest)) = self.queue.first().copied()
        {
            self.remove(soonest, full_at);
        }
        self.full_at.insert(address, after);
        self.queue.insert((after, address));
    }

    fn remove(&mut self, address: IpAddr, full_at: Instant) {
        self.full_at.remove(&address);
        self.queue.remove(&(full_at, address));
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use rstest::rstest;

    use super::*;

    fn rate(per_second: u32, burst: u32) -> Rate {
        Rate::new(NonZeroU32::new(per_second).unwrap(), NonZeroU32::new(burst).unwrap())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn a_burst_is_admitted_and_then_the_rate() {
        let (rate, start, client) = (rate(4, 3), Instant::now(), ip("192.0.2.1"));
        assert_eq!(
            [(); 4].map(|()| rate.take(client, start)),
            [Ok(()), Ok(()), Ok(()), Err(250 * MILLISECOND)]
        );
        // A refused request takes nothing.
        let almost = start + 249 * MILLISECOND;
        assert_eq!([(); 2].map(|()| rate.take(client, almost)), [Err(MILLISECOND); 2]);
        let later = start + 250 * MILLISECOND;
        assert_eq!([(); 2].map(|()| rate.take(client, later)), [Ok(()), Err(250 * MILLISECOND)]);
        // Time does not fill a bucket beyond its size.
        let much_later = start + Duration::from_secs(3_600);
        let admitted = (0..100).filter(|_| rate.take(client, much_later).is_ok()).count();
        assert_eq!(admitted, 3);
    }

    #[test]
    fn no_hour_admits_more_than_the_rate_and_a_burst() {
        let (rate, start, client) = (rate(10, 20), Instant::now(), ip("192.0.2.1"));
        let admitted =
            (0..3_600_000 / 7).filter(|n| rate.take(client, start + 7 * MILLISECOND * *n).is_ok()).count();
        assert!((36_000..=36_020).contains(&admitted), "{admitted}");
    }

    #[rstest]
    #[case("192.0.2.1", "192.0.2.1", false)]
    #[case("192.0.2.1", "::ffff:192.0.2.1", false)]
    #[case("192.0.2.1", "192.0.2.2", true)]
    #[case("2001:db8::1", "2001:db8::ffff:1", false)]
    #[case("2001:db8::1", "2001:db8:0:1::1", true)]
    fn each_host_has_a_bucket(#[case] first: &str, #[case] second: &str, #[case] is_admitted: bool) {
        let (rate, now) = (rate(1, 1), Instant::now());
        assert_eq!(rate.take(ip(first), now), Ok(()));
        assert_eq!(rate.take(ip(second), now).is_ok(), is_admitted);
    }

    #[test]
    fn the_number_of_addresses_is_bounded() {
        let (rate, start) = (rate(1, 2), Instant::now());
        let busy = ip("203.0.113.1");
        assert_eq!([(); 3].map(|()| rate.take(busy, start).is_ok()), [true, true, false]);
        for number in 0..2 * u32::try_from(MAX_ADDRESSES).unwrap() {
            assert_eq!(rate.take(Ipv4Addr::from_bits(number).into(), start + MILLISECOND), Ok(()));
        }
        let count = |rate: &Rate| {
            let buckets = rate.buckets.lock().unwrap();
            (buckets.full_at.len(), buckets.queue.len())
        };
        assert_eq!(count(&rate), (MAX_ADDRESSES, MAX_ADDRESSES));
        // One that has used up its burst is not forgotten for those who have not.
        assert!(rate.take(busy, start + MILLISECOND).is_err());
        assert_eq!(rate.take(busy, start + Duration::from_secs(9)), Ok(()));
        assert_eq!(count(&rate), (1, 1));
    }
}
