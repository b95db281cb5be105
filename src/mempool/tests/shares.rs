//! Admission to a full mempool, and what it evicts.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const HOSTS: [&str; 4] = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];

fn from(host: usize) -> Source<'static> {
    Source::Peer { host: HOSTS[host] }
}

/// A unique transaction of `size` canonical bytes.
fn unique(number: usize, size: usize) -> Entry {
    Entry { amount: 0, memo: format!("{number:0len$}", len = size - 2) }
}

/// A mempool with a limit of `room` transactions, all of which are from the first host.
fn flooded(chain: &Blockchain<Entry>, room: usize) -> Mempool<Entry> {
    let mut pool = Mempool::new(chain, MempoolConfig::default().with_max_transactions(room));
    for number in 0..room {
        pool.submit(unique(number, 10), from(0), chain, NOW).unwrap();
    }
    pool
}

fn numbers(pool: &Mempool<Entry>) -> Vec<usize> {
    pool.iter().map(|(_, entry)| entry.memo.parse().unwrap()).collect()
}

#[test]
fn whoever_holds_most_gives_up_its_youngest_and_is_refused_itself() {
    let chain = chain(1_000);
    let mut pool = flooded(&chain, 4);
    let full = Err(MempoolError::Full { transactions: 4, bytes: 4 * memory(10) });
    assert_eq!(pool.submit(unique(10, 10), from(0), &chain, NOW), full);
    pool.submit(unique(11, 10), from(1), &chain, NOW).unwrap();
    assert_eq!(numbers(&pool), [0, 1, 2, 11]);
    pool.submit(unique(12, 10), Source::Local, &chain, NOW).unwrap();
    assert_eq!(numbers(&pool), [0, 1, 11, 12]);
    // Three sources have transactions, so a fair share is a third of four, and a second transaction of a
    // source would exceed it.
    assert_eq!(pool.submit(unique(13, 10), from(1), &chain, NOW), full);
    assert_eq!(pool.submit(unique(13, 10), Source::Local, &chain, NOW), full);
    // An evicted transaction may be submitted again, by a source that stays within its fair share.
    pool.submit(unique(3, 10), from(2), &chain, NOW).unwrap();
    assert_eq!(numbers(&pool), [0, 11, 12, 3]);
    assert_eq!(pool.bytes(), 4 * memory(10));
}

#[test]
fn what_is_evicted_is_said_with_what_depended_on_it() {
    let chain = chain(1_000);
    let mut pool = Mempool::new(&chain, MempoolConfig::default().with_max_transactions(3));
    pool.submit(entry(0), from(0), &chain, NOW).unwrap();
    let evicted = pool.submit(entry(5), from(0), &chain, NOW).unwrap();
    let dependent = pool.submit(entry(-5), from(1), &chain, NOW).unwrap();
    assert!(pool.take_lost().is_empty());
    pool.submit(entry(1), from(2), &chain, NOW).unwrap();
    let lost: Vec<_> = pool.take_lost().into_iter().map(|(id, reason)| (id, reason.to_string())).collect();
    let says = [
        (evicted, "evicted from a full mempool".to_owned()),
        (dependent, "does not apply without a transaction that was removed".to_owned()),
    ];
    assert_eq!(lost, says);
    assert_eq!(amounts(&pool), [0, 1]);
    // The losses of one submission are not reported again after the next.
    pool.submit(entry(2), from(2), &chain, NOW).unwrap();
    assert!(pool.take_lost().is_empty());
}

#[test]
fn own_submissions_give_way_to_nobody() {
    let chain = chain(1_000);
    let mut pool = Mempool::new(&chain, MempoolConfig::default().with_max_transactions(2));
    for number in 0..2 {
        pool.submit(unique(number, 10), Source::Local, &chain, NOW).unwrap();
    }
    let full = Err(MempoolError::Full { transactions: 2, bytes: 2 * memory(10) });
    assert_eq!(pool.submit(unique(2, 10), from(0), &chain, NOW), full);
    assert_eq!(numbers(&pool), [0, 1]);
}

#[test]
fn what_depends_on_what_gave_way_goes_with_it_unless_it_is_our_own() {
    for ours in [false, true] {
        let chain = chain(1_000);
        let mut pool = Mempool::new(&chain, MempoolConfig::default().with_max_transactions(4));
        for amount in [1, 2, 4] {
            pool.submit(entry(amount), from(0), &chain, NOW).unwrap();
        }
        let last = if ours { Source::Local } else { from(1) };
        pool.submit(entry(-7), last, &chain, NOW).unwrap();
        let outcome = pool.submit(entry(8), from(2), &chain, NOW);
        if ours {
            assert!(matches!(outcome, Err(MempoolError::Full { transactions: 4, .. })), "{outcome:?}");
            assert_eq!(amounts(&pool), [1, 2, 4, -7]);
            // The next block frees a place.
            let mut chain = chain;
            let imported = chain.import(mine(&chain, vec![entry(4)]), NOW).unwrap();
            pool.update(&imported, &chain, NOW);
            assert_eq!(amounts(&pool), [1, 2, -7]);
            pool.submit(entry(8), from(2), &chain, NOW).unwrap();
        } else {
            assert!(outcome.is_ok());
            assert_eq!(amounts(&pool), [1, 2, 8]);
            pool.submit(entry(-11), from(2), &chain, NOW).unwrap();
        }
    }
}

