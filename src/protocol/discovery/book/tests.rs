//! Which addresses the book accepts, evicts and chooses.

use super::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const NOW: Timestamp = Timestamp::from_millis(1_767_312_000_000);
const START: Duration = Duration::ZERO;

fn book() -> AddressBook {
    AddressBook::new(Hash::digest(b"secret"))
}

fn address(text: &str) -> PeerAddr {
    text.parse().unwrap()
}

/// Returns an address; each `group` has its own address group.
fn at(group: usize, number: usize) -> PeerAddr {
    address(&format!("ws://{}.{}.{}.{}:5001", 1 + group / 250, group % 250, number / 250, number % 250))
}

fn host(text: &str) -> PeerHost {
    text.parse().unwrap()
}

fn texts(book: &AddressBook) -> Vec<String> {
    book.records().map(|(address, _)| address.to_string()).collect()
}

/// Returns all addresses that can be chosen, in the order in which one generator chooses them.
fn choices(book: &AddressBook, now: Duration) -> Vec<PeerAddr> {
    let mut rng = Rng::with_seed(5);
    let mut chosen = Vec::new();
    while let Some(next) = book.choose(&mut rng, now, |address| !chosen.contains(address), |_| true) {
        chosen.push(next);
    }
    chosen
}

#[test]
fn one_source_fills_no_more_than_its_part() {
    let mut book = book();
    for group in 0..5_000 {
        book.learn(&at(group, 0), &host(&format!("10.0.0.{}", group % 200)), NOW);
    }
    let part = usize::try_from(limits::NEW_BUCKETS_PER_SOURCE).unwrap() * limits::BUCKET_SIZE;
    assert_eq!(book.records().count(), part, "hosts that are neighbours are one source");
    // Addresses from another source are accepted as before.
    let before = book.records().count();
    assert!(book.learn(&address("ws://honest.example.org:1"), &host("192.0.2.1"), NOW));
    assert_eq!(book.records().count(), before + 1);
}

#[test]
fn all_sources_together_fill_no_more_than_the_table() {
    let mut book = book();
    for number in 0..20_000 {
        book.learn(&at(number, 1), &PeerHost::from(&at(number % 1_000, 2)), NOW);
    }
    let new = usize::try_from(limits::NEW_BUCKETS).unwrap() * limits::BUCKET_SIZE;
    assert_eq!(book.records().count(), new);
    for number in 0..20_000 {
        book.reached(&at(number, 3), NOW);
    }
    assert_eq!(book.records().count(), limits::MAX_ADDRESSES);
    assert!(book.buckets.values().all(|bucket| bucket.len() <= limits::BUCKET_SIZE));
}

#[test]
fn one_group_is_tried_in_no_more_than_its_part() {
    let mut book = book();
    for number in 0..500 {
        book.reached(&at(7, number), NOW);
    }
    let tried = book.records().filter(|(address, _)| book.is_tried(address)).count();
    assert_eq!(tried, usize::try_from(limits::TRIED_BUCKETS_PER_GROUP).unwrap() * limits::BUCKET_SIZE);
}

#[test]
fn what_works_gives_way_to_nothing_and_what_failed_to_anything() {
    let mut book = book();
    let source = host("10.0.0.1");
    let mut heard: Vec<PeerAddr> = Vec::new();
    for number in 0..5_000 {
        if book.learn(&at(number, 0), &source, NOW) {
            heard.push(at(number, 0));
        }
    }
    let before = texts(&book);
    for number in 5_000..9_000 {
        assert!(!book.learn(&at(number, 0), &source, NOW));
    }
    assert_eq!(texts(&book), before);

    assert!(book.failed(&heard[3], true, START));
    let newcomer = (9_000..20_000).map(|number| at(number, 0)).find(|next| book.learn(next, &source, NOW));
    assert!(newcomer.is_some());
    assert!(!texts(&book).contains(&heard[3].to_string()), "it is the one that gave way");
    assert_eq!(book.records().count(), before.len());

    // An address that is too old can be evicted too.
    let later = NOW.saturating_add(limits::MAX_ADDRESS_AGE + DAY);
    assert!(book.learn(&at(20_001, 0), &source, later));
    assert_eq!(book.records().count(), before.len());
}

