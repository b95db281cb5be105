//! What the store has of peers beside the addresses that are kept: the address book, and the bans with the time of
//! day at which they end. One row for each, so that a change costs what it changes.

use core::ops::Bound;
use std::collections::BTreeMap;

use super::book::Record;
use crate::primitives::{Timestamp, Transaction};
use crate::protocol::{PeerHost, Protocol, limits};
use crate::store::{Batch, Order, StoreError, Table, seal, unseal};

/// The rows as the store has them, without their checksums.
pub(in crate::protocol) type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// What the key of an address in the book begins with; then comes its text. The key of an address that a connection
/// is kept to is its text alone, which begins with neither.
const ADDRESS: u8 = 1;

/// What the key of a ban begins with; then comes the host.
const BAN: u8 = 2;

impl<T: Transaction> Protocol<T> {
    /// Takes in what an earlier run has kept. A damaged row is dropped: nothing depends on it.
    pub(in crate::protocol) fn load_peers(&mut self, now: Timestamp) -> Result<(), StoreError> {
        for (host, value) in self.load_rows(BAN, limits::MAX_BANS)? {
            if let Ok(until) = <[u8; 8]>::try_from(value.as_slice()) {
                let host = PeerHost::from_stored(&host);
                self.reputation.restore(host, Timestamp::from_millis(u64::from_be_bytes(until)), now);
            }
        }
        if !self.config.discovery {
            return Ok(());
        }
        let mut known = Vec::new();
        for (address, value) in self.load_rows(ADDRESS, limits::MAX_ADDRESSES)? {
            if let (Ok(address), Ok(record)) = (address.parse(), postcard::from_bytes::<Record>(&value)) {
                known.push((address, record));
            }
        }
        known.sort_by_key(|(_, record)| record.reached.is_none());
        for (address, record) in known {
            if !self.is_own(&address) {
                self.discovery.book.restore(&address, record, now);
                self.look_for_peers(core::time::Duration::ZERO);
            }
        }
        Ok(())
    }

    /// The rows as they should be.
    pub(in crate::protocol) fn peer_rows(&self) -> Rows {
        let bans = self
            .reputation
            .expiries()
            .map(|(host, until)| (key(BAN, host.as_str()), until.as_millis().to_be_bytes().to_vec()));
        let known = self.discovery.book.records().filter_map(|(address, record)| {
            Some((key(ADDRESS, address.as_str()), postcard::to_allocvec(record).ok()?))
        });
        bans.chain(known).collect()
    }

    /// The texts and the contents of the rows of a kind that can be read. All of them, also those that cannot, are
    /// in the store from here on, so that what is not taken up is deleted.
    fn load_rows(&mut self, kind: u8, limit: usize) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let (from, to) = ([kind], [kind + 1]);
        let keys = (Bound::Included(&from[..]), Bound::Excluded(&to[..]));
        let entries = self.chain.store().scan(Table::Peers, keys, Order::Ascending, limit)?;
        let mut readable = Vec::new();
        for (key, value) in entries {
            let content = unseal(Table::Peers, &key, &value).map(<[u8]>::to_vec);
            if let (Ok(text), Some(content)) = (str::from_utf8(&key[1..]), content.clone()) {
                readable.push((text.to_owned(), content));
            }
            self.saved.rows.insert(key, content.unwrap_or_default());
        }
        Ok(readable)
    }
}

/// Has the batch make the rows in the store what they should be.
pub(in crate::protocol) fn update(before: &Rows, after: &Rows, batch: &mut Batch) {
    for (key, value) in after.iter().filter(|(key, value)| before.get(*key) != Some(value)) {
        batch.put(Table::Peers, key.as_slice(), seal(Table::Peers, key, value.clone()));
    }
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        batch.delete(Table::Peers, key.as_slice());
    }
}

fn key(kind: u8, text: &str) -> Vec<u8> {
    [&[kind], text.as_bytes()].concat()
}
