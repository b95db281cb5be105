//! Tests of the store on disk, with real files and with in-memory disks that fail.

mod backends;
mod capacity;
mod damage;
mod disk;
mod files;
mod power_loss;
mod properties;
mod read_only;

use std::path::Path;

use fastrand::Rng;

use self::disk::Disk;
use super::Redb;
use crate::store::{ALL_KEYS, Batch, Order, Store, StoreError, Table};
use crate::testing::store::{Model, pattern, random_batch};

/// Opens a store on an in-memory disk.
fn open(disk: &Disk) -> Result<Redb, StoreError> {
    Redb::with_backend(Path::new("the/disk"), disk.clone(), 1 << 20)
}

/// Every entry of a store.
fn contents(store: &Redb) -> Result<Model, StoreError> {
    let mut all = Batch::new();
    for table in Table::ALL {
        for (key, value) in store.scan(table, ALL_KEYS, Order::Ascending, usize::MAX)? {
            all.put(table, key, value);
        }
    }
    let mut model = Model::default();
    model.apply(&all);
    Ok(model)
}

/// Random batches, and the content of a store before each batch and after the last. Some batches are large
/// enough for the file to grow, and some free pages.
fn workload(seed: u64, batches: usize) -> (Vec<Batch>, Vec<Model>) {
    let mut rng = Rng::with_seed(seed);
    let mut states = vec![Model::default()];
    let mut all = Vec::new();
    for number in 0..batches {
        let state = &states[number];
        let mut batch = random_batch(&mut rng, state);
        if number % 5 == 3 {
            batch.put(Table::Blocks, [rng.u8(..8)], pattern(rng.usize(20_000..80_000)));
        }
        if number % 7 == 6 {
            batch.delete(Table::Blocks, [rng.u8(..8)]);
        }
        let mut next = state.clone();
        next.apply(&batch);
        states.push(next);
        all.push(batch);
    }
    (all, states)
}
