//! Limits connections, in total and per address.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::protocol::host::network;

/// The connections of a server, counted by address.
#[derive(Debug)]
pub(super) struct Slots {
    max: usize,
    max_per_address: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_address: BTreeMap<IpAddr, usize>,
}

impl Slots {
    pub(super) fn new(max: usize, max_per_address: usize) -> Self {
        Self { max, max_per_address, taken: Arc::default() }
    }

    /// Reserves a connection until the slot is dropped; `None` if the limit of the address or of the server
    /// is reached.
    pub(super) fn take(&self, address: IpAddr) -> Option<Slot> {
        let address = network(address);
        let mut taken = lock(&self.taken);
        let of_address = taken.by_address.get(&address).copied().unwrap_or(0);
        if taken.total >= self.max || of_address >= self.max_per_address {
            return None;
        }
        taken.total += 1;
        taken.by_address.insert(address, of_address + 1);
        Some(Slot { address, taken: Arc::clone(&self.taken) })
    }
}

/// The reservation of one connection.
#[derive(Debug)]
pub(super) struct Slot {
    address: IpAddr,
    taken: Arc<Mutex<Taken>>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.total -= 1;
        if let Some(of_address) = taken.by_address.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

/// A poisoned lock is used as it is: no panic can leave the counts inconsistent.
fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("10.0.0.1", "::ffff:10.0.0.1", true)]
    #[case("10.0.0.1", "10.0.0.2", false)]
    #[case("2001:db8::1", "2001:db8::ffff:1", true)]
    #[case("2001:db8::1", "2001:db8:0:1::1", false)]
    fn one_place_for_each_host(#[case] first: &str, #[case] second: &str, #[case] same: bool) {
        let slots = Slots::new(8, 1);
        let first = slots.take(first.parse().unwrap()).unwrap();
        let second: IpAddr = second.parse().unwrap();
        assert_eq!(slots.take(second).is_none(), same);
        drop(first);
        assert!(slots.take(second).is_some());
        assert!(lock(&slots.taken).by_address.is_empty());
    }

    #[test]
    fn total_is_bounded() {
        let slots = Slots::new(2, 2);
        let address = |n| IpAddr::from([10, 0, 0, n]);
        let _first = slots.take(address(1)).unwrap();
        let second = slots.take(address(2)).unwrap();
        assert!(slots.take(address(3)).is_none());
        drop(second);
        assert!(slots.take(address(3)).is_some());
    }
}
