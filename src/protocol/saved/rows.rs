//! The rows that the store has of peers besides the kept addresses: the address book, and bans with the wall
//! clock time at which they end. Each has its own row, so the cost of a write is proportional to the changes.

use core::ops::Bound;
use std::collections::BTreeMap;

use crate::primitives::{Timestamp, Transaction};
use crate::protocol::address::PeerHost;
use crate::protocol::config::ProtocolConfig;
use crate::protocol::connections::Connections;
use crate::protocol::discovery::Discovery;
use crate::protocol::limits;
use crate::protocol::local::Local;
use crate::store::{Batch, Order, StoreError, Table, seal, unseal};

/// The rows in the store, without their checksums.
pub(super) type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// The first byte of the key of an address in the book; the text of the address follows. The key of a kept
/// address is only its text, which is printable and cannot start with this byte or with [`BAN`].
const ADDRESS: u8 = 1;

/// The first byte of the key of a ban; the host follows.
const BAN: u8 = 2;

/// Restores the bans of an earlier run. Damaged rows are dropped, because nothing depends on them.
pub(super) fn restore_bans<T: Transaction>(
    rows: &mut Rows,
    local: &Local<T>,
    connections: &mut Connections,
    now: Timestamp,
) -> Result<(), StoreError> {
    for (host, value) in load(rows, local, BAN, limits::MAX_BANS)? {
        if let Ok(until) = <[u8; 8]>::try_from(value.as_slice()) {
            let until = Timestamp::from_millis(u64::from_be_bytes(until));
            connections.restore_ban(PeerHost::from_stored(&host), until, now);
        }
    }
    Ok(())
}

/// Restores the address book of an earlier run. Damaged rows are dropped, because nothing depends on them.
pub(super) fn restore_addresses<T: Transaction>(
    rows: &mut Rows,
    local: &Local<T>,
    config: &ProtocolConfig,
    discovery: &mut Discovery,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut known = Vec::new();
    for (address, value) in load(rows, local, ADDRESS, limits::MAX_ADDRESSES)? {
        if let (Ok(address), Ok(record)) = (address.parse(), postcard::from_bytes(&value)) {
            known.push((address, record));
        }
    }
    discovery.restore(config, known, now);
    Ok(())
}

/// Returns the rows that the store should have.
pub(super) fn current(connections: &Connections, discovery: &Discovery) -> Rows {
    let bans = connections
        .ban_expiries()
        .map(|(host, until)| (key(BAN, host.as_str()), until.as_millis().to_be_bytes().to_vec()));
    let known = discovery.records().filter_map(|(address, record)| {
        Some((key(ADDRESS, address.as_str()), postcard::to_allocvec(record).ok()?))
    });
    bans.chain(known).collect()
}

/// Returns the texts and the contents of the readable rows of a kind. Registers all rows of the kind as
/// stored, also unreadable ones, so that those that are not restored are deleted.
fn load<T: Transaction>(
    rows: &mut Rows,
    local: &Local<T>,
    kind: u8,
    limit: usize,
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let (from, to) = ([kind], [kind + 1]);
    let keys = (Bound::Included(&from[..]), Bound::Excluded(&to[..]));
    let entries = local.chain.store().scan(Table::Peers, keys, Order::Ascending, limit)?;
    let mut readable = Vec::new();
    for (key, value) in entries {
        let content = unseal(Table::Peers, &key, &value).map(<[u8]>::to_vec);
        if let (Ok(text), Some(content)) = (str::from_utf8(&key[1..]), content.clone()) {
            readable.push((text.to_owned(), content));
        }
        rows.insert(key, content.unwrap_or_default());
    }
    Ok(readable)
}

/// Adds the writes and deletes to the batch that turn the rows `before` into the rows `after`.
pub(super) fn update(before: &Rows, after: &Rows, batch: &mut Batch) {
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
