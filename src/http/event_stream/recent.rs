//! The last events, as the text that clients read.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::api::NodeEvent;

/// The last events, within a limit in bytes. The id of an event is `<start>-<number>`: the start is drawn at random, so that an
/// id of an earlier run of the node names nothing, and the numbers have no gaps.
#[derive(Debug)]
pub(in crate::http) struct Recent {
    start: u64,
    max_bytes: usize,
    events: Mutex<Ring>,
    /// The number of the next event, and whether there will be none.
    next: watch::Sender<(u64, bool)>,
}

#[derive(Debug)]
struct Ring {
    /// The text of each event.
    events: VecDeque<Vec<u8>>,
    /// What their texts take in memory.
    bytes: usize,
    /// The number of the first one.
    first: u64,
}

/// What an event takes in memory besides its text: the vector, and what an allocation costs.
const OVERHEAD: usize = 64;

impl Recent {
    pub(in crate::http) fn new(start: u64, max_bytes: usize) -> Self {
        let events = Ring { events: VecDeque::new(), bytes: 0, first: 1 };
        Self { start, max_bytes, events: Mutex::new(events), next: watch::Sender::new((1, false)) }
    }

    /// Adds an event, and evicts the oldest ones beyond the limit. The last one is always kept.
    pub(in crate::http) fn push(&self, event: &NodeEvent) {
        let mut events = self.lock();
        let number = events.next();
        let text = self.text(number, event);
        events.bytes += text.len() + OVERHEAD;
        events.events.push_back(text);
        while events.bytes > self.max_bytes && events.events.len() > 1 {
            let Some(oldest) = events.events.pop_front() else { break };
            events.bytes -= oldest.len() + OVERHEAD;
            events.first += 1;
        }
        drop(events);
        self.next.send_modify(|(next, _)| *next = number + 1);
    }

    /// Says that no event follows.
    pub(in crate::http) fn end(&self) {
        self.next.send_modify(|(_, is_ended)| *is_ended = true);
    }

    /// The number of the next event.
    pub(in crate::http) fn next(&self) -> u64 {
        self.lock().next()
    }

    /// Subscribes to the number of the next event, and whether there will be none.
    pub(in crate::http) fn watch(&self) -> watch::Receiver<(u64, bool)> {
        self.next.subscribe()
    }

    /// The number of the event after the one with this id; `None` if the id is not one of this run.
    pub(in crate::http) fn after(&self, id: &str) -> Option<u64> {
        let (start, number) = id.split_once('-')?;
        let (start, number) = (u64::from_str_radix(start, 16).ok()?, number.parse::<u64>().ok()?);
        (start == self.start && number < self.next()).then(|| number + 1)
    }

    /// The text of the events from a number on, up to the one that reaches `max_bytes`, and the number of the one after them. Says
    /// first how many are missing because they were evicted.
    pub(in crate::http) fn read(&self, from: u64, max_bytes: usize) -> (Vec<u8>, u64) {
        let events = self.lock();
        let mut text = Vec::new();
        let missed = events.first.saturating_sub(from);
        if missed > 0 {
            text = self.text(events.first - 1, &NodeEvent::Missed { events: Some(missed) });
        }
        let mut next = from.max(events.first);
        let skipped = usize::try_from(next - events.first).unwrap_or(usize::MAX);
        for event in events.events.iter().skip(skipped) {
            if text.len() >= max_bytes {
                break;
            }
            text.extend_from_slice(event);
            next += 1;
        }
        (text, next)
    }

    /// The text of an event after which a client continues with the number after this one.
    pub(in crate::http) fn text(&self, number: u64, event: &NodeEvent) -> Vec<u8> {
        // JSON has no line breaks, and serialising this type cannot fail.
        let json = serde_json::to_string(event).unwrap_or_default();
        format!("id: {:016x}-{number}\ndata: {json}\n\n", self.start).into_bytes()
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn next(&self) -> u64 {
        self.first + self.events.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(recent: &Recent, from: u64) -> (Vec<String>, u64) {
        let (text, next) = recent.read(from, usize::MAX);
        let text = String::from_utf8(text).unwrap();
        let ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
        (ids.map(str::to_owned).collect(), next)
    }

    #[test]
    fn an_event_is_one_line_of_json_with_an_id() {
        let recent = Recent::new(0xabc, 1 << 20);
        recent.push(&NodeEvent::Missed { events: Some(7) });
        let text = "id: 0000000000000abc-1\ndata: {\"type\":\"missed\",\"events\":7}\n\n";
        assert_eq!(recent.read(1, 1), (text.into(), 2));
        assert_eq!(recent.read(2, 1), (Vec::new(), 2));
    }

    #[test]
    fn only_ids_of_this_run_are_continued() {
        let recent = Recent::new(0xabc, 1 << 20);
        recent.push(&NodeEvent::StoreRecovered);
        assert_eq!(
            (recent.after("0000000000000abc-0"), recent.after("0000000000000abc-1")),
            (Some(1), Some(2))
        );
        for id in ["", "1", "abc", "abc-2", "abd-1", "abc-", "abc--1", "abc-1-1", "abc-18446744073709551615"]
        {
            assert_eq!(recent.after(id), None, "{id}");
        }
    }

    #[test]
    fn what_was_evicted_is_reported_with_its_number() {
        let size = Recent::new(0, 0).text(1, &NodeEvent::StoreRecovered).len() + OVERHEAD;
        let recent = Recent::new(0, 3 * size);
        for _ in 0..9 {
            recent.push(&NodeEvent::StoreRecovered);
        }
        assert_eq!(recent.lock().bytes, 3 * size);
        let id = |number: u64| format!("{:016x}-{number}", 0);
        assert_eq!(ids(&recent, 2), (vec![id(6), id(7), id(8), id(9)], 10));
        let (text, _) = recent.read(2, 1);
        assert_eq!(text, recent.text(6, &NodeEvent::Missed { events: Some(5) }));
        assert_eq!(ids(&recent, 8), (vec![id(8), id(9)], 10));
        assert_eq!(ids(&recent, 10), (Vec::new(), 10));
    }

    #[test]
    fn one_event_is_kept_whatever_the_limit() {
        let recent = Recent::new(0, 0);
        recent.push(&NodeEvent::StoreRecovered);
        recent.push(&NodeEvent::ClockCaughtUp);
        assert_eq!(recent.read(2, 1), (recent.text(2, &NodeEvent::ClockCaughtUp), 3));
    }
}
