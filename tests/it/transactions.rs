//! The index of transactions, compared with a search of the whole chain.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use hashloom::chain::{FindError, TransactionPlace, VerifyError};
use hashloom::primitives::Target;
use hashloom::store::{ALL_KEYS, Batch, Cause, Entries, Keys, Memory, Order, Table};
use hashloom::{
    Block, Blockchain, ChainConfig, ChainSpec, Hash, OpenError, Retarget, Store, StoreError, Timestamp,
};
use rstest::rstest;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A store that outlives its chain, and fails when it is told to.
#[derive(Clone, Debug, Default)]
struct Disk {
    content: Arc<Mutex<Memory>>,
    fails: Arc<AtomicBool>,
}

impl Disk {
    /// The entries of the index, without the one that says what it covers.
    fn places(&self) -> Vec<Vec<u8>> {
        let entries = self.scan(Table::Transactions, ALL_KEYS, Order::Ascending, usize::MAX).unwrap();
        entries.into_iter().map(|(key, _)| key).filter(|key| key.len() == 44).collect()
    }

    fn delete(&self, key: Vec<u8>) {
        let mut batch = Batch::new();
        batch.delete(Table::Transactions, key);
        self.content.lock().unwrap().commit(&batch).unwrap();
    }

    fn put(&self, key: Vec<u8>) {
        let mut batch = Batch::new();
        batch.put(Table::Transactions, key, []);
        self.content.lock().unwrap().commit(&batch).unwrap();
    }
}

impl Store for Disk {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.content.lock().unwrap().get(table, key)
    }

    fn scan(&self, table: Table, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError> {
        self.content.lock().unwrap().scan(table, keys, order, limit)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(StoreError::Full(Cause::new("no space is left")));
        }
        self.content.lock().unwrap().commit(batch)
    }
}

fn spec() -> ChainSpec {
    let builder = ChainSpec::builder("index").easiest_target(Target::MAX.to_compact());
    builder.retarget(Retarget::Fixed).build().unwrap()
}

fn open(disk: &Disk, config: ChainConfig) -> Blockchain {
    Blockchain::open(spec(), config, Box::new(disk.clone())).unwrap()
}

fn indexed() -> ChainConfig {
    ChainConfig::default().with_index_transactions(true)
}

fn import(chain: &mut Blockchain, block: &Arc<Block>) {
    let _ = chain.import(Arc::clone(block), NOW).unwrap();
}

/// A block on top of `chain` with these transactions.
fn mine(chain: &mut Blockchain, data: &[&str]) -> Arc<Block> {
    let data = data.iter().map(|text| (*text).to_owned()).collect();
    let block: Arc<Block> = chain.template(data, NOW).unwrap().mine().unwrap().into();
    import(chain, &block);
    block
}

fn id(text: &str) -> Hash {
    hashloom::primitives::transaction_id(&text.to_owned()).unwrap()
}

fn damaged(id: &Hash, reason: &'static str) -> StoreError {
    StoreError::DamagedValue { table: Table::Transactions, key: id.to_string(), reason }
}

/// The lowest place of each transaction, by a search of all blocks.
fn searched(chain: &Blockchain) -> BTreeMap<Hash, (u64, usize, Hash)> {
    let mut places = BTreeMap::new();
    for block in chain.blocks(..) {
        let block = block.unwrap();
        for (index, id) in block.digest().unwrap().ids.into_iter().enumerate() {
            places.entry(id).or_insert((block.height(), index, *block.hash()));
        }
    }
    places
}

/// Compares the index with a search, for these transactions and for those of the chain.
fn assert_complete(chain: &Blockchain, disk: &Disk, ids: &BTreeSet<Hash>) {
    let expected = searched(chain);
    for id in ids.iter().chain(expected.keys()) {
        let found = chain.find_transaction(id).unwrap();
        let found = found.map(|TransactionPlace { height, index, block, .. }| (height, index, block));
        assert_eq!(found, expected.get(id).copied(), "{id}");
    }
    let count: usize = chain.blocks(..).map(|block| block.unwrap().data().len()).sum();
    assert_eq!(disk.places().len(), count, "no entry is left of blocks that left the best chain");
}

/// Blocks of a random tree, each with up to four of twelve texts, so that many occur in several blocks.
fn tree(rng: &mut Rng) -> Vec<Arc<Block>> {
    let mut branches: Vec<Vec<Arc<Block>>> = vec![Vec::new()];
    let mut blocks = Vec::new();
    for _ in 0..30 {
        let parent = if rng.u8(..10) < 7 { branches.len() - 1 } else { rng.usize(..branches.len()) };
        let mut branch = branches[parent].clone();
        let mut chain = Blockchain::new(spec());
        for block in &branch {
            import(&mut chain, block);
        }
        let texts: Vec<String> = (0..rng.usize(..5)).map(|_| format!("text {}", rng.u8(..12))).collect();
        let block = mine(&mut chain, &texts.iter().map(String::as_str).collect::<Vec<_>>());
        branch.push(Arc::clone(&block));
        branches.push(branch);
        blocks.push(block);
    }
    blocks
}

