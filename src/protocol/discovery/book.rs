//! The address book of discovery, modelled on Bitcoin's address manager with the countermeasures of Heilman
//! et al., "Eclipse Attacks on Bitcoin's Peer-to-Peer Network" (2015), but smaller. An address that was only
//! advertised is *new*; an address at which a peer of this chain has answered is *tried*. Both kinds are
//! stored in buckets that are selected with a secret: by source and address for the new, by address alone for
//! the tried. A peer that advertises thousands of addresses therefore fills only a few buckets, cannot
//! predict which ones, and evicts no address that works. The book knows no peers, and takes its randomness
//! from the caller's generator.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use crate::primitives::{Hash, Timestamp};
use crate::protocol::address::{PeerAddr, PeerHost};
use crate::protocol::limits;
use crate::protocol::scope::group;

#[derive(Clone, Debug)]
pub(super) struct AddressBook {
    secret: Hash,
    entries: BTreeMap<PeerAddr, Entry>,
    buckets: BTreeMap<Bucket, BTreeSet<PeerAddr>>,
}

#[derive(Clone, Debug)]
struct Entry {
    bucket: Bucket,
    record: Record,
    /// Consecutive failed dials since the node was started.
    attempts: u32,
    /// When the address may be dialled again.
    not_before: Duration,
}

/// What is stored of an address across restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::protocol) struct Record {
    /// The group of the source that advertised the address first.
    source: Box<str>,
    /// When the address was last advertised, to the day.
    advertised: Timestamp,
    /// When a peer of this chain was last reached at the address.
    pub(super) reached: Option<Timestamp>,
    /// Consecutive failures since then.
    pub(super) failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Bucket {
    New(u64),
    Tried(u64),
}

/// The minimum time between two updates of when an address was advertised.
const ADVERTISED_RESOLUTION: Duration = Duration::from_secs(24 * 60 * 60);

impl AddressBook {
    pub(super) const fn new(secret: Hash) -> Self {
        Self { secret, entries: BTreeMap::new(), buckets: BTreeMap::new() }
    }

    /// Returns the addresses with their records.
    pub(super) fn records(&self) -> impl Iterator<Item = (&PeerAddr, &Record)> {
        self.entries.iter().map(|(address, entry)| (address, &entry.record))
    }

    pub(super) fn is_tried(&self, address: &PeerAddr) -> bool {
        self.entries.get(address).is_some_and(|entry| matches!(entry.bucket, Bucket::Tried(_)))
    }

    /// Adds or updates an advertised address. Returns whether the book has changed: a full bucket accepts the
    /// address only if it can evict one that failed or is too old.
    pub(super) fn learn(&mut self, address: &PeerAddr, source: &PeerHost, now: Timestamp) -> bool {
        if let Some(Entry { record, .. }) = self.entries.get_mut(address) {
            let is_news = record.advertised.saturating_add(ADVERTISED_RESOLUTION) <= now;
            if is_news {
                record.advertised = now;
            }
            return is_news;
        }
        let record = Record { source: group(source), advertised: now, reached: None, failures: 0 };
        self.insert_new(address, record, now)
    }

    /// Restores an address from an earlier run. The caller should restore addresses that were reached first.
    pub(super) fn restore(&mut self, address: &PeerAddr, record: Record, now: Timestamp) {
        if self.entries.contains_key(address) {
            return;
        }
        let bucket = self.tried_bucket(address);
        if record.reached.is_some() && self.has_room(bucket) {
            self.place(address, bucket, record);
        } else {
            self.insert_new(address, record, now);
        }
    }

