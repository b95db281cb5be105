//! A store with unreadable values: the operator is notified, whichever call reads them first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hashloom::store::{Batch, Entries, Keys, Memory, Order, Store, StoreError, Table};
use hashloom::{ChainConfig, Event, Node, NodeHandle, ProtocolConfig};
use rstest::rstest;

use crate::kit::{easy_spec, until, within};

/// A store whose blocks are unreadable once `fails` is set.
#[derive(Debug)]
struct Failing {
    inner: Memory,
    fails: Arc<AtomicBool>,
}

impl Failing {
    fn check(&self, table: Table) -> Result<(), StoreError> {
        if table == Table::Blocks && self.fails.load(Ordering::Relaxed) {
            return Err(StoreError::DamagedValue { table, key: "1".to_owned(), reason: "is gone" });
        }
        Ok(())
    }
}

impl Store for Failing {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.check(table)?;
        self.inner.get(table, key)
    }

    fn scan(&self, table: Table, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError> {
        self.check(table)?;
        self.inner.scan(table, keys, order, limit)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.inner.commit(batch)
    }
}

fn by_height(node: &NodeHandle) -> Option<StoreError> {
    node.block_at(1).err()
}

fn by_hash(node: &NodeHandle) -> Option<StoreError> {
    let hash = node.chain().header_at(1).unwrap().unwrap().hash();
    node.block(&hash).err()
}

fn by_range(node: &NodeHandle) -> Option<StoreError> {
    node.blocks(1..=1).err()
}

#[rstest]
#[case::by_height(by_height)]
#[case::by_hash(by_hash)]
#[case::by_range(by_range)]
#[tokio::test]
async fn damage_that_a_handle_meets_is_reported_once(#[case] read: fn(&NodeHandle) -> Option<StoreError>) {
    let fails = Arc::new(AtomicBool::new(false));
    let store = Failing { inner: Memory::new(), fails: Arc::clone(&fails) };
    let config = ProtocolConfig::default().with_chain(ChainConfig::default().with_max_cached_bytes(0));
    let node = Node::<String>::builder(easy_spec("unreadable")).store(store).protocol(config);
    let node = node.start().await.unwrap();
    for _ in 0..3 {
        node.mine(Vec::new()).await.unwrap();
    }
    let mut events = node.subscribe();
    fails.store(true, Ordering::Relaxed);
    let error = read(&node).unwrap();
    assert_eq!(read(&node).as_ref(), Some(&error));
    within(until(|| node.status().store_error.is_some())).await;
    assert_eq!(node.status().store_error, Some(error.to_string()));
    assert!(!node.status().halted, "the rest goes on");

    // Completes only after all earlier inputs were handled.
    node.submit("a marker".to_owned()).await.unwrap();
    let mut failures = Vec::new();
    while let Some(event) = events.try_recv().unwrap() {
        if let Event::StoreFailed { error } = event {
            failures.push(error);
        }
    }
    assert_eq!(failures, [error]);
}