#[test]
fn a_tried_address_is_displaced_only_after_it_failed_and_is_then_new_again() {
    let mut book = book();
    let group: Vec<PeerAddr> = (0..500).map(|number| at(7, number)).collect();
    for address in &group {
        book.reached(address, NOW);
    }
    let (tried, new): (Vec<_>, Vec<_>) = group.iter().partition(|address| book.is_tried(address));
    let newcomer = new.iter().find(|address| texts(&book).contains(&address.to_string())).unwrap();
    book.reached(newcomer, NOW);
    assert!(!book.is_tried(newcomer), "all others work");
    for address in &tried {
        book.failed(address, true, START);
    }
    book.reached(newcomer, NOW);
    assert!(book.is_tried(newcomer));
    let displaced: Vec<_> = tried.iter().filter(|address| !book.is_tried(address)).collect();
    assert_eq!(displaced.len(), 1);
    assert!(book.entries.contains_key(*displaced[0]), "it is still known");
}

#[test]
fn failures_end_in_oblivion_sooner_where_nobody_ever_answered() {
    let mut book = book();
    let [new, tried] = [address("ws://192.0.2.1:1"), address("ws://192.0.2.2:1")];
    book.learn(&new, &host("10.0.0.1"), NOW);
    book.reached(&tried, NOW);
    let until_forgotten = |book: &mut AddressBook, address: &PeerAddr| {
        (1..100).find(|_| {
            book.failed(address, true, START);
            !book.entries.contains_key(address)
        })
    };
    assert_eq!(until_forgotten(&mut book, &new), Some(limits::MAX_FAILURES_OF_NEW));
    assert_eq!(until_forgotten(&mut book, &tried), Some(limits::MAX_FAILURES_OF_TRIED));
    assert!(!book.failed(&new, true, START), "it is not known any more");

    // A success resets the count, and failures that may be this node's own fault do not count.
    book.reached(&tried, NOW);
    for _ in 0..100 {
        book.failed(&tried, false, START);
    }
    assert_eq!(book.records().map(|(_, record)| record.failures).collect::<Vec<_>>(), [0]);
}

#[test]
fn waits_between_failures_double_up_to_the_longest() {
    let mut book = book();
    let tried = address("ws://192.0.2.2:1");
    book.reached(&tried, NOW);
    let mut now = START;
    let mut wait = limits::MIN_DISCOVERED_BACKOFF;
    for _ in 0..20 {
        book.failed(&tried, false, now);
        let early = (now + wait).saturating_sub(Duration::from_millis(1));
        assert!(choices(&book, early).is_empty(), "{wait:?}");
        assert_eq!(book.next_turn(|_| true), Some(now + wait));
        now += wait;
        assert_eq!(choices(&book, now), std::slice::from_ref(&tried));
        wait = (wait * 2).min(limits::MAX_DISCOVERED_BACKOFF);
    }
    book.reached(&tried, NOW);
    assert_eq!(choices(&book, START), [tried], "it works again");
}

#[test]
fn the_same_generator_chooses_the_same_and_each_address_once() {
    let filled = || {
        let mut book = book();
        for number in 0..100 {
            book.learn(&at(number, 0), &PeerHost::from(&at(number / 10, 1)), NOW);
            if number % 3 == 0 {
                book.reached(&at(number, 0), NOW);
            }
        }
        book
    };
    let chosen = choices(&filled(), START);
    assert_eq!(chosen, choices(&filled(), START));
    assert_eq!(chosen.len(), filled().records().count());
    // About every second choice is a tried address, although there are fewer of them.
    let book = filled();
    let mut rng = Rng::with_seed(1);
    let tried = (0..1_000).filter(|_| {
        let next = book.choose(&mut rng, START, |_| true, |_| true).unwrap();
        book.is_tried(&next)
    });
    assert!((400..600).contains(&tried.count()));
}

