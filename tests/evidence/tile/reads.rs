//! What a tile reads from the store: a row for each hash, whatever the level, and no bodies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use hashloom::chain::ProveError;
use hashloom::evidence::{Tile, TileError};
use hashloom::store::{Batch, Cause, Entries, Keys, Memory, Order, Table};
use hashloom::{Blockchain, ChainConfig, Store, StoreError};
use rstest::rstest;

use super::log::{LOG, chain, extend};
use super::tile;

/// The height of the chains: 952 blocks are not in memory.
const HEIGHT: u64 = 3_000;

#[derive(Debug, Default)]
struct Switch {
    reads: AtomicU64,
    is_broken: AtomicBool,
}

/// A store that counts its reads, and can be broken.
#[derive(Debug)]
struct Watched(Memory, Arc<Switch>);

impl Store for Watched {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.1.reads.fetch_add(1, Relaxed);
        if self.1.is_broken.load(Relaxed) { Err(broken()) } else { self.0.get(table, key) }
    }

    fn scan(&self, table: Table, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError> {
        self.1.reads.fetch_add(1, Relaxed);
        if self.1.is_broken.load(Relaxed) { Err(broken()) } else { self.0.scan(table, keys, order, limit) }
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.0.commit(batch)
    }
}

fn broken() -> StoreError {
    StoreError::Io(Cause::new("broken"))
}

fn watched() -> (Blockchain, Arc<Switch>) {
    let switch = Arc::new(Switch::default());
    let store = Box::new(Watched(Memory::new(), Arc::clone(&switch)));
    (chain(HEIGHT, ChainConfig::default(), store), switch)
}

#[test]
fn a_tile_takes_at_most_one_read_for_each_hash() {
    let (chain, switch) = watched();
    let reads = |tile: Tile| {
        let before = switch.reads.load(Relaxed);
        tile.bytes(&chain, HEIGHT).unwrap();
        switch.reads.load(Relaxed) - before
    };
    for tile in Tile::added(0, HEIGHT) {
        assert!(reads(tile) <= tile.width().into(), "{tile}");
    }
    assert_eq!(reads(tile("tile/entries/000")), 256);
    assert_eq!(reads(tile("tile/0/000")), 256);
    // Heights 255, 511 and 767.
    assert_eq!(reads(tile("tile/1/000.p/11")), 3);
    assert_eq!(reads(tile("tile/0/005")), 0);
}

#[rstest]
#[case("tile/entries/000")]
#[case("tile/0/000.p/1")]
#[case("tile/1/000.p/1")]
fn a_failure_of_the_store_is_reported(#[case] path: &str) {
    let (chain, switch) = watched();
    switch.is_broken.store(true, Relaxed);
    let error = tile(path).bytes(&chain, HEIGHT).unwrap_err();
    assert!(matches!(error, TileError::Chain(ProveError::Store(StoreError::Io(_)))), "{error:?}");
    assert!(tile("tile/0/010").bytes(&chain, HEIGHT).is_ok(), "needs no read");
}

#[test]
fn a_pruned_chain_has_all_tiles() {
    let config = ChainConfig::default().with_keep_bodies(Some(10));
    let mut pruned = chain(HEIGHT - 100, config, Box::new(Memory::new()));
    // Bodies are pruned up to a stored state, some with each block.
    pruned.checkpoint().unwrap();
    extend(&mut pruned, HEIGHT);
    assert!(pruned.first_body() > HEIGHT - 100, "{}", pruned.first_body());
    for tile in Tile::added(0, HEIGHT) {
        assert!(tile.bytes(&pruned, HEIGHT) == tile.bytes(&LOG, HEIGHT), "{tile}");
    }
}