    /// Notes that a peer of this chain answered at the address. The address becomes tried, unless its bucket
    /// is full of other addresses that work.
    pub(super) fn reached(&mut self, address: &PeerAddr, now: Timestamp) {
        let before = self.entries.get(address).map(|entry| &entry.record);
        let source = before.map_or_else(|| group(&PeerHost::from(address)), |record| record.source.clone());
        let advertised = before.map_or(now, |record| record.advertised);
        let record = Record { source, advertised, reached: Some(now), failures: 0 };
        let bucket = self.tried_bucket(address);
        let was_tried = self.is_tried(address);
        self.take(address);
        if !was_tried && !self.has_room(bucket) {
            let Some(displaced) = self.weakest(bucket, now) else {
                self.insert_new(address, record, now);
                return;
            };
            if let Some(entry) = self.take(&displaced) {
                self.insert_new(&displaced, entry.record, now);
            }
        }
        self.place(address, bucket, record);
    }

    /// Notes that no peer answered at the address, or not for long. The wait before the next dial grows with
    /// each failure. A few failures that `counts` remove the address; the caller does not count them while
    /// the node's own network may be at fault. Returns whether the address was known.
    pub(super) fn failed(&mut self, address: &PeerAddr, counts: bool, now: Duration) -> bool {
        let Some(entry) = self.entries.get_mut(address) else { return false };
        let wait = limits::MIN_DISCOVERED_BACKOFF.saturating_mul(1 << entry.attempts.min(16));
        entry.not_before = now + wait.min(limits::MAX_DISCOVERED_BACKOFF);
        entry.attempts = entry.attempts.saturating_add(1);
        let limit = match entry.record.reached {
            Some(_) => limits::MAX_FAILURES_OF_TRIED,
            None => limits::MAX_FAILURES_OF_NEW,
        };
        if counts {
            entry.record.failures = entry.record.failures.saturating_add(1);
            if entry.record.failures >= limit {
                self.take(address);
            }
        }
        true
    }

    /// Postpones the next dial of an address without counting a failure.
    pub(super) fn postpone(&mut self, address: &PeerAddr, until: Duration) {
        if let Some(entry) = self.entries.get_mut(address) {
            entry.not_before = until;
        }
    }

    /// Removes an address. Returns whether it was known.
    pub(super) fn remove(&mut self, address: &PeerAddr) -> bool {
        self.take(address).is_some()
    }

    /// Removes every address of a host. Returns whether there was one.
    pub(super) fn remove_host(&mut self, host: &PeerHost) -> bool {
        let of_host = self.entries.keys().filter(|address| PeerHost::from(*address) == *host);
        let of_host: Vec<PeerAddr> = of_host.cloned().collect();
        of_host.iter().fold(false, |known, address| self.remove(address) | known)
    }

    /// Chooses the next address to dial among those that `may_be` admits. Tried and new addresses have equal
    /// chances, and so has each bucket, however full it is. Addresses in `preferred` groups take precedence.
    pub(super) fn choose(
        &self,
        rng: &mut Rng,
        now: Duration,
        may_be: impl Fn(&PeerAddr) -> bool,
        preferred: impl Fn(&str) -> bool,
    ) -> Option<PeerAddr> {
        let mut all: BTreeMap<Bucket, Vec<&PeerAddr>> = BTreeMap::new();
        let mut best = all.clone();
        for (address, entry) in &self.entries {
            if entry.not_before <= now && may_be(address) {
                all.entry(entry.bucket).or_default().push(address);
                if preferred(&group(&PeerHost::from(address))) {
                    best.entry(entry.bucket).or_default().push(address);
                }
            }
        }
        let from = if best.is_empty() { all } else { best };
        let (tried, new): (Vec<_>, Vec<_>) =
            from.into_iter().partition(|(bucket, _)| matches!(bucket, Bucket::Tried(_)));
        let prefers_tried = rng.bool();
        let table = if (prefers_tried && !tried.is_empty()) || new.is_empty() { tried } else { new };
        let (_, bucket) = rng.choice(&table)?;
        rng.choice(bucket).map(|address| (*address).clone())
    }

    /// Returns when the next address that `may_be` admits may be dialled.
    pub(super) fn next_turn(&self, may_be: impl Fn(&PeerAddr) -> bool) -> Option<Duration> {
        let such = self.entries.iter().filter(|(address, _)| may_be(address));
        such.map(|(_, entry)| entry.not_before).min()
    }