#[test]
fn a_full_bucket_is_chosen_no_more_often_than_one_with_a_single_address() {
    let mut book = book();
    for number in 0..500 {
        book.learn(&at(1, number), &host("10.0.0.1"), NOW);
    }
    assert_eq!(book.records().count(), limits::BUCKET_SIZE, "one source, one group: one bucket");
    let honest = (0..50).map(|number| at(300 + number, 0)).find(|honest| {
        book.learn(honest, &host("192.0.2.1"), NOW);
        book.buckets.values().filter(|bucket| !bucket.is_empty()).count() == 2
    });
    let honest = honest.unwrap();
    let mut rng = Rng::with_seed(1);
    let chosen =
        (0..1_000).filter(|_| book.choose(&mut rng, START, |_| true, |_| true).as_ref() == Some(&honest));
    assert!((400..600).contains(&chosen.count()));
}

#[test]
fn preferred_groups_come_first_and_the_others_where_there_is_none() {
    let mut book = book();
    for number in 0..10 {
        book.learn(&at(number, 0), &host("10.0.0.1"), NOW);
    }
    let mut rng = Rng::with_seed(1);
    let next = book.choose(&mut rng, START, |_| true, |group| group == "1.7");
    assert_eq!(next, Some(at(7, 0)));
    let next = book.choose(&mut rng, START, |address| *address != at(7, 0), |group| group == "1.7");
    assert!(next.is_some_and(|next| next != at(7, 0)));
}

#[test]
fn what_is_told_was_reached_and_works() {
    let mut book = book();
    let [heard, reached, failed] = [1, 2, 3].map(|group| at(group, 0));
    for address in [&heard, &reached, &failed] {
        book.learn(address, &host("10.0.0.1"), NOW);
    }
    book.reached(&reached, NOW);
    book.reached(&failed, NOW);
    book.failed(&failed, true, START);
    assert!(book.to_advertise(NOW).eq([&reached]));
    let later = NOW.saturating_add(limits::MAX_ADDRESS_AGE + DAY);
    assert_eq!(book.to_advertise(later).count(), 0);
}

#[test]
fn a_host_is_forgotten_as_a_whole() {
    let mut book = book();
    for text in ["ws://192.0.2.1:1", "ws://192.0.2.1:2", "ws://192.0.2.2:1"] {
        book.learn(&address(text), &host("10.0.0.1"), NOW);
    }
    assert!(book.remove_host(&host("192.0.2.1")) && !book.remove_host(&host("192.0.2.1")));
    assert_eq!(texts(&book), ["ws://192.0.2.2:1"]);
}

#[test]
fn what_was_kept_finds_its_place_under_another_secret() {
    let mut before = book();
    for number in 0..100 {
        before.learn(&at(number, 0), &PeerHost::from(&at(number, 1)), NOW);
        if number % 4 == 0 {
            before.reached(&at(number, 0), NOW);
        }
    }
    let mut after = AddressBook::new(Hash::digest(b"another"));
    for (address, record) in before.records() {
        after.restore(address, record.clone(), NOW);
    }
    assert!(after.records().eq(before.records()));
    assert!(before.records().all(|(address, _)| before.is_tried(address) == after.is_tried(address)));
}

#[test]
fn news_of_a_known_address_are_noted_once_a_day() {
    let mut book = book();
    let known = at(1, 0);
    assert!(book.learn(&known, &host("10.0.0.1"), NOW));
    assert!(!book.learn(&known, &host("10.9.0.1"), NOW.saturating_add(DAY / 2)));
    assert!(book.learn(&known, &host("10.9.0.1"), NOW.saturating_add(DAY)));
    assert_eq!(book.records().count(), 1);
}