#[test]
fn one_that_depends_on_what_gave_way_is_refused() {
    let chain = chain(1_000);
    let mut pool = Mempool::new(&chain, MempoolConfig::default().with_max_transactions(2));
    for amount in [1, 2] {
        pool.submit(entry(amount), from(0), &chain, NOW).unwrap();
    }
    let refused = pool.submit(entry(-3), from(1), &chain, NOW);
    assert!(matches!(refused, Err(MempoolError::Rejected(_))), "{refused:?}");
    assert_eq!(amounts(&pool), [1]);
    pool.submit(entry(-1), from(1), &chain, NOW).unwrap();
}

#[test]
fn what_came_from_before_a_restart_gives_way_too() {
    let chain = chain(1_000);
    let mut pool = Mempool::new(&chain, MempoolConfig::default().with_max_transactions(2));
    for number in 0..2 {
        pool.submit(unique(number, 10), Source::Store, &chain, NOW).unwrap();
    }
    pool.submit(unique(2, 10), from(0), &chain, NOW).unwrap();
    assert_eq!(numbers(&pool), [0, 2]);
}

/// A peer gets its fair share into a mempool that another peer floods, and the pending transactions are
/// applied again only once for each spare part (1/64) of the limits.
#[test]
fn a_flood_keeps_nobody_out() {
    let chain = chain(1_000);
    let mut pool = flooded(&chain, 640);
    let mut shrunk = 0;
    for number in 1_000..1_320 {
        let before = pool.len();
        pool.submit(unique(number, 10), from(1), &chain, NOW).unwrap();
        shrunk += usize::from(pool.len() < before);
        let _ = pool.submit(unique(number + 1_000, 10), from(0), &chain, NOW);
    }
    let (honest, flood): (Vec<usize>, Vec<usize>) =
        numbers(&pool).into_iter().partition(|number| (1_000..2_000).contains(number));
    assert_eq!(honest, (1_000..1_320).collect::<Vec<_>>());
    assert_eq!(flood.len(), 320);
    // Each eviction frees ten places, of which the flood fills half, so 320 transactions need twice as many
    // evictions as the 32 that they would need without the flood.
    assert!((32..=70).contains(&shrunk), "{shrunk} times");
    assert!(pool.submit(unique(3_000, 10), from(1), &chain, NOW).is_err());
}

/// The source of a transaction (0 is this node), its number and its size.
type Held = (usize, usize, usize);

/// The eviction rule, implemented without optimisations.
struct Model {
    room: (usize, usize),
    held: Vec<Held>,
}

impl Model {
    /// The part of the limits that `who` holds, by number or by bytes, whichever is larger. The full limits
    /// are `room.0 * room.1`.
    fn part(&self, held: &[Held], who: usize, more: Option<usize>) -> usize {
        let sizes: Vec<usize> = held.iter().filter(|one| one.0 == who).map(|one| one.2).chain(more).collect();
        (sizes.len() * self.room.1).max(sizes.iter().sum::<usize>() * self.room.0)
    }

    fn fits(held: &[Held], size: usize, room: (usize, usize)) -> bool {
        held.len() < room.0 && held.iter().map(|one| one.2).sum::<usize>() + size <= room.1
    }

    fn submit(&mut self, who: usize, number: usize, size: usize) -> bool {
        let mut held = self.held.clone();
        if !Self::fits(&held, size, self.room) {
            let parties = held.iter().map(|one| one.0).chain([who]).collect::<BTreeSet<_>>().len();
            let fair = self.room.0 * self.room.1 / parties;
            let wanted = self.part(&held, who, Some(size));
            let spared = (self.room.0 - self.room.0 / 64, self.room.1 - self.room.1 / 64);
            if wanted > fair {
                return false;
            }
            while !Self::fits(&held, size, spared) {
                let is_needed = !Self::fits(&held, size, self.room);
                let floor = if is_needed { wanted } else { wanted.max(fair) };
                let others = (1..=HOSTS.len()).rev().filter(|other| *other != who);
                let largest = others.max_by_key(|other| self.part(&held, *other, None));
                let Some(largest) = largest.filter(|other| self.part(&held, *other, None) > floor) else {
                    if is_needed {
                        return false;
                    }
                    break;
                };
                let youngest = held.iter().rposition(|one| one.0 == largest).unwrap();
                held.remove(youngest);
            }
        }
        held.push((who, number, size));
        self.held = held;
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_mempool_holds_what_the_rule_says(
        room in (1..150_usize, memory(10)..50 * memory(10)),
        arrivals in prop::collection::vec((0..=HOSTS.len(), 6..60_usize, 0..6_usize), 1..250),
    ) {
        let mut chain = chain(100_000);
        let config = MempoolConfig::default().with_max_transactions(room.0).with_max_bytes(room.1);
        let mut pool = Mempool::new(&chain, config);
        let mut model = Model { room, held: Vec::new() };
        for (number, (who, size, mined)) in arrivals.into_iter().enumerate() {
            let source = who.checked_sub(1).map_or(Source::Local, from);
            let own: Vec<usize> = model.held.iter().filter(|one| one.0 == 0).map(|one| one.1).collect();
            let got = pool.submit(unique(number, size), source, &chain, NOW).is_ok();
            prop_assert_eq!(got, model.submit(who, number, memory(size)), "number {}", number);
            let pending = numbers(&pool);
            prop_assert!(own.iter().all(|number| pending.contains(number)));
            prop_assert_eq!(pending, model.held.iter().map(|one| one.1).collect::<Vec<_>>());
            prop_assert_eq!(pool.bytes(), model.held.iter().map(|one| one.2).sum::<usize>());
            if mined == 0 && number % 20 == 0 {
                let data = model.held.drain(..model.held.len() / 2).map(|one| unique(one.1, one.2 - memory(0))).collect();
                let imported = chain.import(mine(&chain, data), NOW).unwrap();
                pool.update(&imported, &chain, NOW);
            }
        }
    }
}