#[rstest]
fn the_index_is_what_a_search_finds(#[values(1, 2, 3, 4, 5, 6, 7, 8)] seed: u64) {
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let blocks = tree(&mut rng);
    let ids: BTreeSet<Hash> = (0..12).map(|number| id(&format!("text {number}"))).collect();
    let disk = Disk::default();
    let mut chain = open(&disk, indexed());
    let mut order: Vec<_> = blocks.iter().chain(&blocks).collect();
    rng.shuffle(&mut order);
    for batch in order.chunks(3) {
        match rng.u8(..10) {
            0 => {
                disk.fails.store(true, Ordering::Relaxed);
                let tip = *chain.tip().hash();
                let failed = chain.import_all(batch.iter().map(|block| Arc::clone(block)), NOW);
                // Nothing is written for blocks that wait for their parents.
                assert!(failed.is_err() || *chain.tip().hash() == tip);
                disk.fails.store(false, Ordering::Relaxed);
            }
            1 => chain = open(&disk, indexed()),
            2 => {
                // A program without the index writes, and perhaps replaces blocks that the index covers.
                let mut other = open(&disk, ChainConfig::default());
                assert_eq!(other.find_transaction(&id("text 0")), Err(FindError::NotIndexed));
                let _ = other.import_all(batch.iter().map(|block| Arc::clone(block)), NOW).unwrap();
                drop(other);
                chain = open(&disk, indexed());
            }
            3 => chain.drop_above(rng.u64(..=chain.height())).unwrap(),
            _ => drop(chain.import_all(batch.iter().map(|block| Arc::clone(block)), NOW).unwrap()),
        }
        assert_eq!(chain.indexed_from(), Some(0));
        assert_complete(&chain, &disk, &ids);
    }
}

#[test]
fn an_index_is_built_for_a_chain_that_has_none() {
    let disk = Disk::default();
    let mut chain = open(&disk, ChainConfig::default());
    for number in 0..300 {
        // More transactions than are indexed at once.
        let texts: Vec<String> = (0..30).map(|place| format!("{number} {place}")).collect();
        mine(&mut chain, &texts.iter().map(String::as_str).collect::<Vec<_>>());
    }
    assert_eq!((chain.indexed_from(), disk.places().len()), (None, 0));
    drop(chain);
    let chain = open(&disk, indexed());
    assert_complete(&chain, &disk, &BTreeSet::new());
}

#[test]
fn a_pruned_chain_finds_what_it_has_seen() {
    let disk = Disk::default();
    let config = indexed().with_keep_bodies(Some(3));
    let mut chain = open(&disk, config.clone());
    // A state is stored, and bodies below it are pruned, once a megabyte was added.
    let long = "x".repeat(300_000);
    let blocks: Vec<_> = (0..20).map(|number| mine(&mut chain, &[&format!("{number}{long}")])).collect();
    assert!(chain.first_body() > 3, "bodies were pruned");
    let place = |chain: &Blockchain, number: usize| {
        chain.find_transaction(&blocks[number].digest().unwrap().ids[0]).unwrap().map(|place| place.height)
    };
    assert_eq!(place(&chain, 0), Some(1));
    assert_eq!(place(&chain, 19), Some(20));

    // Built anew, it has what there are bodies of.
    let first = chain.first_body();
    chain.drop_above(19).unwrap();
    assert_eq!(chain.indexed_from(), Some(first));
    assert_eq!((place(&chain, 0), place(&chain, 18), place(&chain, 19)), (None, Some(19), None));
}

#[test]
fn damage_is_an_error_that_names_the_transaction() {
    let disk = Disk::default();
    let mut chain = open(&disk, indexed());
    mine(&mut chain, &["a", "b"]);
    let [a, b] = ["a", "b"].map(id);
    let key = |id: &Hash, height: u64, place: u32| {
        [id.as_bytes(), &height.to_be_bytes()[..], &place.to_be_bytes()].concat()
    };
    for (height, place, problem) in [
        (1, 1, "leads to another transaction"),
        (1, 2, "leads beyond a block"),
        (9, 0, "leads above the tip"),
    ] {
        disk.delete(key(&a, 1, 0));
        disk.put(key(&a, height, place));
        let error = chain.find_transaction(&a).unwrap_err();
        assert_eq!(error, FindError::Store(damaged(&a, problem)));
        disk.delete(key(&a, height, place));
    }
    assert_eq!(chain.find_transaction(&a), Ok(None));
    let error = chain.verify(..).unwrap_err();
    let missing = damaged(&a, "is missing");
    assert_eq!(error, VerifyError::Store { height: 1, error: missing });
    assert_eq!(chain.find_transaction(&b).unwrap().map(|place| (place.height, place.index)), Some((1, 1)));

    drop(chain);
    let (chain, _) = Blockchain::<String>::repair(spec(), indexed(), Box::new(disk.clone())).unwrap();
    assert_complete(&chain, &disk, &BTreeSet::from([a, b]));
}

#[test]
fn a_store_that_cannot_be_written_to_opens_only_with_a_current_index() {
    let disk = Disk::default();
    let mut chain = open(&disk, ChainConfig::default());
    mine(&mut chain, &["a"]);
    drop(chain);
    disk.fails.store(true, Ordering::Relaxed);
    let refused = Blockchain::<String>::open(spec(), indexed(), Box::new(disk.clone())).unwrap_err();
    assert_eq!(refused, OpenError::Store(StoreError::Full(Cause::new("no space is left"))));
    disk.fails.store(false, Ordering::Relaxed);
    drop(open(&disk, indexed()));
    disk.fails.store(true, Ordering::Relaxed);
    assert_complete(&open(&disk, indexed()), &disk, &BTreeSet::from([id("a")]));
}