    /// Returns the addresses to advertise: those at which a peer was reached, without a failure since.
    /// Addresses that were only advertised to this node are not passed on, so an unverified address travels
    /// at most one hop.
    pub(super) fn to_advertise(&self, now: Timestamp) -> impl Iterator<Item = &PeerAddr> {
        let works = move |record: &Record| record.reached.is_some() && !record.is_weak(now);
        self.records().filter(move |(_, record)| works(record)).map(|(address, _)| address)
    }

    fn insert_new(&mut self, address: &PeerAddr, record: Record, now: Timestamp) -> bool {
        let bucket = self.new_bucket(&record.source, address);
        if !self.has_room(bucket) {
            let Some(weakest) = self.weakest(bucket, now) else { return false };
            self.take(&weakest);
        }
        self.place(address, bucket, record);
        true
    }

    fn place(&mut self, address: &PeerAddr, bucket: Bucket, record: Record) {
        self.buckets.entry(bucket).or_default().insert(address.clone());
        let entry = Entry { bucket, record, attempts: 0, not_before: Duration::ZERO };
        self.entries.insert(address.clone(), entry);
    }

    fn take(&mut self, address: &PeerAddr) -> Option<Entry> {
        let entry = self.entries.remove(address)?;
        if let Some(bucket) = self.buckets.get_mut(&entry.bucket) {
            bucket.remove(address);
        }
        Some(entry)
    }

    fn has_room(&self, bucket: Bucket) -> bool {
        self.buckets.get(&bucket).is_none_or(|bucket| bucket.len() < limits::BUCKET_SIZE)
    }

    /// Returns the address in a bucket to evict first: among those that may be evicted the one with the most
    /// failures, and of those the one that has not been reached or advertised for longest.
    fn weakest(&self, bucket: Bucket, now: Timestamp) -> Option<PeerAddr> {
        let entries = self.buckets.get(&bucket).into_iter().flatten();
        let entries = entries.filter_map(|address| Some((address, &self.entries.get(address)?.record)));
        let weak = entries.filter(|(_, record)| record.is_weak(now));
        let weakest = weak.max_by_key(|(_, record)| (record.failures, Reverse(record.last_heard())));
        weakest.map(|(address, _)| address.clone())
    }

    fn new_bucket(&self, source: &str, address: &PeerAddr) -> Bucket {
        let group = group(&PeerHost::from(address));
        let place = self.number(&["new", source, &group]) % limits::NEW_BUCKETS_PER_SOURCE;
        Bucket::New(self.number(&["new", source, &place.to_string()]) % limits::NEW_BUCKETS)
    }

    fn tried_bucket(&self, address: &PeerAddr) -> Bucket {
        let group = group(&PeerHost::from(address));
        let place = self.number(&["tried", address.as_str()]) % limits::TRIED_BUCKETS_PER_GROUP;
        Bucket::Tried(self.number(&["tried", &group, &place.to_string()]) % limits::TRIED_BUCKETS)
    }

    /// Returns a number that cannot be predicted without the secret. Zero bytes separate the texts, which
    /// contain none.
    fn number(&self, texts: &[&str]) -> u64 {
        let mut parts: Vec<&[u8]> = vec![self.secret.as_bytes()];
        for text in texts {
            parts.extend([text.as_bytes(), &[0]]);
        }
        leading_number(&Hash::digest_parts(&parts))
    }
}

/// Returns the first eight bytes of a hash as a number.
pub(super) fn leading_number(hash: &Hash) -> u64 {
    hash.as_bytes().iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

impl Record {
    fn last_heard(&self) -> Timestamp {
        self.reached.map_or(self.advertised, |reached| reached.max(self.advertised))
    }

    /// Whether the address may be evicted for another one.
    fn is_weak(&self, now: Timestamp) -> bool {
        self.failures > 0 || self.last_heard().saturating_add(limits::MAX_ADDRESS_AGE) < now
    }
}

#[cfg(test)]
mod tests;
